"""Token vectors of plain answers: every provider's numbers as the same five classes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import ANSWERS, RECORDINGS, dialect_of, recording

from llm_gateway.accounting.usage import read_answer, usage_of
from llm_gateway.dialects import CHAT, RESPONSES, SPECS
from llm_gateway.dialects.token_counts import MOST
from llm_gateway.domain import Usage

# recording -> model, input, cached, cache write, output, reasoning
VECTORS = {
    "openai_chat.json": ("gpt-4o-mini-2024-07-18", 93, 1024, 0, 14, 32),
    "openai_completions.json": ("gpt-3.5-turbo-instruct", 5, 0, 0, 4, 0),
    "openai_embeddings.json": ("text-embedding-3-small", 8, 0, 0, 0, 0),
    "openai_responses.json": ("gpt-5-mini-2025-08-07", 72, 256, 0, 12, 40),
    "anthropic_messages.json": ("claude-sonnet-4-5-20250929", 14, 3000, 200, 8, 0),
    "deepseek_chat.json": ("deepseek-chat", 104, 896, 0, 50, 0),
    "mistral_chat.json": ("mistral-large-latest", 24, 16, 0, 3, 0),
    "groq_chat.json": ("openai/gpt-oss-20b", 80, 0, 0, 10, 30),
    "xai_chat.json": ("grok-4-fast", 26, 6, 0, 9, 94),
    "perplexity_research.json": ("sonar-deep-research", 20049, 0, 0, 7163, 73997),
    "gemini_chat.json": ("gemini-2.5-pro", 7, 0, 0, 9, 484),
    "dashscope_chat.json": ("qwen-plus", 459, 2048, 512, 104, 0),
}

APART = {
    "perplexity_research.json": (("web_search", 18),),
}
"""What of it is billed apart."""


def read(name: str, **more) -> Usage:
    dialect = SPECS[dialect_of(name)]
    return read_answer(dialect, recording(name), prompt_estimate=999, **more)


def test_every_recording_has_a_vector_and_a_line():
    assert sorted(VECTORS) == ANSWERS
    readme = (RECORDINGS / "README.md").read_text()
    files = {path.name for path in RECORDINGS.iterdir()} - {"README.md"}
    assert {name for name in files if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize("name", ANSWERS)
def test_vectors(name):
    model, *counts = VECTORS[name]
    apart = APART.get(name, ())
    expected = Usage(*counts, source="reported", model=model, classes=apart)
    assert read(name) == expected


def test_reasoning_excluded_by_the_providers_row():
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    usage["completion_tokens_details"] = {"reasoning_tokens": 5}
    answer = {"usage": usage}
    included = usage_of(CHAT, answer, prompt_estimate=0)
    excluded = usage_of(CHAT, answer, prompt_estimate=0, reasoning_excluded=True)
    assert (included.output_tokens, included.reasoning_tokens) == (15, 5)
    assert (excluded.output_tokens, excluded.reasoning_tokens) == (20, 5)
    # who counts it apart in chat does not in responses
    answer = {"usage": {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}}
    answer["usage"]["output_tokens_details"] = {"reasoning_tokens": 5}
    usage = usage_of(RESPONSES, answer, prompt_estimate=0, reasoning_excluded=True)
    assert (usage.output_tokens, usage.reasoning_tokens) == (15, 5)


def chat(usage: object) -> Usage:
    return usage_of(CHAT, {"usage": usage}, prompt_estimate=70)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 0, 0, 4, 0)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4.0}, (3, 0, 0, 4, 0)),
        ({"prompt_tokens": 3, "total_tokens": 9}, (3, 0, 0, 6, 0)),
        ({"completion_tokens": 4, "total_tokens": 9}, (5, 0, 0, 4, 0)),
        ({"prompt_tokens": 3}, (3, 0, 0, 0, 0)),
        # parts never exceed the whole
        ({"prompt_tokens": 3, "cached_tokens": 50}, (0, 3, 0, 0, 0)),
        (
            {
                "prompt_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 2},
            },
            (0, 2, 1, 0, 0),
        ),
        # a detail that is no count is no detail
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": "two"}},
            (3, 0, 0, 0, 0),
        ),
        # decimal text is a number
        ({"prompt_tokens": "1000", "completion_tokens": "500"}, (1000, 0, 0, 500, 0)),
        ({"prompt_tokens": " 3.0 ", "completion_tokens": "1e2"}, (3, 0, 0, 100, 0)),
        ({"prompt_tokens": "9" * 30, "completion_tokens": 1}, (MOST, 0, 0, 1, 0)),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": "2"}},
            (1, 2, 0, 0, 0),
        ),
        ({"prompt_tokens": 3, "prompt_tokens_details": None}, (3, 0, 0, 0, 0)),
        ({"prompt_tokens": 2**60, "completion_tokens": 1}, (MOST, 0, 0, 1, 0)),
    ],
)
def test_openai_counts(usage, counts):
    assert chat(usage) == Usage(*counts, source="reported")


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "12",
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": "three", "completion_tokens": 4},
        {"prompt_tokens": "-3", "completion_tokens": 4},
        {"prompt_tokens": "1.5", "completion_tokens": 4},
        {"prompt_tokens": "1_000", "completion_tokens": 4},
        {"prompt_tokens": "٣", "completion_tokens": 4},
        {"prompt_tokens": "nan", "completion_tokens": 4},
        {"prompt_tokens": "1e999999999", "completion_tokens": 4},
        {"prompt_tokens": -1, "completion_tokens": 4},
        {"prompt_tokens": float("nan"), "completion_tokens": 4},
        {"prompt_tokens": float("inf"), "completion_tokens": 4},
        {"prompt_tokens": 1.5, "completion_tokens": 4},
        # a placeholder
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    ],
)
def test_what_is_no_count_is_not_reported(usage):
    assert chat(usage) == Usage(input_tokens=70, source="estimated")


@pytest.mark.parametrize(
    ("dialect", "answer", "output"),
    [
        ("chat", {"choices": [{"index": 0, "message": {"content": "x" * 30}}]}, 10),
        ("chat", {"choices": [{"message": {"content": "Grüße"}}]}, 3),
        ("completions", {"choices": [{"text": "x" * 9, "finish_reason": "stop"}]}, 3),
        ("messages", {"content": [{"type": "text", "text": "x" * 12}]}, 4),
        ("responses", {"output": [{"content": [{"text": "x" * 6}]}]}, 2),
        ("chat", {"choices": "nonsense"}, 0),
        ("embeddings", {"data": []}, 0),
    ],
)
def test_estimated_from_the_text(dialect, answer, output):
    usage = read_answer(SPECS[dialect], json.dumps(answer).encode(), prompt_estimate=70)
    assert usage == Usage(input_tokens=70, output_tokens=output, source="estimated")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 99999]
)
def test_no_answer_at_all_is_unknown(body):
    assert read_answer(CHAT, body, prompt_estimate=70) == Usage()


@given(name=st.sampled_from(ANSWERS), at=st.integers(0, 2000))
def test_a_truncated_body_is_never_reported(name, at):
    body = recording(name).rstrip()
    usage = read_answer(
        SPECS[dialect_of(name)], body[: at % len(body)], prompt_estimate=1
    )
    assert usage.source != "reported"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "usage",
                    "choices",
                    "message",
                    "response",
                    "x_groq",
                    "prompt_tokens",
                    "completion_tokens",
                    "total_tokens",
                    "input_tokens",
                    "output_tokens",
                    "prompt_tokens_details",
                    "cached_tokens",
                    "completion_tokens_details",
                    "reasoning_tokens",
                    "cache_read_input_tokens",
                    "model",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(
    dialect=st.sampled_from(list(SPECS.values())),
    answer=st.dictionaries(
        st.sampled_from(["usage", "message", "choices"]), json_values
    ),
)
def test_mangled_answers_never_raise_and_stay_in_range(dialect, answer):
    usage = usage_of(dialect, answer, prompt_estimate=5)
    assert usage.source in ("reported", "estimated")
    for count in (
        usage.input_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    ):
        assert type(count) is int
        assert 0 <= count <= 2 * MOST
