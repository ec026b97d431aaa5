"""Reused connections that died without a word: seen in two seconds instead of sixty.

A laptop slept, changed its network, a middlebox forgot: the kernel holds the connection for
open, and what is sent goes nowhere. One that lay for more than five seconds serves no
request any more where this machine slept, or has another address, since it was used last
(`outlived`). A request on any other is looked after: when after two seconds nothing of it
was acknowledged (TCP_INFO), the connection is broken here, and the request, of which nobody
has seen a byte, goes out on a fresh one (`FailoverStream._was_stale`).

What this file does not know: requests, providers, whether one may be repeated.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Any, NamedTuple

from mitmproxy import ctx
from mitmproxy.connection import Client, Connection

from llm_gateway.network import clocks

IDLE_SECONDS = 5.0
"""A connection that was used since needs no looking after."""
SILENT_SECONDS = 2.0
_UNACKED, _BYTES_ACKED, _NOT_SENT = 24, 120, 144
"""Offsets in Linux' `struct tcp_info`: packets; bytes, of 64 bits; bytes."""
_DEAD = "llm_gateway_dead"
_USED = "llm_gateway_used"
"""When it carried a request last (`clocks.elapsed`), and for how many seconds this machine
had slept by then, from any beginning. A plain pair: one is made for every request."""


def note_use(connection: Connection, at: float | None = None) -> float | None:
    """A request goes out on it now (or went out `at`). Seconds since the last one; None:
    it is the first."""
    facts = connection.__dict__
    last: tuple[float, float] | None = facts.get(_USED)
    now = clocks.elapsed()
    use = now if at is None else at
    facts[_USED] = use, now - clocks.awake()
    return None if last is None else use - last[0]


def outlived(connection: Connection) -> bool:
    """It was used before this machine slept, or came into another network."""
    last: tuple[float, float] | None = connection.__dict__.get(_USED)
    if last is None or (now := clocks.elapsed()) - last[0] <= IDLE_SECONDS:
        return False
    asleep = now - clocks.awake() - last[1]
    return asleep > clocks.SLEEP_SECONDS or _moved(
        connection.sockname, connection.peername
    )


class Acknowledged(NamedTuple):
    waiting: bool
    """Something was sent and not acknowledged, or the kernel could not even send it."""
    so_far: int
    """Bytes that were acknowledged since the connection began."""


def watch(client: Client, server: Connection) -> None:
    """A request is about to be sent on a connection that lay for long."""
    if (writer := _writer_of(client, server)) is None:
        return
    before = acknowledged(writer.get_extra_info("socket"))
    if before is not None:
        loop = asyncio.get_running_loop()
        loop.call_later(SILENT_SECONDS, _look, client, server, writer, before)


def found_dead(connection: Connection) -> bool:
    """It was broken here, because nobody acknowledged anything."""
    return _DEAD in connection.__dict__


def _writer_of(client: Client, server: Connection) -> Any:
    proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
    handler = proxy.connections.get(client.id)
    io = handler.transports.get(server) if handler is not None else None
    return io.writer if io is not None else None


def _look(
    client: Client, server: Connection, writer: Any, before: Acknowledged
) -> None:
    if _writer_of(client, server) is not writer or writer.is_closing():
        return  # answered, and parked since: what is on its way now is another's
    now = acknowledged(writer.get_extra_info("socket"))
    if now is not None and now.waiting and now.so_far == before.so_far:
        server.__dict__[_DEAD] = True
        _forget_unsent(writer.get_extra_info("socket"))
        writer.transport.abort()


def _forget_unsent(wire: Any) -> None:
    """Else the kernel goes on trying for minutes, and when the network is back, the request
    arrives a second time after all."""
    linger = struct.pack("ii", 1, 0)
    with suppress(OSError):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def acknowledged(wire: Any) -> Acknowledged | None:
    """None: this system does not tell.

    Bytes, not the time of the last acknowledgement: a peer that hears nothing of us may
    still be sending its own last words again, and each repetition acknowledges what was
    acknowledged before.
    """
    if wire is None or not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _NOT_SENT + 4)
    except OSError:
        return None
    if len(info) < _NOT_SENT + 4:
        return None
    (packets,) = struct.unpack_from("=I", info, _UNACKED)
    (so_far,) = struct.unpack_from("=Q", info, _BYTES_ACKED)
    (unsent,) = struct.unpack_from("=I", info, _NOT_SENT)
    return Acknowledged(bool(packets or unsent), so_far)


def moved(wire: Any) -> bool:
    """Our own address towards the peer is another one than when it was opened: the network
    has changed."""
    try:
        return _moved(wire.getsockname(), wire.getpeername())
    except OSError:
        return True


def _moved(ours: Any, peer: Any) -> bool:
    """Asks the kernel's table only; nothing is sent."""
    if not ours or not peer:
        return False
    family = socket.AF_INET6 if ":" in ours[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return bool(probe.getsockname()[0] != ours[0])
    except OSError:
        return True
