"""Connection to a Valkey or Redis server: plain, over TLS, or a unix socket.

What lives here: how one is made of an address and files. What it does not know: what is
said over it, when it is tried again.
"""

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


def connection_to(server: ClusterServer, tls: Tls, timeout: float) -> AnyConnection:
    """Not yet open. Raises OSError or ValueError: a certificate file is no good."""
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
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return SSLConnection(
        **where,
        **common,
        ssl_ca_certs=tls.ca_file,
        ssl_certfile=tls.cert_file,
        ssl_keyfile=tls.key_file,
    )
