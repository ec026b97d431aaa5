"""What providers mean by their errors."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import RECORDINGS, recording

from llm_gateway.dialects import ProviderError, error_in, read_error, word_of
from llm_gateway.dialects.provider_errors import (
    CODE_LENGTH,
    MESSAGE_LENGTH,
    TEXT_LENGTH,
)

# recording -> code, type, start of the message
ERRORS = {
    "openai_429.json": ("rate_limit_exceeded", "requests", "Rate limit reached for"),
    "openai_quota.json": ("insufficient_quota", "insufficient_quota", "You exceeded"),
    "openai_context.json": (
        "context_length_exceeded",
        "invalid_request_error",
        "This model's maximum context length is 128000 tokens.",
    ),
    "anthropic_529.json": ("overloaded_error", "overloaded_error", "Overloaded"),
    "gemini_429.json": (
        "RESOURCE_EXHAUSTED",
        "",
        "You exceeded your current quota, please check your plan and billing details. Please",
    ),
    "gemini_key.json": ("API_KEY_INVALID", "", "API key not valid."),
    "openrouter_429.json": (
        "openrouter_free_tier_daily",
        "",
        "Rate limit exceeded: free-",
    ),
    "mistral_429.json": ("rate_limited", "rate_limited", "Rate limit exceeded"),
    "mistral_422.json": (
        "extra_forbidden",
        "extra_forbidden",
        "body.stream_options: Extra inputs are",
    ),
    "nvidia_429.json": ("429", "", "Too Many Requests"),
    "nvidia_404.json": (
        "404",
        "",
        "Function '7d2a': Not found",
    ),
    "cloudflare_429.json": ("3036", "", "you have used up your daily free allocation"),
    "cloudflare_524.html": ("", "", ""),
    "copilot_429.json": ("rate_limited", "", "rate limit exceeded"),
    "deepseek_402.json": (
        "unknown_error",
        "unknown_error",
        "Insufficient Balance",
    ),
    "ollama_404.json": ("", "", "model 'llama9' not found"),
    "bedrock_429.json": (
        "ThrottlingException",
        "ThrottlingException",
        "Too many requests",
    ),
    "vllm_400.json": (
        "BadRequestError",
        "BadRequestError",
        "This model's maximum context length",
    ),
}


def words(error: ProviderError) -> tuple[str, str, str]:
    return error.code, error.type, error.message


def test_every_recording_is_read():
    names = {path.name.removeprefix("error_") for path in RECORDINGS.glob("error_*")}
    assert names == set(ERRORS)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_recordings(name):
    code, kind, start = ERRORS[name]
    error = read_error(recording("error_" + name))
    assert (error.code, error.type) == (code, kind)
    assert error.message.startswith(start)
    assert bool(error.message) == bool(start)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", ProviderError()),
        (b"null", ProviderError()),
        (b"[]", ProviderError()),
        (b"[7]", ProviderError()),
        (b"{}", ProviderError()),
        (b"Bad Gateway", ProviderError()),
        (b'{"error":', ProviderError()),
        (b"\xff\xfe", ProviderError()),
        (b"[" * 100_000, ProviderError()),
        (b'{"error":{}}', ProviderError()),
        (b'{"error":null,"message":"m"}', ProviderError("", "", "m")),
        (b'{"detail":"Not Found"}', ProviderError("", "", "Not Found")),
        (b'{"detail":{"a":1}}', ProviderError("", "", '{"a": 1}')),
        (b'{"error":{"message":["a"]}}', ProviderError("", "", '["a"]')),
        (b'{"error":{"code":true,"message":"m"}}', ProviderError("", "", "m")),
        (b'{"error":{"code":429.0,"message":"m"}}', ProviderError("", "", "m")),
        # in a stream
        (b'data: {"error":{"message":"m"}}\n\n', ProviderError("", "", "m")),
        (
            b'event: error\ndata: {"type":"error","error":{"type":"t","message":"m"}}\n\n',
            ProviderError("t", "t", "m"),
        ),
    ],
)
def test_other_bodies(body, error):
    assert words(read_error(body)) == words(error)


@pytest.mark.parametrize(
    ("body", "codes", "text"),
    [
        ({"error": {"code": "C", "type": "T", "message": "M"}}, {"c", "t"}, "m"),
        ({"error": {"code": 429, "metadata": {"raw": "R"}}}, {"429"}, "r"),
        ({"title": "A", "detail": "B", "status": 404}, {"404"}, "b\na"),
        ({"code": 500, "msg": "M"}, {"500"}, "m"),
        ({"__type": "com.x#Y", "Message": "M"}, {"y"}, "m"),
        ({"type": "urn:problem:x", "detail": "D"}, set(), "d"),
        ({"base_resp": {"status_code": 1002, "status_msg": "busy"}}, {"1002"}, "busy"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "Bad", "type": "int"}]},
            {"int"},
            "body.n: bad",
        ),
        ({"detail": [{"loc": ["a"], "msg": "x"}, {"loc": ["b"], "msg": "y"}]}, set(), "a: x\nb: y"),
        ({"errors": {"a.b": ["x", "y"], "c": "z"}}, set(), "a.b: x\na.b: y\nc: z"),
        ({"errors": ["x", {"message": "y"}]}, set(), "x\ny"),
        ({"error": {"issues": [{"code": "k", "path": ["m", 2], "message": "x"}]}}, {"k"}, "m.2: x"),
        ({"error": {"error": {"error": {"code": "c", "message": "x"}}}}, {"c"}, "x"),
        ({"fault": {"faultstring": "x", "detail": {"errorcode": "y"}}}, set(), 'x\n{"errorcode": "y"}'),
        # what it was sent is no word of a provider's
        ({"detail": [{"msg": "x", "input": "a prompt", "ctx": {"error": "a prompt"}}]}, set(), "x"),
    ],
)  # fmt: skip
def test_all_that_it_says(body, codes, text):
    error = read_error(json.dumps(body).encode())
    assert (error.codes, error.text) == (codes, text)


@pytest.mark.parametrize(
    ("body", "headers", "resets", "param"),
    [
        ({"error": {"resets_at": 7, "param": "p"}}, {}, {"resets_at": "7"}, "p"),
        ({"retry_after": 1.5}, {}, {"retry_after": "1.5"}, ""),
        (
            {"error": {"details": [{"retryDelay": "38s"}]}},
            {},
            {"retryDelay": "38s"},
            "",
        ),
        (
            {
                "error": {
                    "details": [{"metadata": {"quotaResetDelay": "18h", "x": "y"}}]
                }
            },
            {},
            {"quotaResetDelay": "18h"},
            "",
        ),
        (
            {"error": {"metadata": {"headers": {"X-RateLimit-Reset": "7"}}}},
            {"x-ratelimit-reset": "7"},
            {},
            "",
        ),
    ],
)
def test_when_it_comes_back_and_what_it_is_about(body, headers, resets, param):
    error = read_error(json.dumps(body).encode())
    assert (error.headers, error.resets, error.param) == (headers, resets, param)


def test_a_code_may_come_in_a_header():
    for body in (b"", b"<html>", b'{"message": "m"}'):
        error = read_error(body, {"x-amzn-errortype": "ThrottlingException:http://x/"})
        assert error.code == "ThrottlingException"
        assert error.codes == {"throttlingexception"}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (
            {"type": "error", "code": "c", "message": "m", "param": None},
            ProviderError("c", "", "m"),
        ),
        (
            {
                "type": "response.failed",
                "response": {"error": {"code": "c", "message": "m"}},
            },
            ProviderError("c", "", "m"),
        ),
    ],
)
def test_events_of_responses(value, error):
    assert words(error_in(value)) == words(error)


def test_texts_are_bounded_and_printable():
    error = {"code": "c" * 999, "type": "t\r\nx", "message": "a\nb\x00\ud800" * 999}
    found = read_error(json.dumps({"error": error}).encode())
    assert found.code == "c" * CODE_LENGTH
    assert found.type == "t  x"
    assert found.message.startswith("a b  a b")
    assert len(found.message) == MESSAGE_LENGTH


def test_depth_is_no_danger():
    deep: object = "m"
    for _ in range(50_000):
        deep = [deep]
    found = error_in({"error": {"message": deep, "code": "c"}})
    # Whether it can be written down at all depends on Python's own stack.
    assert (found.code, found.type) == ("c", "")
    assert found.message in ("", "[" * MESSAGE_LENGTH)


def test_a_huge_body_is_no_error_body():
    found = read_error(b'{"error":"' + b"x" * (1 << 20) + b'"}')
    assert words(found) == ("", "", "")
    assert len(found.text) == TEXT_LENGTH


NAMES = [
    "error",
    "Error",
    "errors",
    "issues",
    "path",
    "message",
    "code",
    "type",
    "status",
    "title",
    "detail",
    "details",
    "metadata",
    "response",
    "loc",
    "msg",
    "reason",
]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_shape(value):
    error = error_in(value)
    for text in (error.code, error.type, error.message):
        assert isinstance(text, str)
        assert text.isprintable()


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (("rate_limit_exceeded",), "rate_limit_exceeded"),
        (("RESOURCE_EXHAUSTED", "x"), "RESOURCE_EXHAUSTED"),
        (("Throttling.RateQuota",), "Throttling.RateQuota"),
        (("429",), "429"),
        (("", "insufficient_quota"), "insufficient_quota"),
        (("Incorrect API key provided: sk-1", "invalid_api_key"), "invalid_api_key"),
        (("sk-proj-abc123def456",), ""),
        (("gsk_Ab12Cd34Ef56",), ""),
        (("AIzaSyA0123456789",), ""),
        (("a" * 61,), ""),
        (("two words", "<b>"), ""),
        (("ünïcode",), ""),
        ((), ""),
    ],
)
def test_only_words_are_kept(texts: tuple[str, ...], word: str) -> None:
    assert word_of(*texts) == word
