"""The guard: an exception inside our layers ends one request, and no other.

mitmproxy's last resort is to end the client's connection ("mitmproxy has crashed!"), with
all streams on it. Here an exception ends the stream whose event was being handled: it gets
a `Broken`, and answers with a 500 or cuts what it had begun (`FailoverStream.break_off`).
One inside an upstream connection ends the streams that wait for it, as if that had died.

Nothing of the exception but its type and place is logged: its words may hold headers.
"""

import logging
import traceback
from pathlib import Path
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._events import ResponseProtocolError
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server

from llm_gateway.transport.attempt_policy import INTERNAL
from llm_gateway.transport.commands import SERVER_ERROR, Broken, Told
from llm_gateway.transport.stream import GatewayStream

logger = logging.getLogger("llm_gateway")

FRAMES = 4
"""How many of the innermost frames are named in the log."""


def place(error: BaseException) -> str:
    """`KeyError in stream.py:112 _pass, ...`: where, and nothing of what."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    named = (f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} in {', '.join(named)}"


class Consequences:
    """What follows from an exception: events for streams, and a connection to close."""

    def __init__(self) -> None:
        self.events: list[tuple[GatewayStream, events.Event]] = []
        self.close: Server | None = None


def consequences(layer: HttpLayer, child: Layer, error: Exception) -> Consequences:
    """Raises the error again where no stream can be made out, or it is one's second."""
    found = Consequences()
    stream = child if isinstance(child, HttpStream) else _asked_by(layer, child)
    if isinstance(stream, GatewayStream):
        if stream.broken:
            raise error
        stream.broken = True
        _drop_what_waits(stream)
        found.events.append((stream, Broken(error)))
    elif (server := _server_of(layer, child)) is not None:
        found.close = server
        server.error = server.error or INTERNAL
        for one in set(layer.streams.values()):
            if isinstance(one, GatewayStream) and one.context.server is server:
                said = ResponseProtocolError(one.upstream_id, INTERNAL, SERVER_ERROR)
                if one.carrying:
                    found.events.append((one, said))
    else:
        raise error
    logger.error("A fault in the gateway ended a request: %s", place(error))
    return found


def _asked_by(layer: HttpLayer, child: Any) -> HttpStream | None:
    """The one stream that is under way on an HTTP/1 connection."""
    while (inner := getattr(child, "child_layer", None)) is not None:
        child = inner
    if isinstance(child, Http1Server | Http1Client) and child.stream_id is not None:
        return layer.streams.get(child.stream_id)
    return None


def _server_of(layer: HttpLayer, child: Layer) -> Server | None:
    for connection, known in layer.connections.items():
        if known is child and isinstance(connection, Server):
            return connection
    return None


def _drop_what_waits(stream: GatewayStream) -> None:
    stream._paused = None
    stream._paused_event_queue.clear()


def told(layer: HttpLayer, number: int) -> Told:
    """What the client of this stream has got."""
    client: Any = layer.connections.get(layer.context.client)
    if type(client) is Http1Server:
        if client.stream_id != number or client.state == client.done:
            return Told.OVER
        return Told.NOTHING if client.response is None else Told.PART
    if client is None or client.is_closed(number):
        return Told.OVER
    begun = client.h2_conn.streams[number].state_machine.headers_sent
    return Told.PART if begun else Told.NOTHING
