"""A model behind Google's apps, in three APIs: chat alone, Messages alone, generateContent alone.

What lives here: `work`, a script for a `FakeProvider`; the path says which API is meant. It
calls a tool where it is offered one that it knows, and says what came of it. `TWICE` in the
user's words makes it two calls at once, `HELLO` none. It is as strict as the APIs are: results have to meet
their calls, and Google's own way wants back the signature that it gave with a call.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from fakes import Answer, Received, answers
from fakes.answers import DONE, SSE, event
from vendors.google_answers import VOICES, turns_in
from vendors.google_refusals import camel, invalid, refuse

Value = dict[str, Any]
Call = tuple[str, Value]

TOLD = {"description": "Changes a file"}
ARGUMENTS: dict[str, tuple[Value, Value]] = {
    "run_shell_command": (
        {"command": "echo changed > a.txt; echo RAN", **TOLD},
        {"command": "echo changed > b.txt; echo RAN", **TOLD},
    ),
    "add": ({"a": 40, "b": 2}, {"a": 1, "b": 1}),
}
"""Tool of an app -> what it is called with, first and second."""
HELLO = "Hello there"
JUST_TALK = "HELLO"
"""In the user's words: no tool is called."""
TITLE = '{"title": "A title"}'
THEIRS = ("args", "response", "properties")
SIGNATURE = "R2VtaW5pIHNpZ25lZCB0aGlzIGNhbGw="
THOUGHT = "Let me think."
TOKENS = (1200, 40)
"""In and out, of every answer."""


class Said(NamedTuple):
    """What the model says: calls, or a text."""

    calls: tuple[Call, ...]
    text: str


def decide(words: str, tools: list[str], results: list[str], schema: bool) -> Said:
    """`words`: the user's last; `results`: of the calls that were made just now."""
    if results:
        return Said((), "Done: " + " and ".join(results))
    if schema:
        return Said((), TITLE)
    tool = next((name for name in ARGUMENTS if name in tools), None)
    if tool is None or JUST_TALK in words:
        return Said((), HELLO)
    first, second = ARGUMENTS[tool]
    calls = [(tool, first)] + ([(tool, second)] if "TWICE" in words else [])
    return Said(tuple(calls), "")


def work(request: Received) -> Answer:
    path = request.target.partition("?")[0]
    asked = request.json()
    if path.endswith("/chat/completions"):
        return _chat(asked, request.number)
    if path.endswith("/messages"):
        return _messages(asked, request.number)
    if path.endswith((":generateContent", ":streamGenerateContent")):
        return _generate(asked, ":stream" in path)
    return answers.status(404, {"error": {"message": f"no {path} here"}})


# -- chat


def refused_chat(message: str) -> Answer:
    wrong = {"type": "invalid_request_error", "param": "messages", "code": None}
    return answers.status(400, {"error": {"message": message, **wrong}})


def _chat(asked: Value, number: int) -> Answer:
    messages = [m for m in asked["messages"] if m["role"] != "system"]
    wanted: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in wanted:
                return refused_chat(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'."
                )
            wanted.remove(message["tool_call_id"])
        elif wanted:
            return refused_chat(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                f"response messages: {', '.join(wanted)}"
            )
        wanted += [call["id"] for call in message.get("tool_calls", ())]
    said = decide(
        json.dumps([m["content"] for m in messages if m["role"] == "user"][-1]),
        [tool["function"]["name"] for tool in asked.get("tools", ())],
        [m["content"] for m in _last_turn(messages, "tool")],
        "response_format" in asked,
    )
    calls = [
        {
            "index": n,
            "id": f"call_{number}_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for n, (name, given) in enumerate(said.calls)
    ]
    end = "tool_calls" if calls else "stop"
    usage = {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1]}
    usage["total_tokens"] = sum(TOKENS)
    head = {"id": f"chatcmpl-{number}", "created": 1, "model": "free-model"}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": said.text or None}
        message |= {"reasoning_content": THOUGHT}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": end}
        return answers.status(200, {**head, "choices": [choice], "usage": usage})
    deltas: list[Value] = [{"role": "assistant", "reasoning_content": THOUGHT}]
    deltas += [{"content": piece} for piece in _pieces(said.text)]
    for call in calls:
        whole, function = call["function"]["arguments"], call["function"]
        deltas.append(
            {"tool_calls": [{**call, "function": {**function, "arguments": ""}}]}
        )
        deltas += [
            {"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]}
            for piece in _pieces(whole)
        ]
    chunks = [{"index": 0, "delta": delta} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": end})
    events = [event({**head, "choices": [chunk]}) for chunk in chunks]
    events.append(event({**head, "choices": [], "usage": usage}))
    return _stream(*events, DONE)


# -- messages


def _messages(asked: Value, number: int) -> Answer:
    messages = [
        {**m, "content": [{"type": "text", "text": m["content"]}]}
        if isinstance(m["content"], str)
        else m
        for m in asked["messages"]
    ]
    blocks = [(m["role"], block) for m in messages for block in m["content"]]
    wanted = [b["id"] for _, b in blocks if b["type"] == "tool_use"]
    met = [b["tool_use_id"] for _, b in blocks if b["type"] == "tool_result"]
    if wanted != met:
        words = f"tool_use ids were found without tool_result blocks: {wanted} {met}"
        wrong = {"type": "invalid_request_error", "message": words}
        return answers.status(400, {"type": "error", "error": wrong})
    said = decide(
        json.dumps([b for role, b in blocks if role == "user"][-1]),
        [tool["name"] for tool in asked.get("tools", ())],
        [
            b["content"] if isinstance(b["content"], str) else b["content"][0]["text"]
            for b in messages[-1]["content"]
            if b["type"] == "tool_result"
        ],
        "format" in asked.get("output_config", {}) or "output_format" in asked,
    )
    content: list[Value] = [
        {
            "type": "tool_use",
            "id": f"toolu_{number}_{n}",
            "name": name,
            "input": given,
        }
        for n, (name, given) in enumerate(said.calls)
    ] or [{"type": "text", "text": said.text}]
    end = "tool_use" if said.calls else "end_turn"
    head = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "free-model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": TOKENS[0], "output_tokens": 1},
    }
    usage = {"input_tokens": TOKENS[0], "output_tokens": TOKENS[1]}
    if not asked.get("stream"):
        whole = {**head, "content": content, "stop_reason": end, "usage": usage}
        return answers.status(200, whole)
    events = [("message_start", {"message": head})]
    for n, block in enumerate(content):
        kind = "text" if block["type"] == "text" else "input"
        empty = "" if kind == "text" else {}
        begun = {"index": n, "content_block": {**block, kind: empty}}
        events.append(("content_block_start", begun))
        for piece in _pieces(block[kind] if empty == "" else json.dumps(block[kind])):
            delta = (
                {"type": "text_delta", "text": piece}
                if empty == ""
                else {"type": "input_json_delta", "partial_json": piece}
            )
            events.append(("content_block_delta", {"index": n, "delta": delta}))
        events.append(("content_block_stop", {"index": n}))
    ended = {"delta": {"stop_reason": end, "stop_sequence": None}, "usage": usage}
    events += [("message_delta", ended), ("message_stop", {})]
    return _stream(*(event({"type": name, **data}, name) for name, data in events))


# -- generateContent


def _generate(given: Value, streamed: bool) -> Answer:
    asked = _camelled(given)
    if refused := refuse(VOICES["gemini-3"], asked):
        return answers.status(*refused)
    for calls, _ in turns_in(asked):
        given = calls[0].get("thoughtSignature", SIGNATURE)
        if given.rstrip("=") != SIGNATURE.rstrip("="):
            return answers.status(*invalid("Thought signature is not valid."))
    contents = asked["contents"]
    users = [c for c in contents if c.get("role", "user") == "user"]
    settings = asked.get("generationConfig", {})
    schema = {"responseSchema", "responseJsonSchema"} & {*settings}
    said = decide(
        json.dumps(users[-1]),
        [
            declared["name"]
            for tool in asked.get("tools", ())
            for declared in tool.get("functionDeclarations", ())
        ],
        [
            json.dumps(p["functionResponse"]["response"])
            for content in _last_turn(contents, "user")
            for p in content["parts"]
            if "functionResponse" in p
        ],
        bool(schema),
    )
    parts: list[Value] = [
        {"functionCall": {"name": name, "args": given}} for name, given in said.calls
    ]
    if parts:
        parts[0]["thoughtSignature"] = SIGNATURE
    parts += [{"text": piece} for piece in _pieces(said.text)]
    whole = [*_generated(parts)]
    if not streamed:
        whole[-1]["candidates"][0]["content"]["parts"] = parts
        return answers.status(200, whole[-1])
    return _stream(*map(event, whole))


def _camelled(value: Any) -> Any:
    """Google reads names in either spelling; what people name themselves stays as it is."""
    if isinstance(value, list):
        return [_camelled(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        camel(name): held if name in THEIRS else _camelled(held)
        for name, held in value.items()
    }


def _generated(parts: list[Value]) -> Iterator[Value]:
    usage = {"promptTokenCount": TOKENS[0], "candidatesTokenCount": TOKENS[1]}
    usage["totalTokenCount"] = sum(TOKENS)
    for n, part in enumerate(parts):
        candidate: Value = {"content": {"role": "model", "parts": [part]}, "index": 0}
        if n + 1 == len(parts):
            candidate["finishReason"] = "STOP"
        yield {"candidates": [candidate], "modelVersion": "x", "usageMetadata": usage}


def _last_turn(messages: list[Value], role: str) -> list[Value]:
    """The messages of that role at the end."""
    found: list[Value] = []
    for message in reversed(messages):
        if message.get("role", "user") != role:
            break
        found.insert(0, message)
    return found


def _pieces(text: str) -> list[str]:
    return [text[i : i + 7] for i in range(0, len(text), 7)]


def _stream(*events: bytes) -> Answer:
    return Answer(headers=(SSE,), body=events, framing="chunked")
