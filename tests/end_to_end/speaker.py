"""A provider that speaks every dialect and calls the first tool that it is offered.

What lives here: `speak`, a script for a `FakeProvider`. Plain answers and streams in the
shapes that the SDKs parse strictly; every answer took 7 tokens in and 3 out.

What it does not know: sockets, the gateway.
"""

import base64
import json
import struct
from typing import Any

from fakes import Answer, Received
from fakes.answers import (
    DONE,
    JSON,
    ROLE,
    SSE,
    USAGE,
    chat_body,
    chat_chunk,
    embedding_body,
    event,
    message_body,
    response_body,
)

ARGUMENTS = '{"city":"Paris"}'
Value = dict[str, Any]


def speak(request: Received) -> Answer:
    asked = request.json()
    path = request.target.partition("?")[0]
    model = asked["model"]
    if path.endswith("/count_tokens"):
        return plain({"input_tokens": 7})
    if path.endswith("/embeddings"):
        return embedding(asked, model)
    for end, answer in (
        ("/chat/completions", chat),
        ("/completions", completion),
        ("/responses", response),
        ("/messages", message),
    ):
        if path.endswith(end):
            return answer(asked, model)
    return Answer(status=404, headers=(JSON,), body=(b'{"error":{}}',))


def plain(value: Value) -> Answer:
    return Answer(headers=(JSON,), body=(json.dumps(value).encode(),))


def stream(*events: bytes) -> Answer:
    return Answer(headers=(SSE,), body=events, framing="chunked")


def tool_of(asked: Value) -> str:
    """The name of the first tool, in whichever dialect; "" without tools."""
    tools = asked.get("tools") or [{}]
    return str(tools[0].get("name") or tools[0].get("function", {}).get("name") or "")


def chat(asked: Value, model: str) -> Answer:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": tool_of(asked), "arguments": ARGUMENTS},
    }
    if not asked.get("stream"):
        body = json.loads(chat_body("Hello", model))
        if tool_of(asked):
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            body["choices"][0] |= {"message": message, "finish_reason": "tool_calls"}
        return plain(body)
    pieces: list[bytes] = [ROLE]
    if tool_of(asked):
        half = len(ARGUMENTS) // 2
        head = call | {"function": {"name": tool_of(asked), "arguments": ""}}
        deltas = [head | {"index": 0}] + [
            {"index": 0, "function": {"arguments": part}}
            for part in (ARGUMENTS[:half], ARGUMENTS[half:])
        ]
        pieces += [chat_chunk({"tool_calls": [d]}, model=model) for d in deltas]
        pieces.append(chat_chunk({}, "tool_calls", model=model))
    else:
        pieces += [chat_chunk({"content": x}, model=model) for x in ("Hel", "lo")]
        pieces.append(chat_chunk({}, "stop", model=model))
    if (asked.get("stream_options") or {}).get("include_usage"):
        pieces.append(USAGE)
    return stream(*pieces, DONE)


def embedding(asked: Value, model: str) -> Answer:
    """In base64 where it is asked for, as SDKs do unless they are told otherwise."""
    body = json.loads(embedding_body(model))
    vector: Any = [0.5, 0.25]
    if asked.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
    body["data"][0]["embedding"] = vector
    return plain(body)


def completion(asked: Value, model: str) -> Answer:
    def body(text: str, finish: str | None) -> Value:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        head = {"id": "cmpl", "object": "text_completion", "created": 1, "model": model}
        return {**head, "choices": [choice]}

    if not asked.get("stream"):
        return plain(body("Hello", "stop") | json.loads(USAGE[6:], object_hook=_usage))
    return stream(event(body("Hel", None)), event(body("lo", "stop")), USAGE, DONE)


def _usage(value: Value) -> Value:
    return {"usage": value["usage"]} if "usage" in value else value


def response(asked: Value, model: str) -> Answer:
    whole = json.loads(response_body("Hello", model))
    whole |= {"created_at": 1, "parallel_tool_calls": True, "tool_choice": "auto"}
    whole |= {"tools": [], "error": None, "incomplete_details": None}
    item: Value = whole["output"][0] | {"id": "msg_1", "status": "completed"}
    if tool := tool_of(asked):
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1"}
        item |= {"name": tool, "arguments": ARGUMENTS, "status": "completed"}
    whole["output"] = [item]
    if not asked.get("stream"):
        return plain(whole)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0}
    if tool:
        opened = item | {"arguments": "", "status": "in_progress"}
        kind = "response.function_call_arguments"
        parts: list[Value] = [{"type": f"{kind}.delta", **place, "delta": ARGUMENTS}]
        done = {"type": f"{kind}.done", **place, "name": tool, "arguments": ARGUMENTS}
    else:
        opened = item | {"content": [], "status": "in_progress"}
        place |= {"content_index": 0}
        part = item["content"][0]
        empty = part | {"text": ""}
        delta = {"type": "response.output_text.delta", **place, "logprobs": []}
        parts = [
            {"type": "response.content_part.added", **place, "part": empty},
            *({**delta, "delta": text} for text in ("Hel", "lo")),
            {"type": "response.content_part.done", **place, "part": part},
        ]
        done = {"type": "response.output_text.done", **place, "text": "Hello"}
        done |= {"logprobs": []}
    events: list[Value] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        *parts,
        done,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return stream(
        *(event(e | {"sequence_number": n}, e["type"]) for n, e in enumerate(events))
    )


def message(asked: Value, model: str) -> Answer:
    whole = json.loads(message_body("Hello", model)) | {"stop_sequence": None}
    if tool := tool_of(asked):
        use = {"type": "tool_use", "id": "toolu_1", "name": tool}
        whole["content"] = [use | {"input": json.loads(ARGUMENTS)}]
        whole["stop_reason"] = "tool_use"
    if not asked.get("stream"):
        return plain(whole)
    usage = {"input_tokens": 7, "output_tokens": 1}
    begun = whole | {"content": [], "stop_reason": None, "usage": usage}
    if tool:
        block: Value = use | {"input": {}}
        half = len(ARGUMENTS) // 2
        deltas = [
            {"type": "input_json_delta", "partial_json": part}
            for part in ("", ARGUMENTS[:half], ARGUMENTS[half:])
        ]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": text} for text in ("Hel", "lo")]
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events: list[Value] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": d} for d in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    return stream(*(event(e, e["type"]) for e in events))
