"""Fold of a member: all that it has of the shared counters, as it is at one moment.

What lives here: what is noted at that moment, which is little more than references.
`fold_steps` makes operations of it when the connection has come to them, so a fold of many
busy windows holds neither the event loop nor the server's other members.
What it does not know: operations, connections.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from llm_gateway.cluster.batches import Shared, bounds, shared_windows
from llm_gateway.cluster.names import Names
from llm_gateway.domain import Limit
from llm_gateway.frozen import frozen
from llm_gateway.limits.limit_set import amounts
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.windows import AnyWindow, Entry, RollingWindow


@frozen
class WindowPart:
    """This member's part of a window, as it was."""

    name: str
    bound: int
    """The most that may be used; -1: this member sets no bound."""
    shape: tuple[int, int, int]
    used: int
    reserved: int
    entries: list[Entry]
    """Each stays the same one for as long as this refers to it; what it said is beside it:
    lists of numbers, which are made at once, and are nothing to the garbage collector."""
    firsts: list[float]
    lasts: list[float]
    amounts: list[int]
    asking: list[str]
    """Reservations that may hold some of it: the server knows."""


@frozen
class Held:
    """An open reservation: window, metric's place, amount, and entry or start of each part."""

    id: str
    need: Sequence[int]
    parts: list[tuple[str, int, int, Entry | str]]


class Fold:
    """Noted when it is made."""

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
        known: Mapping[int, Shared] | None = None,
    ) -> None:
        """`limits`: those of the configuration. `serial`: how names of entries begin.
        `asking`: reservations that the server is asked for at this moment: it counts
        those among them that it grants before it comes to the fold.
        `there`: names of windows that the server has. `known`: as for `shared_windows`."""
        self.now = now
        self.offset = offset
        self.serial = serial
        self.windows = list(shared_windows(limiter, names, known))
        self._names = {id(one.window): one.name for one in self.windows}
        self._bounds = {limit.key: limit.amount for limit in limits}
        self.asked: Counter[int] = Counter()
        """By the identity of entry or window: what of it is asked for."""
        self.asking: dict[str, list[str]] = {}
        """Reservation that is asked for -> names of its windows."""
        self.held: list[Held] = []
        for held in limiter.live():
            name = held.reservation.id
            if name in asking:
                self.asking[name] = self._asks(held)
            else:
                self.held.append(self._holds(held))
        # Two ids of this member may mean one account: one window there, two here.
        together: dict[str, list[Shared]] = {}
        for one in self.windows:
            together.setdefault(one.name, []).append(one)
        asked: dict[str, list[str]] = {}
        for held_id, windows in self.asking.items():
            for name in windows:
                asked.setdefault(name, []).append(held_id)
        self.parts = [
            self._part(name, ours, asked.get(name, []))
            for name, ours in together.items()
        ]
        self.rest = [name for name in there if name not in together]
        """Windows that are none of this member's."""

    @property
    def open_ids(self) -> list[str]:
        return [held.id for held in self.held]

    def _part(self, name: str, ours: Sequence[Shared], asking: list[str]) -> WindowPart:
        entries: list[Entry] = []
        used = reserved = 0
        for one in ours:
            window = one.window
            window.advance(self.now)
            reserved += window.reserved - self.asked[id(window)]
            if isinstance(window, RollingWindow):
                entries += [entry for entry in window.entries if entry.amount]
            else:
                used += window.used - self.asked[id(window.entry)]
        found = [self._bounds.get(one.limit.key, -1) for one in ours]
        bound = min((most for most in found if most >= 0), default=-1)
        shape = bounds(ours[0].window, self.now, self.offset)
        return WindowPart(
            name,
            bound,
            shape,
            used,
            reserved,
            entries,
            [entry.first for entry in entries],
            [entry.last for entry in entries],
            [entry.amount for entry in entries],
            asking,
        )

    def _asks(self, held: OpenReservation) -> list[str]:
        names = []
        for part in held.parts:
            of = part.window if part.entry is None else part.entry
            self.asked[id(of)] += part.amount
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
