"""Window store: every window, open reservation and learned limit.

What lives here: what the limiter keeps between calls. What it does not know: whether
anything fits, the ledger (see `replay`). Windows are known by `Limit.key` and hold use
only, so a changed amount finds what was spent.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from llm_gateway.domain import Charge, Limit, Metric, Window
from llm_gateway.limits.limit_set import REQUESTS, LimitSet, LimitWindow, amounts
from llm_gateway.limits.observed import ObservedLimit
from llm_gateway.limits.values import LimitObservation, Reservation, Scope
from llm_gateway.limits.windows import AnyWindow, Entry, window_for

Key = tuple[str, ...]
Word = tuple[Scope, Metric, Window]
"""What a provider's word is about."""
_METRICS_BY_WINDOW = tuple(product(Metric, Window))


class Hold:
    """What one reservation holds in one window."""

    __slots__ = ("amount", "entry", "index", "window")

    def __init__(
        self, window: AnyWindow, index: int, amount: int, entry: Entry | None
    ) -> None:
        self.window = window
        self.index = index
        self.amount = amount
        self.entry = entry
        """For requests: where they were counted."""


class OpenReservation:
    """A reservation that is open."""

    __slots__ = ("parts", "reservation", "scopes")

    def __init__(
        self, reservation: Reservation, scopes: tuple[Scope, ...], parts: list[Hold]
    ) -> None:
        self.reservation = reservation
        self.scopes = scopes
        self.parts = parts


class SettledReservation(NamedTuple):
    """What a reservation became, for a ledger that was read before it did."""

    id: str
    scopes: tuple[Scope, ...]
    at: float
    ended: float
    real: Charge


ENDED = 1024
"""Endings that are remembered: those of the moments between reading a ledger and using it."""


class WindowStore:
    """Windows by key, open reservations by serial, learned limits by scope."""

    row: type[LimitWindow] = LimitWindow
    """How a limit stands beside its window; others may count in it, too (`shared`)."""

    def __init__(self) -> None:
        self.windows: dict[Key, AnyWindow] = {}
        self.live: dict[int, OpenReservation] = {}
        self.learned: dict[Scope, dict[Key, LimitWindow]] = {}
        self.ended: deque[SettledReservation] = deque(maxlen=ENDED)
        self.replaced = 0
        """How often a window gave way to one of another shape: old plans are wrong then."""

    def window(self, limit: Limit, now: float) -> AnyWindow:
        """The limit's window, made when it is new or its reset has changed.

        A new one takes in what is open in its scope; one of another shape also what
        the old one had used, as if it had happened now.
        """
        key = limit.key
        old = self.windows.get(key)
        if old is not None and old.reset == limit.reset:
            return old
        window = self.windows[key] = window_for(limit, now)
        carried = None
        if old is not None:
            old.advance(now)
            carried = window.add(now, old.used)
            window.heard = old.heard
            self.replaced += 1
        index = LimitWindow.index_of(limit)
        for held in self.live.values():
            if limit.scope not in held.scopes:
                continue
            amount = amounts(held.reservation.need)[index]
            entry = None
            if index != REQUESTS:
                window.reserved += amount
            elif amount:
                entry = carried or window.add(min(held.reservation.at, now), amount)
            held.parts.append(Hold(window, index, amount, entry))
        return window

    def plan(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], now: float
    ) -> LimitSet:
        """The limits' rows, and those learned for the scopes that the config does not set."""
        limits = tuple(limits)
        asked = scopes
        scopes = tuple(scopes) or tuple(dict.fromkeys(limit.scope for limit in limits))
        rows = [
            self.row(limit, self.window(limit, now), learned=False) for limit in limits
        ]
        keys = {limit.key for limit in limits}
        for scope in scopes:
            for key, row in self.learned.get(scope, {}).items():
                if key not in keys:
                    rows.append(row)
        return LimitSet(limits, asked, scopes, tuple(rows))

    def row_for(
        self, word: LimitObservation, scope: Scope, limits: Iterable[Limit], now: float
    ) -> tuple[LimitWindow, bool]:
        """The row that a word is about; True when it was not known before."""
        for limit in limits:
            if (
                limit.scope == scope
                and limit.metric is word.metric
                and limit.window is word.window
            ):
                return self.row(limit, self.window(limit, now), learned=False), False
        rows = self.learned.setdefault(scope, {})
        key = (*scope, word.metric.value, word.window.value)
        row = rows.get(key)
        if (
            row is not None
            and word.limit in (None, row.limit.amount)
            and word.reset in (None, row.limit.reset)
            and word.source == row.limit.source
        ):
            return row, False
        amount = word.limit
        if amount is None:
            amount = row.limit.amount if row else max(1, word.remaining or 0)
        limit = Limit(
            scope=scope,
            metric=word.metric,
            window=word.window,
            amount=amount,
            reset=word.reset or (row.limit.reset if row else None),
            source=word.source,
        )
        if row is None:
            row = rows[key] = self.row(limit, self.window(limit, now), learned=True)
            return row, True
        row.limit = limit
        window = self.window(limit, now)
        replaced, row.window = window is not row.window, window
        return row, replaced

    def withdraw(
        self, source: str, scopes: Iterable[Scope], told: Iterable[Word]
    ) -> bool:
        """Drop the words of `source` about these scopes that are not `told`; True when
        there was one."""
        kept = {(*scope, metric.value, window.value) for scope, metric, window in told}
        found = False
        for scope in scopes:
            for metric, window in _METRICS_BY_WINDOW:
                key = (*scope, metric.value, window.value)
                if key in kept:
                    continue
                rows = self.learned.get(scope, {})
                if key in rows and rows[key].limit.source == source:
                    del rows[key]
                    found = True
                known = self.windows.get(key)
                if known is None or known.heard is None:
                    continue
                if known.heard.observation.source == source:
                    known.heard = None
                    found = True
        return found

    def missing(self, limits: Iterable[Limit]) -> tuple[Limit, ...]:
        """Those without a window, with one of another shape, or with a learned one."""
        return tuple(
            limit
            for limit in limits
            if (window := self.windows.get(limit.key)) is None
            or window.reset != limit.reset
            or limit.key in self.learned.get(limit.scope, {})
        )

    def forget_all_but(self, keys: Iterable[Key]) -> None:
        wanted = set(keys).union(*self.learned.values())
        for key in [key for key in self.windows if key not in wanted]:
            del self.windows[key]

    def shift_clock(self, seconds: float) -> None:
        for window in self.windows.values():
            window.shift_clock(seconds)

    def follow_clock(self, seconds: float, now: float) -> None:
        for window in self.windows.values():
            window.follow_clock(seconds, now)


def scope_of(word: LimitObservation, scopes: Sequence[Scope]) -> Scope | None:
    """Which of an attempt's scopes a word is about."""
    found = {scope[0]: scope for scope in scopes}
    if word.scope == "tier":
        return found.get("tier") or found.get("model")
    return found.get(word.scope)


def apply_observation(
    row: LimitWindow, word: LimitObservation, now: float, serial: int
) -> int:
    """Put a word over a row's window; by how much it lowered what is left."""
    before = row.left(now)
    heard = ObservedLimit(word, row.window.ends(now), serial=serial)
    if row.window.heard is not None:
        heard.merge_monotonic(row.window.heard, now)
    row.window.heard = heard
    return max(0, before - row.left(now))
