"""Writes turns as chat messages: text as one string, results right behind their calls."""

import json
from collections.abc import Iterable

from llm_gateway.dialects.answer_observer import objects
from llm_gateway.dialects.chat.media_writer import file_part, image_part
from llm_gateway.dialects.chat.thoughts import with_signature
from llm_gateway.dialects.tool_names import ToolNames, wrapped
from llm_gateway.translation.call_pairs import with_results_behind_calls
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

Message = dict[str, object]

BETWEEN = "\n\n"
"""What stands between texts that were blocks of their own."""


class MessageWriter:
    def __init__(self, target: Target, notes: Notes, names: ToolNames) -> None:
        self._target = target
        self._notes = notes
        self._names = names
        self._thoughts_as = thoughts_member(target)

    def write(self, turns: Iterable[Turn]) -> list[Message]:
        messages: list[Message] = []
        inside = False
        for turn in with_results_behind_calls(turns):
            if turn.role in ("system", "developer"):
                if inside:
                    self._notes.use(PartName.INSTRUCTIONS_INSIDE)
                if turn.role == "developer":
                    self._notes.use(PartName.DEVELOPER_ROLE)
                messages += self._said("system", turn, self._content(turn.parts))
                continue
            inside = True
            if turn.role == "assistant":
                messages += self._assistant(turn)
            else:
                messages += self._user(turn)
        return messages

    def _said(
        self, role: str, turn: Turn, parts: list[dict[str, object]]
    ) -> list[Message]:
        if not parts and turn.parts:
            return []
        message: Message = {"role": role, "content": plainest(parts)}
        if turn.name:
            message["name"] = turn.name
        return [message]

    def _user(self, turn: Turn) -> list[Message]:
        """Results first, each a message; then what they cannot hold, and the user's words."""
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        rest = tuple(part for part in turn.parts if not isinstance(part, ToolResult))
        messages: list[Message] = []
        behind: list[dict[str, object]] = []
        for result in results:
            messages.append(self._result(result, behind))
        parts = [*behind, *self._content(rest)]
        if parts or not results:
            messages += self._said("user", turn, parts)
        return messages

    def _result(self, result: ToolResult, behind: list[dict[str, object]]) -> Message:
        self._cached(result.cache)
        texts = []
        media: list[dict[str, object]] = []
        for part in result.parts:
            if isinstance(part, Image):
                self._notes.use(PartName.RESULT_IMAGE)
                media += self._content((part,))
            elif isinstance(part, Document) and (part.data or part.url or part.file):
                if "documents" not in self._target.takes:
                    self._notes.use(PartName.RESULT_DOCUMENT)
                media += self._content((part,))
            else:
                texts += [str(one["text"]) for one in self._content((part,))]
        text = BETWEEN.join(texts)
        if result.is_error and not text.startswith("Error:"):
            self._notes.use(PartName.RESULT_ERROR)
            text = f"Error: {text}"
        if media:
            behind.append(text_part(f"Of the result of call {result.call_id}:"))
            behind += media
            text = text or "The result follows in the next message."
        return {"role": "tool", "tool_call_id": result.call_id, "content": text}

    def _assistant(self, turn: Turn) -> list[Message]:
        """None where all of its parts were dropped, as calls of tools that the provider ran."""
        texts, calls, thoughts = [], [], []
        for part in turn.parts:
            match part:
                case Text(text, cache):
                    self._cached(cache)
                    texts.append(text)
                case Refusal(text):
                    texts.append(text)
                case ToolCall():
                    calls.append(self._call(part))
                case Thought():
                    thoughts.append(part)
                case _:
                    texts += [
                        str(one["text"])
                        for one in self._content((part,))
                        if one["type"] == "text"
                    ]
        if turn.parts and not (texts or calls or thoughts):
            return []
        message: Message = {"role": "assistant"}
        message["content"] = BETWEEN.join(texts) if texts or not calls else None
        if turn.name:
            message["name"] = turn.name
        if thoughts:
            self._thoughts(message, thoughts)
        if calls:
            message["tool_calls"] = calls
        return [message]

    def _thoughts(self, message: Message, thoughts: list[Thought]) -> None:
        details = []
        for thought in thoughts:
            if (state := thought.state) is None or not state.data:
                continue
            if state.form == "details" and state.maker == self._target.maker != "":
                details += objects(json.loads(state.data))
            else:
                self._notes.use(PartName.FOREIGN_STATE)
        if details:
            message["reasoning_details"] = details
            return
        text = BETWEEN.join(thought.text for thought in thoughts if thought.text)
        if not text:
            return
        if not self._thoughts_as:
            self._notes.use(PartName.THOUGHT)
        elif self._thoughts_as == "reasoning_details":
            message["reasoning_details"] = [{"type": "reasoning.text", "text": text}]
        else:
            message[self._thoughts_as] = text

    def _call(self, call: ToolCall) -> Message:
        self._cached(call.cache)
        name = self._names.flat(call.namespace, call.name)
        arguments = wrapped(call.arguments) if call.freeform else call.arguments
        written: Message = {
            "id": call.id,
            "type": "function",
            "function": {"name": name, "arguments": arguments or "{}"},
        }
        if call.state is not None:
            if call.state.maker == self._target.maker != "":
                return with_signature(written, call.state.data)
            self._notes.use(PartName.FOREIGN_STATE)
        return written

    def _content(self, parts: Iterable[Part]) -> list[dict[str, object]]:
        """Parts of a message that is not the assistant's."""
        made: list[dict[str, object]] = []
        for part in parts:
            self._cached(getattr(part, "cache", ""))
            match part:
                case Text(text) | Refusal(text) | Thought(text):
                    if text:
                        made.append(text_part(text))
                case Image(file=file) if file:
                    self._notes.use(PartName.IMAGE_FILE)
                case Image():
                    made.append(image_part(part))
                case Document(data, _, text, url, file):
                    if part.citations:
                        self._notes.use(PartName.CITATIONS)
                    if text or not (data or url or file):
                        made.append(text_part(document_as_text(part, self._notes)))
                    else:
                        if said := said_of_document(part, self._notes, title=False):
                            made.append(text_part(said))
                        made += file_part(part, self._target, self._notes)
                case Audio(data, format):
                    if "audio" not in self._target.takes:
                        self._notes.use(PartName.AUDIO)
                    audio = {"data": data, "format": format}
                    made.append({"type": "input_audio", "input_audio": audio})
                case Foreign():
                    made += self._foreign(part)
        return made

    def _foreign(self, part: Foreign) -> list[dict[str, object]]:
        name = part_of(part)
        shown = part.type if name is PartName.UNKNOWN_PART else ""
        self._notes.use(name, shown)
        if name is PartName.REFERENCE:
            return [text_part(reference_text(part))]
        return []

    def _cached(self, mark: str) -> None:
        if mark:
            self._notes.use(PartName.CACHE_MARKS)


def thoughts_member(target: Target) -> str:
    """Under which name the provider wants thoughts of earlier turns; "": not at all."""
    quirks = target.quirks
    if quirks.value("reasoning", "out") is not None:
        return ""
    return quirks.value("reasoning", "wanted") or quirks.value("reasoning", "as") or ""


def text_part(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


def plainest(parts: list[dict[str, object]]) -> object:
    """One string where all is text: lists are not read by everybody."""
    if all(part["type"] == "text" for part in parts):
        return BETWEEN.join(str(part["text"]) for part in parts)
    return parts
