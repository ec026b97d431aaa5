"""Limits: arithmetic on windows. Knows no clock, no provider, no disk.

What lives here: the limiter's questions and answers. A reservation is made in every
window that applies or in none; when its request ends it becomes real use or, when the
provider did not count it, nothing.

Amounts come with each call, so a reload changes them at once; the windows (`book`) hold
use only, so nothing that was spent is lost by it.
"""

from collections.abc import Iterable, Sequence

from llm_gateway.domain import Charge, Limit, Metric
from llm_gateway.limits.limit_set import (
    BOUNDLESS,
    INDEX,
    REQUESTS,
    CachedRefusal,
    LimitSet,
    amounts,
)
from llm_gateway.limits.replay import replay
from llm_gateway.limits.store import (
    Hold,
    OpenReservation,
    SettledReservation,
    WindowStore,
    Word,
    apply_observation,
    scope_of,
)
from llm_gateway.limits.values import (
    LimitObservation,
    LimitRefusal,
    LimitStatus,
    Reservation,
    Scope,
    SpentAttempt,
    scopes_of,
)

__all__ = [
    "LimitObservation",
    "LimitRefusal",
    "LimitStatus",
    "Limiter",
    "Reservation",
    "Scope",
    "SpentAttempt",
    "scopes_of",
]

JITTER = 2.0
"""Seconds by which calls may be out of order; a larger step back is the clock's."""
PLANS = 4096
"""Plans that are kept."""
FRESH = 1.0
"""Seconds for which a refusal is repeated as it stands while nothing changes."""
NOTHING = Charge()


class Limiter:
    """Reserve before, settle after.

    `limits` are handed in at each call. `scopes` (see `scopes_of`) bring in what was
    learned from the provider besides; without them, the limits' own scopes are taken.
    Pass the same tuple objects again and again: they are recognised, which is fast.
    """

    def __init__(self, book: WindowStore | None = None) -> None:
        """`book`: where windows and open reservations are kept; default: in memory."""
        self._book = WindowStore() if book is None else book
        self._plans: dict[int, LimitSet] = {}
        """By the identity of the tuple of limits."""
        self._same: dict[tuple[int, ...], LimitSet] = {}
        """By the identities of scopes and limits; a plan keeps all of them alive."""
        self._changes = 0
        """Counts what may have made room, or taken it."""
        self._sums = [0, 0, 0]
        self._serial = 0
        self._mark = 0.0

    def reserve(
        self,
        limits: Sequence[Limit],
        need: Charge,
        now: float,
        *,
        id: str,
        scopes: Sequence[Scope] = (),
    ) -> Reservation | LimitRefusal:
        """Room in all limits that apply, in one step, or the limit that has none."""
        now = self._tick(now)
        plan = self._plan(limits, scopes, now)
        if refusal := self._fit(plan, need, now):
            return refusal
        needed = amounts(need)
        sums = self._sums
        parts = []
        for window, index in plan.windows:
            amount = needed[index]
            entry = None
            if amount:
                if index == REQUESTS:
                    entry = window.add(now, amount)
                else:
                    window.reserved += amount
                if window.heard is not None:
                    window.heard.used_since += amount
            parts.append(Hold(window, index, amount, entry))
        sums[0] += needed[0]
        sums[1] += needed[1]
        sums[2] += needed[2]
        self._serial += 1
        self._changes += 1
        reservation = Reservation(id, self._serial, now, need)
        self._book.live[self._serial] = OpenReservation(reservation, plan.scopes, parts)
        return reservation

    def settle(self, reservation: Reservation, real: Charge, now: float) -> None:
        """The reservation becomes what was really used, more or less than reserved.

        Again, or for a reservation of another limiter: nothing happens.
        """
        held = self._book.live.get(reservation.serial)
        if held is None or held.reservation is not reservation:
            return
        del self._book.live[reservation.serial]
        now = self._tick(now)
        self._book.ended.append(
            SettledReservation(reservation.id, held.scopes, reservation.at, now, real)
        )
        used = amounts(real)
        serial = reservation.serial
        for part in held.parts:
            window, amount = part.window, used[part.index]
            more = amount - part.amount
            if part.index != REQUESTS:
                window.reserved -= part.amount
                if amount:
                    window.add(now, amount)
            elif more > 0:
                window.add(now, more)
            elif more < 0 and part.entry is not None:
                window.take_back(part.entry, -more)
            if window.heard is not None and serial > window.heard.serial:
                window.heard.used_since += more
        reserved = amounts(reservation.need)
        self._changes += 1
        for index in range(3):
            self._sums[index] += max(0, used[index] - reserved[index])

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
        """What ended at `ended` and was counted as one thing turned out to be another."""
        now = self._tick(now)
        before, after = amounts(counted), amounts(real)
        for window, index in self._plan(limits, scopes, now).windows:
            more = after[index] - before[index]
            if not more or not window.holds(ended, now):
                continue
            if more > 0:
                window.add(min(ended, now), more)
                self._sums[index] += more
            else:
                window.give_back(ended, -more)
        self._changes += 1

    def release(self, reservation: Reservation, now: float) -> None:
        """The provider did not count it: nothing stays."""
        self.settle(reservation, NOTHING, now)

    def fit(
        self,
        limits: Sequence[Limit],
        need: Charge,
        now: float,
        *,
        scopes: Sequence[Scope] = (),
    ) -> LimitRefusal | None:
        """What `reserve` would refuse with; None when there is room. Reserves nothing."""
        now = self._tick(now)
        return self._fit(self._plan(limits, scopes, now), need, now)

    def headroom(
        self, limits: Sequence[Limit], now: float, *, scopes: Sequence[Scope] = ()
    ) -> float:
        """Fraction left of the tightest window, 0 to 1; 1 when nothing limits."""
        now = self._tick(now)
        tightest = 1.0
        for row in self._plan(limits, scopes, now).shares:
            left = row.left(now)
            if left <= 0:
                return 0.0
            fraction = left / row.limit.amount
            if fraction < tightest:
                tightest = fraction
        return tightest

    def room(
        self,
        limits: Sequence[Limit],
        metric: Metric,
        now: float,
        *,
        scopes: Sequence[Scope] = (),
    ) -> int:
        """What may still be asked for of one metric, in its tightest window."""
        now = self._tick(now)
        index = INDEX[metric]
        rows = self._plan(limits, scopes, now).rows
        left = (row.left(now) for row in rows if row.index == index)
        return max(0, min(left, default=BOUNDLESS))

    def status(
        self, limits: Sequence[Limit], now: float, *, scopes: Sequence[Scope] = ()
    ) -> tuple[LimitStatus, ...]:
        """How each of the limits stands, those learned for the scopes after them."""
        now = self._tick(now)
        rows = self._plan(limits, scopes, now).rows
        return tuple(row.status(now) for row in rows if row.holds(now))

    def observe(
        self,
        limits: Sequence[Limit],
        words: Sequence[LimitObservation],
        *,
        scopes: Sequence[Scope],
        now: float,
    ) -> tuple[Limit, ...]:
        """Take the provider's word: it lowers what is left, or sets a limit unknown so far.

        `limits` are the offer's own, `scopes` those of the attempt that was answered.
        Returns the limits that are new by it.
        """
        now = self._tick(now)
        self._changes += 1
        fresh = []
        for word in words:
            scope = scope_of(word, scopes)
            if scope is None or (word.limit is None and word.remaining is None):
                continue
            row, new = self._book.row_for(word, scope, limits, now)
            self._sums[row.index] += apply_observation(row, word, now, self._serial)
            if new:
                fresh.append(row.limit)
                self._forget_plans()
        return tuple(fresh)

    def withdraw(
        self, source: str, scopes: Iterable[Scope], told: Iterable[Word] = ()
    ) -> None:
        """Forget what `source` said of these scopes, but for what it tells still: who was
        asked again and names a limit no longer has lifted it."""
        if self._book.withdraw(source, scopes, told):
            self._changes += 1
            self._forget_plans()

    def replay(
        self, spent: Iterable[SpentAttempt], limits: Sequence[Limit], now: float
    ) -> None:
        """Count what the ledger says was spent.

        At start with all limits; at a reload with those that are `missing`, in the same
        step as the new limits come into force: what is still open counts there too, and
        is told from the ledger's row of it by `SpentAttempt.id`. A window that is known already
        gets the entries added, so give each one once.
        """
        self._changes += 1
        done = replay(self._book, spent, limits, self._tick(now))
        for index in range(3):
            self._sums[index] += done.added[index]
        if done.new:
            self._forget_plans()

    def count(self, spent: SpentAttempt, limits: Sequence[Limit], now: float) -> None:
        """Count something that had no reservation, once it is over."""
        self.replay([spent], limits, now)

    def missing(self, limits: Iterable[Limit]) -> tuple[Limit, ...]:
        """Those limits that no window is kept for yet, or one of another shape."""
        return self._book.missing(limits)

    def forget_unused(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Drop the windows of all limits but these (`Limit.key`) and the learned ones."""
        self._book.forget_all_but(keys)
        self._forget_plans()

    def _fit(self, plan: LimitSet, need: Charge, now: float) -> LimitRefusal | None:
        sums = self._sums
        if (
            sums[0] + need.requests <= plan.requests
            and sums[1] + need.tokens <= plan.tokens
            and sums[2] + need.cost <= plan.cost
        ):
            return None
        said = plan.said
        if (
            said is not None
            and said.need == need
            and said.changes == self._changes
            and now < said.until
        ):
            return said.refusal
        refusal = plan.evaluate(amounts(need), sums, now)
        plan.said = None
        if refusal is not None:
            until = now + FRESH
            if refusal.fits_at is not None:
                until = min(until, refusal.fits_at)
            plan.said = CachedRefusal(refusal, need, self._changes, until)
        return refusal

    def _tick(self, now: float) -> float:
        """Time that never goes backwards: a clock set back ages nothing and reopens nothing."""
        back = self._mark - now
        if back <= 0:
            self._mark = now
            return now
        if back <= JITTER:
            return self._mark
        self._book.shift_clock(back)
        # Refusals that were said before hold moments of the clock as it was.
        self._changes += 1
        self._mark = now
        return now

    def clock_set(self, seconds: float, now: float) -> None:
        """The clock was set forward by so much (backward: less than 0), and says `now`:
        no time has passed by it, so nothing that was used comes back."""
        self._book.follow_clock(seconds, now)
        self._changes += 1
        self._mark = now

    def _plan(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], now: float
    ) -> LimitSet:
        known = self._plans.get(id(limits))
        if known is not None and known.limits is limits and known.asked is scopes:
            return known
        key = (id(scopes), *map(id, limits))
        plan = self._same.get(key)
        if plan is None or plan.asked is not scopes:
            replaced = self._book.replaced
            plan = self._book.plan(limits, scopes, now)
            if self._book.replaced != replaced or len(self._same) >= PLANS:
                self._forget_plans()
            self._same[key] = plan
            self._plans[id(plan.limits)] = plan
        return plan

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._same.clear()
