"""Where upstream connections leave mitmproxy for `ConnectionPool`, and where they come back.

A connection leaves when its client has gone, or when mitmproxy would close it because an
HTTP/2 client's request is done: if it is an HTTP/1.1 connection with nothing under way, and
carried no request that an app composed itself (`Plan.pooled`), its socket is parked, and mitmproxy goes through its own motions without it. It comes back
in place of `asyncio.open_connection`; a TLS session that was parked with it takes the
place of the handshake. A request that finds such a connection closed counts as one on a
reused connection (`stale_connection.note_use`): it is sent again, once, on a new one.

Methods of mitmproxy are replaced only where their text is known (mitm_compat); elsewhere
every client has its own upstream connections, as ever.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

from mitmproxy import connection, ctx
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.master import Master
from mitmproxy.proxy import commands, events, layer, server_hooks
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.utils import human
from OpenSSL import SSL

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.mitm_compat.fingerprints import is_known
from llm_gateway.mitm_compat.sites import POOL
from llm_gateway.network import clocks
from llm_gateway.pool.idle_check import find, is_done, is_empty, key_of, unwrap
from llm_gateway.pool.pool import ConnectionPool, IdleConnection, Origin, OriginKey
from llm_gateway.pool.preconnect import HTTP1, open_ahead
from llm_gateway.transport.commands import is_pooled
from llm_gateway.transport.connecting import opener
from llm_gateway.transport.stale_connection import moved, note_use, outlived

logger = logging.getLogger(__name__)

HANDSHAKE = ("alpn", "alpn_offers", "cipher", "tls_version", "certificate_list", "sni")

_start_handshake = ServerTLSLayer.start_handshake

_handed: WeakKeyDictionary[Server, tuple[SSL.Connection, dict[str, object]]] = (
    WeakKeyDictionary()
)
"""TLS sessions of connections that were parked before, with what is known of their
handshakes, by mitmproxy's new names for the connections. Nothing in them knows the name."""


def install(
    master: Any, origins: Iterable[Origin | tuple[Origin, ProxyServer | None]] = ()
) -> "PoolAddon | None":
    """Keep connections to these origins warm. Call it once, in the add-on's `running`.

    Later changes go to `.pool.set_origins(origins)`. None: this mitmproxy is unknown.
    """
    if (existing := master.addons.get(PoolAddon.name)) is not None:
        existing.pool.set_origins(origins)
        return existing  # type: ignore[no-any-return]
    if not is_known(POOL):
        return None
    handler, tls_layer = cast(Any, ProxyConnectionHandler), cast(Any, ServerTLSLayer)
    handler.open_connection = open_connection
    handler.close_connection = close_connection
    tls_layer.start_handshake = start_handshake
    keeper = PoolAddon(master)
    keeper.pool.set_origins(origins)
    master.addons.add(keeper)
    return keeper


@dataclass
class Leases:
    """What is known of one client's upstream connections.

    It refers to the handler's own layers, so the handler keeps it: a dictionary with weak
    keys would hold on to every handler for ever.
    """

    taken: dict[OriginKey, Server] = field(default_factory=dict)
    """What the client was handed and has not given back."""
    layers: dict[Server, layer.Layer] = field(default_factory=dict)
    """The outermost layer of each connection that may be parked one day."""


def lent_to(handler: ConnectionHandler) -> Leases:
    lent: Leases = handler.__dict__.setdefault("_llm_gateway_lent", Leases())
    return lent


class PoolAddon:
    """The add-on that keeps them, added to mitmproxy by `install`."""

    name = "warmconnections"

    def __init__(self, master: Master) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.sleep = clocks.SleepDetector()
        self.pool = ConnectionPool(
            lambda key: open_ahead(master, key),
            now=clocks.elapsed,
            start=self._start,
            slept=self._slept,
            moved=lambda parked: moved(parked.writer.get_extra_info("socket")),
        )
        self._start(self.pool.run())

    def client_disconnected(self, client: connection.Client) -> None:
        proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
        handler = proxy.connections.get(client.id)
        if handler is not None:
            for server in list(handler.transports):
                if isinstance(server, Server):
                    self.park(handler, server)

    def _slept(self) -> float:
        """Also those that clients' connections hold on to are not asked again."""
        asleep = self.sleep.slept()
        if asleep:
            opener.eyeballs.forget()
            logger.info("This machine slept for %.0f s: all connections anew.", asleep)
            self._retire("this machine slept")
        return asleep

    def clock_set(self, seconds: float, now: float) -> None:
        """Forward: a virtual machine that was paused hears of it in no other way, and has
        only dead connections, too."""
        if seconds > clocks.SLEEP_SECONDS:
            opener.eyeballs.forget()
            self.pool.drop_all()
            self._retire("the clock was set forward")

    def _retire(self, why: str) -> None:
        """Connections that clients' connections hold on to serve no further request. One
        that is being opened is none of them: who asks first after sleep opens it."""
        proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
        for handler in list(proxy.connections.values()):
            for server in list(handler.transports):
                if isinstance(server, Server) and server.state & ConnectionState.OPEN:
                    server.error = server.error or why

    def done(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.pool.close()

    def trust_changed(self) -> None:
        """Other certificates are trusted from now on: no connection that was opened
        before serves another request."""
        self.pool.drop_all()
        self._retire("other certificates are trusted now")

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _takes_part(self, server: Server, key: OriginKey) -> bool:
        return is_pooled(server) and self.pool.serves(key)

    def park(self, handler: ConnectionHandler, server: Server) -> None:
        """Take a connection's socket out of mitmproxy, if it can serve again."""
        key = key_of(server)
        io = handler.transports.get(server)
        if io is None or key is None or not self._takes_part(server, key):
            return
        if server.error or server.state is not ConnectionState.OPEN or not is_empty(io):
            return
        if outlived(server):
            return
        session, innermost = unwrap(lent_to(handler).layers.get(server))
        if not is_done(innermost) or key.tls is not (session is not None):
            return
        facts = {name: getattr(server, name) for name in HANDSHAKE}
        assert isinstance(io.reader, asyncio.StreamReader)
        assert isinstance(io.writer, asyncio.StreamWriter)
        parked = IdleConnection(key, io.reader, io.writer, session, facts, io.handler)
        if self.pool.release(parked):
            io.writer = _Nowhere()  # type: ignore[assignment]
            lent_to(handler).taken.pop(key, None)

    def take(self, handler: ConnectionHandler, server: Server) -> IdleConnection | None:
        """A parked connection in place of the one that is to be opened, or None."""
        key = key_of(server)
        if key is None or not self._takes_part(server, key):
            return None
        http_layer = find(handler.layer, server)
        if http_layer is None:
            return None
        lent = lent_to(handler)
        for gone in lent.layers.keys() - handler.transports.keys():
            del lent.layers[gone]
        lent.layers[server] = http_layer.connections[server]
        mine = lent.taken
        if (last := mine.get(key)) and last.state is not ConnectionState.OPEN:
            # It closed before it could be given back: most likely it had been closed
            # while it lay here, and the others with it.
            self.pool.discard(key)
        if parked := self.pool.acquire(key):
            mine[key] = server
            note_use(server, parked.since)
        return parked


def keeper_of(master: Any) -> PoolAddon | None:
    return master.addons.lookup.get(PoolAddon.name)  # type: ignore[no-any-return]


class _Nowhere:
    """Stands where the writer of a parked connection was."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    async def drain(self) -> None: ...

    def is_closing(self) -> bool:
        return True


# In place of mitmproxy's methods


def close_connection(
    self: ProxyConnectionHandler,
    connection: connection.Connection,
    half_close: bool = False,
) -> None:
    leaves = not half_close and isinstance(connection, Server)
    if leaves and (keeper := keeper_of(self.master)) is not None:
        keeper.park(self, cast(Server, connection))
    ConnectionHandler.close_connection(self, connection, half_close)


async def open_connection(
    self: ProxyConnectionHandler, command: commands.OpenConnection
) -> None:
    keeper, server = keeper_of(self.master), command.connection
    parked = keeper.take(self, server) if keeper else None
    if keeper is None or parked is None:
        return await ConnectionHandler.open_connection(self, command)
    hook_data = server_hooks.ServerConnectionHookData(client=self.client, server=server)
    try:
        # Not before whoever started this task has noted it in `transports`.
        await asyncio.sleep(0)
        await parked.wait_detached()
        await self.handle_hook(server_hooks.ServerConnectHook(hook_data))
    except BaseException:
        parked.close()
        raise
    if server.error or key_of(server) != parked.key or not parked.alive:
        # An add-on has other plans, or it closed this moment: mitmproxy sees to it.
        if not keeper.pool.release(parked):
            parked.close()
        return await ConnectionHandler.open_connection(self, command)
    writer = parked.writer
    server.timestamp_start = server.timestamp_tcp_setup = time.time()
    server.state = ConnectionState.OPEN
    server.peername = writer.get_extra_info("peername")
    server.sockname = writer.get_extra_info("sockname")
    self.transports[server] = ConnectionIO(
        handler=asyncio.current_task(), reader=parked.reader, writer=writer
    )
    if parked.tls is not None:
        _handed[server] = parked.tls, parked.handshake_info
    self.log(f"server connection from before {human.format_address(server.address)}")
    await self.handle_hook(server_hooks.ServerConnectedHook(hook_data))
    await self.server_event(events.OpenConnectionCompleted(command, None))
    try:
        await self.handle_connection(server)
    finally:
        server.timestamp_end = time.time()
        await self.handle_hook(server_hooks.ServerDisconnectedHook(hook_data))


def start_handshake(self: ServerTLSLayer) -> CommandGenerator[None]:
    server: Any = self.conn
    handed = _handed.pop(server, None)
    if handed is None:
        keeper, key = keeper_of(ctx.master), key_of(server)
        if keeper and key and is_pooled(server) and keeper.pool.serves(key):
            server.alpn_offers = HTTP1  # HTTP/2 connections cannot be passed on
        yield from _start_handshake(self)
        return
    self.tls, facts = handed
    for name, value in facts.items():
        setattr(server, name, value)
    server.timestamp_tls_setup = time.time()
    yield from self._handshake_finished(None)
