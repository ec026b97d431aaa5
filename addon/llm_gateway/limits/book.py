"""The book: every window, every open reservation, every limit that was learned.

What lives here: what the limiter keeps between calls, and how it is built anew. What it
does not know: whether anything fits. Windows are known by `Limit.key` and hold use
only, so a changed amount finds what was spent.
"""

from collections.abc import Iterable, Sequence

from llm_gateway.exchange import Limit
from llm_gateway.limits.heard import Heard
from llm_gateway.limits.plans import REQUESTS, Plan, Row, amounts
from llm_gateway.limits.values import Reservation, Scope, Spent, Word, scopes_of
from llm_gateway.limits.windows import AnyWindow, Entry, window_for

Key = tuple[str, ...]


class Part:
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


class Held:
    """A reservation that is open."""

    __slots__ = ("parts", "reservation", "scopes")

    def __init__(
        self, reservation: Reservation, scopes: tuple[Scope, ...], parts: list[Part]
    ) -> None:
        self.reservation = reservation
        self.scopes = scopes
        self.parts = parts


class Book:
    """Windows by key, open reservations by serial, learned limits by scope."""

    def __init__(self) -> None:
        self.windows: dict[Key, AnyWindow] = {}
        self.live: dict[int, Held] = {}
        self.learned: dict[Scope, dict[Key, Row]] = {}
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
            old.turn(now)
            carried = window.add(now, old.used)
            window.heard = old.heard
            self.replaced += 1
        index = Row.index_of(limit)
        for held in self.live.values():
            if limit.scope not in held.scopes:
                continue
            amount = amounts(held.reservation.need)[index]
            entry = None
            if index != REQUESTS:
                window.open += amount
            elif amount:
                entry = carried or window.add(min(held.reservation.at, now), amount)
            held.parts.append(Part(window, index, amount, entry))
        return window

    def plan(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], now: float
    ) -> Plan:
        """The limits' rows, and those learned for the scopes that the config does not set."""
        limits = tuple(limits)
        asked = scopes
        scopes = tuple(scopes) or tuple(dict.fromkeys(limit.scope for limit in limits))
        rows = [Row(limit, self.window(limit, now), learned=False) for limit in limits]
        keys = {limit.key for limit in limits}
        for scope in scopes:
            for key, row in self.learned.get(scope, {}).items():
                if key not in keys:
                    rows.append(row)
        return Plan(limits, asked, scopes, tuple(rows))

    def row_for(
        self, word: Word, scope: Scope, limits: Iterable[Limit], now: float
    ) -> tuple[Row, bool]:
        """The row that a word is about; True when it was not known before."""
        for limit in limits:
            if (
                limit.scope == scope
                and limit.metric is word.metric
                and limit.window is word.window
            ):
                return Row(limit, self.window(limit, now), learned=False), False
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
            row = rows[key] = Row(limit, self.window(limit, now), learned=True)
            return row, True
        row.limit = limit
        window = self.window(limit, now)
        replaced, row.window = window is not row.window, window
        return row, replaced

    def replay(
        self, spent: Iterable[Spent], limits: Sequence[Limit], now: float
    ) -> tuple[list[int], bool]:
        """Fold attempts into the limits' windows.

        Those that were missing are built from them and from what is open. Returns what
        was added at most, per metric, and whether any window is new.
        """
        missing = {limit.key for limit in self.missing(limits)}
        rows: dict[Scope, dict[Key, Row]] = {}
        for limit in limits:
            window = self.window(limit, now)
            if limit.key in missing:
                self.learned.get(limit.scope, {}).pop(limit.key, None)
                window.clear(now)
            rows.setdefault(limit.scope, {})[limit.key] = Row(
                limit, window, learned=False
            )
        running = {held.reservation.id for held in self.live.values()} - {""}
        events: list[tuple[float, Row, int]] = []
        for one in spent:
            if one.reserved and one.id in running:
                continue
            took = amounts(one.need)
            for scope in scopes_of(one.provider, one.account, one.model, one.client):
                for row in rows.get(scope, {}).values():
                    at = one.at if row.index == REQUESTS else one.ended or one.at
                    at = min(at, now)
                    if took[row.index] and row.window.holds(at, now):
                        events.append((at, row, took[row.index]))
        added = [0, 0, 0]
        for at, row, amount in sorted(events, key=lambda event: event[0]):
            row.window.add(at, amount)
            added[row.index] += amount
        built = {id(self.windows[key]) for key in missing}
        for held in self.live.values():
            at = min(held.reservation.at, now)
            for part in held.parts:
                if part.entry is not None and id(part.window) in built:
                    part.entry = part.window.add(at, part.amount)
        return added, bool(missing)

    def missing(self, limits: Iterable[Limit]) -> tuple[Limit, ...]:
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

    def step_back(self, seconds: float) -> None:
        for window in self.windows.values():
            window.step_back(seconds)


def whom(word: Word, scopes: Sequence[Scope]) -> Scope | None:
    """Which of an attempt's scopes a word is about."""
    found = {scope[0]: scope for scope in scopes}
    if word.per == "tier":
        return found.get("tier") or found.get("model")
    return found.get(word.per)


def lay_over(row: Row, word: Word, now: float, serial: int) -> int:
    """Put a word over a row's window; by how much it lowered what is left."""
    before = row.left(now)
    heard = Heard(word, row.window.ends(now), serial=serial)
    if row.window.heard is not None:
        heard.keep_down(row.window.heard, now)
    row.window.heard = heard
    return max(0, before - row.left(now))
