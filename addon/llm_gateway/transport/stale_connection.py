"""Reused connections that died without a word: seen in two seconds instead of sixty.

A laptop slept, changed its network, a middlebox forgot: the kernel holds the connection for
open, and what is sent goes nowhere. A request on a connection that lay for more than five
seconds is looked after: when after two seconds nothing of it was acknowledged (TCP_INFO),
the connection is broken here, and the request, of which nobody has seen a byte, goes out
on a fresh one (`FailoverStream._was_stale`).

What this file does not know: requests, providers, whether one may be repeated.
"""

import asyncio
import socket
import struct
from typing import Any

from mitmproxy import ctx
from mitmproxy.connection import Client, Connection

IDLE_SECONDS = 5.0
"""A connection that was used since needs no looking after."""
SILENT_SECONDS = 2.0
_UNACKED, _LAST_DATA, _LAST_ACK = 24, 52, 56
"""Offsets in Linux' `struct tcp_info`: packets, milliseconds, milliseconds."""
_DEAD = "llm_gateway_dead"


def watch(client: Client, server: Connection) -> None:
    """A request is about to be sent on a connection that lay for long."""
    if not hasattr(socket, "TCP_INFO"):
        return
    writer = _writer_of(client, server)
    if writer is not None:
        loop = asyncio.get_running_loop()
        loop.call_later(SILENT_SECONDS, _look, server, writer)


def found_dead(connection: Connection) -> bool:
    """It was broken here, because nobody acknowledged anything."""
    return _DEAD in connection.__dict__


def _writer_of(client: Client, server: Connection) -> Any:
    proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
    handler = proxy.connections.get(client.id)
    io = handler.transports.get(server) if handler is not None else None
    return io.writer if io is not None else None


def _look(server: Connection, writer: Any) -> None:
    wire = writer.get_extra_info("socket") if not writer.is_closing() else None
    if wire is not None and unacknowledged(wire, SILENT_SECONDS):
        server.__dict__[_DEAD] = True
        writer.transport.abort()


def unacknowledged(wire: Any, seconds: float) -> bool:
    """Something was sent, and for so long neither an acknowledgement nor data came."""
    try:
        info = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    except OSError:
        return False
    if len(info) < _LAST_ACK + 4:
        return False
    (unacked,) = struct.unpack_from("=I", info, _UNACKED)
    last_data, last_ack = struct.unpack_from("=II", info, _LAST_DATA)
    silent: int = min(last_data, last_ack)
    return bool(unacked) and silent >= seconds * 950


def moved(wire: Any) -> bool:
    """Our own address towards the peer is another one than when it was opened: the network
    has changed. Asks the kernel's table only; nothing is sent."""
    try:
        ours, peer = wire.getsockname(), wire.getpeername()
        with socket.socket(wire.family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return bool(probe.getsockname()[0] != ours[0])
    except (OSError, IndexError):
        return True
