"""Retired models: those that answer again that they do not exist, though they are listed.

What lives here: the count. The first 404 or 410 about a model leaves it alone for a while
(`health`); the second, with no good answer in between, retires it until its provider lists
it again. What this file does not know: lists, clocks.
"""

Key = tuple[str, str, str]
TIMES = 2


class NotFoundCounter:
    """By offer. One event loop owns it."""

    def __init__(self) -> None:
        self._told: dict[Key, tuple[int, float]] = {}

    def record(
        self, offer: Key, now: float, *, left_at: float, last_good: float | None
    ) -> bool:
        """Told at `now`, to an attempt that left at `left_at`, that there is no such model.
        True when that was once too often."""
        times, at = self._told.get(offer, (0, 0.0))
        if times and left_at <= at:
            return False  # on its way already when the former was told
        if last_good is not None and last_good > at:
            times = 0
        times += 1
        if times >= TIMES:
            self._told.pop(offer, None)
            return True
        self._told[offer] = (times, now)
        return False

    def forget(self, provider: str) -> None:
        for key in [key for key in self._told if key[0] == provider]:
            del self._told[key]
