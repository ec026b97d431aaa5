"""A Messages app (as Claude Code is one) answered by providers that speak chat only.

The client reads its own dialect, plain and streamed; the provider gets its own; the ledger,
the headers and the decision say that it was translated, and what became of each part.
"""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Gate, Received, answers
from vendors.chat_vendors import VENDORS as OF_CHAT
from vendors.clients import CLIENTS
from vendors.messages_vendors import VENDORS as OF_MESSAGES
from vendors.stage import VendorStage, speaking
from vendors.talk import Move, states_in

from gateway import GatewayProcess, provider

from .conftest import Start

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
AGENT = {
    "max_tokens": 1000,
    "system": [
        {
            "type": "text",
            "text": "You are an agent.",
            "cache_control": {"type": "ephemeral"},
        }
    ],
    "tools": [
        {
            "name": "bash",
            "description": "Runs a command.",
            "input_schema": {
                "type": "object",
                "properties": {"command": {"type": "string"}},
            },
        }
    ],
    "messages": [{"role": "user", "content": "Hello!"}],
}
LOOP = [
    {"role": "user", "content": "Hello!"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Let me see."},
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "bash",
                "input": {"command": "ls"},
            },
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt"}
        ],
    },
]
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
}


def called(request: Received) -> Answer:
    """A tool call, plain or streamed in pieces, as the request asks."""
    call = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "bash", "arguments": '{"command": "ls"}'},
    }
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    if not request.json().get("stream"):
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        body = {"id": "c", "model": "m", "choices": [choice], "usage": usage}
        return Answer(200, (answers.JSON,), (json.dumps(body).encode(),))
    first = {**call, "function": {"name": "bash", "arguments": ""}}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "Let me see."},
        {"tool_calls": [first]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"command": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"ls"}'}}]},
    ]
    chunks = [{"index": 0, "delta": delta} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    events: list[dict[str, Any]] = [
        {"id": "c", "model": "m", "choices": [chunk]} for chunk in chunks
    ]
    if request.json().get("stream_options"):
        events.append({"id": "c", "model": "m", "choices": [], "usage": usage})
    steps = [answers.event(event) for event in events]
    return Answer(200, (answers.SSE,), (*steps, b"data: [DONE]\n\n"), framing="chunked")


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line[6:])
        for line in body.decode().splitlines()
        if line.startswith("data: ")
    ]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(
        e["delta"]["text"]
        for e in events
        if e["type"] == "content_block_delta" and e["delta"]["type"] == "text_delta"
    )


@pytest.fixture(scope="module")
def chat_only() -> Iterator[FakeProvider]:
    with FakeProvider(name="chat-only") as fake:
        yield fake


@pytest.fixture(scope="module")
def native() -> Iterator[FakeProvider]:
    with FakeProvider(name="native") as fake:
        yield fake


@pytest.fixture(scope="module")
def other() -> Iterator[FakeProvider]:
    with FakeProvider(name="other") as fake:
        yield fake


CLAUDE = next(v for v in OF_MESSAGES if v.name == "claude-4.5")
THINKER = next(v for v in OF_CHAT if v.name == "deepseek")


@pytest.fixture(scope="module")
def three() -> Iterator[VendorStage]:
    """One that speaks chat and thinks (0), and two accounts of Anthropic's (1, 2)."""
    vendors = (
        *speaking("chat", [THINKER]),
        *speaking("messages", [CLAUDE, CLAUDE]),
    )
    stage = VendorStage(vendors, "messages", known=True)
    with stage.fake:
        yield stage


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start,
    chat_only: FakeProvider,
    native: FakeProvider,
    other: FakeProvider,
    three: VendorStage,
) -> GatewayProcess:
    free = {"free": True}
    return start_shared(
        {
            "providers": [
                provider(chat_only, "chatty", "m", "mixed", dialects=["chat"], **free),
                provider(native, "claude", "mixed", dialects=["messages"], **free),
                provider(native, "paid", "dear", dialects=["messages"]),
                provider(chat_only, "cheap", "dear", dialects=["chat"], **free),
                provider(other, "any", "unsaid", dialects=["messages", "chat"], **free),
                provider(other, "vectors", "v", dialects=["embeddings"], **free),
                *three.config()["providers"],
            ]
        }
    )


@pytest.fixture(autouse=True)
def _rested(
    chat_only: FakeProvider, native: FakeProvider, other: FakeProvider
) -> Iterator[None]:
    yield
    for fake in (chat_only, native, other):
        fake.default = answers.ok()
        fake.requests.clear()


def ask(gateway: GatewayProcess, model: str = "m", **more: Any) -> Any:
    headers = more.pop("headers", {})
    asked = {**AGENT, "model": model, **more}
    return gateway.post(MESSAGES, asked, {"anthropic-version": "2023-06-01", **headers})


def test_a_plain_question(gateway: GatewayProcess, chat_only: FakeProvider) -> None:
    status, headers, answer = ask(gateway)
    assert status == 200, answer
    assert headers["x-gateway-translated"] == "messages>chat"
    assert headers["content-type"] == "application/json"
    assert answer["type"] == "message"
    assert answer["role"] == "assistant"
    assert [b["type"] for b in answer["content"]] == ["text"]
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"]["input_tokens"] == 7
    assert answer["usage"]["output_tokens"] == 3
    [sent] = chat_only.requests
    assert sent.target == CHAT
    body = sent.json()
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert body["tools"][0]["function"]["name"] == "bash"
    assert "anthropic-version" not in dict(sent.headers)
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["translated"] == "messages>chat"
    assert row["dialect"] == "messages"
    assert (row["provider"], row["outcome"], row["status"]) == ("chatty", "ok", 200)
    assert (row["input_tokens"], row["output_tokens"]) == (7, 3)
    [decision] = gateway.rows(
        "select candidates from decisions where request = ?", row["id"]
    )
    [taken] = json.loads(decision["candidates"])
    assert taken["adaptation"]["pair"] == "messages>chat"
    assert taken["reason"].endswith("; translated to chat")


@pytest.mark.parametrize("path", [MESSAGES, "/v1/responses"])
def test_what_nobody_counts_is_the_ledgers_estimate(
    gateway: GatewayProcess, chat_only: FakeProvider, path: str
) -> None:
    chat_only.default = answers.stream(["Hello, ", "how are you?"], usage=False)
    asked = {**AGENT, "model": "m", "stream": True}
    if path != MESSAGES:
        asked = {"model": "m", "input": "Hello!", "stream": True}
    _, headers, body = gateway.post(path, asked)
    events = events_of(body)
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["usage_source"] == "estimated"
    if path == MESSAGES:
        told = events[-2]["usage"]
        assert events[0]["message"]["usage"]["input_tokens"] == row["input_tokens"]
    else:
        told = events[-1]["response"]["usage"]
    assert told["input_tokens"] == row["input_tokens"] > 0
    assert told["output_tokens"] > 0


def test_a_stream_with_a_call(gateway: GatewayProcess, chat_only: FakeProvider) -> None:
    chat_only.default = called
    status, headers, body = ask(gateway, stream=True)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["x-gateway-translated"] == "messages>chat"
    events = events_of(body)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert text_of(events) == "Let me see."
    starts = [e for e in events if e["type"] == "content_block_start"]
    assert [s["index"] for s in starts] == [0, 1]
    assert starts[1]["content_block"]["name"] == "bash"
    assert "".join(
        e["delta"]["partial_json"]
        for e in events
        if e["type"] == "content_block_delta"
        and e["delta"]["type"] == "input_json_delta"
    ) == ('{"command": "ls"}')
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"]["output_tokens"] == 5
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["translated"]) == ("ok", "messages>chat")
    assert (row["input_tokens"], row["output_tokens"]) == (20, 5)
    assert row["usage_source"] == "reported"


def test_the_turn_after_a_call(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    status, _, answer = ask(gateway, messages=LOOP)
    assert status == 200, answer
    [sent] = chat_only.requests
    roles = [m["role"] for m in sent.json()["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    call = sent.json()["messages"][2]["tool_calls"][0]
    assert sent.json()["messages"][3]["tool_call_id"] == call["id"]


def test_native_comes_first_and_gets_the_bytes(
    gateway: GatewayProcess, native: FakeProvider, chat_only: FakeProvider
) -> None:
    status, headers, _ = ask(gateway, "mixed")
    assert status == 200
    assert "x-gateway-translated" not in headers
    assert headers["x-gateway-provider"] == "claude"
    assert json.loads(native.requests[-1].body) == {**AGENT, "model": "mixed"}
    assert not chat_only.requests
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["translated"] is None


def test_free_and_translated_comes_before_paid_and_native(
    gateway: GatewayProcess, native: FakeProvider
) -> None:
    _, headers, _ = ask(gateway, "dear")
    assert headers["x-gateway-provider"] == "cheap"
    assert not native.requests


def test_a_request_may_forbid_it(gateway: GatewayProcess) -> None:
    status, headers, answer = ask(gateway, headers={"x-gateway-translate": "never"})
    assert status == 400
    assert answer["type"] == "error"
    assert "chatty" in answer["error"]["message"]
    _, headers, _ = ask(gateway, "dear", headers={"x-gateway-translate": "never"})
    assert headers["x-gateway-provider"] == "paid"


@pytest.mark.parametrize("stream", [False, True])
def test_failover_from_native_to_translated(
    gateway: GatewayProcess,
    native: FakeProvider,
    chat_only: FakeProvider,
    stream: bool,
) -> None:
    native.then(answers.status(500))
    chat_only.default = called
    status, headers, answer = ask(gateway, "mixed", stream=stream)
    assert status == 200
    assert headers["x-gateway-attempts"] == "2"
    assert headers["x-gateway-translated"] == "messages>chat"
    assert chat_only.requests[-1].target == CHAT
    if stream:
        assert events_of(answer)[-1]["type"] == "message_stop"
    else:
        assert answer["content"][-1]["name"] == "bash"


@pytest.mark.parametrize("stream", [False, True])
def test_failover_from_translated_to_native_starts_anew(
    gateway: GatewayProcess,
    native: FakeProvider,
    chat_only: FakeProvider,
    stream: bool,
) -> None:
    chat_only.then(answers.error_event_first() if stream else answers.status(503))
    status, headers, _ = ask(gateway, "dear", stream=stream)
    assert status == 200
    assert headers["x-gateway-provider"] == "paid"
    assert "x-gateway-translated" not in headers
    sent = native.requests[-1]
    assert sent.target == MESSAGES
    assert sent.json() == {**AGENT, "model": "dear", "stream": stream}
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert row["translated"] is None
    attempts = gateway.rows("select * from attempts where request = ?", row["id"])
    assert [a["provider"] for a in attempts] == ["cheap", "paid"]


def test_a_stream_that_breaks_off_ends_in_an_error_of_the_dialect(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    chat_only.then(answers.cut_mid_stream())
    status, headers, body = ask(gateway, stream=True)
    assert status == 200
    events = events_of(body)
    assert events[-1]["type"] == "error"
    assert all(event["type"] != "message_stop" for event in events)
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["error"]) == ("truncated", "upstream_truncated")


def test_a_chunk_goes_out_when_it_comes_in(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    gate = Gate()
    chat_only.then(answers.stream(["one", "two"], gate=gate))
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    body = json.dumps({**AGENT, "model": "m", "stream": True})
    connection.request("POST", MESSAGES, body, {"content-type": "application/json"})
    gate.release()
    answer = connection.getresponse()
    seen = b""
    while b"one" not in seen:
        seen += answer.read1()
    assert b"two" not in seen
    gate.open()
    assert b"two" in answer.read()
    connection.close()


def test_errors_are_of_the_clients_dialect(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    words = "The temperature is too high for this model."
    error = {"error": {"message": words, "type": "invalid_request_error"}}
    chat_only.then(Answer(400, (answers.JSON,), (json.dumps(error).encode(),)))
    status, headers, answer = ask(gateway)
    assert status == 400
    assert answer["type"] == "error"
    assert answer["error"]["message"] == words
    assert headers["x-gateway-provider"] == "chatty"
    assert headers["x-gateway-translated"] == "messages>chat"


def test_what_nobody_can_carry_is_said(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    content = [PDF, {"type": "text", "text": "What is it?"}]
    asked = {**AGENT, "messages": [{"role": "user", "content": content}]}
    status, headers, answer = gateway.post(MESSAGES, {**asked, "model": "m"})
    assert status == 400
    assert "cannot carry: PDF in a message" in answer["error"]["message"]
    assert not chat_only.requests
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    [decision] = gateway.rows(
        "select candidates from decisions where request = ?", row["id"]
    )
    [candidate] = json.loads(decision["candidates"])
    assert candidate["verdict"] == "skipped"
    assert candidate["reason"].startswith("cannot carry: PDF in a message")
    asked_of = {"model": "m", "dialect": "messages", "body": asked}
    status, _, judged = gateway.post("/route", asked_of)
    assert status == 200, judged
    assert judged["chosen"] is None
    assert judged["candidates"][0]["reason"].startswith("cannot carry: PDF")
    status, _, judged = gateway.post("/route", {**asked_of, "model": "mixed"})
    assert judged["chosen"]["provider"] == "claude"


def cited(request: Received) -> Answer:
    """As Perplexity and OpenRouter say where a text comes from; with an image and thoughts."""
    source = {"type": "url_citation", "url_citation": {"url": "https://a.test"}}
    said = {
        "role": "assistant",
        "content": "It rains.",
        "reasoning_content": "Hm.",
        "annotations": [source],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png,"}}],
    }
    beside = {"id": "c", "model": "m", "search_results": [{"title": "CANARY-OF-TEXT"}]}
    if request.json().get("stream"):
        chunks = [
            {**beside, "choices": [{"index": 0, "delta": said}]},
            {**beside, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ]
        return Answer(200, (answers.SSE,), (*map(answers.event, chunks), answers.DONE))
    whole = {"index": 0, "message": said, "finish_reason": "stop"}
    return answers.status(200, {**beside, "choices": [whole]})


@pytest.mark.parametrize("stream", [False, True])
def test_what_of_an_answer_the_client_does_not_get_is_told(
    gateway: GatewayProcess, chat_only: FakeProvider, stream: bool
) -> None:
    chat_only.default = cited
    status, headers, answer = ask(gateway, stream=stream)
    assert status == 200, answer
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    [decision] = gateway.wait_rows(
        "select candidates from decisions where request = ?",
        lambda rows: bool(rows) and "in the answer" in rows[0]["candidates"],
        row["id"],
    )
    [candidate] = json.loads(decision["candidates"])
    told = {one["part"]: one["why"] for one in candidate["adaptation"]["dropped"]}
    # What became of the request stands beside it.
    assert "cache_control" in told
    assert {part for part in told if part.endswith("in the answer")} == {
        "thoughts in the answer",
        "citations in the answer",
        "image in the answer",
        "search results in the answer",
    }
    assert told["thoughts in the answer"] == "the client has not asked for them"
    assert "CANARY" not in decision["candidates"]


def test_a_route_shows_the_pair(gateway: GatewayProcess) -> None:
    _, _, found = gateway.get("/route?model=m&dialect=messages")
    [candidate] = found["candidates"]
    assert candidate["translated"] == "messages>chat"
    pair = found["pairs"]["messages>chat"]
    assert "PDF in a message" in pair["needed"]
    assert "image in the answer" in pair["dropped"]
    _, _, found = gateway.get("/route?model=m")
    assert found["dialects"]["messages"]["chosen"]["provider"] == "chatty"
    asked = {"model": "m", "dialect": "messages", "body": AGENT}
    _, _, found = gateway.post("/route", asked)
    dropped = found["candidates"][0]["adaptation"]["dropped"]
    assert "cache_control" in [note["part"] for note in dropped]


def test_tokens_are_estimated_where_nobody_counts(
    gateway: GatewayProcess, chat_only: FakeProvider
) -> None:
    asked = {k: v for k, v in AGENT.items() if k != "max_tokens"}
    status, headers, answer = gateway.post(
        f"{MESSAGES}/count_tokens", {**asked, "model": "m"}
    )
    assert status == 200, answer
    assert answer["input_tokens"] > 10
    assert headers["x-gateway-estimated"] == "true"
    assert headers["x-gateway-attempts"] == "0"
    assert not chat_only.requests
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["outcome"], row["attempts"], row["total_tokens"]) == ("ok", 0, 0)


def test_a_dialect_that_turns_out_unspoken_is_translated(
    gateway: GatewayProcess, other: FakeProvider
) -> None:
    def chat_alone(request: Received) -> Answer:
        if request.target != CHAT:
            return Answer(404, (answers.JSON,), (b'{"detail":"Not Found"}',))
        return Answer(200, (answers.JSON,), (answers.chat_body("hi"),))

    other.default = chat_alone
    for attempts in ("2", "1"):
        status, headers, answer = ask(gateway, "unsaid")
        assert status == 200, answer
        assert headers["x-gateway-translated"] == "messages>chat"
        assert headers["x-gateway-attempts"] == attempts
        assert answer["type"] == "message"


def test_vectors_are_not_translated(gateway: GatewayProcess) -> None:
    status, _, answer = ask(gateway, "v")
    assert status == 400
    assert "vectors" in answer["error"]["message"]


ROUTES = (
    (0, 1, 2, 0),
    (1, 2, 0, 1),
    (2, 0, 1, 2),
    (0, 0, 0, 0, 1),
    (1, 1, 1, 1, 2),
    (2, 2, 2, 2, 0),
    (0, 0, 1, 1, 2),
    (1, 1, 0, 0, 2),
)
"""Who answers turns 1 to 4, a tool loop, and 5, where the user speaks again."""


@pytest.mark.parametrize("thinking", ["a budget", "adaptive"])
def test_a_conversation_moves_between_chat_and_accounts_of_anthropics(
    gateway: GatewayProcess, three: VendorStage, thinking: str
) -> None:
    """Turn by turn and in the middle of a turn, with thoughts and parallel calls; plain and
    streamed. Claude refuses a signature that is not its own, and wants its thoughts back."""
    [client] = [c for c in CLIENTS if c.name == f"anthropic, {thinking}"]
    # Odd numbers are streamed: what is streamed with the one is plain with the other.
    first = 1 if thinking == "adaptive" else 102
    moves = [
        Move(source, target, first + n, tuple(then))
        for n, (source, target, *then) in enumerate(ROUTES)
    ]
    before = [seen.requests - seen.away for seen in three.seen]
    assert client.run(f"http://127.0.0.1:{gateway.port}", moves, None, 150) == {}
    assert [seen.wrong for seen in three.seen] == [[], [], []]
    after = [seen.requests - seen.away for seen in three.seen]
    assert all(b > a for a, b in zip(before, after, strict=True))
    # What one account has signed is genuine at the other.
    given = [
        states_in(request.body)
        for request in three.fake.requests
        if request.target.startswith("/2/") and b"1>1>1>1>2 #" in request.body
    ]
    assert frozenset({"claude"}) in given
