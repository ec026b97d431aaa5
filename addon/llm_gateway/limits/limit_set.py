"""Limit set of one kind of attempt: limits beside their windows, evaluated together.

What lives here: a limit beside its window (`LimitWindow`), and rows together with the slack
that was found when they were last weighed (`LimitSet`). What it does not know: how
reservations are kept.

Why there is a slack: most attempts are nowhere near any limit. The limiter counts,
over everything, what was ever added (`Sums`); a plan notes the sum up to which none of
its windows can be full. Until then "does it fit?" is three comparisons. Time cannot
break this: without additions windows only ever empty.
"""

from collections.abc import Sequence
from typing import NamedTuple

from llm_gateway.domain import Charge, Limit, Metric
from llm_gateway.limits.refusal_text import reason
from llm_gateway.limits.values import LimitRefusal, LimitStatus, Scope
from llm_gateway.limits.windows import AnyWindow

BOUNDLESS = 1 << 60
"""More than anything can be asked for."""

INDEX = {Metric.REQUESTS: 0, Metric.TOKENS: 1, Metric.COST: 2}
REQUESTS, COST = 0, 2

Amounts = tuple[int, int, int]
"""Requests, tokens, cost."""


def amounts(need: Charge) -> Amounts:
    return need.requests, need.tokens, need.cost


class LimitWindow:
    """A limit and its window."""

    __slots__ = ("index", "learned", "limit", "most", "window")

    def __init__(self, limit: Limit, window: AnyWindow, *, learned: bool) -> None:
        self.limit = limit
        self.window = window
        self.index = self.index_of(limit)
        self.most = BOUNDLESS if learned else limit.amount
        """What may be used where the provider says nothing."""
        self.learned = learned
        """Not in the config: it holds for as long as the provider's word is believed."""

    @staticmethod
    def index_of(limit: Limit) -> int:
        """Where the limit's metric stands in `Amounts`."""
        return INDEX[limit.metric]

    def holds(self, now: float) -> bool:
        """Is it in force? A learned one is for as long as it is believed."""
        self.amount(now)
        return not self.learned or self.window.heard is not None

    def amount(self, now: float) -> int:
        """What may be used per window: the limit's amount, or less by the provider's word.

        What it says when it is asked for the account's quota holds in place of a preset.
        """
        heard = self.window.heard
        amount = self.most
        if heard is None:
            return amount
        if now >= heard.resets_at and heard.full_reset and self.learned:
            heard.full_reset = False
            self.window.forget_until(
                heard.at if heard.observation.continuous_refill else heard.resets_at
            )
        if now >= heard.until:
            self.window.heard = None
            return amount
        said = heard.amount
        if said is None:
            return amount
        if self.limit.source == "preset" and heard.observation.source == "quota":
            return said  # of an account, and of today
        return min(amount, said)

    def left(self, now: float) -> int:
        """What may still be asked for; below 0 when more was used than allowed."""
        window = self.window
        if now >= window.next_expiry:
            window.advance(now)
        if window.heard is None:
            return self.most - window.used - window.reserved
        own = self.amount(now) - window.used - window.reserved
        if window.heard is None:
            return own
        theirs = window.heard.left(now)
        return own if theirs is None else min(own, theirs)

    def fits_at(self, needed: int, now: float) -> float | None:
        """When that much fits, taking what is open to end now. None: never."""
        amount = self.amount(now)
        if needed > amount:
            return None
        window = self.window
        heard = window.heard
        room = amount - window.reserved - needed
        if window.used <= room:
            own = now
        elif room < 0:
            own = window.ends(now)
        else:
            own = window.drops_to_at(room, now)
        if heard is None:
            return own
        if self.learned and heard.full_reset and heard.resets_at < own:
            given_back = (
                heard.at if heard.observation.continuous_refill else heard.resets_at
            )
            if window.used_since(given_back) <= room:
                own = heard.resets_at
        return max(own, heard.fits_at(needed, now))

    def status(self, now: float) -> LimitStatus:
        window = self.window
        left = max(0, self.left(now))
        heard = window.heard
        resets_at = window.next_release(now) if window.used or window.reserved else None
        source = self.limit.source
        if heard is not None:
            theirs = heard.left(now)
            if theirs is not None and max(0, theirs) <= left:
                source, resets_at = heard.observation.source, heard.resets_at
            elif self.amount(now) < self.limit.amount:
                source = heard.observation.source
        return LimitStatus(
            limit=self.limit,
            used=window.used,
            reserved=window.reserved,
            remaining=left,
            resets_at=resets_at,
            source=source,
            observed_at=None if heard is None else heard.observation.at,
        )


class CachedRefusal(NamedTuple):
    """A refusal that can be repeated."""

    refusal: LimitRefusal
    need: Charge
    changes: int
    """The limiter's count of changes then."""
    until: float


class LimitSet:
    """All rows that one kind of attempt has to hold."""

    __slots__ = (
        "asked",
        "cost",
        "limits",
        "requests",
        "rows",
        "said",
        "scopes",
        "shares",
        "tokens",
        "windows",
    )

    def __init__(
        self,
        limits: tuple[Limit, ...],
        asked: Sequence[Scope],
        scopes: tuple[Scope, ...],
        rows: tuple[LimitWindow, ...],
    ) -> None:
        self.limits = limits
        self.asked = asked
        """The scopes as they were handed in."""
        self.scopes = scopes
        self.said: CachedRefusal | None = None
        self.rows = rows
        self.shares = tuple(r for r in rows if not (r.learned and r.index == COST))
        """Those that headroom is a share of: money on the account is no reason to prefer
        what is free."""
        self.windows = tuple({id(r.window): (r.window, r.index) for r in rows}.values())
        self.requests = self.tokens = self.cost = -BOUNDLESS
        """The sums up to which everything fits; see the module's docstring."""

    def evaluate(
        self, needed: Amounts, sums: list[int], now: float
    ) -> LimitRefusal | None:
        """The exact answer; notes the slack that it finds."""
        slack = [BOUNDLESS, BOUNDLESS, BOUNDLESS]
        short: list[LimitWindow] = []
        for row in self.rows:
            left = row.left(now)
            index = row.index
            if left < slack[index]:
                slack[index] = left
            if 0 < needed[index] > left:
                short.append(row)
        self.requests = sums[0] + slack[0]
        self.tokens = sums[1] + slack[1]
        self.cost = sums[2] + slack[2]
        return refusal(short, needed, now) if short else None


def refusal(short: list[LimitWindow], needed: Amounts, now: float) -> LimitRefusal:
    """Names the limit that keeps the attempt out the longest."""
    latest: float | None = None
    worst = short[0]
    for row in short:
        when = row.fits_at(needed[row.index], now)
        if when is None:
            worst, latest = row, None
            break
        if latest is None or when > latest:
            worst, latest = row, when
    index = worst.index
    text = reason(worst.status(now), worst.amount(now), needed[index], latest)
    return LimitRefusal(limit=worst.limit, reason=text, fits_at=latest)
