"""Regular expressions that are compiled when they are first searched with.

The tables of refusals hold hundreds; to compile them takes longer than to load all else, and
most gateways never hear most of those words. `compile_all` does it at leisure, in a thread
of a gateway that has begun to listen, so that no first refusal holds up the event loop.
"""

import re
import time
from collections.abc import Callable

_WAITING: list["LatePattern"] = []
"""Made, and not compiled yet."""
PAUSE = 0.001
"""Seconds between two patterns: the event loop has Python's lock meanwhile."""


class LatePattern:
    """What `re.compile` gives, as far as tables of wordings need it."""

    __slots__ = ("_compiled", "flags", "pattern")

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self.flags = flags
        self._compiled: re.Pattern[str] | None = None
        _WAITING.append(self)

    @property
    def compiled(self) -> re.Pattern[str]:
        """Raises re.PatternError (re.error) where it is none."""
        found = self._compiled
        if found is None:
            found = self._compiled = re.compile(self.pattern, self.flags)
        return found

    @property
    def is_compiled(self) -> bool:
        return self._compiled is not None

    def search(self, text: str) -> re.Match[str] | None:
        return self.compiled.search(text)

    def match(self, text: str, pos: int = 0) -> re.Match[str] | None:
        return self.compiled.match(text, pos)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self.compiled.fullmatch(text)


def compile_all(pause: Callable[[float], None] = time.sleep) -> None:
    """Compile what was made so far. Blocks for a tenth of a second: for a thread."""
    while _WAITING:
        _ = _WAITING.pop().compiled
        pause(PAUSE)
