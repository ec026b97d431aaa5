"""Order of answer events: one block at a time, calls one after the other.

Chat streams may interleave parallel calls, and say nothing of where one ends; other dialects
want each block whole before the next. What belongs to a later block is held until the open
one ends. An open call whose arguments are whole JSON has ended as soon as another block
begins, so that the usual stream, one call after the other, is held up nowhere.
"""

import json
from collections.abc import Iterable

from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Event,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)

MOST_HELD = 16 << 20
"""Characters that are held back, and of one call's arguments that are looked at."""

_TEXT, _THOUGHT, _REFUSAL = "text", "thought", "refusal"
_Block = str | int


class InOrder:
    """Feed events of one answer as they come; get them in order."""

    def __init__(self) -> None:
        self._open: _Block | None = None
        self._arguments: list[str] = []
        """Of the open call."""
        self._size = 0
        self._held: dict[_Block, list[Event]] = {}
        self._ended: set[int] = set()
        self._held_size = 0
        self.is_over = False
        """The end has come: nothing more passes."""

    def feed(self, events: Iterable[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if not self.is_over:
                self._one(event, out)
        return out

    def _one(self, event: Event, out: list[Event]) -> None:
        match event:
            case TextDelta():
                self._put(_TEXT, event, out)
            case ThoughtDelta() | ThoughtSigned():
                self._put(_THOUGHT, event, out)
            case RefusalDelta():
                self._put(_REFUSAL, event, out)
            case CallStarted() | ArgumentsDelta():
                self._put(event.call, event, out)
            case CallEnded():
                if event.call == self._open:
                    out.append(event)
                    self._open = None
                    self._release(out)
                else:
                    self._ended.add(event.call)
            case Ended():
                self._close(out)
                self._flush(out)
                out.append(event)
                self.is_over = True
            case Failed():
                self._close(out)
                self._flush(out)
                out.append(event)
                self.is_over = True
            case Started() | Usage() | Ping():
                out.append(event)

    def _put(self, block: _Block, event: Event, out: list[Event]) -> None:
        if block != self._open:
            if self._open is None or not isinstance(self._open, int):
                self._open = None
            elif block not in self._held and self._is_whole():
                self._close(out)
                self._release(out)
            if self._open is None:
                self._begin(block)
        if block == self._open:
            if isinstance(event, ArgumentsDelta) and self._size <= MOST_HELD:
                self._arguments.append(event.text)
                self._size += len(event.text)
            out.append(event)
            return
        size = len(getattr(event, "text", ""))
        self._held_size += size
        if self._held_size > MOST_HELD:
            self._held.clear()
            self._one(
                Failed("The calls of the answer are too large to be put in order."), out
            )
            return
        self._held.setdefault(block, []).append(event)

    def _begin(self, block: _Block) -> None:
        self._open = block
        self._arguments, self._size = [], 0

    def _is_whole(self) -> bool:
        if self._size > MOST_HELD:
            return False
        try:
            json.loads("".join(self._arguments))
        except (ValueError, RecursionError):
            return False
        return True

    def _close(self, out: list[Event]) -> None:
        if isinstance(self._open, int):
            out.append(CallEnded(self._open))
        self._open = None

    def _release(self, out: list[Event]) -> None:
        """Held blocks that may go now: the oldest, and those behind it as long as each
        before them has ended."""
        while self._open is None and self._held:
            block = next(iter(self._held))
            events = self._held.pop(block)
            self._begin(block)
            for event in events:
                if isinstance(event, ArgumentsDelta):
                    self._arguments.append(event.text)
                    self._size += len(event.text)
                self._held_size -= len(getattr(event, "text", ""))
                out.append(event)
            if not isinstance(block, int):
                self._open = None
            elif block in self._ended:
                self._close(out)

    def _flush(self, out: list[Event]) -> None:
        while self._held:
            self._release(out)
            self._close(out)
