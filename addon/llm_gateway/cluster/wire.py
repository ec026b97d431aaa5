"""Connection to a Valkey or Redis server: plain, over TLS, or a unix socket.

What lives here: how one is made of an address and files. What it does not know: what is
said over it, when it is tried again.
"""

import asyncio
import ssl
from typing import Any

from redis.asyncio.connection import (
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)

from llm_gateway.config.cluster_url import ClusterServer
from llm_gateway.frozen import frozen

AnyConnection = Connection | SSLConnection | UnixDomainSocketConnection


@frozen
class Tls:
    """Files for `rediss://`."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def context_of(tls: Tls) -> ssl.SSLContext:
    """Trusts `ca_file`, or the machine's authorities. Blocks: those are many.
    Raises OSError or ValueError: a certificate file is no good."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


async def connection_to(
    server: ClusterServer, tls: Tls, timeout: float
) -> AnyConnection:
    """Not yet open. Raises as `context_of` does."""
    common: dict[str, Any] = {
        "db": server.database,
        "username": server.user or None,
        "password": server.password or None,
        "socket_timeout": None,
        "socket_connect_timeout": timeout,
        "protocol": 2,
        "client_name": "llm-gateway",
    }
    if server.scheme == "unix":
        common.pop("socket_connect_timeout")
        return UnixDomainSocketConnection(path=server.path, **common)
    where: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "socket_keepalive": True,
    }
    if server.scheme == "redis":
        return Connection(**where, **common)
    connection = SSLConnection(**where, **common)
    # The library would make one on the event loop, of the machine's authorities besides ours.
    connection.ssl_context.context = await asyncio.to_thread(context_of, tls)
    return connection
