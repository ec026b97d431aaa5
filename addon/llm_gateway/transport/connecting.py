"""How mitmproxy's upstream connections are opened: our opener in place of asyncio's.

mitmproxy opens every upstream connection, tunnels included, by `asyncio.open_connection`
in one module. There, and only there, that name leads here: a name with several addresses
is tried at all of them (network/happy_eyeballs.py), and where there is an outbound proxy
the connection goes by way of it (network/outbound_proxy.py). mitmproxy then has a stream
to the upstream itself, and needs to know no more.
"""

import asyncio
import functools
import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

from mitmproxy.connection import Server
from mitmproxy.proxy import commands
from mitmproxy.proxy import server as mitmproxy_server

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams
from llm_gateway.network.outbound_proxy import open_by_way_of
from llm_gateway.network.proxy_failure import ProxyUnavailable
from llm_gateway.network.way_out import current
from llm_gateway.transport.commands import proxy_of, way_is_known

ANSWER_SECONDS = 1.0
_ADDRESSES = "llm_gateway_addresses"


def mark_addresses(connection: Server, addresses: tuple[str, ...]) -> None:
    """It leads to any of these: they are all of one name, and were looked at."""
    connection.__dict__[_ADDRESSES] = addresses


_opening: ContextVar[Server | None] = ContextVar("opening", default=None)
"""The connection that a task opens: mitmproxy tells us no more than its address."""


@dataclass
class Opener:
    """What all connections that leave have in common."""

    eyeballs: HappyEyeballs = field(
        default_factory=lambda: HappyEyeballs(lambda: asyncio.get_running_loop().time())
    )
    """One memory of living addresses."""
    on_proxy: Callable[[ProxyServer, str], None] = lambda proxy, trouble: None
    """Told how a proxy did: the sentence of its failure, or "" when it worked."""

    async def open(
        self,
        host: str,
        port: int,
        proxy: ProxyServer | None,
        *,
        addresses: Sequence[str] = (),
        local_addr: tuple[str, int] | None = None,
    ) -> Streams:
        """`addresses`: of the host, where they are known. Raises OSError."""
        if proxy is None:
            return await self.eyeballs.open(
                host, port, addresses=addresses, local_addr=local_addr
            )
        try:
            streams = await open_by_way_of(
                proxy,
                host,
                port,
                eyeballs=self.eyeballs,
                trust=current.context,
                local_addr=local_addr,
            )
        except ProxyUnavailable as e:
            self.on_proxy(proxy, str(e))
            raise
        self.on_proxy(proxy, "")
        return streams


opener = Opener()
"""The one of this process."""


async def answers_at_all(proxy: ProxyServer) -> bool:
    """Does anybody listen there?"""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await opener.eyeballs.open(proxy.host, proxy.port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


async def open_connection(
    host: str, port: int, *, local_addr: tuple[str, int] | None = None
) -> Streams:
    """In place of asyncio's. Raises OSError."""
    server = _opening.get()
    addresses = server.__dict__.get(_ADDRESSES, ()) if server is not None else ()
    if server is not None and way_is_known(server):
        proxy = proxy_of(server)
    else:
        proxy = current.rules.choose("https", host, port)
    return await opener.open(
        host, port, proxy, addresses=addresses, local_addr=local_addr
    )


def install() -> None:
    """From now on, once per process."""
    handler: Any = mitmproxy_server.ConnectionHandler
    ours = types.ModuleType("asyncio", asyncio.__doc__)
    ours.__dict__.update(asyncio.__dict__, open_connection=open_connection)
    cast(Any, mitmproxy_server).asyncio = ours
    theirs = handler.open_connection

    @functools.wraps(theirs)
    async def named(self: Any, command: commands.OpenConnection) -> None:
        # Each connection is opened in a task of its own, which this belongs to.
        _opening.set(command.connection)
        await theirs(self, command)

    if not hasattr(theirs, "__wrapped__"):
        handler.open_connection = named
