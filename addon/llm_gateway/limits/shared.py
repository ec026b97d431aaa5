"""Limits that other gateways count in, too: the memory engine with the others' use beside it.

What lives here: `SharedLimiter`, which is the limiter with an outlet for all that changes
its counters, and rows (`SharedLimitWindow`) that take the others' use off what is left.
Windows here hold this member's own use alone: that is what it folds into the shared store,
and what the store says of the others lies beside it. The store has the last word on a
reservation; this engine is what routing asks, and what serves while the store is away.

Away, a member has a share of what was left at the last contact: left / members then
alive; once a window has passed whole, of the limit itself. Together they pass no limit.

What it does not know: sockets, servers, how accounts are called elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.limit_set import BOUNDLESS, LimitWindow, amounts
from llm_gateway.limits.limiter import Limiter
from llm_gateway.limits.store import Key, OpenReservation, WindowStore
from llm_gateway.limits.values import (
    LimitObservation,
    LimitStatus,
    Reservation,
    Scope,
    SpentAttempt,
    scopes_of,
)
from llm_gateway.limits.windows import AnyWindow


class OthersUse:
    """What the other members have of one window, as the store last said."""

    __slots__ = ("back_at", "contact_ends", "own_at_contact", "reserved", "used")

    def __init__(self) -> None:
        self.used = 0
        self.reserved = 0
        self.back_at = 0.0
        """When something of the window comes back next, 0: not known."""
        self.own_at_contact = 0
        self.contact_ends = 0.0
        """When all that stood at the last contact has left."""

    @property
    def total(self) -> int:
        return self.used + self.reserved


class SharedBook(WindowStore):
    """Windows of this member, with the others' use beside each."""

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[Key, OthersUse] = {}
        self.members_away = 0
        """Members that share what was left, while the store is away; 0: it is not."""
        book = self

        class Row(SharedLimitWindow):
            __slots__ = ()

            def __init__(
                self, limit: Limit, window: AnyWindow, *, learned: bool
            ) -> None:
                super().__init__(limit, window, learned=learned)
                self.book = book
                self.others = book.of(limit.key)

        self.row = Row

    def of(self, key: Key) -> OthersUse:
        found = self.others.get(key)
        if found is None:
            found = self.others[key] = OthersUse()
        return found

    def go_away(
        self, members: int, now: float, unconfirmed: Sequence[Reservation]
    ) -> None:
        """The store does not answer: from now on each of `members` has its share.

        `unconfirmed`: reservations that it had not granted yet; they need a share, too.
        """
        self.members_away = max(1, members)
        new: dict[int, int] = {}
        for reservation in unconfirmed:
            held = self.live.get(reservation.serial)
            for part in held.parts if held is not None else ():
                new[id(part.window)] = new.get(id(part.window), 0) + part.amount
        for key, window in self.windows.items():
            window.advance(now)
            others = self.of(key)
            mine = window.used + window.reserved - new.get(id(window), 0)
            others.own_at_contact = mine
            others.contact_ends = window.ends(now)

    def come_back(self) -> None:
        self.members_away = 0


class SharedLimitWindow(LimitWindow):
    """A limit, this member's window, and the others' use of it."""

    __slots__ = ("book", "others")

    book: SharedBook
    others: OthersUse

    def left(self, now: float) -> int:
        window = self.window
        if now >= window.next_expiry:
            window.advance(now)
        amount = self.amount(now)
        mine = window.used + window.reserved
        others, members = self.others, self.book.members_away
        if not members or amount >= BOUNDLESS:
            own = amount - mine - others.total
        elif now < others.contact_ends:
            left = max(0, amount - others.total - others.own_at_contact)
            own = left // members - (mine - others.own_at_contact)
        else:
            own = amount // members - mine
        heard = window.heard
        theirs = None if heard is None else heard.left(now)
        return own if theirs is None else min(own, theirs)

    def fits_at(self, needed: int, now: float) -> float | None:
        found = super().fits_at(needed, now)
        if found is None or self.left(now) >= needed or found > now:
            return found
        others, window = self.others, self.window
        if not self.book.members_away and others.back_at > now:
            return min(others.back_at, window.ends(now))
        return window.ends(now)

    def status(self, now: float) -> LimitStatus:
        found = super().status(now)
        others = self.others
        if self.book.members_away and now >= others.contact_ends:
            return found
        resets_at = found.resets_at
        if others.back_at > now and (others.total or resets_at is not None):
            resets_at = min(others.back_at, resets_at or others.back_at)
        return LimitStatus(
            limit=found.limit,
            used=found.used + others.used,
            reserved=found.reserved + others.reserved,
            remaining=found.remaining,
            resets_at=resets_at,
            source=found.source,
            observed_at=found.observed_at,
        )


class Row(NamedTuple):
    """A window that a reservation counts in, as the store needs to know it."""

    limit: Limit
    window: AnyWindow
    place: int
    """Where its metric stands in `Amounts`."""
    bound: int
    """The most that may be used; -1: this member sets no bound."""


class Outlet(Protocol):
    """Where a member's counters go besides."""

    def settled(self, held: OpenReservation, real: Charge) -> None:
        """An open reservation ended."""

    def counted(self, rows: Sequence[Row], change: Charge, at: float) -> None:
        """So much more (or less) was used at `at` without a reservation."""

    def observed(
        self,
        words: Sequence[LimitObservation],
        scopes: Sequence[Scope],
    ) -> None:
        """A provider said something about its limits."""


class SharedLimiter(Limiter):
    """The limiter of a member of a cluster. Without an outlet: the limiter."""

    def __init__(self) -> None:
        self.book = SharedBook()
        super().__init__(self.book)
        self.outlet: Outlet | None = None

    def take_over(self, other: Limiter) -> None:
        """All that another limiter counted, open reservations included."""
        old = other._book
        book = self.book
        book.windows, book.live, book.ended = old.windows, old.live, old.ended
        book.learned = {
            scope: {
                key: book.row(row.limit, row.window, learned=True)
                for key, row in rows.items()
            }
            for scope, rows in old.learned.items()
        }
        self._sums, self._serial, self._mark = other._sums, other._serial, other._mark
        self._forget_plans()

    def hand_over(self) -> Limiter:
        """The same counters as a limiter that is alone."""
        alone = Limiter()
        book, own = alone._book, self.book
        book.windows, book.live, book.ended = own.windows, own.live, own.ended
        book.learned = {
            scope: {
                key: book.row(row.limit, row.window, learned=True)
                for key, row in rows.items()
            }
            for scope, rows in own.learned.items()
        }
        alone._sums, alone._serial, alone._mark = self._sums, self._serial, self._mark
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
            found[id(row.window)] = Row(row.limit, row.window, row.index, bound)
        return list(found.values())

    def others_are(
        self, key: Key, used: int, reserved: int, back_at: float, index: int
    ) -> None:
        """What the store says of the others' use of a window. While each keeps to its
        share it never falls: who has not told the store yet has used it all the same."""
        others = self.book.of(key)
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


__all__ = ["OthersUse", "Outlet", "Row", "SharedLimiter", "amounts"]
