"""Failures of every kind, with the next candidate in another dialect: the client cannot tell.

Native fails and a translated one answers, or the reverse; plain and streamed; every time
from the client's own bytes.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers, refused_port

from gateway import GatewayProcess, provider

from .conftest import Start

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
Script = Answer | Callable[[Received], Answer]
OVERLOADED = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
}
SPENT = {"error": {"message": "Spent", "type": "x", "code": "insufficient_quota"}}
GONE = {"error": {"message": "The model does not exist", "code": "model_not_found"}}
LONG = {
    "error": {
        "message": "This model's maximum context length is 8192 tokens.",
        "code": "context_length_exceeded",
    }
}
TURNS = {
    "error": {
        "message": "messages.1: something about this turn is wrong",
        "type": "invalid_request_error",
    }
}

FAILURES: dict[str, Script] = {
    "429": answers.rate_limited(),
    "500": answers.status(500),
    "503-empty": answers.empty_503(),
    "529": answers.status(529, OVERLOADED),
    "401": answers.status(401),
    "402": answers.status(402, SPENT),
    "404-model": answers.status(404, GONE),
    "400-long": answers.status(400, LONG),
    "400-turns": answers.status(400, TURNS),
    "close": answers.close(),
    "reset": answers.reset(),
    "garbage": answers.garbage(),
    "head-close": answers.headers_then_close(),
    "html": Answer(200, (("content-type", "text/html"),), (b"<html>no</html>",)),
}
PLAIN: dict[str, Script] = {
    "broken": answers.broken_json(),
    "error-in-200": answers.status(200, {"error": {"message": "no", "type": "x"}}),
    "nothing": answers.status(200, {}),
}
STREAMED: dict[str, Script] = {
    "empty": answers.empty_stream(),
    "error-event": Answer(200, (answers.SSE,), (answers.event(OVERLOADED, "error"),)),
}
ALL = FAILURES | PLAIN | STREAMED
CASES = [
    *((name, stream) for name in FAILURES for stream in (False, True)),
    *((name, False) for name in PLAIN),
    *((name, True) for name in STREAMED),
    *(("refused", stream) for stream in (False, True)),
]
HISTORY = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
    {"role": "user", "content": "And now?"},
]


def model_of(way: str, name: str, stream: bool) -> str:
    return f"{way}-{name}-{int(stream)}"


def fails(request: Received) -> Answer:
    script = ALL[request.json()["model"][2:-2]]
    return script if isinstance(script, Answer) else script(request)


def works(request: Received) -> Answer:
    if not request.json().get("stream"):
        return answers.ok("Hello")(request)
    stream = answers.message_stream if request.target == MESSAGES else answers.stream
    return stream(["Hel", "lo"])(request)


@pytest.fixture(scope="module")
def bad() -> Iterator[FakeProvider]:
    with FakeProvider(fails) as fake:
        yield fake


@pytest.fixture(scope="module")
def good() -> Iterator[FakeProvider]:
    with FakeProvider(works) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, bad: FakeProvider, good: FakeProvider
) -> Iterator[GatewayProcess]:
    """Every failing one is a provider of its own; `n-…` fails natively, `t-…` by translation."""
    models = {way: [model_of(way, *case) for case in CASES] for way in "nt"}
    with refused_port() as port:
        providers: list[dict[str, Any]] = []
        for way, dialect in (("n", "messages"), ("t", "chat")):
            for model in models[way]:
                entry = provider(bad, model, model, dialects=[dialect], free=True)
                if "refused" in model:
                    entry["baseURL"] = f"http://127.0.0.1:{port}/v1"
                providers.append(entry)
        window = {"contextWindow": 200_000}
        for way, dialect in (("n", "chat"), ("t", "messages")):
            entries = [{"name": name, **window} for name in models[way]]
            providers.append(
                provider(good, f"good-{way}", dialects=[dialect], models=entries)
            )
        yield start_shared({"providers": providers})


@pytest.mark.parametrize("way", ["n", "t"])
@pytest.mark.parametrize(("name", "stream"), CASES)
def test_the_next_one_answers(
    gateway: GatewayProcess, good: FakeProvider, way: str, name: str, stream: bool
) -> None:
    body = {
        "model": model_of(way, name, stream),
        "max_tokens": 100,
        "messages": HISTORY,
        "stream": stream,
    }
    status, headers, answer = gateway.post(MESSAGES, body)
    assert status == 200, answer
    assert headers["x-gateway-provider"] == f"good-{way}"
    # A connection that was kept may turn out closed: then it was asked twice.
    assert headers["x-gateway-attempts"] in ("2", "3")
    assert headers.get("x-gateway-translated") == (
        "messages>chat" if way == "n" else None
    )
    if stream:
        events = [
            json.loads(line[6:])
            for line in answer.decode().splitlines()
            if line.startswith("data: ")
        ]
        assert [e["type"] for e in events if e["type"] != "ping"] == [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    else:
        assert [block["text"] for block in answer["content"]] == ["Hello"]
        assert answer["stop_reason"] == "end_turn"
    sent = good.requests[-1]
    if way == "t":
        assert sent.json() == body
    else:
        assert [m["role"] for m in sent.json()["messages"]] == [
            "user",
            "assistant",
            "user",
        ]
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["translated"] == ("messages>chat" if way == "n" else None)
    assert row["outcome"] == "ok"
    assert row["attempts"] == int(headers["x-gateway-attempts"])
