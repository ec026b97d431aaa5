"""Operations of the script (`counters/`), made of the engine's values, and what comes back.

What lives here: how windows, reservations and a whole fold are written down. Times become
whole microseconds of the server's clock (`offset`: seconds that it is ahead of ours).
What it does not know: connections, when anything is sent.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from llm_gateway.cluster.names import Names
from llm_gateway.domain import Charge, Limit, Metric, Window
from llm_gateway.limits.calendar import span
from llm_gateway.limits.limit_set import LimitWindow, amounts
from llm_gateway.limits.shared import Row, SharedLimiter
from llm_gateway.limits.store import Key, OpenReservation
from llm_gateway.limits.windows import AnyWindow, Entry, RollingWindow

Op = list[Any]
LEASE = 60.0
"""Seconds for which a reservation is held for a member that is not heard of."""
NAMES = 64
"""Windows that one operation names at most."""
EVEN = 1.0
"""Seconds; clocks that differ by less have the same days."""


def micro(seconds: float) -> int:
    return round(seconds * 1e6)


class Shared(NamedTuple):
    """A window of ours, and how it is called there."""

    name: str
    limit: Limit
    window: AnyWindow
    place: int


def bounds(window: AnyWindow, now: float, offset: float) -> tuple[int, int, int]:
    """(length, start, end) in microseconds; length 0 where a calendar says when it ends."""
    if isinstance(window, RollingWindow):
        return micro(window.length), 0, 0
    start, end = window.start, window.end
    if abs(offset) > EVEN:
        found = span(window.window, window.when, now + offset)
        if found is not None:
            start, end = found
    return 0, micro(start), micro(end)


def limit_of(key: Key, window: AnyWindow) -> Limit:
    """Of a window, as far as its name goes."""
    *scope, metric, length = key
    return Limit(tuple(scope), Metric(metric), Window(length), 0, window.reset)


def shared_windows(limiter: SharedLimiter, names: Names) -> Iterator[Shared]:
    """Every window of ours that has a name among members."""
    for key, window in limiter.windows().items():
        limit = limit_of(key, window)
        try:
            name = names.window(limit)
        except KeyError:  # of an account that the configuration no longer has
            continue
        yield Shared(name, limit, window, LimitWindow.index_of(limit))


def rows_of(
    rows: Iterable[Row], names: Names, now: float, offset: float
) -> tuple[list[Row], list[Op]]:
    """Rows that have a name, and how they are written: [name, index, bound, length,
    start, end]."""
    kept, found = [], []
    for row in rows:
        try:
            name = names.window(row.limit)
        except KeyError:  # of an account that the configuration no longer has
            continue
        kept.append(row)
        found.append([name, row.place, row.bound, *bounds(row.window, now, offset)])
    return kept, found


def reserve(id: str, need: Charge, rows: list[Op], *, force: bool = False) -> Op:
    """`force`: it is granted already, and only to be counted."""
    return [
        "reserve",
        id,
        micro(LEASE),
        amounts(need),
        rows,
        *([True] if force else []),
    ]


def settle(id: str, real: Charge, calendar: list[Op]) -> Op:
    """`calendar`: bounds of its windows that end by a calendar."""
    return ["settle", id, amounts(real), *([calendar] if calendar else [])]


def count(at: float, change: Charge, rows: list[Op]) -> Op:
    return ["count", micro(at), amounts(change), rows]


class Fold:
    """All that a member has of the shared counters, as operations.

    Windows hold this member's own use, so the operations replace its part of each.
    """

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
        `there`: names of windows that the server has.
        `asking`: reservations that the server is asked for at this moment: it counts
        those among them that it grants before it comes to the fold."""
        self.now = now
        self.offset = offset
        self._serial = serial
        self._entries: dict[int, str] = {}
        """Entry (by identity) -> its name."""
        self.windows = list(shared_windows(limiter, names))
        self._names = {id(one.window): one.name for one in self.windows}
        self._bounds = {limit.key: limit.amount for limit in limits}
        self.open_ids: list[str] = []
        self._asked: Counter[int] = Counter()
        """By the identity of entry or window: what of it is asked for."""
        live = list(limiter.live())
        pending = [held for held in live if held.reservation.id in asking]
        for held in pending:
            for part in held.parts:
                of = part.window if part.entry is None else part.entry
                self._asked[id(of)] += part.amount
        ids = [held.reservation.id for held in pending]
        self.ops: list[Op] = [["fold_begin", ids]]
        # Two ids of this member may mean one account: one window there, two here.
        together: dict[str, list[Shared]] = {}
        for one in self.windows:
            together.setdefault(one.name, []).append(one)
        for name, ours in together.items():
            self.ops.append(self._window(name, ours))
        self.ops += [self._keep(held) for held in pending]
        for held in live:
            if held.reservation.id in asking:
                continue
            holds = [
                [
                    self._names[id(part.window)],
                    part.index,
                    part.amount,
                    self._entry(part.window, part.entry),
                ]
                for part in held.parts
                if id(part.window) in self._names
            ]
            reservation = held.reservation
            self.open_ids.append(reservation.id)
            self.ops.append(
                ["open", reservation.id, amounts(reservation.need), holds, micro(LEASE)]
            )
        rest = [name for name in there if name not in together]
        for at in range(0, len(rest), NAMES):
            self.ops.append(["no_amount", rest[at : at + NAMES]])
        self.ops.append(["fold_end"])

    def _keep(self, held: OpenReservation) -> Op:
        rows = [
            [
                self._names[id(part.window)],
                part.index,
                -1,
                *bounds(part.window, self.now, self.offset),
            ]
            for part in held.parts
            if id(part.window) in self._names
        ]
        op = reserve(held.reservation.id, held.reservation.need, rows, force=True)
        return ["keep", *op[1:]]

    def _window(self, name: str, ours: Sequence[Shared]) -> Op:
        window = ours[0].window
        for one in ours:
            one.window.advance(self.now)
        shape = bounds(window, self.now, self.offset)
        entries = []
        if shape[0]:
            found = [
                entry
                for one in ours
                if isinstance(one.window, RollingWindow)
                for entry in one.window.entries
                if entry.amount or id(entry) in self._entries
            ]
            for entry in sorted(found, key=lambda entry: entry.last):
                entries.append(
                    [
                        self._name(entry),
                        micro(entry.first + self.offset),
                        micro(entry.last + self.offset),
                        entry.amount - self._asked[id(entry)],
                    ]
                )
        bound = min(
            (
                self._bounds[one.limit.key]
                for one in ours
                if one.limit.key in self._bounds
            ),
            default=-1,
        )
        return [
            "fold",
            name,
            name,
            bound,
            *shape,
            sum(self._used(one.window) for one in ours),
            sum(one.window.reserved - self._asked[id(one.window)] for one in ours),
            entries,
        ]

    def _used(self, window: AnyWindow) -> int:
        """Without what is asked for. Of a rolling window its entries say it."""
        if isinstance(window, RollingWindow):
            return window.used
        return window.used - self._asked[id(window.entry)]

    def _name(self, entry: Entry) -> str:
        found = self._entries.get(id(entry))
        if found is None:
            found = f"{self._serial}{len(self._entries)}"
            self._entries[id(entry)] = found
        return found

    def _entry(self, window: AnyWindow, entry: Entry | None) -> str:
        if entry is None:
            return ""
        if isinstance(window, RollingWindow):
            return self._name(entry)
        _, start, _ = bounds(window, self.now, self.offset)
        return str(start)
