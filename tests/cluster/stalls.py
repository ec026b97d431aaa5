"""How long an event loop stands still, and whose fault it is: ours, or the machine's.

async with Stalls() as stalls:
    ...
assert stalls.longest < 0.05, stalls.worst

A turn is what a loop does between two looks at its sockets. One that takes long may have
computed (the CPU time of the loop's thread says so), stood in a call that blocks, or waited
for another thread of ours: all that is ours. Or the machine ran somebody else: then the
kernel counts that our threads were ready and waited, or that the machine below had no CPU
for this one, or neither, but our thread never gave its CPU away. That is taken off. A look that lasts longer than it was to is no turn: the
loop would have been there.
"""

import asyncio
import gc
import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SHORT = 0.005
"""Seconds; shorter turns are not looked at."""
FRESH = 0.002
"""Seconds for which what is dear to ask for is not asked for again."""
THREAD = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
JIFFY = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Turn:
    """One turn of the loop; seconds."""

    took: float = 0.0
    computed: float = 0.0
    """CPU time of the loop's thread, what it collected of garbage included."""
    others: float = 0.0
    """CPU time of the other threads."""
    waited: float = 0.0
    """Threads of ours were ready to run, and others ran: the one that holds the
    interpreter's lock may be among them."""
    stolen: float = 0.0
    """The machine below had no CPU for this one. In steps of a jiffy, of all CPUs."""
    collected: float = 0.0
    """Garbage, in this turn or in another thread."""
    slept: int = 0
    """How often the loop's thread stood in a call, or waited for another thread."""

    @property
    def ours(self) -> float:
        """Without what the machine gave to others. What was computed is ours in any case;
        a thread that never gave its CPU away stood in no call, and waited for no lock."""
        if not self.slept:
            return self.computed
        return max(self.computed, self.took - self.waited - self.stolen)

    def __str__(self) -> str:
        parts = (
            f"{name} {getattr(self, name) * 1e3:.1f}"
            for name in ("took", "computed", "others", "waited", "stolen", "collected")
        )
        return f"ours {self.ours * 1e3:.1f} ms ({', '.join(parts)}, slept {self.slept})"


class Stalls:
    """The longest turn of the loop while the block lasts."""

    def __init__(self) -> None:
        self.worst = Turn()
        self.slowest = Turn()
        """The one that took longest, whoever's fault it was."""
        self._collected = self._collecting = self._asked = 0.0
        self._waited = self._stolen = 0.0
        self._wall = 0.0

    @property
    def longest(self) -> float:
        """Seconds of ours."""
        return self.worst.ours

    def _select(self, timeout: float | None = None) -> Any:
        """In place of the selector's own."""
        if self._wall and time.perf_counter() - self._wall > SHORT:
            self._ended()
        found = self._look(timeout)
        self._wall = time.perf_counter()
        self._own, self._process = time.thread_time(), time.process_time()
        self._garbage_before = self._collected
        self._slept = resource.getrusage(THREAD).ru_nvcsw
        if self._wall - self._asked > FRESH:
            self._waited, self._stolen = waiting(), stolen()
            self._asked = self._wall
        return found

    def _ended(self) -> None:
        own = time.thread_time() - self._own
        turn = Turn(
            time.perf_counter() - self._wall,
            own,
            max(0.0, time.process_time() - self._process - own),
            max(0.0, waiting() - self._waited),
            stolen() - self._stolen,
            self._collected - self._garbage_before,
            resource.getrusage(THREAD).ru_nvcsw - self._slept,
        )
        self.worst = max(self.worst, turn, key=lambda one: one.ours)
        self.slowest = max(self.slowest, turn, key=lambda one: one.took)

    def _garbage(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self._collected += time.perf_counter() - self._collecting

    async def __aenter__(self) -> "Stalls":
        # As a gateway does that has started. A test run's heap is not a gateway's: to look
        # at all of it takes longer than what is measured.
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self._garbage)
        loop: Any = asyncio.get_running_loop()
        self._selector = loop._selector
        self._look = self._selector.select
        self._selector.select = self._select
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.sleep(0)  # the turn that is under way counts, too
        del self._selector.select
        gc.callbacks.remove(self._garbage)


def waiting() -> float:
    """Seconds that threads of this process were ready to run and others ran."""
    found = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # it ended
            found += int(path.read_text().split()[1])
    return found / 1e9


def stolen() -> float:
    """Seconds that the machine below had no CPU for this one."""
    with suppress(OSError, IndexError):
        first = Path("/proc/stat").read_text().partition("\n")[0].split()
        return int(first[8]) * JIFFY
    return 0.0
