"""Writes parts of a conversation as parts of generateContent."""

import json
from collections.abc import Iterable, Mapping

from llm_gateway.dialects.tool_names import ToolNames
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Opaque,
    Refusal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_gateway.translation.conversation import Part as Said
from llm_gateway.translation.document_text import document_as_text, said_of_document
from llm_gateway.translation.foreign import part_of, reference_text

Part = dict[str, object]

_KINDS: Mapping[str, str] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "pdf": "application/pdf",
}
_AUDIO = {"mp3": "mpeg"}


class PartWriter:
    def __init__(self, target: Target, notes: Notes, names: ToolNames) -> None:
        self._target = target
        self._notes = notes
        self._names = names

    def write(self, said: Iterable[Said]) -> list[Part]:
        parts: list[Part] = []
        for one in said:
            if getattr(one, "cache", ""):
                self._notes.use(PartName.CACHE_MARKS)
            if isinstance(one, Thought):
                self._thought(one, parts)
            elif isinstance(one, Document):
                self._document(one, parts)
            elif (part := self._part(one)) is not None:
                parts.append(part)
        return parts

    def result(self, result: ToolResult, name: str) -> tuple[Part, list[Part]]:
        """The part, and what of the result follows behind it."""
        texts, media = [], []
        if result.cache:
            self._notes.use(PartName.CACHE_MARKS)
        for part in self.write(result.parts):
            if isinstance(part.get("text"), str):
                texts.append(str(part["text"]))
            else:
                media.append(part)
        if media:
            documents = any(isinstance(part, Document) for part in result.parts)
            self._notes.use(
                PartName.RESULT_DOCUMENT if documents else PartName.RESULT_IMAGE
            )
            media.insert(0, text_part(f"Of the result of {name}:"))
        member = "error" if result.is_error else "output"
        response: Part = {
            "id": result.call_id,
            "name": name,
            "response": {member: "\n\n".join(texts)},
        }
        return {"functionResponse": response}, media

    def _part(self, part: Said) -> Part | None:
        match part:
            case Text(text) | Refusal(text):
                return text_part(text) if text else None
            case ToolCall():
                return self._call(part)
            case Image():
                return self._image(part)
            case Audio(data, format):
                kind = f"audio/{_AUDIO.get(format, format or 'wav')}"
                return _blob(kind, data)
            case Foreign():
                name = part_of(part)
                self._notes.use(
                    name, part.type if name is PartName.UNKNOWN_PART else ""
                )
                if name is PartName.REFERENCE:
                    return text_part(reference_text(part))
        return None

    def _thought(self, thought: Thought, parts: list[Part]) -> None:
        """Its own thoughts with their signature; one of a text stands on that."""
        state = thought.state
        if state is None or state.form == "plain":
            self._notes.use(PartName.THOUGHT)
            return
        own = state.maker == self._target.maker != ""
        signature = signature_in(state) if own else ""
        if not signature:
            self._notes.use(PartName.FOREIGN_STATE)
        elif thought.text:
            part = text_part(thought.text)
            parts.append({**part, "thought": True, "thoughtSignature": signature})
        elif parts and "text" in parts[-1] and "thoughtSignature" not in parts[-1]:
            parts[-1]["thoughtSignature"] = signature
        else:
            parts.append({**text_part(""), "thoughtSignature": signature})

    def _call(self, call: ToolCall) -> Part:
        written: Part = {
            "functionCall": {
                "id": call.id,
                "name": self._names.flat(call.namespace, call.name),
                "args": {"input": call.arguments}
                if call.freeform
                else args_of(call.arguments),
            }
        }
        if call.state is not None:
            if call.state.maker == self._target.maker != "":
                written["thoughtSignature"] = call.state.data
            else:
                self._notes.use(PartName.FOREIGN_STATE)
        return written

    def _image(self, image: Image) -> Part | None:
        if image.detail not in ("", "auto"):
            self._notes.use(PartName.IMAGE_DETAIL)
        if image.file:
            self._notes.use(PartName.IMAGE_FILE)
            return None
        if image.data:
            return _blob(image.media_type or "image/png", image.data)
        return _file(image.url, image.media_type or _kind_of(image.url, "image/png"))

    def _document(self, document: Document, parts: list[Part]) -> None:
        if document.citations:
            self._notes.use(PartName.CITATIONS)
        if document.file:
            self._notes.use(PartName.DOCUMENT_FILE)
            return
        if not (document.data or document.url):
            if document.name:
                self._notes.use(PartName.DOCUMENT_TITLE)
            parts.append(text_part(document_as_text(document, self._notes)))
            return
        if said := said_of_document(document, self._notes, title=True):
            parts.append(text_part(said))
        if document.data:
            kind = document.media_type or "application/pdf"
            parts.append(_blob(kind, document.data))
        else:
            kind = document.media_type or _kind_of(document.url, "application/pdf")
            parts.append(_file(document.url, kind))


def text_part(text: str) -> Part:
    return {"text": text}


def signature_in(state: Opaque) -> str:
    """The signature itself, also of reasoning details; "": it is another kind of state."""
    if state.form == "signature":
        return state.data
    try:
        value = json.loads(state.data) if state.form == "details" else None
    except (ValueError, RecursionError):
        value = None
    for detail in value if isinstance(value, list) else ():
        found = detail.get("signature") if isinstance(detail, dict) else None
        if isinstance(found, str) and found:
            return found
    return ""


def args_of(arguments: str) -> dict[str, object]:
    """An object, whatever the model wrote: nothing else is taken."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"input": value}


def _blob(kind: str, data: str) -> Part:
    return {"inlineData": {"mimeType": kind, "data": data}}


def _file(url: str, kind: str) -> Part:
    return {"fileData": {"mimeType": kind, "fileUri": url}}


def _kind_of(url: str, otherwise: str) -> str:
    """By the end of its path."""
    path = url.partition("?")[0].partition("#")[0]
    return _KINDS.get(path.rpartition(".")[2].lower(), otherwise)
