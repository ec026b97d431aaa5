"""Order of answer events: one block at a time, calls one after the other, arguments that parse.

Chat streams may interleave parallel calls, and say nothing of where one ends; other dialects
want each block whole before the next. What belongs to a later block is held until the open
one ends. An open call whose arguments are whole has ended as soon as another block begins,
so that the usual stream, one call after the other, is held up nowhere. Two calls of one answer
never share an id: a result could meet either.
"""

from collections.abc import Iterable
from dataclasses import replace

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
from llm_gateway.translation.json_progress import JsonProgress
from llm_gateway.translation.made_ids import made_id

MOST_HELD = 16 << 20
"""Characters that are held back."""
MOST_ARGUMENTS = 16 << 20
"""Characters of one call: some dialects say a call whole, and it is gathered for them."""

_TEXT, _THOUGHT, _REFUSAL = "text", "thought", "refusal"
_Block = str | int
_EVENT_WEIGHT = 100


class InOrder:
    """Feed events of one answer as they come; get them in order.

    wants_objects: the client's SDK parses arguments while they come, and wants objects. What
    follows behind a whole one is left out; other arguments end the answer in an error.
    """

    def __init__(self, *, wants_objects: bool = False) -> None:
        self.is_over = False
        """The end has come: nothing more passes."""
        self._wants_objects = wants_objects
        self._open: _Block | None = None
        self._progress: JsonProgress | None = None
        """Of the open call; None: its input is no JSON."""
        self._name = ""
        self._told = 0
        """Characters of the open call's arguments."""
        self._cut_short = ""
        """Name of a call that ended before its arguments did."""
        self._begun: set[int] = set()
        self._ids: set[str] = set()
        """Of its calls."""
        self._held: dict[_Block, list[Event]] = {}
        self._held_ends: set[_Block] = set()
        self._held_size = 0

    @property
    def is_in_text(self) -> bool:
        """More text may follow at once."""
        return self._open == _TEXT and not self._held

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
            case ArgumentsDelta(call):
                self._put(call, event, out)
            case CallStarted(call):
                if call not in self._begun:
                    self._begun.add(call)
                    if event.id in self._ids:
                        event = replace(event, id=made_id("call_", event.id, call))
                    self._ids.add(event.id)
                    self._put(call, event, out)
            case CallEnded(call):
                if call == self._open:
                    self._close(out)
                    self._release(out)
                elif call in self._held:
                    self._held_ends.add(call)
            case Ended():
                self._finish(event, out)
            case Failed():
                self.is_over = True
                out.append(event)
            case Started() | Usage() | Ping():
                out.append(event)

    def _put(self, block: _Block, event: Event, out: list[Event]) -> None:
        if block != self._open:
            if isinstance(self._open, int) and self._is_whole():
                self._close(out)
                self._release(out)
            if not isinstance(self._open, int):
                self._open = None
        if (
            isinstance(event, ArgumentsDelta)
            and block != self._open
            and block not in self._held
        ):
            return  # its call has ended, or never began
        if self._open is None and block not in self._held:
            self._begin(block)
        if block == self._open:
            self._pass(event, out)
        else:
            self._hold(block, event, out)

    def _begin(self, block: _Block) -> None:
        self._open = block
        self._progress = None

    def _pass(self, event: Event, out: list[Event]) -> None:
        """An event of the open block."""
        if isinstance(event, CallStarted):
            self._name, self._told = event.name, 0
            if not event.freeform:
                self._progress = JsonProgress(objects_only=self._wants_objects)
            out.append(event)
        elif isinstance(event, ArgumentsDelta):
            self._arguments(event, out)
        else:
            out.append(event)

    def _arguments(self, event: ArgumentsDelta, out: list[Event]) -> None:
        self._told += len(event.text)
        if self._told > MOST_ARGUMENTS:
            self._fail(f"The arguments of a call of {self._name} are too large.", out)
            return
        progress = self._progress
        if progress is not None and not progress.is_broken:
            belongs = progress.feed(event.text)
            if self._wants_objects:
                if progress.is_broken:
                    self._fail(
                        f"The arguments of a call of {self._name} are no JSON.", out
                    )
                    return
                if belongs < len(event.text):
                    event = ArgumentsDelta(event.call, event.text[:belongs])
        if event.text:
            out.append(event)

    def _hold(self, block: _Block, event: Event, out: list[Event]) -> None:
        self._held_size += len(getattr(event, "text", "")) + _EVENT_WEIGHT
        if self._held_size > MOST_HELD:
            self._fail("The calls of the answer are too large to be put in order.", out)
            return
        self._held.setdefault(block, []).append(event)

    def _fail(self, message: str, out: list[Event]) -> None:
        self._held.clear()
        self._one(Failed(message), out)

    def _is_whole(self) -> bool:
        return self._progress is not None and self._progress.is_whole

    def _close(self, out: list[Event]) -> None:
        if isinstance(self._open, int):
            progress = self._progress
            if progress is not None and progress.is_empty:
                # Whoever calls without arguments may say nothing; clients parse them.
                out.append(ArgumentsDelta(self._open, "{}"))
            elif progress is not None and not progress.is_whole:
                self._cut_short = self._name
            out.append(CallEnded(self._open))
        self._open = None

    def _release(self, out: list[Event]) -> None:
        """Held blocks that may go now: the oldest, and those behind it as long as each
        before them has ended."""
        while self._open is None and self._held and not self.is_over:
            block = next(iter(self._held))
            events = self._held.pop(block)
            self._begin(block)
            for event in events:
                self._held_size -= len(getattr(event, "text", "")) + _EVENT_WEIGHT
                if not self.is_over:
                    self._pass(event, out)
            if not isinstance(block, int):
                self._open = None
            elif block in self._held_ends or (self._held and self._is_whole()):
                self._close(out)

    def _finish(self, ended: Ended, out: list[Event]) -> None:
        self._close(out)
        while self._held and not self.is_over:
            self._release(out)
            self._close(out)
        if self.is_over:
            return
        if self._cut_short and self._wants_objects and ended.reason != "length":
            self._fail(
                f"The arguments of a call of {self._cut_short} ended too early.", out
            )
            return
        self.is_over = True
        out.append(ended)
