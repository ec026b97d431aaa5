"""A chat app answered by providers that speak Messages only, and what goes with it.

Limits, prices and judging go by what the provider was sent and said; a compressed answer, a
plain one for a stream and the reverse reach the client in the form that it asked for.
"""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start

MESSAGES = "/v1/messages"
TOOLS = [
    {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
    }
]


def said(request: Received) -> Answer:
    """As the request asks: plain or streamed."""
    if request.json().get("stream"):
        return answers.message_stream(["Hel", "lo"])(request)
    return answers.ok("Hello")(request)


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line[6:])
        for line in body.decode().splitlines()
        if line.startswith("data: {")
    ]


def text_of(body: bytes) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks_of(body)
        for choice in chunk["choices"]
    )


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeProvider]:
    with FakeProvider(name="claude") as fake:
        yield fake


@pytest.fixture(scope="module")
def chatty() -> Iterator[FakeProvider]:
    with FakeProvider(name="chatty") as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, claude: FakeProvider, chatty: FakeProvider
) -> GatewayProcess:
    priced = {
        "name": "priced",
        "pricing": {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 10},
    }
    few = {"name": "few", "limits": {"requestsPerDay": 1}}
    return start_shared(
        {
            "providers": [
                provider(
                    claude,
                    "claude",
                    dialects=["messages"],
                    models=[{"name": "m"}, priced, few, {"name": "mixed"}],
                ),
                provider(chatty, "chatty", "mixed", dialects=["chat"]),
            ]
        }
    )


@pytest.fixture(autouse=True)
def _rested(claude: FakeProvider, chatty: FakeProvider) -> Iterator[None]:
    claude.default = said
    yield
    for fake in (claude, chatty):
        fake.default = answers.ok()
        fake.requests.clear()


def test_plain(gateway: GatewayProcess, claude: FakeProvider) -> None:
    status, headers, answer = gateway.chat("m", tools=TOOLS)
    assert status == 200, answer
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] == 7
    assert headers["x-gateway-translated"] == "chat>messages"
    [sent] = claude.requests
    assert sent.target == MESSAGES
    assert sent.header("anthropic-version") == "2023-06-01"
    assert sent.json()["max_tokens"] > 0
    assert sent.json()["tools"][0]["input_schema"]["type"] == "object"
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["translated"] == "chat>messages"


def test_streamed_with_and_without_usage(gateway: GatewayProcess) -> None:
    for options in ({}, {"stream_options": {"include_usage": True}}):
        _, headers, body = gateway.chat("m", stream=True, **options)
        assert text_of(body) == "Hello"
        assert body.rstrip().endswith(b"data: [DONE]")
        usages = [c["usage"] for c in chunks_of(body) if c.get("usage")]
        assert [u["completion_tokens"] for u in usages] == ([3] if options else [])
        [row] = gateway.ended_one(headers["x-gateway-request-id"])
        assert (row["input_tokens"], row["output_tokens"]) == (7, 3)


def test_prices_are_of_the_providers_own_counts(gateway: GatewayProcess) -> None:
    _, headers, _ = gateway.chat("priced")
    assert headers["x-gateway-cost"] == "0.000037000"
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["cost_usd"] == pytest.approx(37e-6)


def test_limits_hold(gateway: GatewayProcess, claude: FakeProvider) -> None:
    assert gateway.chat("few")[0] == 200
    status, _, answer = gateway.chat("few")
    assert status == 429
    assert "requests/day 1 of 1" in answer["error"]["message"]
    assert len(claude.requests) == 1


def test_a_plain_answer_to_a_stream(
    gateway: GatewayProcess, claude: FakeProvider
) -> None:
    claude.then(answers.ok("Hello"))
    status, headers, body = gateway.chat("m", stream=True)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert text_of(body) == "Hello"
    assert body.rstrip().endswith(b"data: [DONE]")
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["output_tokens"]) == ("ok", 3)


@pytest.mark.parametrize("stream", [False, True])
def test_a_compressed_answer(
    gateway: GatewayProcess, claude: FakeProvider, stream: bool
) -> None:
    def zipped(request: Received) -> Answer:
        plain = said(request)
        body = b"".join(step for step in plain.body if isinstance(step, bytes))
        encoding = ("content-encoding", "gzip")
        return Answer(200, (*plain.headers, encoding), (gzip.compress(body),))

    claude.then(zipped)
    status, headers, body = gateway.chat("m", stream=stream)
    assert status == 200
    assert "content-encoding" not in headers
    found = text_of(body) if stream else body["choices"][0]["message"]["content"]
    assert found == "Hello"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_cannot_be_read(
    gateway: GatewayProcess, claude: FakeProvider, stream: bool
) -> None:
    """In a coding that nobody asked for: an error in the client's form, never its bytes."""
    strange = ("content-encoding", "x-strange")
    claude.then(Answer(200, (answers.JSON, strange), (b"\x00\x01\x02",)))
    status, headers, body = gateway.chat("m", stream=stream)
    assert status == 502
    assert "content-encoding" not in headers
    error = chunks_of(body)[-1] if stream else body
    assert "content-encoding" in error["error"]["message"]
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["error"]) == ("error", "translation_failed")
    assert row["status"] == 502


def test_a_large_plain_answer(gateway: GatewayProcess, claude: FakeProvider) -> None:
    text = "word " * 1_000_000
    claude.then(answers.ok(text))
    status, headers, answer = gateway.chat("m")
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == text
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["output_tokens"]) == ("ok", 3)


def test_a_large_request(gateway: GatewayProcess, claude: FakeProvider) -> None:
    text = "word " * 500_000
    messages = [{"role": "user", "content": text}]
    status, headers, answer = gateway.chat("m", messages=messages)
    assert status == 200, answer
    assert text in json.dumps(claude.requests[-1].json()["messages"])
    assert headers["x-gateway-translated"] == "chat>messages"


def test_an_error_in_the_midst_of_a_stream(
    gateway: GatewayProcess, claude: FakeProvider
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
    claude.then(answers.message_stream(["Hel"], tail=(answers.event(error, "error"),)))
    status, headers, body = gateway.chat("m", stream=True)
    assert status == 200
    assert chunks_of(body)[-1]["error"]["message"] == "Busy"
    assert b"[DONE]" not in body
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["outcome"] == "truncated"


def test_an_error_before_any_content_fails_over(
    gateway: GatewayProcess, claude: FakeProvider, chatty: FakeProvider
) -> None:
    chatty.then(answers.status(429))
    status, headers, body = gateway.chat("mixed", stream=True)
    assert status == 200
    assert headers["x-gateway-attempts"] == "2"
    assert headers["x-gateway-provider"] == "claude"
    assert text_of(body) == "Hello"


def test_a_refusal_goes_to_another_one_and_then_back(
    gateway: GatewayProcess, claude: FakeProvider, chatty: FakeProvider
) -> None:
    """It may be about what the translation wrote; the first words are the client's."""
    words = "messages.0: something about it is not right"
    error = {"type": "invalid_request_error", "message": words}
    refused = answers.status(400, {"type": "error", "error": error})
    claude.then(refused)
    status, headers, answer = gateway.chat("m")
    assert status == 400
    assert answer == {"error": {**error, "param": None, "code": error["type"]}}
    assert headers["x-gateway-provider"] == "claude"
    claude.then(refused)
    chatty.then(answers.status(503))
    status, headers, answer = gateway.chat("mixed")
    assert (status, answer["error"]["message"]) == (400, words)


def test_sums_by_pair(gateway: GatewayProcess) -> None:
    gateway.chat("m")
    [row] = gateway.wait_rows("select * from translations")
    assert row["pair"] == "chat>messages"
    assert row["requests"] > 0
