"""Reads content blocks of Messages: of system, of turns, of tool results and answers."""

import json

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.translation.base64_text import standard_base64
from llm_gateway.translation.cache_marks import cache_mark
from llm_gateway.translation.conversation import (
    Document,
    Foreign,
    Image,
    Part,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_gateway.translation.opaque_text import read_opaque, with_call_states


def read_content(content: object, role: str = "user") -> tuple[Part, ...]:
    """A string or a list of blocks."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    blocks = objects(content)
    parts = (part for block in blocks if (part := read_block(block)) is not None)
    return tuple(with_call_states(parts))


def read_block(block: Json) -> Part | None:
    """None: there is nothing in it."""
    match block.get("type"):
        case "text":
            text = text_of(block.get("text"))
            return Text(text, cache_mark(block)) if text else None
        case "image":
            return _image(block)
        case "document":
            return _document(block)
        case "tool_use":
            return ToolCall(
                text_of(block.get("id")),
                text_of(block.get("name")),
                json_text(block.get("input")),
                cache=cache_mark(block),
            )
        case "tool_result":
            return _result(block)
        case "thinking":
            text, signature = (
                text_of(block.get("thinking")),
                text_of(block.get("signature")),
            )
            state = read_opaque(signature, "signature")
            return Thought(text, state) if text or state else None
        case "redacted_thinking":
            state = read_opaque(text_of(block.get("data")), "redacted")
            return Thought("", state) if state else None
        case kind:
            return Foreign(text_of(kind), block)


def json_text(value: object) -> str:
    """A call's input as JSON text; of none an empty object."""
    if value is None:
        return "{}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _image(block: Json) -> Part:
    source, cache = object_of(block.get("source")), cache_mark(block)
    match source.get("type"):
        case "base64":
            data = standard_base64(text_of(source.get("data")))
            return Image(data, text_of(source.get("media_type")), cache=cache)
        case "url":
            return Image(url=text_of(source.get("url")), cache=cache)
        case "file":
            return Image(file=text_of(source.get("file_id")), cache=cache)
    return Foreign("image", block)


def _document(block: Json) -> Part:
    source, cache = object_of(block.get("source")), cache_mark(block)
    name, kind = text_of(block.get("title")), text_of(source.get("media_type"))
    cites = object_of(block.get("citations")).get("enabled") is True
    match source.get("type"):
        case "base64":
            data = standard_base64(text_of(source.get("data")))
            return Document(data, kind, name=name, cache=cache, citations=cites)
        case "text":
            text = text_of(source.get("data"))
            return Document(
                text=text, media_type=kind, name=name, cache=cache, citations=cites
            )
        case "content":
            inner = read_content(source.get("content"))
            if all(isinstance(part, Text) for part in inner):
                text = "\n\n".join(p.text for p in inner if isinstance(p, Text))
                return Document(text=text, name=name, cache=cache, citations=cites)
        case "url":
            return Document(
                url=text_of(source.get("url")), name=name, cache=cache, citations=cites
            )
        case "file":
            file = text_of(source.get("file_id"))
            return Document(file=file, name=name, cache=cache, citations=cites)
    return Foreign("document", block)


def _result(block: Json) -> ToolResult:
    inner = read_content(block.get("content"))
    return ToolResult(
        text_of(block.get("tool_use_id")),
        tuple(
            part
            for part in inner
            if isinstance(part, Text | Image | Document | Foreign)
        ),
        block.get("is_error") is True,
        cache=cache_mark(block),
    )
