"""Thoughts that stand in front of a text inside of tags: `<think>…</think>`.

Servers without a reasoning parser give what the model writes. Only where the row says so
(`reasoning:tag=think`) is a leading tag read as thoughts; behind it, and in everybody else's
answers, it is text like any other. Pieces may be cut anywhere.
"""

from typing import Literal, NamedTuple


class Piece(NamedTuple):
    kind: Literal["thought", "text"]
    text: str


class ThoughtTag:
    """Of one answer. `name`: `think`."""

    def __init__(self, name: str) -> None:
        self._open, self._close = f"<{name}>", f"</{name}>"
        self._where: Literal["front", "inside", "behind", "over"] = "front"
        self._held = ""
        """What may be a part of a tag."""

    def feed(self, text: str) -> list[Piece]:
        if self._where == "over":
            return [Piece("text", text)]
        said, self._held = self._held + text, ""
        found: list[Piece] = []
        if self._where == "front":
            bare = said.lstrip()
            if self._open.startswith(bare) and bare != self._open:
                self._held = said
                return []
            if not bare.startswith(self._open):
                self._where = "over"
                return [Piece("text", said)]
            self._where, said = "inside", bare.removeprefix(self._open)
        if self._where == "inside":
            thought, tag, said = said.partition(self._close)
            if not tag:
                self._held = _beginning(thought, self._close)
                thought = thought.removesuffix(self._held) if self._held else thought
            else:
                self._where = "behind"
            if thought:
                found.append(Piece("thought", thought))
        if self._where == "behind" and (said := said.lstrip()):
            self._where = "over"
            found.append(Piece("text", said))
        return found

    def finish(self) -> list[Piece]:
        """Nothing more comes: what was held is what it looks like."""
        held, self._held = self._held, ""
        kind: Literal["thought", "text"] = (
            "thought" if self._where == "inside" else "text"
        )
        return [Piece(kind, held)] if held else []


def _beginning(text: str, tag: str) -> str:
    """The end of the text that the tag may begin with."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return tag[:size]
    return ""
