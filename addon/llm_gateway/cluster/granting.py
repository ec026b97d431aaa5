"""Reservations of a member: the server's last word, or this member's share without it.

What lives here: what the engine reserved is confirmed, what ended is told. What it does
not know: how the connection comes and goes, folds.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from llm_gateway.cluster import batches
from llm_gateway.cluster.away import Away
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.looks import Looks
from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.outlet import Row
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.values import Reservation, Scope
from llm_gateway.limits.windows import CalendarWindow

RENEW = 15.0
TRIES = 3
"""How often the server is asked where it was too late for it."""
LATE = 3
"""The script's word for that."""
GRANTED, NO_ROOM, AWAY = "granted", "no room", "away"


class Granting:
    """Confirms reservations, and tells the server of those that ended."""

    def __init__(
        self, context: MemberContext, looks: Looks, refold: Callable[[], None]
    ) -> None:
        """`refold`: something was lost on the way, or taken for lost."""
        self._context = context
        self._looks = looks
        self._unknown = Unknown(refold)
        self.sent: set[str] = set()
        """Reservations that the server holds."""
        self.asking: dict[str, Reservation] = {}
        """Reservations that wait for the last word."""
        self._renewed = 0.0

    @property
    def unconfirmed(self) -> list[Reservation]:
        return [*self.asking.values()]

    async def confirm(
        self,
        reservation: Reservation,
        limits: Sequence[Limit],
        scopes: Sequence[Scope],
        *,
        zero_cost: bool,
    ) -> str:
        """The last word on what the engine reserved: GRANTED, NO_ROOM or AWAY.

        Where it is not GRANTED the caller releases the reservation.
        """
        self.asking[reservation.id] = reservation
        try:
            if not self._context.tried.is_set():
                await self._first_try()
            return await self._confirm(reservation, limits, scopes, zero_cost)
        finally:
            del self.asking[reservation.id]

    async def _first_try(self) -> None:
        """What others use is known from the first connection on."""
        context = self._context
        with suppress(TimeoutError):
            async with asyncio.timeout(context.config.timeout_seconds):
                await context.tried.wait()

    async def _confirm(
        self,
        reservation: Reservation,
        limits: Sequence[Limit],
        scopes: Sequence[Scope],
        zero_cost: bool,
    ) -> str:
        context = self._context
        for _ in range(TRIES):
            now = context.now()
            rows, found = batches.rows_of(
                context.limiter.rows(limits, scopes, now),
                context.names,
                now,
                context.offset.seconds,
                self._looks.known(),
            )
            if not context.asks:
                break
            if not found:
                return GRANTED  # nothing limits it, anywhere
            if context.state != "up" and not self._has_share(limits, scopes, zero_cost):
                return AWAY
            result = await self._reserve(reservation, found)
            if result is not None and result[0] != LATE:
                self._looks.learn_rows(rows, result[2:])
                if result[0] == 1:
                    return GRANTED
                self.sent.discard(reservation.id)
                return NO_ROOM
        self.sent.discard(reservation.id)
        if context.asks or not self._has_share(limits, scopes, zero_cost):
            return AWAY
        if context.state == "folding":
            self.sent.add(reservation.id)
            op = batches.reserve(reservation.id, reservation.need, found, force=True)
            context.link.put(op)
        return GRANTED

    async def _reserve(
        self, reservation: Reservation, rows: list[batches.Op]
    ) -> list[int] | None:
        """What the server says; None: it does not."""
        self.sent.add(reservation.id)
        op = batches.reserve(reservation.id, reservation.need, rows)
        try:
            answer: list[int] = await self._context.ask(op)
        except Away:
            return None
        return answer

    def _has_share(
        self, limits: Sequence[Limit], scopes: Sequence[Scope], zero_cost: bool
    ) -> bool:
        """It may go on while limits are not shared, and what is reserved is not more
        than this member's share."""
        context = self._context
        when = context.config.when_away
        goes_on = when == "local" or (when == "free" and zero_cost)
        return goes_on and context.limiter.has_share(limits, scopes, context.now())

    def settled(self, held: OpenReservation, real: Charge) -> None:
        """An open reservation ended."""
        name = held.reservation.id
        if name not in self.sent:
            return
        self.sent.discard(name)
        context = self._context
        now, offset = context.now(), context.offset.seconds
        calendar = []
        for part in held.parts:
            one = self._looks.shared.get(id(part.window))
            if one is not None and isinstance(part.window, CalendarWindow):
                part.window.advance(now)
                calendar.append(
                    [one.name, *batches.bounds(part.window, now, offset)[1:]]
                )
        context.link.put(batches.settle(name, real, calendar), self._unknown)

    def counted(self, rows: Sequence[Row], change: Charge, at: float) -> None:
        """So much more (or less) was used at `at` without a reservation."""
        context = self._context
        if not context.link.up:
            return
        offset = context.offset.seconds
        _, found = batches.rows_of(rows, context.names, context.now(), offset)
        context.link.put(batches.count(at + offset, change, found))

    def renew(self) -> None:
        """Leases of what is open, now and then."""
        now = self._context.now()
        if abs(now - self._renewed) >= RENEW and self.sent:  # a clock may be set
            self._renewed = now
            lease = batches.micro(batches.LEASE)
            self._context.link.put(["renew", sorted(self.sent), lease])


class Unknown:
    """Takes the results of settlements: one that the server knew nothing of is a sign that
    its lease had ended, or that it never arrived."""

    def __init__(self, refold: Callable[[], None]) -> None:
        self._refold = refold

    def done(self) -> bool:
        return False

    def set_result(self, result: Any) -> None:
        if result[0] == 0:
            self._refold()

    def set_exception(self, exception: Any) -> None:
        """The next fold tells it anyway."""


__all__ = ["AWAY", "GRANTED", "NO_ROOM", "Granting"]
