"""When the writer is woken.

What lives here: `GroupCommit`, the event loop's side of group commit. Waking a thread costs as
much as what it then does, and a commit as much as the rows of three requests. So while the
loop has its hands full, the writer is woken once for many requests, which have to wait for
the loop in any case. Otherwise, and where no loop runs, it is woken at once.

    somebody waits                    at once
    somebody waits, the loop is busy  a pause after the last time, at the earliest
    nobody waits                      `LINGER` later, if nothing else wakes it before

What this file does not know: what is written.
"""

import asyncio
import time
from collections.abc import Callable

from llm_gateway.ledger.write_queue import LINGER

BUSY = 0.6
"""Share of the time in which the loop's thread computes, above which requests wait for
each other's commits: they have to wait for the loop in any case."""
LOOK_SECONDS = 0.05
"""Over how long that share is taken, at least."""
MANY = 4
"""Fewer requests under way have nobody to wait for."""
PART = 0.8
"""The pause, as a part of the processor time that the loop needs for all under way."""
LONGEST_PAUSE = 0.020
"""Between two commits."""


class GroupCommit:
    def __init__(
        self,
        wake: Callable[[], None],
        computed: Callable[[], float] = time.thread_time,
    ) -> None:
        """`computed`: processor seconds of the thread that calls."""
        self._wake = wake
        self._computed = computed
        self._under_way: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._woken = float("-inf")
        self._busy = False
        self._count = 0
        """Requests that began since the last look."""
        self._each = 0.0
        """Processor seconds of the loop's thread that a request took, at the last look."""
        self._looked = (0.0, 0.0)
        """When the share was last taken: by the clock, and in the thread's own time."""

    def begun(self, request: str) -> None:
        self._under_way.add(request)
        self._count += 1

    def ended(self, request: str) -> None:
        self._under_way.discard(request)

    def schedule_waited(self) -> bool:
        """Somebody waits. False: the caller has to wake the writer, once there is
        something for it to take."""
        if (loop := self._running()) is None:
            return False
        if self._soon is None:
            now = loop.time()
            pause = self._pause()
            if not pause:
                self._wakes(now)
                return False
            at = self._woken + pause
            if at > now:
                self._soon = loop.call_at(at, self._go, loop)
            else:
                self._soon = loop.call_soon(self._go, loop)
        return True

    def schedule_unwaited(self) -> bool:
        """Nobody waits. False: as in `schedule_waited`."""
        if (loop := self._running()) is None:
            return False
        if self._later is None and self._soon is None:
            self._later = loop.call_later(LINGER, self._go, loop)
        return True

    def _pause(self) -> float:
        count = len(self._under_way)
        if not self._busy or count < MANY:
            return 0.0
        return min(PART * self._each * count, LONGEST_PAUSE)

    def _look(self, now: float) -> None:
        clock, computed = self._looked
        if now - clock >= LOOK_SECONDS:
            spent = self._computed()
            self._busy = spent - computed > BUSY * (now - clock)
            self._each = (spent - computed) / max(self._count, 1)
            self._looked, self._count = (now, spent), 0

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wakes(loop.time())
        self._wake()

    def _wakes(self, now: float) -> None:
        if self._later is not None:
            self._later.cancel()
        self._soon = self._later = None
        self._woken = now
        self._look(now)

    def _running(self) -> asyncio.AbstractEventLoop | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if loop is not self._loop:
            # Handles of a loop that has ended never run.
            self._loop, self._soon, self._later = loop, None, None
        return loop
