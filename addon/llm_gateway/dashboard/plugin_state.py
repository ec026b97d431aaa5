"""State of the plugin per Datasette: database, reader, cache.

However many tabs are open, a window is read at most once in TTL seconds. Nothing starts
before the first request: on Datasette 0.65 the startup hook runs in an event loop that
is gone before the server's begins.

What this file does not know: HTML, routes, what a snapshot holds.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref
from zoneinfo import ZoneInfo

from llm_gateway import gateway_client
from llm_gateway.dashboard import compat, queries
from llm_gateway.dashboard.live_memory import Answer, Asked, LiveMemory
from llm_gateway.dashboard.reader import Ask, NotReadable, Reader, has_tables, is_locked
from llm_gateway.dashboard.sign_in_links import Links

T = TypeVar("T")

PLUGIN = "llm-gateway"
"""Key of our block under `plugins`: {"allowed_hosts": [], "allow": {}, "database": path}."""

LOCKED = (
    "{} is locked: another program keeps all readers out of it, as one does that repairs "
    "or copies it. It is read as soon as that ends."
)

TTL = 0.9
HISTORY_TTL = 10.0
PERMISSION_TTL = 5.0


@dataclass(frozen=True, slots=True)
class Ledger:
    database: str
    """Its name in this Datasette."""
    path: Path


class NoLedger(Exception):
    """There is no usage database yet. The text says which path was looked at."""


class PluginState:
    """One per Datasette instance; see `board_of`."""

    def __init__(self, ds: Any) -> None:
        # Weak, or the table of boards below would keep every Datasette alive.
        self._datasette = ref(ds)
        self._readers: dict[tuple[Path, str], Reader] = {}
        self._ledger: Ledger | None = None
        self._locked: list[Path] = []
        """Databases that could not be read at the start, for nobody can."""
        self.clock: Callable[[], float] = time.time
        """Unix seconds: what the pages call now."""
        self.links = Links(self.clock())
        self._memory = LiveMemory(secrets.token_hex(4))
        self._locks: dict[object, asyncio.Lock] = {}
        self._kept: dict[object, tuple[float, Any]] = {}

    @property
    def _ds(self) -> Any:
        ds = self._datasette()
        assert ds is not None, "a board is not used longer than its Datasette"
        return ds

    def config(self) -> dict[str, Any]:
        return dict(self._ds.plugin_config(PLUGIN) or {})

    @property
    def found(self) -> Ledger | None:
        """The usage database, if it was found already."""
        return self._ledger

    async def ledger(self) -> Ledger:
        """The usage database, found by its tables. Raises NoLedger, or NotReadable while
        somebody keeps all readers out of it."""
        known = self._ledger
        if known is not None and known.path.exists():
            return known
        for path in [self.expected(), *self._locked]:
            if await asyncio.to_thread(is_locked, path):
                raise NotReadable(LOCKED.format(path.name))
            self._add(path)
        self._locked.clear()
        for name, db in list(self._ds.databases.items()):
            if db.path and await asyncio.to_thread(
                has_tables, Path(db.path), queries.LEDGER_TABLES
            ):
                self._ledger = Ledger(name, Path(db.path))
                return self._ledger
        self._ledger = None
        raise NoLedger(str(self.expected()))

    def expected(self) -> Path:
        """Where the usage database will be once a gateway has run."""
        given = os.environ.get("LLM_GATEWAY_DB") or self.config().get("database")
        return Path(given or "usage.db").expanduser().absolute()

    def attach(self) -> None:
        """Add the usage database to Datasette, if it exists and was not named at start.

        For those that are locked Datasette would end with a traceback when it looks into
        them: they are taken out until they can be read.
        """
        for name, db in list(self._ds.databases.items()):
            if db.path and is_locked(path := Path(db.path)):
                self._ds.remove_database(name)
                self._locked.append(path)
        if not is_locked(path := self.expected()):
            self._add(path)

    def _add(self, path: Path) -> None:
        from datasette.database import Database

        attached = [db.path for db in self._ds.databases.values() if db.path]
        if path.is_file() and not any(_same(path, Path(p)) for p in attached):
            self._ds.add_database(Database(self._ds, path=str(path), is_mutable=True))

    async def live(
        self, minutes: int, *, simulated: bool, other: bool, where: ZoneInfo
    ) -> Answer:
        """The snapshot, made once for all who look; nothing is read while nothing changes.
        Raises NoLedger, NotReadable or TooSlow."""
        asked = Asked(minutes, simulated, other, where)

        async def build() -> Answer:
            reader = await self._reader("live", 2.0)
            now = self.clock()
            return await reader.run(
                lambda ask: self._memory.look(ask, reader.version(), asked, now)
            )

        found: Answer = await self.kept(("live", asked), TTL, build)
        return found

    async def ask(self, purpose: str, work: Callable[[Ask], T], *, seconds: float) -> T:
        """`work` on the reader for `purpose` ("live" or "history")."""
        return await (await self._reader(purpose, seconds)).run(work)

    async def _reader(self, purpose: str, seconds: float) -> Reader:
        ledger = await self.ledger()
        key = (ledger.path, purpose)
        reader = self._readers.get(key)
        if reader is None:
            reader = Reader(ledger.path, purpose, seconds=seconds)
            self._readers[key] = reader
        return reader

    async def kept(self, key: object, ttl: float, build: Callable[[], Any]) -> Any:
        """What `build` made at most `ttl` seconds ago; one build at a time for a key."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            made = self._kept.get(key)
            if made is None or time.monotonic() - made[0] > ttl:
                made = (time.monotonic(), await build())
                if len(self._kept) > 200:
                    self._kept.clear()
                self._kept[key] = made
            return made[1]

    async def may_look(self, actor: compat.Actor, database: str | None) -> bool:
        key = ("look", json.dumps(actor, sort_keys=True, default=str), database)

        async def build() -> bool:
            return await compat.can_view(self._ds, actor, database)

        return bool(await self.kept(key, PERMISSION_TTL, build))

    async def knows_gateway(self) -> bool:
        """Is it said which gateway this is about? One that happens to run at the usual
        port may be another one's."""
        if gateway_client.named():
            return True
        try:
            await self.ledger()
        except NoLedger:
            return False
        except NotReadable:
            pass  # it is there, and will say so
        return True

    async def gateway_url(self) -> str:
        """Where the gateway's management routes are."""
        try:
            rows = await self.ask(
                "live", lambda ask: ask(queries.GATEWAY, {}), seconds=2.0
            )
        except (NoLedger, NotReadable):
            rows = []
        return gateway_client.base_url(rows[0]["port"] if rows else None)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()


_BOARDS: WeakKeyDictionary[Any, PluginState] = WeakKeyDictionary()


def board_of(ds: Any) -> PluginState:
    """The board of this Datasette, made at the first call."""
    board = _BOARDS.get(ds)
    if board is None:
        board = _BOARDS[ds] = PluginState(ds)
    return board


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False
