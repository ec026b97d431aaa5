"""Claude Code and Codex on providers that speak their dialect, but not their tongue.

Refusals in the vendors' words are mended at once; betas go with their members; what is bound
to one conversation is remembered for that one; Codex' own tools come back as what they are.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
BINDING = "thinking-binding-controls-2026-08-01"
BOUND = (
    "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to "
    "a different conversation. Remove the block, or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)
USER = {"role": "user", "content": "Hello!"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}
LOOP = [
    USER,
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "T", "signature": "S" * 40}, CALL],
    },
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}],
    },
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "2"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}
CODEX = {
    "input": [
        {"type": "additional_tools", "tools": [{"type": "custom", "name": "exec"}]},
        {"type": "message", "role": "user", "content": "Hello!"},
    ],
    "tools": [
        {"type": "namespace", "name": "files", "tools": [{**ADD, "name": "read"}]}
    ],
}
CALLED = [
    {
        "type": "function_call",
        "id": f"fc_{n}",
        "call_id": f"call_{n}",
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }
    for n, (name, arguments) in enumerate(
        [("exec", '{"input": "ls\\n"}'), ("files__read", '{"path": "x"}')]
    )
]
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "m",
    "status": "completed",
    "output": CALLED,
    "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10},
}


def refused(message: str) -> Answer:
    said = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": message},
    }
    return Answer(400, (answers.JSON,), (json.dumps(said).encode(),))


def said(value: object) -> Answer:
    return Answer(200, (answers.JSON,), (json.dumps(value).encode(),))


def claude(request: Received) -> Answer:
    """Claude of an account with the prefix check: blocks of another conversation are refused."""
    body = request.json()
    thinking = body.get("thinking") or {}
    if "block_binding" in thinking:
        if BINDING not in (request.header("anthropic-beta") or ""):
            return refused(
                "thinking.adaptive.block_binding: Extra inputs are not permitted"
            )
        return said(MESSAGE)
    return refused(BOUND) if '"thinking": "T"' in json.dumps(body) else said(MESSAGE)


def lesser(request: Received) -> Answer:
    """Reads functions alone."""
    body = request.json()
    if not body.get("stream"):
        return said(RESPONSE)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**RESPONSE, "output": []}}
    ]
    for index, item in enumerate(CALLED):
        place = {"output_index": index, "item_id": item["id"]}
        kind = "response.function_call_arguments"
        opened = {**item, "arguments": ""}
        events += [
            {
                "type": "response.output_item.added",
                "output_index": index,
                "item": opened,
            },
            {"type": f"{kind}.delta", "delta": item["arguments"][:12], **place},
            {"type": f"{kind}.delta", "delta": item["arguments"][12:], **place},
            {"type": f"{kind}.done", "arguments": item["arguments"], **place},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    events.append({"type": "response.completed", "response": RESPONSE})
    raw = b"".join(
        f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events
    )
    return Answer(200, (answers.SSE,), (raw,))


@pytest.fixture(scope="module")
def served(start_shared: Start) -> Iterator[tuple[GatewayProcess, FakeProvider]]:
    def answer(request: Received) -> Answer:
        return claude(request) if "/messages" in request.target else lesser(request)

    with FakeProvider(answer) as fake:
        dialects = {"dialects": ["messages", "responses"]}
        models = [{"name": "smart"}, {"name": "claude-opus-5-5"}]
        yield (
            start_shared(
                {
                    "providers": [
                        provider(fake, "one", models=models, free=True, **dialects)
                    ]
                }
            ),
            fake,
        )


def asked(fake: FakeProvider, since: int) -> list[Received]:
    return fake.requests[since:]


def test_a_bound_block_is_dropped_by_its_maker_for_that_conversation(
    served: tuple[GatewayProcess, FakeProvider],
) -> None:
    gateway, fake = served
    since = len(fake.requests)
    body = {"model": "smart", "max_tokens": 99, "messages": LOOP}
    beta = {"anthropic-beta": "claude-code-20250219"}
    status, headers, answer = gateway.post(MESSAGES, body, beta)
    assert (status, answer["stop_reason"]) == (200, "end_turn")
    first, second = asked(fake, since)
    assert "thinking" not in first.json()
    assert second.json()["thinking"] == {
        "type": "adaptive",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }
    assert second.header("anthropic-beta") == f"claude-code-20250219,{BINDING}"
    assert second.json()["messages"] == LOOP
    assert headers["x-gateway-adapted"].split(", ") == ["thinking", "anthropic-beta"]
    gateway.ended_one(headers["x-gateway-request-id"])
    # The same conversation is not refused again.
    since = len(fake.requests)
    assert gateway.post(MESSAGES, body, beta)[0] == 200
    assert len(asked(fake, since)) == 1
    # Not after a restart either.
    gateway.stop()
    gateway.start()
    since = len(fake.requests)
    assert gateway.post(MESSAGES, body, beta)[0] == 200
    assert len(asked(fake, since)) == 1
    # Another one gets the client's bytes.
    since = len(fake.requests)
    other = {**body, "messages": [{"role": "user", "content": "Another!"}]}
    assert gateway.post(MESSAGES, other, beta)[0] == 200
    [sent] = asked(fake, since)
    assert "thinking" not in sent.json()
    assert sent.header("anthropic-beta") == "claude-code-20250219"


def test_a_session_that_an_app_names_is_one_conversation(
    served: tuple[GatewayProcess, FakeProvider],
) -> None:
    """Its first turns may be summed up meanwhile; a subagent's talk is another one."""
    gateway, fake = served
    summed_up = [{"role": "user", "content": "So far: a greeting."}, *LOOP[1:]]

    def sends(messages: list[Any], **named: str) -> int:
        """How often the provider is asked."""
        since = len(fake.requests)
        headers = {f"x-claude-code-{name}-id": id for name, id in named.items()}
        body = {"model": "smart", "max_tokens": 99, "messages": messages}
        assert gateway.post(MESSAGES, body, headers)[0] == 200
        return len(asked(fake, since))

    first = [{"role": "user", "content": "Good morning!"}, *LOOP[1:]]
    assert sends(first, session="s-1") == 2
    assert sends(first, session="s-1") == 1
    assert sends(summed_up, session="s-1") == 1
    assert sends(summed_up, session="s-2") == 2
    assert sends(summed_up, session="s-1", agent="a-1") == 2


def test_a_model_is_known_by_its_name_before_it_refuses(
    served: tuple[GatewayProcess, FakeProvider],
) -> None:
    gateway, fake = served
    since = len(fake.requests)
    body = {
        "model": "claude-opus-5-5",
        "max_tokens": 99,
        "temperature": 0.2,
        "messages": [USER],
    }
    status, headers, _ = gateway.post(MESSAGES, body)
    assert status == 200
    [sent] = asked(fake, since)
    assert "temperature" not in sent.json()
    assert headers["x-gateway-adapted"] == "temperature"


EXEC = {
    "type": "custom_tool_call",
    "id": "fc_0",
    "call_id": "call_0",
    "name": "exec",
    "input": "ls\n",
    "status": "completed",
}


def test_codex_calls_its_own_tools(
    served: tuple[GatewayProcess, FakeProvider],
) -> None:
    gateway, fake = served
    since = len(fake.requests)
    status, headers, answer = gateway.post(RESPONSES, {"model": "smart", **CODEX})
    assert status == 200
    [sent] = asked(fake, since)
    assert [t["name"] for t in sent.json()["tools"]] == ["files__read", "exec"]
    assert {t["type"] for t in sent.json()["tools"]} == {"function"}
    assert [item["type"] for item in sent.json()["input"]] == ["message"]
    exec_, read = answer["output"]
    assert exec_ == EXEC
    assert (read["name"], read["namespace"]) == ("read", "files")
    assert "tools" in headers["x-gateway-adapted"]


def test_codex_calls_its_own_tools_in_a_stream(
    served: tuple[GatewayProcess, FakeProvider],
) -> None:
    gateway, _ = served
    body = {"model": "smart", "stream": True, **CODEX}
    status, _, raw = gateway.ask(
        "POST",
        RESPONSES,
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    assert status == 200
    events = []
    for block in raw.decode().strip().split("\n\n"):
        name, data = block.split("\n")[:2]
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    kinds = [event["type"] for event in events]
    assert kinds.count("response.custom_tool_call_input.delta") == 2
    assert kinds.count("response.function_call_arguments.delta") == 2
    text = "".join(
        e["delta"]
        for e in events
        if e["type"] == "response.custom_tool_call_input.delta"
    )
    assert text == "ls\n"
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert done[0] == EXEC
    assert (done[1]["name"], done[1]["namespace"]) == ("read", "files")
    assert events[-1]["response"]["output"] == done
