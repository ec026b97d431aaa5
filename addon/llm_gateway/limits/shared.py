"""Limits that other gateways count in, too: the memory engine of a member of a cluster.

What lives here: `SharedLimiter`, which is the limiter with an outlet for all that changes
its counters, over windows that know the others' use (`shared_windows`). The shared store
has the last word on a reservation; this engine is what routing asks, and what serves while
the store is away. What it does not know: sockets, servers, how accounts are called elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence

from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.limit_set import BOUNDLESS, amounts
from llm_gateway.limits.limiter import Limiter
from llm_gateway.limits.outlet import Outlet, Row
from llm_gateway.limits.shared_windows import OthersUse, SharedBook, SharedLimitWindow
from llm_gateway.limits.store import Key, OpenReservation
from llm_gateway.limits.values import (
    LimitObservation,
    Reservation,
    Scope,
    SpentAttempt,
    scopes_of,
)
from llm_gateway.limits.windows import AnyWindow


class SharedLimiter(Limiter):
    """The limiter of a member of a cluster. Without an outlet: the limiter."""

    def __init__(self) -> None:
        self.book = SharedBook()
        super().__init__(self.book)
        self.outlet: Outlet | None = None

    def take_over(self, other: Limiter) -> None:
        """All that another limiter counted, open reservations included."""
        move_counters(other, self)
        self._forget_plans()

    def hand_over(self) -> Limiter:
        """The same counters as a limiter that is alone."""
        alone = Limiter()
        move_counters(self, alone)
        return alone

    # -- what the store is told ------------------------------------------------------

    def settle(self, reservation: Reservation, real: Charge, now: float) -> None:
        held = self.book.live.get(reservation.serial)
        super().settle(reservation, real, now)
        if (
            self.outlet is not None
            and held is not None
            and held.reservation is reservation
        ):
            self.outlet.settled(held, real)

    def correct(
        self,
        limits: Sequence[Limit],
        counted: Charge,
        real: Charge,
        ended: float,
        now: float,
        *,
        scopes: Sequence[Scope] = (),
    ) -> None:
        super().correct(limits, counted, real, ended, now, scopes=scopes)
        if self.outlet is not None:
            change = Charge(
                real.requests - counted.requests,
                real.tokens - counted.tokens,
                real.cost - counted.cost,
            )
            self.outlet.counted(self.rows(limits, scopes, now), change, ended)

    def count(self, spent: SpentAttempt, limits: Sequence[Limit], now: float) -> None:
        super().count(spent, limits, now)
        if self.outlet is not None:
            scopes = set(
                scopes_of(spent.provider, spent.account, spent.model, spent.client)
            )
            rows = [
                row for row in self.rows(limits, (), now) if row.limit.scope in scopes
            ]
            self.outlet.counted(rows, spent.need, spent.at)

    def observe(
        self,
        limits: Sequence[Limit],
        words: Sequence[LimitObservation],
        *,
        scopes: Sequence[Scope],
        now: float,
    ) -> tuple[Limit, ...]:
        fresh = super().observe(limits, words, scopes=scopes, now=now)
        if self.outlet is not None:
            self.outlet.observed(words, scopes)
        return fresh

    def hear(
        self,
        limits: Sequence[Limit],
        words: Sequence[LimitObservation],
        *,
        scopes: Sequence[Scope],
        now: float,
    ) -> None:
        """What another member was told by a provider: it goes no further."""
        super().observe(limits, words, scopes=scopes, now=now)

    # -- what the store is asked -----------------------------------------------------

    def rows(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], now: float
    ) -> list[Row]:
        """Every window that an attempt counts in, each once, with its tightest bound."""
        found: dict[int, Row] = {}
        for row in self._plan(limits, scopes, now).rows:
            amount = row.amount(now)
            bound = -1 if amount >= BOUNDLESS else amount
            known = found.get(id(row.window))
            if known is not None and known.bound >= 0:
                bound = known.bound if bound < 0 else min(bound, known.bound)
            row.window.advance(now)
            if isinstance(row, SharedLimitWindow):
                others = row.others
            else:
                others = self.book.of(row.limit.key)
            found[id(row.window)] = Row(row.limit, row.window, row.index, bound, others)
        return list(found.values())

    def others_are(
        self,
        others: OthersUse,
        used: int,
        reserved: int,
        back_at: float,
        index: int,
    ) -> None:
        """What the store says of the others' use of a window. While each keeps to its
        share it never falls: who has not told the store yet has used it all the same."""
        if self.book.members_away and used + reserved < others.total:
            return
        grown = used + reserved - others.total
        if grown > 0:
            self._sums[index] += grown
        if grown:
            self._changes += 1
        others.used, others.reserved, others.back_at = used, reserved, back_at

    def go_away(
        self, members: int, now: float, unconfirmed: Sequence[Reservation] = ()
    ) -> None:
        """The store does not answer: this member keeps to its share."""
        self.book.go_away(members, now, unconfirmed)
        self._forget_plans()
        self._changes += 1

    def come_back(self) -> None:
        self.book.come_back()
        self._forget_plans()
        self._changes += 1

    def has_share(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], now: float
    ) -> bool:
        """What is reserved already, asked about after the store went away, is no more
        than this member's share."""
        return all(row.left(now) >= 0 for row in self._plan(limits, scopes, now).rows)

    def withholds(
        self, limits: Sequence[Limit], need: Charge, scopes: Sequence[Scope], now: float
    ) -> bool:
        """It has no room only because others may be using theirs while nobody can say."""
        members, self.book.members_away = self.book.members_away, 0
        try:
            plan = self.book.plan(limits, scopes, now)
            alone = plan.evaluate(amounts(need), [0, 0, 0], now)
        finally:
            self.book.members_away = members
        return alone is None and self.fit(limits, need, now, scopes=scopes) is not None

    # -- what is folded --------------------------------------------------------------

    def watch(self, limits: Iterable[Limit], now: float) -> None:
        """Count in these windows, too, without a bound: others have a limit there.
        After `replay`, as for limits that a reload brings in."""
        for limit in limits:
            rows = self.book.learned.setdefault(limit.scope, {})
            if limit.key not in rows:
                window = self.book.window(limit, now)
                rows[limit.key] = self.book.row(limit, window, learned=True)
        self._forget_plans()

    def windows(self) -> dict[Key, AnyWindow]:
        return self.book.windows

    def live(self) -> Iterator[OpenReservation]:
        yield from self.book.live.values()


def move_counters(old: Limiter, new: Limiter) -> None:
    """Windows and what is open become the other's; its rows are of its own kind."""
    had, book = old._book, new._book
    book.windows, book.live, book.ended = had.windows, had.live, had.ended
    book.learned = {
        scope: {
            key: book.row(row.limit, row.window, learned=True)
            for key, row in rows.items()
        }
        for scope, rows in had.learned.items()
    }
    new._sums, new._serial, new._mark = old._sums, old._serial, old._mark
