"""When the writer is woken.

What lives here: `Pace`, the event loop's side of group commit. Waking a thread costs more
than what it then does, and a commit costs as much as the rows of three requests; so the
writer is woken once for everything that one turn of the loop brings, and for several turns
when many requests are under way. Where no loop runs, it is woken at once.

    somebody waits, few under way    at the end of this turn of the loop
    somebody waits, many under way   a pause after the last time, at the earliest
    nobody waits                     `LINGER` later, if nothing else wakes it before

What this file does not know: what is written.
"""

import asyncio
from collections.abc import Callable

from llm_gateway.ledger.backlog import LINGER

MANY = 4
"""So many requests under way, and they wait for each other's commits."""
EACH_SECONDS = 0.0006
"""For each that is under way: it costs a request half of the pause, and all of them
together less than it saves."""
LONGEST_PAUSE = 0.010
"""Between two commits."""


class Pace:
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._under_way: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._woken = float("-inf")

    def begun(self, request: str) -> None:
        self._under_way.add(request)

    def ended(self, request: str) -> None:
        self._under_way.discard(request)

    def soon(self) -> bool:
        """Somebody waits. False: there is no loop, the caller has to wake the writer."""
        if (loop := self._running()) is None:
            return False
        if self._soon is None:
            at = self._woken + self._pause()
            if at > loop.time():
                self._soon = loop.call_at(at, self._go, loop)
            else:
                self._soon = loop.call_soon(self._go, loop)
        return True

    def later(self) -> bool:
        """Nobody waits. False: as in `soon`."""
        if (loop := self._running()) is None:
            return False
        if self._later is None and self._soon is None:
            self._later = loop.call_later(LINGER, self._go, loop)
        return True

    def _pause(self) -> float:
        count = len(self._under_way)
        return min(count * EACH_SECONDS, LONGEST_PAUSE) if count >= MANY else 0.0

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._later is not None:
            self._later.cancel()
        self._soon = self._later = None
        self._woken = loop.time()
        self._wake()

    def _running(self) -> asyncio.AbstractEventLoop | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if loop is not self._loop:
            # Handles of a loop that has ended never run.
            self._loop, self._soon, self._later = loop, None, None
        return loop
