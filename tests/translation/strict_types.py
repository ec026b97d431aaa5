"""What the vendors' documents say of an answer: each object by the SDK's own types, with nothing
missing and nothing added, and each stream as a sequence that may stand so.

A function for each dialect and form raises `AssertionError` or pydantic's `ValidationError`.
"""

import json
from functools import cache

from pydantic import BaseModel, TypeAdapter
from sdks import anthropic, genai, openai

BEYOND = {
    *("reasoning_content", "reasoning_details", "extra_content"),
    *("cache_write_tokens", "store"),
}
"""Members that no type of OpenAI's names, and that are answered with all the same."""


@cache
def _adapter(kind):
    return TypeAdapter(kind)


def _strictly(kind, value):
    """The value as this type; no member of it is unknown to the SDK."""
    found = _adapter(kind).validate_python(value)
    _no_extras(found)
    return found


def _no_extras(value):
    if isinstance(value, BaseModel):
        extras = set(value.model_extra or ()) - BEYOND
        assert not extras, f"{type(value).__name__} has {extras}"
        for name in type(value).model_fields:
            _no_extras(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            _no_extras(each)
    elif isinstance(value, dict):
        for each in value.values():
            _no_extras(each)


def events_of(data):
    """(name, data as text) of each event."""
    assert data.endswith(b"\n\n"), data[-40:]
    for block in data.decode().removesuffix("\n\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n")]
        found = {name: text for name, _, text in lines if name}
        if "data" in found:
            yield found.get("event"), found["data"]


def messages_plain(data):
    _strictly(anthropic.types.Message, json.loads(data))


DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set(),
}


def messages_stream(data):
    kinds, blocks, opened = [], 0, None
    for name, text in events_of(data):
        event = json.loads(text)
        assert name == event["type"]
        if name == "ping":
            continue
        _strictly(anthropic.types.RawMessageStreamEvent, event)
        if name == "content_block_start":
            assert opened is None
            assert event["index"] == blocks
            opened = event["content_block"]["type"]
        elif name == "content_block_delta":
            assert event["index"] == blocks
            assert event["delta"]["type"] in DELTAS[opened]
        elif name == "content_block_stop":
            assert event["index"] == blocks
            assert opened is not None
            blocks, opened = blocks + 1, None
        else:
            assert opened is None
            kinds.append(name)
    assert kinds == ["message_start", "message_delta", "message_stop"]


def chat_plain(data):
    _strictly(openai.types.chat.ChatCompletion, json.loads(data))


def chat_stream(data):
    *chunks, last = [text for _, text in events_of(data)]
    assert last == "[DONE]"
    ids, calls, ends, usages, roles = set(), [], 0, 0, 0
    for text in chunks:
        chunk = json.loads(text)
        _strictly(openai.types.chat.ChatCompletionChunk, chunk)
        ids.add((chunk["id"], chunk["model"], chunk["created"]))
        if not chunk["choices"]:
            assert ends == 1, "usage stands behind the end"
            usages += "usage" in chunk
            continue
        [choice] = chunk["choices"]
        assert not ends, "nothing follows the end"
        assert choice["index"] == 0
        roles += "role" in choice["delta"]
        for part in choice["delta"].get("tool_calls") or ():
            if part["index"] == len(calls):
                assert part["id"]
                assert part["type"] == "function"
                assert part["function"]["name"]
                calls.append("")
            else:
                assert part["index"] == len(calls) - 1, "one call after the other"
                assert not part.get("id")
            calls[-1] += part["function"].get("arguments") or ""
        if choice["finish_reason"]:
            ends += 1
            assert (choice["finish_reason"] == "tool_calls") == bool(calls)
    assert (len(ids), ends, usages, roles) == (1, 1, 1, 1)
    assert all(isinstance(json.loads(call), dict) for call in calls)


def responses_plain(data):
    _strictly(openai.types.responses.Response, json.loads(data))


ENDS = {"response.completed", "response.incomplete"}


def responses_stream(data):
    events = [(name, json.loads(text)) for name, text in events_of(data)]
    names = [name for name, _ in events]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert names[-1] in ENDS
    assert not ENDS & set(names[:-1])
    done, open_item, said = [], None, {}
    for number, (name, event) in enumerate(events):
        assert event["type"] == name
        assert event["sequence_number"] == number
        _strictly(openai.types.responses.ResponseStreamEvent, event)
        if name == "response.output_item.added":
            assert open_item is None
            assert event["output_index"] == len(done)
            open_item, said = event["item"]["id"], {}
        elif name == "response.output_item.done":
            assert event["output_index"] == len(done)
            assert event["item"]["id"] == open_item
            done.append(event["item"])
            open_item = None
        elif "item_id" in event:
            assert event["item_id"] == open_item
            assert event["output_index"] == len(done)
            kind = name.rpartition(".")[0]
            place = kind, event.get("content_index", event.get("summary_index"))
            if name.endswith(".delta"):
                said[place] = said.get(place, "") + event["delta"]
            elif name.endswith((".text.done", "_text.done", "arguments.done")):
                whole = event["arguments" if "arguments" in event else "text"]
                assert said.get(place, "") == whole
    assert open_item is None
    assert events[-1][1]["response"]["output"] == done


def generate_content_plain(data):
    _strictly(genai.types.GenerateContentResponse, json.loads(data))


def generate_content_stream(data):
    chunks = [json.loads(text) for _, text in events_of(data)]
    for chunk in chunks:
        _strictly(genai.types.GenerateContentResponse, chunk)
    ends = [
        candidate.get("finishReason")
        for chunk in chunks
        for candidate in chunk.get("candidates", ())
    ]
    assert ends[-1]
    assert not any(ends[:-1])
    assert len({chunk.get("responseId") for chunk in chunks}) == 1


PLAIN = {
    "messages": messages_plain,
    "chat": chat_plain,
    "responses": responses_plain,
    "generateContent": generate_content_plain,
}
STREAM = {
    "messages": messages_stream,
    "chat": chat_stream,
    "responses": responses_stream,
    "generateContent": generate_content_stream,
}
