"""Windows are a fold over the ledger: at start, and for limits that a reload adds.

What lives here: the fold. What it does not know: SQL.

A ledger is read a moment before it is used, and attempts go on meanwhile. What is open
counts by its reservation, what has just ended by what it came to; the ledger's rows of
the same attempts, told by `SpentAttempt.id`, are then left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.limit_set import REQUESTS, LimitWindow, amounts
from llm_gateway.limits.store import Key, WindowStore
from llm_gateway.limits.values import Scope, SpentAttempt, scopes_of

JUST = 60.0
"""Seconds for which an ending may be missing in a ledger that was read meanwhile."""

Rows = dict[Scope, dict[Key, LimitWindow]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did."""

    added: tuple[int, int, int]
    """How much any one window took in at most, per metric."""
    new: bool
    """A window was built anew: plans that know the old ones are wrong."""


def replay(
    book: WindowStore,
    spent: Iterable[SpentAttempt],
    limits: Sequence[Limit],
    now: float,
) -> Replayed:
    """Fold attempts into the limits' windows; those that were missing are built by it."""
    missing = {limit.key for limit in book.missing(limits)}
    all_rows: Rows = {}
    new_rows: Rows = {}
    for limit in limits:
        window = book.window(limit, now)
        row = LimitWindow(limit, window, learned=False)
        if limit.key in missing:
            book.learned.get(limit.scope, {}).pop(limit.key, None)
            window.clear(now)
            new_rows.setdefault(limit.scope, {})[limit.key] = row
        all_rows.setdefault(limit.scope, {})[limit.key] = row
    running = {held.reservation.id for held in book.live.values()} - {""}
    late = {one.id: one for one in book.ended if one.id and one.ended > now - JUST}
    events = []
    for one in spent:
        if one.reserved and (one.id in running or one.id in late):
            continue
        late.pop(one.id, None)
        scopes = scopes_of(one.provider, one.account, one.model, one.client)
        events += _events(all_rows, scopes, one.at, one.ended or one.at, one.need, now)
    for ending in late.values():
        events += _events(
            new_rows, ending.scopes, ending.at, ending.ended, ending.real, now
        )
    added = [0, 0, 0]
    for at, row, amount in sorted(events, key=lambda event: event[0]):
        row.window.add(at, amount)
        added[row.index] += amount
    built = {id(book.windows[key]) for key in missing}
    for held in book.live.values():
        at = min(held.reservation.at, now)
        for part in held.parts:
            if part.entry is not None and id(part.window) in built:
                part.entry = part.window.add(at, part.amount)
    return Replayed((added[0], added[1], added[2]), bool(missing))


def _events(
    rows: Rows,
    scopes: Sequence[Scope],
    left: float,
    ended: float,
    need: Charge,
    now: float,
) -> list[tuple[float, LimitWindow, int]]:
    """What an attempt adds where, and when: requests when they left, the rest at its end."""
    took = amounts(need)
    found = []
    for scope in scopes:
        for row in rows.get(scope, {}).values():
            at = min(left if row.index == REQUESTS else ended, now)
            if took[row.index] and row.window.holds(at, now):
                found.append((at, row, took[row.index]))
    return found
