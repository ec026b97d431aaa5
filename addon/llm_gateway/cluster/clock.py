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

    def add(self, sent: float, received: float, server: float) -> None:
        took = received - sent
        if took < 0:
            self.clear()
            return
        found = server - (sent + received) / 2
        best = min(self._samples, default=None)
        if best is not None and abs(found - best[1]) > (took + best[0]) / 2 + STEP:
            self.clear()  # both cannot be: a clock was set
        self._samples.append((took, found))
        self.seconds = min(self._samples)[1]

    def clear(self) -> None:
        """Our clock was set."""
        self._samples.clear()
