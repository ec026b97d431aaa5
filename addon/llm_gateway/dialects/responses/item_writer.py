"""Writes turns as `instructions` and input items of Responses, from an allow-list.

Items of turns 1 to n are a function of these turns and the target alone. Ids of items are
left out: they would be another provider's; reasoning goes back to its maker only.
"""

from collections.abc import Iterable
from hashlib import blake2b

from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.tool_names import fitting_name
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
    Turn,
)
from llm_gateway.translation.document_text import document_as_text, said_of_document
from llm_gateway.translation.foreign import part_of, reference_text

Item = dict[str, object]

CALL_ID = ".{1,64}"
"""Characters of a call's id that the API takes."""
BETWEEN = "\n\n"
LONGEST_NAME = 128
"""Characters of a tool's name."""


class ItemWriter:
    def __init__(self, target: Target, notes: Notes) -> None:
        self._target = target
        self._notes = notes
        quirks = target.quirks
        self._plain_thoughts = (
            quirks.value("reasoning", "as") == "plain"
            or quirks.value("reasoning", "wanted") is not None
        )
        self.instructions = ""

    def write(self, turns: Iterable[Turn]) -> list[Item]:
        items: list[Item] = []
        first = True
        inside = False
        turn = None
        for turn in turns:
            instructs = turn.role in ("system", "developer")
            if instructs and inside:
                self._notes.use(PartName.INSTRUCTIONS_INSIDE)
            if turn.role == "developer":
                self._notes.use(PartName.DEVELOPER_ROLE)
            inside = inside or not instructs
            if first and not inside and turn.role == "system":
                first = False
                text = _all_text(turn.parts)
                if text is not None and not turn.name:
                    self._cached(turn.parts)
                    self.instructions = text
                    continue
            if turn.role == "assistant":
                items += self._assistant(turn)
            else:
                items += self._said(turn)
        if turn is not None and turn.role == "assistant" and _goes_on(turn):
            self._notes.use(PartName.PREFILL)
        return items

    def _said(self, turn: Turn) -> list[Item]:
        """Results first, each an item; then the rest as a message."""
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        rest = [part for part in turn.parts if not isinstance(part, ToolResult)]
        items = [self._result(result) for result in results]
        parts = self._content(rest)
        if turn.name:
            self._notes.use(PartName.NAME)
            parts = [_text(f"{turn.name}:"), *parts]
        if parts or not results:
            items.append({"role": turn.role, "content": _plainest(parts)})
        return items

    def _assistant(self, turn: Turn) -> list[Item]:
        """In the order in which it was made; text that follows text is one message."""
        items: list[Item] = []
        open_parts: list[Item] = []

        def close() -> None:
            if open_parts:
                content = _plainest(list(open_parts))
                items.append({"role": "assistant", "content": content})
                open_parts.clear()

        for part in turn.parts:
            match part:
                case Text(text, cache):
                    self._mark(cache)
                    open_parts.append({"type": "output_text", "text": text})
                case Refusal(text):
                    open_parts.append({"type": "refusal", "refusal": text})
                case Thought():
                    if (item := self._reasoning(part)) is not None:
                        close()
                        items.append(item)
                case ToolCall():
                    close()
                    items.append(self._call(part))
                case _:
                    texts = [p for p in self._content((part,)) if "text" in p]
                    open_parts += [{**p, "type": "output_text"} for p in texts]
        close()
        return items

    def _reasoning(self, thought: Thought) -> Item | None:
        state, text = thought.state, thought.text
        if state is not None and state.data:
            if state.maker == self._target.maker != "":
                return {
                    "type": "reasoning",
                    "id": state.id or _reasoning_id(state.data),
                    "summary": [{"type": "summary_text", "text": text}] if text else [],
                    "encrypted_content": state.data,
                }
            self._notes.use(PartName.FOREIGN_STATE)
        if not text:
            return None
        if not self._plain_thoughts:
            self._notes.use(PartName.THOUGHT)
            return None
        return {
            "type": "reasoning",
            "id": _reasoning_id(text),
            "summary": [],
            "content": [{"type": "reasoning_text", "text": text}],
        }

    def _call(self, call: ToolCall) -> Item:
        self._mark(call.cache)
        if call.state is not None:
            self._notes.use(PartName.FOREIGN_STATE)
        item: Item = {
            "type": "custom_tool_call" if call.freeform else "function_call",
            "call_id": fitting_id(call.id, CALL_ID),
            "name": tool_name(call.name),
        }
        if call.namespace:
            item["namespace"] = call.namespace
        if call.freeform:
            item["input"] = call.arguments
        else:
            item["arguments"] = call.arguments or "{}"
        return item

    def _result(self, result: ToolResult) -> Item:
        self._mark(result.cache)
        for part in result.parts:
            if isinstance(part, Image):
                self._notes.use(PartName.RESULT_IMAGE)
            elif isinstance(part, Document) and not part.text:
                self._needs("documents", PartName.RESULT_DOCUMENT)
        parts = self._content(result.parts)
        if result.is_error and not _begins_with_error(parts):
            self._notes.use(PartName.RESULT_ERROR)
            head = _text("Error: ")
            if parts and parts[0].get("type") == "input_text":
                head = _text(f"Error: {parts.pop(0)['text']}")
            parts = [head, *parts]
        kind = "custom_tool_call" if result.freeform else "function_call"
        return {
            "type": f"{kind}_output",
            "call_id": fitting_id(result.call_id, CALL_ID),
            "output": _plainest(parts),
        }

    # -- parts of contents

    def _content(self, parts: Iterable[Part]) -> list[Item]:
        made: list[Item] = []
        for part in parts:
            self._mark(getattr(part, "cache", ""))
            match part:
                case Text(text) | Refusal(text) | Thought(text):
                    if text:
                        made.append(_text(text))
                case Image():
                    made.append(self._image(part))
                case Document():
                    made += self._document(part)
                case Audio(data, format):
                    self._needs("audio", PartName.AUDIO)
                    audio = {"data": data, "format": format}
                    made.append({"type": "input_audio", "input_audio": audio})
                case Foreign():
                    name = part_of(part)
                    shown = part.type if name is PartName.UNKNOWN_PART else ""
                    self._notes.use(name, shown)
                    if name is PartName.REFERENCE:
                        made.append(_text(reference_text(part)))
        return made

    def _image(self, image: Image) -> Item:
        if image.file:
            self._notes.use(PartName.IMAGE_FILE)
        url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data}"
        return {
            "type": "input_image",
            "image_url": url,
            "detail": image.detail or "auto",
        }

    def _document(self, document: Document) -> list[Item]:
        if document.citations:
            self._notes.use(PartName.CITATIONS)
        if document.file:
            self._notes.use(PartName.DOCUMENT_FILE)
        if not (document.data or document.url):
            return [_text(document_as_text(document, self._notes))]
        said = said_of_document(document, self._notes, title=bool(document.url))
        made = [_text(said)] if said else []
        if document.url:
            self._needs("document URLs", PartName.DOCUMENT_URL)
            return [*made, {"type": "input_file", "file_url": document.url}]
        self._needs("documents", PartName.PDF)
        kind = document.media_type or "application/pdf"
        file: Item = {"type": "input_file", "filename": document.name or "document.pdf"}
        file["file_data"] = f"data:{kind};base64,{document.data}"
        return [*made, file]

    def _needs(self, column: str, part: PartName) -> None:
        if column not in self._target.takes:
            self._notes.use(part)

    def _mark(self, cache: str) -> None:
        if cache:
            self._notes.use(PartName.CACHE_MARKS)

    def _cached(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._mark(getattr(part, "cache", ""))


def tool_name(name: str) -> str:
    """As the API takes it: dots and colons of other dialects are refused."""
    return fitting_name(name, LONGEST_NAME)


def _text(text: str) -> Item:
    return {"type": "input_text", "text": text}


def _plainest(parts: list[Item]) -> object:
    """One string where there is one text: lists are not read by everybody."""
    if not parts:
        return ""
    if len(parts) == 1 and "text" in parts[0]:
        return parts[0]["text"]
    return parts


def _all_text(parts: tuple[Part, ...]) -> str | None:
    """None: there is more than text in it."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    return BETWEEN.join(texts) if texts and len(texts) == len(parts) else None


def _goes_on(turn: Turn) -> bool:
    """The answer is to go on behind this turn's text."""
    return bool(turn.parts) and isinstance(turn.parts[-1], Text)


def _begins_with_error(parts: list[Item]) -> bool:
    said = parts[0].get("text") if parts else None
    return isinstance(said, str) and said.startswith("Error")


def _reasoning_id(said: str) -> str:
    digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16)
    return f"rs_{digest.hexdigest()}"
