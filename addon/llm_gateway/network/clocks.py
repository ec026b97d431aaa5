"""Clocks: one that goes on while the machine sleeps, steps of the wall clock, sleep itself.

    elapsed   seconds that have passed, asleep or awake: CLOCK_BOOTTIME on Linux, macOS'
              CLOCK_MONOTONIC; elsewhere the monotonic clock, whatever it does in sleep
    awake     seconds that this machine was awake

What lives here: the difference between two clocks, and when it moved. What this file does
not know: limits, connections.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
STEP_SECONDS = 1.0
"""A wall clock that moved by more than this against the others was set."""
SLEEP_SECONDS = 5.0
"""A machine that was away for longer has dead connections."""


def _reader(name: str) -> Clock:
    number = getattr(time, name, None)
    return time.monotonic if number is None else partial(time.clock_gettime, number)


if sys.platform == "darwin":
    elapsed, awake = _reader("CLOCK_MONOTONIC"), _reader("CLOCK_UPTIME_RAW")
else:
    elapsed, awake = _reader("CLOCK_BOOTTIME"), time.monotonic


class SleepDetector:
    """Tells once of each time that the machine slept."""

    def __init__(self, elapsed: Clock = elapsed, awake: Clock = awake) -> None:
        self.elapsed, self.awake = elapsed, awake
        self._ahead = elapsed() - awake()

    def slept(self) -> float:
        """Seconds asleep since the last call; 0.0 for none worth the name."""
        ahead = self.elapsed() - self.awake()
        asleep = ahead - self._ahead
        self._ahead = ahead
        return asleep if asleep > SLEEP_SECONDS else 0.0


class WallClock:
    """Unix time, and word of every step that somebody set it by.

    Called often: while nothing odd happens it looks at one clock only.
    """

    def __init__(self, wall: Clock = time.time, elapsed: Clock = elapsed) -> None:
        self.wall, self.elapsed = wall, elapsed
        self.on_step: list[Callable[[float, float], None]] = []
        """Told by how many seconds it was set forward (backward: less than 0) and what it
        says now, before anybody else gets to see the new time."""
        self._last = wall()
        self._offset = self._last - elapsed()

    def __call__(self) -> float:
        now = self.wall()
        if not 0.0 <= now - self._last < STEP_SECONDS:
            self._compare(now)
        self._last = now
        return now

    def _compare(self, now: float) -> None:
        offset = now - self.elapsed()
        step, self._offset = offset - self._offset, offset
        if abs(step) > STEP_SECONDS:
            self._last = now  # for whoever asks for the time meanwhile
            for tell in self.on_step:
                tell(step, now)
