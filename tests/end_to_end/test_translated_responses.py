"""A Responses app (as Codex and the SDKs of agents are) answered by providers of another dialect.

State that one account keeps is needed; what is counted is estimated; a provider whose
Responses turn out not to be there is asked for chat.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start

RESPONSES, CHAT, MESSAGES = "/v1/responses", "/v1/chat/completions", "/v1/messages"
TOOL = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


def said(request: Received) -> Answer:
    """As the request asks: plain or streamed, chat or Messages."""
    if not request.json().get("stream"):
        return answers.ok("Hello")(request)
    stream = answers.message_stream if request.target == MESSAGES else answers.stream
    return stream(["Hel", "lo"])(request)


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line[6:])
        for line in body.decode().splitlines()
        if line.startswith("data: {")
    ]


def text_of(answer: dict[str, Any]) -> str:
    return "".join(
        part["text"]
        for item in answer["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider(said) as fake:
        yield fake


@pytest.fixture(scope="module")
def unsaid() -> Iterator[FakeProvider]:
    """Says nothing of what it speaks, and speaks chat alone."""

    def chat_alone(request: Received) -> Answer:
        if request.target == CHAT:
            return said(request)
        return Answer(404, (answers.JSON,), (b'{"detail":"Not Found"}',))

    with FakeProvider(chat_alone) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, fake: FakeProvider, unsaid: FakeProvider
) -> GatewayProcess:
    return start_shared(
        {
            "providers": [
                provider(fake, "chatty", "chat", dialects=["chat"]),
                provider(fake, "claude", "messages", dialects=["messages"]),
                provider(unsaid, "unsaid", "unsaid"),
            ]
        }
    )


@pytest.mark.parametrize("target", ["chat", "messages"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_question(gateway: GatewayProcess, target: str, stream: bool) -> None:
    asked = {"model": target, "input": "Hello!", "tools": [TOOL], "stream": stream}
    status, headers, answer = gateway.post(RESPONSES, asked)
    assert status == 200, answer
    assert headers["x-gateway-translated"] == f"responses>{target}"
    if stream:
        events = events_of(answer)
        assert events[0]["type"] == "response.created"
        assert events[-1]["type"] == "response.completed"
        numbers = [event["sequence_number"] for event in events]
        assert numbers == list(range(len(events)))
        answer = events[-1]["response"]
    assert text_of(answer) == "Hello"
    assert answer["status"] == "completed"
    assert answer["usage"]["output_tokens"] == 3
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["output_tokens"]) == ("ok", 3)


def test_an_answer_that_is_translated_is_kept_by_nobody(
    gateway: GatewayProcess,
) -> None:
    _, _, answer = gateway.post(RESPONSES, {"model": "chat", "input": "Hello!"})
    status, _, _ = gateway.ask("GET", f"{RESPONSES}/{answer['id']}")
    assert status == 404
    more = {"model": "chat", "input": "More", "previous_response_id": answer["id"]}
    status, _, refused = gateway.post(RESPONSES, more)
    assert status == 400
    assert "cannot carry: " in refused["error"]["message"]


def test_tokens_are_estimated(gateway: GatewayProcess, fake: FakeProvider) -> None:
    seen = len(fake.requests)
    status, headers, answer = gateway.post(
        f"{RESPONSES}/input_tokens", {"model": "chat", "input": "Hello! " * 50}
    )
    assert status == 200, answer
    assert answer["object"] == "response.input_tokens"
    assert answer["input_tokens"] > 50
    assert headers["x-gateway-estimated"] == "true"
    assert len(fake.requests) == seen


def test_one_that_turns_out_not_to_speak_it(gateway: GatewayProcess) -> None:
    for attempts in ("2", "1"):
        asked = {"model": "unsaid", "input": "Hello!"}
        status, headers, answer = gateway.post(RESPONSES, asked)
        assert status == 200, answer
        assert headers["x-gateway-translated"] == "responses>chat"
        assert headers["x-gateway-attempts"] == attempts
        assert text_of(answer) == "Hello"
    [event] = gateway.rows("select * from events where kind = 'disabled'")
    assert event["message"] == "does not speak responses"
    # Counting is no reason to ask it, and none to think worse of it.
    status, headers, _ = gateway.post(f"{RESPONSES}/input_tokens", asked)
    assert (status, headers["x-gateway-estimated"]) == (200, "true")
