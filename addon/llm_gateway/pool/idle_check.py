"""Read-only checks of idle upstream connections: may this one be reused?

What lives here: questions, and no change to anything. Which layer speaks on a connection,
whether it has something under way, whether its socket is empty on both sides.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.net.http import http1
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._http1 import Http1Client
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from mitmproxy.proxy.server import ConnectionIO

from llm_gateway.pool.pool import OriginKey
from llm_gateway.transport.commands import proxy_of

_says_close: Callable[[str, Any], bool] = http1.connection_close


def key_of(server: Server) -> OriginKey | None:
    """None: no connection that can be exchanged for another."""
    address = server.address
    if address is None or server.via or server.transport_protocol != "tcp":
        return None
    return OriginKey(
        address[0],
        address[1],
        server.tls,
        server.sni if server.tls else None,
        proxy_of(server),
    )


def find(top: layer.Layer, server: Server) -> HttpLayer | None:
    """The HTTP layer that speaks on this connection.

    Inside of CONNECT it lies in a stream of another one, which knows the connection too,
    as that stream's.
    """
    todo, seen = list(top.context.layers), set()
    while todo:
        one = todo.pop()
        if isinstance(one, HttpLayer) and id(one) not in seen:
            mine = one.connections.get(server)
            if mine is not None and not isinstance(mine, HttpStream):
                return one
            seen.add(id(one))
            for stream in one.streams.values():
                todo += stream.context.layers
    return None


def unwrap(outermost: Any) -> tuple[Any, Any]:
    """The TLS session of a connection, if it has one, and its innermost layer."""
    session = None
    while (child := getattr(outermost, "child_layer", None)) is not None:
        if isinstance(outermost, ServerTLSLayer):
            session = outermost.tls
        outermost = child
    return session, outermost


def is_done(client: object) -> bool:
    """Is this an HTTP/1.1 connection with nothing under way, that may carry on?"""
    if not isinstance(client, Http1Client) or client.buf:
        return False
    request, response = client.request, client.response
    if client.stream_id is None:
        return request is None and response is None
    if request is None or response is None:
        return False
    if not (client.request_done and client.response_done):
        return False
    # mitmproxy closes it now: for a reason of the protocol, or because it was asked for
    # by an HTTP/2 client.
    try:
        until_closed = http1.expected_http_body_size(request, response) == -1
    except ValueError:
        return False
    return (
        response.status_code != 101
        and request.method.upper() != "CONNECT"
        and not until_closed
        and not _says_close(request.http_version, request.headers)
        and not _says_close(response.http_version, response.headers)
    )


def is_empty(io: ConnectionIO) -> bool:
    """Nothing has arrived that nobody has read, nothing waits to be sent."""
    reader, writer = io.reader, io.writer
    return (
        isinstance(reader, asyncio.StreamReader)
        and isinstance(writer, asyncio.StreamWriter)
        and not getattr(reader, "_buffer", b"unknown")
        and not reader.at_eof()
        and reader.exception() is None
        and not writer.is_closing()
        and writer.transport.get_write_buffer_size() == 0
    )
