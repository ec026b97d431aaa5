"""Writes parts of a conversation as content blocks of Messages."""

import json
from collections.abc import Iterable

from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.messages.answer_blocks import CALL_ID
from llm_gateway.dialects.tool_names import ToolNames
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_gateway.translation.foreign import part_of, reference_text

Block = dict[str, object]


class BlockWriter:
    def __init__(self, target: Target, notes: Notes, names: ToolNames) -> None:
        self._target = target
        self._notes = notes
        self._names = names

    def write(self, parts: Iterable[Part]) -> list[Block]:
        blocks = []
        for part in parts:
            block = self._block(part)
            if block is None:
                continue
            if cache := getattr(part, "cache", ""):
                block["cache_control"] = cache_control(cache)
            blocks.append(block)
        return blocks

    def _block(self, part: Part) -> Block | None:
        match part:
            case Text(text) | Refusal(text):
                return text_block(text) if text.strip() else None
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case Thought():
                return self._thought(part)
            case Image():
                return self._image(part)
            case Document():
                return self._document(part)
            case Audio():
                self._notes.use(PartName.AUDIO)
            case Foreign():
                name = part_of(part)
                self._notes.use(
                    name, part.type if name is PartName.UNKNOWN_PART else ""
                )
                if name is PartName.REFERENCE:
                    return text_block(reference_text(part))
        return None

    def _thought(self, thought: Thought) -> Block | None:
        state = thought.state
        if state is None or state.form == "plain":
            self._notes.use(PartName.THOUGHT)
            return None
        if not state.maker or state.maker != self._target.maker:
            self._notes.use(PartName.FOREIGN_STATE)
            return None
        if state.form == "redacted":
            return {"type": "redacted_thinking", "data": state.data}
        return {
            "type": "thinking",
            "thinking": thought.text,
            "signature": state.data,
        }

    def _call(self, call: ToolCall) -> Block:
        if call.state is not None:
            self._notes.use(PartName.FOREIGN_STATE)
        return {
            "type": "tool_use",
            "id": fitting_id(call.id, CALL_ID),
            "name": self._names.flat(call.namespace, call.name),
            "input": {"input": call.arguments}
            if call.freeform
            else input_of(call.arguments),
        }

    def _result(self, result: ToolResult) -> Block:
        inner = self.write(result.parts)
        block: Block = {
            "type": "tool_result",
            "tool_use_id": fitting_id(result.call_id, CALL_ID),
        }
        if len(inner) == 1 and inner[0].keys() == {"type", "text"}:
            block["content"] = inner[0]["text"]
        elif inner:
            block["content"] = inner
        if result.is_error:
            block["is_error"] = True
        return block

    def _image(self, image: Image) -> Block | None:
        if image.detail not in ("", "auto"):
            self._notes.use(PartName.IMAGE_DETAIL)
        if image.file:
            self._notes.use(PartName.IMAGE_FILE)
            return None
        source = {"type": "url", "url": image.url}
        if image.data:
            kind = image.media_type or "image/png"
            source = {"type": "base64", "media_type": kind, "data": image.data}
        return {"type": "image", "source": source}

    def _document(self, document: Document) -> Block | None:
        if document.citations:
            self._notes.use(PartName.CITATIONS)
        if document.file:
            self._notes.use(PartName.DOCUMENT_FILE)
            return None
        if document.url:
            source = {"type": "url", "url": document.url}
        elif document.data:
            kind = document.media_type or "application/pdf"
            source = {"type": "base64", "media_type": kind, "data": document.data}
        else:
            source = {
                "type": "text",
                "media_type": "text/plain",
                "data": document.text,
            }
        block: Block = {"type": "document", "source": source}
        if document.name:
            block["title"] = document.name
        if document.context:
            block["context"] = document.context
        return block


def text_block(text: str) -> Block:
    return {"type": "text", "text": text}


def cache_control(ttl: str) -> Block:
    if ttl == "5m":
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": ttl}


def input_of(arguments: str) -> dict[str, object]:
    """An object, whatever the model wrote: nothing else is taken back."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"input": value}
