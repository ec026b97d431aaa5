"""Lists of models, and answers that name another one."""

import json

import pytest
from sdks import openai

from llm_gateway.dialects import CHAT, SPECS, models_list, renamed_answer


def test_models_list():
    assert json.loads(models_list(["flash", "models/ü"])) == {
        "object": "list",
        "data": [
            {"id": "flash", "object": "model", "created": 0, "owned_by": "llm-gateway"},
            {
                "id": "models/ü",
                "object": "model",
                "created": 0,
                "owned_by": "llm-gateway",
            },
        ],
    }
    page = openai.pagination.SyncPage[openai.types.Model].model_validate_json(
        models_list(["flash"]), strict=True
    )
    assert [model.id for model in page.data] == ["flash"]


@pytest.mark.parametrize(
    ("dialect", "answer", "expected"),
    [
        ("chat", '{"id":1,"model":"a"}', '{"id":1,"model":"b"}'),
        ("chat", '{"ü":1, "model" :\n"a","x":{}}', '{"ü":1, "model" :\n"b","x":{}}'),
        # inside
        ("messages", '{"message":{"model":"a"}}', '{"message":{"model":"b"}}'),
        (
            "messages",
            '{"type":"message","model":"a"}',
            '{"type":"message","model":"b"}',
        ),
        (
            "responses",
            '{"response":{"tools":[{"model":"x"}],"ü":0,"model":"a"},"model":"a"}',
            '{"response":{"tools":[{"model":"x"}],"ü":0,"model":"b"},"model":"b"}',
        ),
        # not the answer's model
        ("chat", '{"message":{"model":"a"}}', None),
        ("chat", '{"model":null}', None),
        ("messages", '{"message":{"model":7}}', None),
        ("messages", '{"message":"model"}', None),
        # no object
        ("chat", '["model"]', None),
        ("chat", '{"model":"a"', None),
        ("chat", "[DONE]", None),
        ("chat", "", None),
    ],
)
def test_renamed_answer(dialect, answer, expected):
    data = answer.encode()
    out = renamed_answer(SPECS[dialect], data, "b")
    assert out.decode() == (answer if expected is None else expected)


def test_bytes_that_are_no_text_stay():
    assert renamed_answer(CHAT, b'"model"\xff', "b") == b'"model"\xff'
