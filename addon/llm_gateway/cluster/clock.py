"""How far the server's clock is ahead of ours: the sample of the shortest way wins.

What it does not know: clocks. Moments come in with each answer.
"""

from collections import deque

SAMPLES = 32
"""Answers that are remembered."""


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
        self._samples.append((took, server - (sent + received) / 2))
        self.seconds = min(self._samples)[1]

    def clear(self) -> None:
        """Our clock was set."""
        self._samples.clear()
