"""How far the server's clock is ahead of ours: the sample of the shortest way wins.

What it does not know: clocks. Moments come in with each answer.
"""

from collections import deque

SAMPLES = 32
"""Answers that are remembered."""
STEP = 0.1
"""Seconds by which two answers may differ beside what their ways explain."""


class Offset:
    """Seconds to add to our time for the server's."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self.seconds = 0.0

    def add(self, sent: float, received: float, server: float) -> float:
        """By how many seconds the server's clock was set since the last answer; 0.0: it
        was not. Steps of our own clock are told by `clock_set`."""
        took = received - sent
        if took < 0:
            self._samples.clear()
            return 0.0
        found, step = server - (sent + received) / 2, 0.0
        best = min(self._samples, default=None)
        if best is not None and abs(found - best[1]) > (took + best[0]) / 2 + STEP:
            self._samples.clear()  # both cannot be: a clock was set
            step = found - best[1]
        self._samples.append((took, found))
        self.seconds = min(self._samples)[1]
        return step

    def clock_set(self, seconds: float) -> None:
        """Our clock was set forward by so much (backward: less than 0)."""
        self._samples = deque(
            ((took, found - seconds) for took, found in self._samples), maxlen=SAMPLES
        )
        self.seconds -= seconds
