"""Connection pool: idle upstream connections, kept open for the next request.

mitmproxy ties an upstream connection to one client connection and closes it with that. A
client that asks one question and goes (a script, `curl`, most agents' subprocesses) then
pays for the name, for TCP and for TLS to the provider each time. Here such connections are
parked instead: same origin, HTTP/1.1, nothing under way. A TLS session is parked with its
connection, so it was made with the user's options and verified by mitmproxy itself.

What lives here: `ConnectionPool`, which parks, hands out, lets go, and asks for a spare connection
where one is likely to be wanted. How connections leave and enter mitmproxy is in mitm_hooks.py,
how a spare one is opened in preconnect.py. Nothing here knows requests or keys.

A connection remembers: what one server on its way took for the end of a request, another
may not have, and then the next request is read as the rest of it (request smuggling). So
only connections that never carried anything but requests of the gateway's own making come
here (`Plan.pooled`); whatever an app composed goes on connections of its own, and those are
closed with it.

    origins    only the configured providers'; one never gets another's connection
    alive      the moment the peer says anything, or closes, a parked connection is gone
    bounds     idle time, per origin, in all
    spare      TLS origins wanted twice within minutes have one connection ahead
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, cast

from OpenSSL import SSL

from llm_gateway.config.proxy_url import ProxyServer

logger = logging.getLogger(__name__)

IDLE_SECONDS = 50.0
"""How long a connection may lie: providers close theirs after 60 seconds and more."""
PER_ORIGIN = 32
IN_ALL = 128
RECENT_SECONDS = 300.0
"""For so long after its last use an origin is worth a spare connection."""
FRESH_SECONDS = 5.0
"""One that lay for longer is looked at before it is used again."""
STEADY_SECONDS = 10.0
"""An origin that closes an idle connection sooner than this gets no spare one."""
SWEEP_SECONDS = 2.0


class OriginKey(NamedTuple):
    """What has to be equal for a connection to serve in another's place."""

    host: str
    port: int
    tls: bool
    sni: str | None
    proxy: ProxyServer | None = None
    """By way of which it was opened: nothing crosses from one way to another."""


class Origin(Protocol):
    """`domain.Origin` fits."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


@dataclass(eq=False)
class IdleConnection(asyncio.Protocol):
    """One connection that waits. As the transport's protocol it hears what happens."""

    key: OriginKey
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: SSL.Connection | None
    handshake_info: dict[str, object]
    """What mitmproxy noted of the handshake: attributes of its Server object."""
    reading: "asyncio.Task[None] | None" = None
    """The task that read from it until it was parked; it may not have ended yet."""
    since: float = 0.0
    lost: Callable[["IdleConnection"], None] | None = None
    own: asyncio.BaseProtocol = field(init=False)

    def __post_init__(self) -> None:
        self.own = self.writer.transport.get_protocol()

    def park(self, now: float, lost: Callable[["IdleConnection"], None]) -> None:
        self.since, self.lost = now, lost
        self.writer.transport.set_protocol(self)
        if self.reading is not None:
            self.reading.add_done_callback(self._has_left)

    def release(self) -> None:
        """Back to its reader: from here on it is an ordinary connection."""
        self.lost = None
        self.writer.transport.set_protocol(self.own)

    def _has_left(self, reading: "asyncio.Task[None]") -> None:
        """A task that is over still knows its client's connection, and all it was for."""
        self.reading = None

    async def wait_detached(self) -> None:
        """Wait until the task that read from it before has ended."""
        if self.reading is not None and not self.reading.done():
            await asyncio.wait([self.reading])
        self.reading = None

    def close(self) -> None:
        """No word of farewell, as mitmproxy does it."""
        self.lost = None
        self.writer.transport.set_protocol(self.own)
        self.writer.close()

    @property
    def alive(self) -> bool:
        return not self.writer.transport.is_closing()

    # what the transport tells

    def data_received(self, data: bytes) -> None:
        if not self._is_housekeeping(data):
            self._gone()

    def eof_received(self) -> bool:
        self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        cast(asyncio.Protocol, self.own).connection_lost(exc)

    def _is_housekeeping(self, data: bytes) -> bool:
        """TLS says things of its own on an idle connection: session tickets, new keys."""
        if self.tls is None:
            return False
        try:
            self.tls.bio_write(data)
            self.tls.recv(1)
        except SSL.WantReadError:
            return self._answered()
        except SSL.Error:
            pass
        return False

    def _answered(self) -> bool:
        assert self.tls is not None
        try:
            while True:
                self.writer.write(self.tls.bio_read(65535))
        except SSL.WantReadError:
            return True

    def _gone(self) -> None:
        if (lost := self.lost) is not None:
            self.close()
            lost(self)


@dataclass
class PoolEntry:
    """An origin, and what lies there. The last one parked is the first one taken."""

    parked: list[IdleConnection] = field(default_factory=list)
    used: float = float("-inf")
    """When a client last wanted a connection."""
    used_repeatedly: bool = False
    """Wanted twice in a short time: whoever asks once is not worth a spare one."""
    opening: bool = False
    stable: bool = True


Open = Callable[[OriginKey], Coroutine[Any, Any, IdleConnection | None]]
"""Makes a connection ahead; None when that fails."""


class ConnectionPool:
    """All parked connections of one gateway. `now` is a clock that goes on in sleep."""

    def __init__(
        self,
        open_one: Open,
        *,
        now: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], object],
        slept: Callable[[], float] = lambda: 0.0,
        moved: Callable[[IdleConnection], bool] = lambda parked: False,
    ) -> None:
        """`slept`: seconds that the machine slept since it was asked last. `moved`: this
        connection began in another network."""
        self.open_one = open_one
        self.now = now
        self.start = start
        self.slept, self.moved = slept, moved
        self.origins: frozenset[tuple[str, int, bool, ProxyServer | None]] = frozenset()
        self.places: OrderedDict[OriginKey, PoolEntry] = OrderedDict()
        self.closed = False

    def set_origins(
        self, origins: Iterable[Origin | tuple[Origin, ProxyServer | None]]
    ) -> None:
        """From now on these origins, each by its way (alone: directly), and no others.
        Call it again after a reload."""
        ways = [o if isinstance(o, tuple) else (o, None) for o in origins]
        self.origins = frozenset(
            (o.host, o.port, o.scheme == "https", proxy) for o, proxy in ways
        )
        for key in list(self.places):
            if not self.serves(key):
                self._drop(self.places.pop(key).parked)

    def serves(self, key: OriginKey) -> bool:
        return (
            key.host,
            key.port,
            key.tls,
            key.proxy,
        ) in self.origins and not self.closed

    def acquire(self, key: OriginKey) -> IdleConnection | None:
        """A connection to this origin, or None. It belongs to the caller."""
        if not self.serves(key):
            return None
        self.drop_after_sleep()
        now = self.now()
        place = self._place(key)
        place.used_repeatedly = now - place.used <= RECENT_SECONDS
        place.used, place.stable = now, True
        taken = None
        while place.parked and taken is None:
            parked = place.parked.pop()
            idle = now - parked.since
            if (
                parked.alive
                and idle < IDLE_SECONDS
                and (idle < FRESH_SECONDS or not self.moved(parked))
            ):
                parked.release()
                taken = parked
            else:
                parked.close()
        self._preconnect(key, place)
        return taken

    def release(self, parked: IdleConnection) -> bool:
        """Park a connection. False: it is not wanted, and still the caller's."""
        key = parked.key
        if not self.serves(key) or not parked.alive:
            return False
        place = self._place(key)
        if len(place.parked) >= PER_ORIGIN:
            return False
        if sum(len(p.parked) for p in self.places.values()) >= IN_ALL:
            self._drop_oldest()
        parked.park(self.now(), self._lost)
        place.parked.append(parked)
        return True

    def discard(self, key: OriginKey) -> None:
        """One of them turned out to be closed: the others are as old."""
        if place := self.places.get(key):
            self._drop(place.parked)
            place.parked = []

    def drop_after_sleep(self) -> None:
        """A machine that slept has only dead connections, which do not say so."""
        if self.slept():
            self.drop_all()

    def drop_all(self) -> None:
        """Whatever lies here: also when other certificates are trusted from now on."""
        for place in self.places.values():
            self._drop(place.parked)
            place.parked = []

    def sweep(self) -> None:
        """Let go of what lies too long; see that origins in use have one ahead."""
        self.drop_after_sleep()
        now = self.now()
        for key, place in list(self.places.items()):
            old = [p for p in place.parked if now - p.since >= IDLE_SECONDS]
            place.parked = [p for p in place.parked if p not in old]
            self._drop(old)
            if not place.parked and now - place.used > RECENT_SECONDS:
                del self.places[key]
            else:
                self._preconnect(key, place)

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def close(self) -> None:
        self.closed = True
        for place in self.places.values():
            self._drop(place.parked)
        self.places.clear()

    def _place(self, key: OriginKey) -> PoolEntry:
        if key not in self.places:
            self.places[key] = PoolEntry()
        return self.places[key]

    def _lost(self, parked: IdleConnection) -> None:
        if place := self.places.get(parked.key):
            place.parked.remove(parked)
            if self.now() - parked.since < STEADY_SECONDS:
                place.stable = False

    def _drop(self, parked: Iterable[IdleConnection]) -> None:
        for one in parked:
            one.close()

    def _drop_oldest(self) -> None:
        places = [place for place in self.places.values() if place.parked]
        oldest = min(places, key=lambda place: place.parked[0].since)
        oldest.parked.pop(0).close()

    def _preconnect(self, key: OriginKey, place: PoolEntry) -> None:
        """Plain TCP on the same machine or network costs too little to be worth it."""
        wanted = (
            key.tls and place.used_repeatedly and place.stable and not place.opening
        )
        recent = self.now() - place.used <= RECENT_SECONDS
        if wanted and recent and not place.parked:
            place.opening = True
            self.start(self._open(key, place))

    async def _open(self, key: OriginKey, place: PoolEntry) -> None:
        try:
            parked = await self.open_one(key)
        except Exception as error:
            logger.debug("No spare connection to %s: %r", key.host, error)
            parked = None
        finally:
            place.opening = False
        if parked is None:
            place.stable = False  # until it is wanted again
        elif not self.release(parked):
            parked.close()
