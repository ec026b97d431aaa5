"""Writes turns as Messages: alternating roles, results first, texts that are not empty."""

from collections.abc import Iterable

from llm_gateway.dialects.messages.block_writer import (
    Block,
    BlockWriter,
    cache_control,
    text_block,
)
from llm_gateway.dialects.tool_names import ToolNames
from llm_gateway.translation.call_pairs import (
    with_results_behind_calls,
    with_unique_ids,
)
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import Turn

__all__ = ["TurnWriter", "cache_control"]

SILENT = "."
"""Of a user who says nothing: an empty text is refused."""
_INSTRUCTING = ("system", "developer")


class TurnWriter:
    def __init__(self, target: Target, notes: Notes, names: ToolNames) -> None:
        self._target = target
        self._notes = notes
        self._blocks = BlockWriter(target, notes, names)

    def write(
        self, turns: tuple[Turn, ...]
    ) -> tuple[str | list[Block], list[dict[str, object]]]:
        """`system` and `messages`."""
        turns = with_unique_ids(with_results_behind_calls(turns))
        first = next(
            (i for i, t in enumerate(turns) if t.role not in _INSTRUCTING), len(turns)
        )
        system: list[Block] = []
        for turn in turns[:first]:
            if turn.role == "developer":
                self._notes.use(PartName.DEVELOPER_ROLE)
            system += self._blocks.write(turn.parts)
        messages = self._messages(turns[first:])
        self._prefill(messages)
        if not messages:
            return "", [{"role": "user", "content": _plainest(system) or SILENT}]
        if messages[0]["role"] == "assistant":
            self._notes.use(PartName.ASSISTANT_FIRST)
            messages.insert(0, {"role": "user", "content": SILENT})
        return _plainest(system), messages

    def _messages(self, turns: Iterable[Turn]) -> list[dict[str, object]]:
        """Turns of one role that follow each other are one, its results first of all."""
        merged: list[tuple[str, list[Block]]] = []
        for turn in turns:
            role, blocks = self._turn(turn)
            if not blocks:
                continue
            if merged and merged[-1][0] == role:
                merged[-1][1].extend(blocks)
            else:
                merged.append((role, blocks))
        for _, blocks in merged:
            blocks.sort(key=lambda block: block["type"] != "tool_result")
        return [{"role": role, "content": _plainest(blocks)} for role, blocks in merged]

    def _turn(self, turn: Turn) -> tuple[str, list[Block]]:
        blocks = self._blocks.write(turn.parts)
        if turn.name:
            self._notes.use(PartName.NAME)
        if turn.role == "assistant":
            return "assistant", blocks
        if turn.role in _INSTRUCTING and blocks:
            self._notes.use(PartName.INSTRUCTIONS_INSIDE)
            said = "\n\n".join(str(b["text"]) for b in blocks if b["type"] == "text")
            return "user", [text_block(f"<system>\n{said}\n</system>")]
        return "user", blocks

    def _prefill(self, messages: list[dict[str, object]]) -> None:
        """The beginning of an answer ends without white space there, or is refused."""
        last = messages[-1] if messages else None
        if last is None or last["role"] != "assistant":
            return
        if self._target.quirks.value("role", "last") == "user":
            self._notes.cannot(PartName.PREFILL, "the last turn has to be a user's")
        content = last["content"]
        if isinstance(content, str):
            last["content"] = content.rstrip() or SILENT
        elif isinstance(content, list) and content[-1]["type"] == "text":
            text = str(content[-1]["text"]).rstrip()
            content[-1] = {**content[-1], "text": text or SILENT}


def _plainest(blocks: list[Block]) -> str | list[Block]:
    """A string where a single text is all."""
    if not blocks:
        return ""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return str(blocks[0]["text"])
    return blocks
