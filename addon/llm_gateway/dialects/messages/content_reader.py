"""Reads content blocks of Messages: of system, of turns, of tool results and answers."""

import json
from dataclasses import replace

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
    source = object_of(block.get("source"))
    found = _of_source(source)
    if found is None:
        return Foreign("document", block)
    return replace(
        found,
        name=text_of(block.get("title")),
        context=text_of(block.get("context")),
        cache=cache_mark(block),
        citations=object_of(block.get("citations")).get("enabled") is True,
    )


def _of_source(source: Json) -> Document | None:
    kind = text_of(source.get("media_type"))
    match source.get("type"):
        case "base64":
            return Document(standard_base64(text_of(source.get("data"))), kind)
        case "text":
            return Document(text=text_of(source.get("data")), media_type=kind)
        case "content":
            inner = read_content(source.get("content"))
            texts = [part.text for part in inner if isinstance(part, Text)]
            if len(texts) == len(inner):
                return Document(text="\n\n".join(texts))
        case "url":
            return Document(url=text_of(source.get("url")))
        case "file":
            return Document(file=text_of(source.get("file_id")))
    return None


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
