"""Writes turns as contents of generateContent: results first, in the order of their calls.

A result names its function; calls of one turn are answered in the very next content. What
of a result is no text follows behind the results.
"""

from collections.abc import Iterable

from llm_gateway.dialects.generate_content.part_writer import (
    Part,
    PartWriter,
    text_part,
)
from llm_gateway.dialects.tool_names import ToolNames
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import ToolCall, ToolResult, Turn

SILENT = "."
"""Of a user who says nothing: contents without parts are refused."""
_INSTRUCTING = ("system", "developer")


class ContentWriter:
    def __init__(self, target: Target, notes: Notes, names: ToolNames) -> None:
        self._target = target
        self._notes = notes
        self._names = names
        self._parts = PartWriter(target, notes, names)
        self._called: dict[str, str] = {}
        """Id of a call -> name of its function."""
        self._order: dict[str, int] = {}

    def write(self, turns: tuple[Turn, ...]) -> tuple[list[Part], list[Part]]:
        """Parts of `systemInstruction`, and `contents`."""
        first = next(
            (i for i, t in enumerate(turns) if t.role not in _INSTRUCTING), len(turns)
        )
        system: list[Part] = []
        for turn in turns[:first]:
            if turn.role == "developer":
                self._notes.use(PartName.DEVELOPER_ROLE)
            system += self._parts.write(turn.parts)
        contents = self._contents(turns[first:])
        if not contents:
            return system, [_content("user", [text_part(SILENT)])]
        if contents[0]["role"] == "model":
            self._notes.use(PartName.ASSISTANT_FIRST)
            contents.insert(0, _content("user", [text_part(SILENT)]))
        is_prefill = contents[-1]["role"] == "model"
        if is_prefill and self._target.quirks.value("role", "last") == "user":
            self._notes.cannot(PartName.PREFILL, "the last turn has to be a user's")
        return system, contents

    def _contents(self, turns: Iterable[Turn]) -> list[Part]:
        merged: list[tuple[str, list[Part]]] = []
        for turn in turns:
            role, parts = self._turn(turn)
            if not parts:
                continue
            if merged and merged[-1][0] == role:
                merged[-1][1].extend(parts)
            else:
                merged.append((role, parts))
        for _, parts in merged:
            parts.sort(key=lambda part: "functionResponse" not in part)
        return [_content(role, parts) for role, parts in merged]

    def _turn(self, turn: Turn) -> tuple[str, list[Part]]:
        if turn.name:
            self._notes.use(PartName.NAME)
        if turn.role == "assistant":
            for part in turn.parts:
                if isinstance(part, ToolCall):
                    self._called[part.id] = self._names.flat(part.namespace, part.name)
                    self._order[part.id] = len(self._order)
            return "model", self._parts.write(turn.parts)
        if turn.role in _INSTRUCTING:
            parts = self._parts.write(turn.parts)
            if not parts:
                return "user", []
            self._notes.use(PartName.INSTRUCTIONS_INSIDE)
            said = "\n\n".join(str(p["text"]) for p in parts if "text" in p)
            return "user", [text_part(f"<system>\n{said}\n</system>")]
        return "user", self._user(turn)

    def _user(self, turn: Turn) -> list[Part]:
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        results.sort(key=lambda r: self._order.get(r.call_id, len(self._order)))
        rest = [part for part in turn.parts if not isinstance(part, ToolResult)]
        made, behind = [], []
        for result in results:
            name = self._called.get(result.call_id, "unknown_function")
            response, media = self._parts.result(result, name)
            made.append(response)
            behind += media
        return [*made, *behind, *self._parts.write(rest)]


def _content(role: str, parts: list[Part]) -> Part:
    return {"role": role, "parts": parts}
