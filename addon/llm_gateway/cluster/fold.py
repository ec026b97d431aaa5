"""Fold of a member: all that it has of the shared counters, of one moment, as batches.

What lives here: what is noted at that moment, which is little more than references, and
the operations made of it, a batch at a time, when the connection has come to them. So a
fold of many busy windows holds neither the event loop nor the server's other members.
What it does not know: connections, when anything is sent.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from llm_gateway.cluster.batches import (
    LEASE,
    Op,
    Shared,
    bounds,
    micro,
    shared_windows,
)
from llm_gateway.cluster.names import Names
from llm_gateway.domain import Limit
from llm_gateway.frozen import frozen
from llm_gateway.limits.limit_set import amounts
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.windows import AnyWindow, Entry, RollingWindow

WEIGHT = 1000
"""Entries in one batch, or what takes as long: the server does nothing else meanwhile."""
NAMES = 64
"""Windows that one operation names at most."""


@frozen
class WindowPart:
    """This member's part of a window, as it was."""

    name: str
    bound: int
    """The most that may be used; -1: this member sets no bound."""
    shape: tuple[int, int, int]
    used: int
    reserved: int
    entries: list[tuple[Entry, float, float, int]]
    """The entry itself stays the same one for as long as this refers to it."""
    asking: list[str]
    """Reservations that may hold some of it: the server knows."""


@frozen
class Held:
    """An open reservation: window, metric's place, amount, and entry or start of each part."""

    id: str
    need: Sequence[int]
    parts: list[tuple[str, int, int, Entry | str]]


class Fold:
    """Noted when it is made; `batches` replaces this member's part of every window."""

    def __init__(
        self,
        limiter: SharedLimiter,
        names: Names,
        limits: Iterable[Limit],
        now: float,
        offset: float,
        serial: str,
        asking: Collection[str] = (),
        there: Iterable[str] = (),
    ) -> None:
        """`limits`: those of the configuration. `serial`: how names of entries begin.
        `asking`: reservations that the server is asked for at this moment: it counts
        those among them that it grants before it comes to the fold.
        `there`: names of windows that the server has."""
        self.now = now
        self.offset = offset
        self._serial = serial
        self._entries: dict[int, str] = {}
        """Entry (by identity) -> its name."""
        self.windows = list(shared_windows(limiter, names))
        self._names = {id(one.window): one.name for one in self.windows}
        self._bounds = {limit.key: limit.amount for limit in limits}
        self._asked: Counter[int] = Counter()
        """By the identity of entry or window: what of it is asked for."""
        self._asking: dict[str, list[str]] = {}
        """Reservation that is asked for -> names of its windows."""
        self._held: list[Held] = []
        for held in limiter.live():
            name = held.reservation.id
            if name in asking:
                self._asking[name] = self._asks(held)
            else:
                self._held.append(self._holds(held))
        # Two ids of this member may mean one account: one window there, two here.
        together: dict[str, list[Shared]] = {}
        for one in self.windows:
            together.setdefault(one.name, []).append(one)
        asked: dict[str, list[str]] = {}
        for held_id, windows in self._asking.items():
            for name in windows:
                asked.setdefault(name, []).append(held_id)
        self._parts = [
            self._part(name, ours, asked.get(name, []))
            for name, ours in together.items()
        ]
        self._rest = [name for name in there if name not in together]
        self.open_ids = [held.id for held in self._held]

    def batches(self) -> Iterator[list[Op]]:
        """The operations, in batches that take the server a few milliseconds each."""
        batch: list[Op] = []
        weight = 0
        for op, more in self._ops():
            if batch and weight + more > WEIGHT:
                yield batch
                batch, weight = [], 0
            batch.append(op)
            weight += more
        yield batch

    def _ops(self) -> Iterator[tuple[Op, int]]:
        """Each with its weight."""
        yield ["fold_begin", [*self._asking]], len(self._asking)
        for held in self._held:
            holds = [
                [name, index, amount, of if isinstance(of, str) else self._name(of)]
                for name, index, amount, of in held.parts
            ]
            yield ["open", held.id, held.need, holds, micro(LEASE)], 4
        for part in self._parts:
            yield self._window(part), 10 + len(part.entries) + len(part.asking)
        for at in range(0, len(self._rest), NAMES):
            yield ["no_amount", self._rest[at : at + NAMES]], NAMES
        yield ["fold_end"], 1

    # -- of the moment -----------------------------------------------------------------

    def _part(self, name: str, ours: Sequence[Shared], asking: list[str]) -> WindowPart:
        entries: list[tuple[Entry, float, float, int]] = []
        used = reserved = 0
        for one in ours:
            window = one.window
            window.advance(self.now)
            reserved += window.reserved - self._asked[id(window)]
            if isinstance(window, RollingWindow):
                entries += [
                    (entry, entry.first, entry.last, entry.amount)
                    for entry in window.entries
                    if entry.amount
                ]
            else:
                used += window.used - self._asked[id(window.entry)]
        found = [self._bounds.get(one.limit.key, -1) for one in ours]
        bound = min((most for most in found if most >= 0), default=-1)
        shape = bounds(ours[0].window, self.now, self.offset)
        return WindowPart(name, bound, shape, used, reserved, entries, asking)

    def _asks(self, held: OpenReservation) -> list[str]:
        names = []
        for part in held.parts:
            of = part.window if part.entry is None else part.entry
            self._asked[id(of)] += part.amount
            if id(part.window) in self._names:
                names.append(self._names[id(part.window)])
        return names

    def _holds(self, held: OpenReservation) -> Held:
        reservation = held.reservation
        return Held(
            reservation.id,
            amounts(reservation.need),
            [
                (
                    self._names[id(part.window)],
                    part.index,
                    part.amount,
                    self._entry(part.window, part.entry),
                )
                for part in held.parts
                if id(part.window) in self._names
            ],
        )

    def _entry(self, window: AnyWindow, entry: Entry | None) -> Entry | str:
        if entry is None:
            return ""
        if isinstance(window, RollingWindow):
            return entry
        return str(bounds(window, self.now, self.offset)[1])

    # -- written down ------------------------------------------------------------------

    def _window(self, part: WindowPart) -> Op:
        entries = [
            [
                self._name(entry),
                micro(first + self.offset),
                micro(last + self.offset),
                amount - self._asked[id(entry)],
            ]
            for entry, first, last, amount in sorted(
                part.entries, key=lambda noted: noted[2]
            )
        ]
        name = part.name
        shape = part.shape
        return [
            *("fold", name, name, part.bound, *shape),
            *(part.used, part.reserved, entries, part.asking),
        ]

    def _name(self, entry: Entry) -> str:
        found = self._entries.get(id(entry))
        if found is None:
            found = f"{self._serial}{len(self._entries)}"
            self._entries[id(entry)] = found
        return found
