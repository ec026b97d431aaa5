"""Colour for a terminal, and none for a pipe: NO_COLOR, FORCE_COLOR, TERM=dumb.

What this file does not know: what is printed.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

_CODES = {
    "bold": "1",
    "soft": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
}
OF_WORD = {
    "ready": "green",
    "near limit": "yellow",
    "at limit": "red",
    "failing": "red",
    "key refused": "red",
    "cooling down": "blue",
}
"""State word -> colour; others are soft."""


def coloured(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Does this stream show colours? https://no-color.org and https://force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


@dataclass(frozen=True, slots=True)
class Paint:
    """`paint("red", text)`: the text, in red where there is colour."""

    on: bool

    def __call__(self, how: str, text: str) -> str:
        if not self.on or not text or how not in _CODES:
            return text
        return f"\x1b[{_CODES[how]}m{text}\x1b[0m"

    def word(self, word: str) -> str:
        return self(OF_WORD.get(word, "soft"), word)


def paint_for(stream: TextIO | None = None) -> Paint:
    return Paint(coloured(sys.stdout if stream is None else stream))


def width(most: int = 100) -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(40, min(most, shutil.get_terminal_size((80, 24)).columns))


def flowed(
    pieces: Iterable[tuple[str, str]], gap: str, wide: int, paint: Paint
) -> Iterator[str]:
    """Lines of `(colour, text)` with `gap` between two texts; a text that does not fit
    any more begins the next line, two columns in."""
    line, taken = "", 0
    for how, text in pieces:
        if line and taken + len(gap) + len(text) > wide:
            yield line + gap.rstrip()
            line, taken = "  ", 2
        elif line:
            line, taken = line + gap, taken + len(gap)
        text = cut(text, wide - taken)
        line, taken = line + paint(how, text), taken + len(text)
    if line:
        yield line


def cut(text: str, most: int) -> str:
    """The text in at most so many columns, with an ellipsis where it was longer."""
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def printable(text: object) -> str:
    """Names come from clients: no control character reaches the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
