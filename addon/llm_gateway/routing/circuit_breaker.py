"""Circuit breaker of an offer or a provider: strikes open it, one real request tests it.

    strike ×5 in a row, or half of ≥20 in a minute
      closed ────────────────────────────────────▶ open 30 s, 60 s, … 10 min
        ▲                                             │ time passes
        └──────── success ──── half open: one real request at a time
                                  │ strike: open again, twice as long

What this file does not know: clocks, what counts as a strike, what the circuit is of.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

OPEN_AFTER = 5
"""Strikes in a row that open a circuit."""
SAMPLE = 20
"""Results within a minute from which half being strikes opens a circuit."""
OPEN_FIRST = 30.0
OPEN_MOST = 600.0
MINUTE = 60.0


class Result(NamedTuple):
    """How a request of `asker` ended."""

    at: float
    bad: bool
    asker: str


@dataclass(slots=True)
class CircuitBreaker:
    in_a_row: int = 0
    recent: deque[Result] = field(default_factory=deque)
    open_until: float = 0.0
    opened: int = 0
    """How often it opened without a success in between."""
    half_open_probe: float | None = None
    """When the one real request that tests it left."""
    reason: str = ""

    @classmethod
    def after(cls, good: Iterable[Result]) -> "CircuitBreaker":
        """One that is new, but knows what was answered in the last minute."""
        return cls(recent=deque(good))

    def closed_until(self, now: float) -> tuple[str, float] | None:
        """Why nobody is sent there now, and until when; None: it may be asked."""
        if not self.opened:
            return None
        if self.open_until > now:
            return self.reason, self.open_until
        tested = self.half_open_probe
        if tested is not None and now - tested < OPEN_MOST:
            return "being tested", now + 1
        return None

    def dispatched(self, now: float) -> None:
        """A request leaves: where the circuit is half open, it is the one that tests it."""
        if self.opened:
            self.half_open_probe = now

    def succeeded(self, good: Result) -> None:
        self.in_a_row = 0
        self.opened = 0
        self.open_until = 0.0
        self.half_open_probe = None
        self._note(good)

    def failed(
        self, bad: Result, reason: str, *, tested: bool, whole: bool
    ) -> float | None:
        """A strike. The moment until which the circuit is open, if it opened now.

        tested: it was the request that tests a half-open circuit.
        whole: its provider was not reached, which is no one's own doing.
        """
        now = bad.at
        self.in_a_row += 1
        self._note(bad)
        if self.open_until > now and not tested:
            return None
        strikes = sum(1 for result in self.recent if result.bad)
        often = len(self.recent) >= SAMPLE and strikes * 2 >= len(self.recent)
        if not (tested or self.in_a_row >= OPEN_AFTER or often):
            return None
        if not (tested or whole) and self._is_askers_own(bad.asker):
            return None
        self.open_until = now + min(OPEN_FIRST * 2**self.opened, OPEN_MOST)
        self.opened += 1
        self.reason = reason
        # What led here says nothing about what comes after.
        self.recent.clear()
        return self.open_until

    def shift(self, back: float) -> None:
        """The clock was set back by so many seconds: the time that is left stays."""
        self.open_until -= back
        if self.half_open_probe is not None:
            self.half_open_probe -= back
        self.recent = deque(
            result._replace(at=result.at - back) for result in self.recent
        )

    def _note(self, result: Result) -> None:
        recent = self.recent
        recent.append(result)
        while recent and (
            recent[0].at < result.at - MINUTE or len(recent) > 10 * SAMPLE
        ):
            recent.popleft()

    def _is_askers_own(self, asker: str) -> bool:
        """Nobody but this one fails there, and somebody else is served."""
        others = [result.bad for result in self.recent if result.asker != asker]
        return bool(asker) and bool(others) and not any(others)
