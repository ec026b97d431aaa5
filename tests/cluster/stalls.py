"""How long an event loop stands still, and whose fault it is: ours, or the machine's.

async with Stalls() as stalls:
    ...
assert stalls.longest < 0.05, stalls.worst

A turn that took long may have computed (the CPU time of the loop's thread says so), stood
in a call that blocks, or waited for another thread of ours: all that is ours. Or the
machine ran somebody else: then the kernel counts that our threads were ready and waited,
or that the machine below had no CPU for this one. That is taken off.
"""

import asyncio
import gc
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

TICK = 0.005
JIFFY = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """Of the clocks and counters that a turn is told by; seconds."""

    wall: float
    own: float
    process: float
    waited: float
    stolen: float
    collected: float


@dataclass(frozen=True)
class Turn:
    """One turn of the loop; seconds."""

    took: float
    computed: float
    """CPU time of the loop's thread, what it collected of garbage included."""
    others: float
    """CPU time of the other threads."""
    waited: float
    """Threads of ours were ready to run, and others ran: the one that holds the
    interpreter's lock may be among them."""
    stolen: float
    """The machine below had no CPU for this one. In steps of a jiffy, of all CPUs."""
    collected: float
    """Garbage, in this turn or in another thread."""

    @property
    def ours(self) -> float:
        """Without what the machine gave to others; what was computed is ours in any case."""
        return max(self.computed, self.took - self.waited - self.stolen)

    def __str__(self) -> str:
        parts = (
            f"{name} {getattr(self, name) * 1e3:.1f}"
            for name in ("took", "computed", "others", "waited", "stolen", "collected")
        )
        return f"ours {self.ours * 1e3:.1f} ms ({', '.join(parts)})"


class Stalls:
    """The longest turn of the loop, beyond the tick that it was to last."""

    def __init__(self) -> None:
        self.worst = Turn(0, 0, 0, 0, 0, 0)
        self.slowest = self.worst
        """The one that took longest, whoever's fault it was."""
        self._collected = self._began = 0.0

    @property
    def longest(self) -> float:
        """Seconds of ours."""
        return self.worst.ours

    def _now(self) -> Moment:
        return Moment(
            time.perf_counter(),
            time.thread_time(),
            time.process_time(),
            waiting(),
            stolen(),
            self._collected,
        )

    def _garbage(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._collected += time.perf_counter() - self._began

    async def _tick(self) -> None:
        last = self._now()
        while True:
            await asyncio.sleep(TICK)
            now = self._now()
            own = now.own - last.own
            turn = Turn(
                max(0.0, now.wall - last.wall - TICK),
                own,
                max(0.0, now.process - last.process - own),
                max(0.0, now.waited - last.waited),
                now.stolen - last.stolen,
                now.collected - last.collected,
            )
            self.worst = max(self.worst, turn, key=lambda one: one.ours)
            self.slowest = max(self.slowest, turn, key=lambda one: one.took)
            last = self._now()

    async def __aenter__(self) -> "Stalls":
        gc.callbacks.append(self._garbage)
        self._task = asyncio.get_running_loop().create_task(self._tick())
        await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.sleep(0.01)
        self._task.cancel()
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
