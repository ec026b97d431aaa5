"""Reads chat messages: tool messages that follow each other become one turn of results."""

from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.chat.reasoning import signature_of, thoughts_of
from llm_gateway.translation.base64_text import readable_text, standard_base64
from llm_gateway.translation.cache_marks import cache_mark
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Opaque,
    Part,
    Refusal,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Turn,
)
from llm_gateway.translation.made_ids import made_id
from llm_gateway.translation.opaque_text import read_opaque

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "assistant": "assistant",
}


def read_turns(messages: object) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    results: list[Part] = []
    calls: dict[str, str] = {}
    """Name of a function -> id of its last call: results of old have no id."""
    for position, message in enumerate(objects(messages)):
        role = text_of(message.get("role"))
        if role in ("tool", "function"):
            results.append(_result(message, calls))
            continue
        if results:
            turns.append(Turn("user", tuple(results)))
            results = []
        turns.append(_turn(role, message, position, calls))
    if results:
        turns.append(Turn("user", tuple(results)))
    return tuple(turns)


def _turn(role: str, message: Json, position: int, calls: dict[str, str]) -> Turn:
    name = text_of(message.get("name"))
    if role == "assistant":
        parts = [*_thoughts(message), *_content(message.get("content"))]
        parts += _spoken(object_of(message.get("audio")))
        if refusal := text_of(message.get("refusal")):
            parts.append(Refusal(refusal))
        parts += _calls(message, position, calls)
        return Turn("assistant", tuple(parts), name)
    parts = _content(message.get("content"), cache_mark(message))
    return Turn(_ROLES.get(role, "user"), tuple(parts), name)


def _result(message: Json, calls: dict[str, str]) -> ToolResult:
    id = text_of(message.get("tool_call_id"))
    parts = tuple(
        part
        for part in _content(message.get("content"), cache_mark(message))
        if isinstance(part, Text | Image | Document | Audio | Foreign)
    )
    return ToolResult(id or calls.get(text_of(message.get("name")), ""), parts)


def _thoughts(message: Json) -> Iterator[Thought]:
    """Those with state of their own first of all: the text beside them is theirs."""
    states = [
        Thought(text_of(one.get("text")), state)
        for one in objects(message.get("reasoning_details"))
        for name in ("signature", "data")
        if (state := read_opaque(text_of(one.get(name)), "signature"))
    ]
    if any(thought.state and thought.state.maker for thought in states):
        yield from states
    elif text := thoughts_of(message):
        yield Thought(text)


def _calls(message: Json, position: int, calls: dict[str, str]) -> Iterator[ToolCall]:
    given = objects(message.get("tool_calls"))
    if function := object_of(message.get("function_call")):
        given = [*given, {"function": function}]
    for n, call in enumerate(given):
        custom = object_of(call.get("custom"))
        inner = custom or object_of(call.get("function"))
        name = text_of(inner.get("name"))
        id = text_of(call.get("id")) or made_id("call_", position, n, name)
        calls[name] = id
        arguments = text_of(inner.get("input" if custom else "arguments"))
        yield ToolCall(
            id,
            name,
            arguments if custom else arguments or "{}",
            bool(custom),
            state=_state(call),
        )


def _spoken(audio: Json) -> list[Part]:
    """An answer in sound: what it said, or else an id that its provider alone knows."""
    if said := text_of(audio.get("transcript")):
        return [Text(said)]
    return [Foreign("audio", audio)] if audio else []


def _state(call: Json) -> Opaque | None:
    return read_opaque(signature_of(call), "signature")


def _content(content: object, cache: str = "") -> list[Part]:
    """cache: the message's own mark, of those that say it there."""
    if isinstance(content, str):
        return [Text(content, cache)] if content else []
    return [part for one in objects(content) if (part := _part(one)) is not None]


def _part(part: Json) -> Part | None:
    match part.get("type"):
        case "text":
            text = text_of(part.get("text"))
            return Text(text, cache_mark(part)) if text else None
        case "refusal":
            return Refusal(text_of(part.get("refusal")))
        case "image_url":
            inner = part.get("image_url")
            given = object_of(inner)
            url = text_of(given.get("url")) or text_of(inner)
            kind, data = data_url(url)
            detail, cache = text_of(given.get("detail")), cache_mark(part)
            if data:
                return Image(data, kind, detail=detail, cache=cache)
            return Image(url=url, detail=detail, cache=cache)
        case "input_audio":
            audio = object_of(part.get("input_audio"))
            data = standard_base64(text_of(audio.get("data")))
            return Audio(data, text_of(audio.get("format")))
        case "file":
            return _file(object_of(part.get("file")))
        case "thinking":
            return None  # read as a thought
        case kind:
            return Foreign(text_of(kind), part)


def _file(file: Json) -> Document:
    name, id = text_of(file.get("filename")), text_of(file.get("file_id"))
    given = text_of(file.get("file_data"))
    kind, data = data_url(given)
    if id:
        return Document(file=id, name=name)
    if given.startswith(("https://", "http://")):
        return Document(url=given, name=name)
    data = data or standard_base64(given)
    if (text := readable_text(kind, data)) is not None:
        return Document(text=text, media_type=kind, name=name)
    return Document(data, kind, name=name)


def data_url(url: str) -> tuple[str, str]:
    """`data:image/png;base64,…` -> media type and data; ("", "") for another URL."""
    if not url.startswith("data:"):
        return "", ""
    head, _, data = url[5:].partition(",")
    kind, *words = head.split(";")
    return (kind, standard_base64(data)) if "base64" in words else ("", "")
