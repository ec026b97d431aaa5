"""Remaining quota as last reported by the provider, applied on top of our own count.

What lives here: what is left by a provider's last word, until it resets. What it does
not know: our own count, and how the word was spelt.

A word lowers what is left and never raises it. Its `remaining` binds until its reset;
the amount that it named is believed for longer, in case the provider falls silent.
"""

from math import floor

from llm_gateway.domain import Metric
from llm_gateway.limits.values import LimitObservation

BELIEVED = 86_400.0
"""Seconds for which an amount outlives the last word about it."""
FURTHEST = 32 * 86_400.0
"""Seconds; no reset further off than this is believed."""
HAIR = 1e-3
"""Seconds added to a moment that comes out of a rate, so that rounding cannot belie it."""
SAME_RESET = 1.0
"""Seconds; resets are often given in whole ones, counted from when the answer left."""


class ObservedLimit:
    """The last word on one window, and what has been taken since."""

    __slots__ = (
        "at",
        "full_reset",
        "observation",
        "resets_at",
        "serial",
        "until",
        "used_since",
    )

    def __init__(self, word: LimitObservation, ends: float, *, serial: int) -> None:
        """`ends`: when the window itself would end, for a word that names no reset."""
        resets_at = ends if word.resets_at is None else word.resets_at
        self.observation = word
        self.at = word.at
        self.resets_at = min(max(resets_at, word.at), word.at + FURTHEST)
        """Until when `remaining` binds."""
        self.until = max(word.at + BELIEVED, self.resets_at)
        """Until when the amount is believed."""
        self.full_reset = word.resets_at is not None
        """The provider said itself that everything is back at `resets_at`."""
        self.serial = serial
        """The last reservation that the provider may have counted already."""
        self.used_since = 0
        """What later reservations took."""

    @property
    def amount(self) -> int | None:
        """What our own count is held against; None: it is not."""
        return None if self.observation.remaining_only else self.observation.limit

    def left(self, now: float) -> int | None:
        """What the provider would still give; None when its word has lapsed."""
        remaining = self.observation.remaining
        if remaining is None or now >= self.resets_at:
            return None
        return remaining - self.used_since + self._back(now, remaining)

    def fits_at(self, amount: int, now: float) -> float:
        """When that amount is left again, by this word alone."""
        left = self.left(now)
        if left is None or amount <= left:
            return now
        word = self.observation
        if not word.continuous_refill or word.limit is None or word.remaining is None:
            return self.resets_at
        lacking = amount + self.used_since - word.remaining
        span = self.resets_at - self.at
        share = lacking / max(1, word.limit - word.remaining)
        return min(self.at + share * span + HAIR, self.resets_at)

    def merge_monotonic(self, earlier: "ObservedLimit", now: float) -> None:
        """Answers overtake one another: before one and the same reset, requests only become fewer.

        Tokens are left out: ours are estimates, and cached ones may not count there.
        """
        word, mine, theirs = self.observation, self.left(now), earlier.left(now)
        if (
            mine is None
            or theirs is None
            or not (self.full_reset and earlier.full_reset)
        ):
            return
        if (
            word.metric is not Metric.REQUESTS
            or word.continuous_refill
            or word.remaining_only
        ):
            return
        if word.source == "quota" and word.limit != earlier.observation.limit:
            return  # another allowance: bought, or granted
        if abs(self.resets_at - earlier.resets_at) <= SAME_RESET:
            self.used_since += max(0, mine - theirs)

    def shift_clock(self, seconds: float) -> None:
        self.at -= seconds
        self.resets_at -= seconds
        self.until -= seconds

    def _back(self, now: float, remaining: int) -> int:
        """How much of what was used has come back since."""
        word = self.observation
        if not word.continuous_refill or word.limit is None or word.limit <= remaining:
            return 0
        share = max(0.0, now - self.at) / (self.resets_at - self.at)
        return floor((word.limit - remaining) * share)
