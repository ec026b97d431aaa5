"""Whatever a provider writes, the client reads its words in the dialect's own shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.dialects import CHAT, MESSAGES, read_error
from llm_gateway.dialects.error_shapes import in_shape
from llm_gateway.dialects.spec import DialectSpec


def shaped(dialect: DialectSpec, body: bytes, status: int = 400) -> bytes:
    return in_shape(dialect, status, body, read_error(body))


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (CHAT, {"error": {"message": "no", "type": "x", "param": None, "code": "y"}}),
        (CHAT, {"error": {"message": "no"}}),
        (CHAT, {"error": {"message": "no", "type": "x", "more": [1]}, "id": "r"}),
        (MESSAGES, {"type": "error", "error": {"type": "x", "message": "no"}}),
    ],
)
def test_what_fits_stays_byte_for_byte(dialect: DialectSpec, body: object) -> None:
    raw = json.dumps(body, indent=1).encode()
    assert shaped(dialect, raw) is raw


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "The provider answered 400, without a word."),
        (b"", "The provider answered 400, without a word."),
        (b"nope", "nope"),
        (b"<html><style>p{}</style><h1>413 Too Large</h1></html>", "413 Too Large"),
        (b'{"error": "no"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b'{"title": "Bad Request", "detail": "no"}', "no"),
        (b'{"detail": [{"loc": ["body", "n", 0], "msg": "a"}, {"msg": "b"}]}', "body.n.0: a; b"),
        (b'{"errors": [{"message": "a"}, {"message": "b"}]}', "a; b"),
        (b'{"error": {"message": "Provider returned error", "metadata": {"raw": "no"}}}', "no"),
        (b'{"error": {"message": "Provider returned error"}}', "Provider returned error"),
        (b'data: {"error": {"message": "no", "code": 7}}\n\n', "no"),
        (b"<p>Unknown parameter: &#39;a&#39; &amp; b</p>", "Unknown parameter: 'a' & b"),
        (b'{"fault": {"faultstring": "no", "detail": {"errorcode": "x"}}}', "no"),
        (b'{"Error": {"Message": "no"}}', "no"),
        (b'{"error_msg": "no", "error_code": 3}', "no"),
        (b'{"error": {"error": {"message": "no"}}}', "no"),
        (b'{"errors": {"a[0].b": ["no", "never"]}, "title": "Several"}', "a[0].b: no; a[0].b: never"),
        (b'{"error": {"name": "ZodError", "issues": [{"path": ["a", 0], "message": "no"}]}}', "a.0: no"),
    ],
)  # fmt: skip
def test_the_words_are_the_providers(body: bytes, words: str) -> None:
    for dialect in (CHAT, MESSAGES):
        assert json.loads(shaped(dialect, body))["error"]["message"] == words


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "errors", "type", "code", "loc", "msg", "metadata", "raw"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_any_body_becomes_an_official_error(value: object) -> None:
    found = json.loads(shaped(CHAT, json.dumps(value).encode()))["error"]
    assert isinstance(found["message"], str)
    for name in ("type", "param", "code"):
        assert isinstance(found.get(name), str | None)
