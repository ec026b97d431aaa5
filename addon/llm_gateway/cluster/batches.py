"""Operations of the script (`counters/`), made of the engine's values, and what comes back.

What lives here: how windows and reservations are written down. Times become
whole microseconds of the server's clock (`offset`: seconds that it is ahead of ours).
What it does not know: connections, when anything is sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from llm_gateway.cluster.names import Names
from llm_gateway.domain import Charge, Limit, Metric, Window
from llm_gateway.limits.calendar import span
from llm_gateway.limits.limit_set import LimitWindow, amounts
from llm_gateway.limits.outlet import Row
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.store import Key
from llm_gateway.limits.windows import AnyWindow, RollingWindow

Op = list[Any]
LEASE = 60.0
"""Seconds for which a reservation is held for a member that is not heard of."""
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


def shared_windows(
    limiter: SharedLimiter, names: Names, known: Mapping[int, Shared] | None = None
) -> Iterator[Shared]:
    """Every window of ours that has a name among members. `known`: what was found before,
    under the same names, by the window's identity."""
    for key, window in limiter.windows().items():
        one = known.get(id(window)) if known else None
        if one is not None and one.window is window:
            yield one
            continue
        limit = limit_of(key, window)
        try:
            name = names.window(limit)
        except KeyError:  # of an account that the configuration no longer has
            continue
        yield Shared(name, limit, window, LimitWindow.index_of(limit))


def rows_of(
    rows: Iterable[Row],
    names: Names,
    now: float,
    offset: float,
    known: Mapping[int, Shared] | None = None,
) -> tuple[list[Row], list[Op]]:
    """Rows that have a name, and how they are written: [name, index, bound, length,
    start, end]. `known`: windows that were named before, by identity."""
    kept, found = [], []
    for row in rows:
        one = known.get(id(row.window)) if known else None
        if one is not None and one.window is row.window:
            name = one.name
        else:
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


def windows_of(op: Op) -> tuple[list[str], str]:
    """What an operation changes: names of windows, and the reservation that it ends."""
    match op[0]:
        case "reserve":
            return [row[0] for row in op[4]], ""
        case "count":
            return [row[0] for row in op[3]], ""
        case "settle":
            return [], op[1]
        case _:
            return [], ""


def weight_of(op: Op) -> int:
    """How many operations on one window take the server as long."""
    match op[0]:
        case "look" | "amounts":
            return 1 + len(op[1])
        case "beat":
            return 1 + len(op[2])
        case _:
            return 1
