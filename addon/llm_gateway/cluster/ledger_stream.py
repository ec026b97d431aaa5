"""Finished requests of all members, in the ledger of the one that collects them.

    a member's ledger ── unsent ──▶ stream on the server ──▶ the collector's ledger
            ▲                                                       │ committed
            └──────────────── "all up to n is there" ◀──────────────┘

What lives here: both ends. A row stays on its member's own list (kept by the ledger, in
the row's own transaction) until the collector has committed it, so nothing is lost when
the server, the collector or the member goes away; and a row that comes twice is one, by
its id. What it does not know: the connection, SQL.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from typing import Any, Protocol

from llm_gateway.cluster.away import Away
from llm_gateway.ledger.collector_tables import COLLECTOR, MADE, UNSENT
from llm_gateway.ledger.rows import REQUEST_COLUMNS, Row
from llm_gateway.ledger.store import Store

logger = logging.getLogger("llm_gateway")

EVERY = 0.5
"""Seconds between two looks for what is new."""
AT_ONCE = 100
"""Rows in one batch."""
UNDER_WAY = 5_000
"""Rows of one member that may wait in the stream for the collector."""
KEPT = 100_000
"""Rows that the stream holds at most."""


class Membership(Protocol):
    """What both ends need to know of this member."""

    @property
    def member(self) -> str: ...

    @property
    def collector(self) -> str: ...

    @property
    def collected(self) -> str: ...

    @property
    def connected(self) -> bool: ...

    @property
    def is_collector(self) -> bool: ...

    @property
    def connection_id(self) -> str: ...

    async def ask(self, op: list[Any]) -> Any: ...

    def warn(self, message: str) -> None: ...


class Shipper:
    """This member's finished requests, on their way to the collector."""

    def __init__(self, service: Membership, store: Store) -> None:
        self._service = service
        self._store = store
        self._collector = self._ledger = ""
        self._shipped = self._collected = 0
        self._generation = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        found = await asyncio.to_thread(self._store.rows, COLLECTOR)
        for row in found:
            self._collector, self._ledger = row["collector"], row["ledger"]
        while True:
            try:
                more = self._service.connected and await self._turn()
            except Away:
                more = False
            if not more:
                await asyncio.sleep(EVERY)

    async def _turn(self) -> bool:
        """True when there may be more at once."""
        service = self._service
        if not service.collector or service.is_collector:
            return False
        if service.collector != self._collector:
            self._collector = service.collector
            self._ledger = os.urandom(8).hex()
            self._store.collect_for(self._collector, self._ledger)
            self._shipped = self._collected = 0
            return False
        if service.connection_id != self._generation:
            # What was under way may be lost: from the first that has not arrived.
            self._generation = service.connection_id
            self._shipped = self._collected
        ledger, _, number = service.collected.partition(" ")
        if ledger == self._ledger and int(number) > self._collected:
            self._collected = int(number)
            self._shipped = max(self._shipped, self._collected)
            self._store.sent(self._collected)
        if self._shipped - self._collected >= UNDER_WAY:
            return False
        rows = await asyncio.to_thread(
            self._store.rows, UNSENT, {"after": self._shipped, "most": AT_ONCE}
        )
        if not rows:
            return False
        packed = [[row["n"], packed_row(row)] for row in rows]
        await service.ask(["ship", self._ledger, packed, KEPT])
        self._shipped = rows[-1]["n"]
        return len(rows) == AT_ONCE


class Collector:
    """Rows of the other members, into this one's ledger."""

    def __init__(self, service: Membership, store: Store) -> None:
        self._service = service
        self._store = store
        self._place = "0-0"
        self._connection = ""
        self._refused = ""
        self._held_back = False
        """The ledger was handed rows, and could not write them yet."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                more = self._service.connected and await self._turn()
            except Away:
                more = False
            if not more:
                await asyncio.sleep(EVERY)

    async def _turn(self) -> bool:
        service = self._service
        if self._held_back:
            # Handed over again and again they would push its own rows out of its queue.
            self._held_back = not await self._written(self._store.flush())
            return not self._held_back
        if service.connection_id != self._connection:
            self._place = "0-0"
            ledger = await asyncio.to_thread(ledger_id, self._store)
            place = f"{self._store.path.absolute()} {ledger}"
            taken, who = await service.ask(["collect", place])
            if not taken:
                self._refuse(who.decode())
                return False
            self._refused = ""
            self._connection = service.connection_id
        found = await service.ask(["rows", self._place, AT_ONCE])
        place = found[0].decode()
        if not place:
            self._connection = ""  # another one collects by now
        if place in ("", self._place):
            return False
        rows, until = [], {}
        for at in range(1, len(found), 4):
            member, ledger, number = (found[at + n].decode() for n in range(3))
            row = unpacked_row(found[at + 3], member)
            if row is not None and member != service.member:
                rows.append(row)
            until[member, ledger] = number
        if not await self._written(self._store.collected(rows)):
            self._held_back = True  # when it can write again, they are asked for again
            return False
        self._place = place
        done = [[member, ledger, number] for (member, ledger), number in until.items()]
        await service.ask(["collected", place, done])
        return len(rows) >= AT_ONCE // 2

    async def _written(self, waiter: Any) -> bool:
        return bool(await waiter)

    def _refuse(self, who: str) -> None:
        if who != self._refused:
            self._refused = who
            self._service.warn(
                f"the member {who!r} collects the requests already; set `collect` for one"
            )


def ledger_id(store: Store) -> str:
    """What tells a ledger from every other one, also from one that took its place: when it
    was made, to the microsecond. Blocks."""
    made = [str(row["made"]) for row in store.rows(MADE)]
    return hashlib.sha256("".join(made).encode()).hexdigest()[:16]


def packed_row(row: dict[str, Any]) -> str:
    """One request as its ledger has it."""
    values = [row["id"], *(row[name] for name in REQUEST_COLUMNS)]
    return json.dumps(dict(zip(("id", *REQUEST_COLUMNS), values, strict=True)))


def unpacked_row(data: bytes, member: str) -> Row | None:
    """The same for another ledger, where it says whose it is. None: it is none."""
    try:
        found = json.loads(data)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        return None
    values: Sequence[Any] = [found.get(name) for name in REQUEST_COLUMNS]
    row = dict(zip(REQUEST_COLUMNS, values, strict=True))
    row["member"] = member
    if any(not isinstance(v, str | int | float | None) for v in row.values()):
        return None
    return (found["id"], *row.values())
