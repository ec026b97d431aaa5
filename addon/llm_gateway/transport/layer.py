"""HTTP layer with failover: mitmproxy's HttpLayer, one per client connection.

What lives here: the door. `install` puts the layer in place, `set_plan` tells it how to
carry a flow, `gateway_attempt_failed` is the hook that it calls; see `attempt_policy` for the
values and `stream` for what happens to one request and which hooks end it. The layer itself keeps what is
shared by the streams of one client connection: ids of attempts, upstream connections,
one clock. What this file does not know: providers, limits, the ledger.

The addon has to set `connection_strategy=lazy` and `upstream_cert=false`, and to leave
`stream_large_bodies` and `body_size_limit` unset. mitmproxy's private names that we stand
on are listed in `mitm_compat.required_names`; `self_check()` looks whether they are all there.
"""

import asyncio
import json
from collections.abc import Callable
from math import inf
from typing import Any, cast

from mitmproxy import connection as connections
from mitmproxy import ctx, http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    GetHttpConnection,
    HttpLayer,
    HttpStream,
    RegisterHttpConnection,
    _http1,
)
from mitmproxy.proxy.layers.http._events import HttpEvent, ResponseProtocolError
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Client

from llm_gateway.transport import exception_guard, serializer
from llm_gateway.transport.commands import (
    SERVER_ERROR,
    ConnectUpstream,
    TimeUp,
    Told,
    mark_pooled,
    mark_proxy,
)
from llm_gateway.transport.stream import GatewayStream

LONGEST_SLEEP = 60.0
"""Seconds between two looks at the clock: also a sign of life for `tcp_timeout`."""
UNREAD_BYTES = 256 * 1024
"""How much of a head, of a line between chunks, or of further requests waits in memory.
Clients' heads of less are refused by the addon when they are whole; see `pipeline.ingress`."""
_HEAD_TOO_LARGE = (
    b'{"error": {"message": "The headers are too large.", "type": '
    b'"invalid_request_error", "param": null, "code": "invalid_request"}}'
)
HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
    % (len(_HEAD_TOO_LARGE), _HEAD_TOO_LARGE)
)
ANSWER_TOO_LARGE = (
    f"HTTP/1 protocol error: more than {UNREAD_BYTES} bytes without an end of the head"
)
LONGEST_MESSAGE = 300
"""Characters of an error that repeats what the client sent."""
PRUNE_ABOVE = 8
"""Connections that a client connection may have before the dead ones are sorted out."""
STALL_GRACE_SECONDS = 0.25
"""Seconds between seeing that time is up and saying so. After a stall of our own, on a
busy or suspended machine, clocks are ahead of what has arrived: it is read meanwhile."""


def _error_response(status: int, message: str = "") -> bytes:
    """What an HTTP/1 client is told of a head that cannot even be read; mitmproxy has a
    page of HTML there."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    code = {502: "upstream_unreachable"}.get(
        status, "invalid_request" if status < 500 else "internal_error"
    )
    error = {"message": message[:LONGEST_MESSAGE], "type": kind, "param": None}
    body = json.dumps({"error": {**error, "code": code}})
    headers = {"content-type": "application/json", "connection": "close"}
    assemble: Callable[[http.Response], bytes] = http1.assemble_response
    return assemble(http.Response.make(status, body, headers))


serializer.install()
cast(Any, _http1).make_error_response = _error_response


class GatewayHttpLayer(HttpLayer):
    """One client connection. Made from an `HttpLayer` by `adopt`."""

    now: Callable[[], float]
    alarms: dict[commands.Command, float]
    """Wake-up calls under way, and when they come."""
    next_alarm: float
    longest_sleep: float
    last_id: int
    prune_above: int

    @classmethod
    def adopt(cls, plain: Any) -> None:
        """Turn mitmproxy's layer, which has not begun yet, into ours."""
        plain.__class__ = cls
        plain._begin()

    def _begin(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.alarms = {}
        self.next_alarm = inf
        timeout = getattr(self.context.options, "tcp_timeout", 600)
        self.longest_sleep = min(LONGEST_SLEEP, timeout / 2)
        self.last_id = 0
        self.prune_above = PRUNE_ABOVE

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        kind = type(event)
        if kind is events.Wakeup:
            command = cast(events.Wakeup, event).command
            if command in self.alarms:
                return self._wake_up(command)
        elif kind is events.DataReceived:
            received = cast(events.DataReceived, event)
            if (
                self._is_too_much(received)
                and (end := self._reject_oversized(received.connection)) is not None
            ):
                return end
        elif self._is_crowded(event):
            self._prune()
        step: CommandGenerator[None] = super()._handle_event(event)
        return step

    def _is_too_much(self, received: events.DataReceived) -> bool:
        peer: Any = self.connections.get(received.connection)
        if type(peer) is not Http1Server:
            if isinstance(peer, HttpStream):
                return False
            peer = _innermost(peer)
            if type(peer) is not Http1Client:
                return False
        unread: int = len(peer.buf)
        return unread > 0 and unread + len(received.data) > UNREAD_BYTES

    def _is_crowded(self, event: events.Event) -> bool:
        return (
            type(event) is events.OpenConnectionCompleted
            and len(self.connections) > self.prune_above
        )

    def _reject_oversized(
        self, connection: connections.Connection
    ) -> CommandGenerator[None] | None:
        """A head without an end, a line between two chunks without one, or requests
        without end before the first is answered: mitmproxy would keep all of it. None: it
        is a body, which has its own bound."""
        peer: Any = self.connections[connection]
        if type(peer) is not Http1Server:
            return self._refuse_answer(_innermost(peer))
        if peer.state == peer.read_headers:
            return self._refuse_head(peer)
        if peer.state == peer.wait or len(peer.buf) > UNREAD_BYTES:
            gone = events.ConnectionClosed(connection)
            return cast("CommandGenerator[None]", super()._handle_event(gone))
        return None

    def _refuse_head(self, client: Any) -> CommandGenerator[None]:
        client.state = client.done
        yield commands.SendData(client.conn, HEAD_TOO_LARGE)
        yield commands.CloseConnection(client.conn)

    def _refuse_answer(self, upstream: Any) -> CommandGenerator[None]:
        """An attempt that failed: what it says has no end."""
        number = upstream.stream_id
        upstream.state = upstream.done
        upstream.buf.maybe_extract_at_most(len(upstream.buf))
        yield commands.CloseConnection(upstream.conn)
        if (stream := self.streams.get(number)) is not None:
            error = ResponseProtocolError(number, ANSWER_TOO_LARGE, SERVER_ERROR)
            yield from self.event_to_child(stream, error)

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        stream = self.streams[stream_id] = self.new_stream(stream_id)
        yield from self.event_to_child(stream, events.Start())

    def new_stream(self, stream_id: int) -> GatewayStream:
        return GatewayStream(self.context.fork(), stream_id, self)

    def new_id(self, stream: HttpStream) -> int:
        """An upstream stream id for a further attempt. Clients' ids are odd."""
        self.last_id += 2
        self.streams[self.last_id] = stream
        return self.last_id

    # One clock for all streams: wake-up calls cannot be taken back, so there is one for
    # the earliest moment that matters, not one per request.

    def request_wakeup(self, due: float) -> commands.RequestWakeup | None:
        """A wake-up call to be requested, if none comes early enough."""
        if due >= self.next_alarm:
            return None
        now = self.now()
        delay = min(max(due - now, 0.001), self.longest_sleep)
        wakeup = commands.RequestWakeup(delay)
        self.alarms[wakeup] = self.next_alarm = now + delay
        return wakeup

    def _wake_up(self, command: commands.Command) -> CommandGenerator[None]:
        del self.alarms[command]
        self.next_alarm = min(self.alarms.values(), default=inf)
        for stream in self._own_streams():
            now = self.now()
            due = stream.due(now)
            if due > now:
                continue
            if stream.seen_due == due:
                yield from self.event_to_child(stream, TimeUp())
            stream.seen_due = due
        now = self.now()
        dues = [stream.due(now) for stream in self._own_streams()]
        looks = (due if due > now else now + STALL_GRACE_SECONDS for due in dues)
        if wakeup := self.request_wakeup(min(looks, default=inf)):
            yield wakeup

    def _own_streams(self) -> list[GatewayStream]:
        """Each once: a stream is also registered under its upstream id."""
        return [
            stream
            for number, stream in self.streams.items()
            if isinstance(stream, GatewayStream) and number == stream.stream_id
        ]

    # faults of ours

    def event_to_child(
        self, child: layer.Layer, event: events.Event
    ) -> CommandGenerator[None]:
        try:
            yield from super().event_to_child(child, event)
        except Exception as error:
            if isinstance(event, HttpEvent) and not isinstance(child, HttpStream):
                raise  # it belongs to the stream that sent it
            found = exception_guard.consequences(self, child, error)
            if found.close is not None:
                yield commands.CloseConnection(found.close)
            for stream, said in found.events:
                yield from self.event_to_child(stream, said)

    def told(self, number: int) -> Told:
        return exception_guard.told(self, number)

    # connections

    def register_connection(
        self, command: RegisterHttpConnection
    ) -> CommandGenerator[None]:
        self._note_server(command)
        return super().register_connection(command)

    def get_connection(
        self, event: GetHttpConnection, *, reuse: bool = True
    ) -> CommandGenerator[None]:
        noted = type(event) is not ConnectUpstream or not (event.pooled or event.proxy)
        for command in super().get_connection(event, reuse=reuse):
            if not noted:
                # It is registered, and not opened yet.
                noted = True
                self._mark(cast(ConnectUpstream, event))
            yield command

    def _mark(self, event: ConnectUpstream) -> None:
        for connection, waiting in self.waiting_for_establishment.items():
            if any(one is event for one in waiting):
                mark_proxy(connection, event.proxy)
                if event.pooled:
                    mark_pooled(connection)

    def _note_server(self, command: RegisterHttpConnection) -> None:
        for waiting in self.waiting_for_establishment.get(command.connection, ()):
            if isinstance(waiting, ConnectUpstream):
                waiting.server = cast(Server, command.connection)

    def abandon(self, command: ConnectUpstream) -> Server | None:
        """Stop waiting for a connection. Returns it if nobody else waits for it."""
        for connection, waiting in self.waiting_for_establishment.items():
            if not any(other is command for other in waiting):
                continue
            self.command_sources.pop(command, None)
            waiting[:] = [other for other in waiting if other is not command]
            command.server = cast(Server, connection)
            if waiting:
                return None
            connection.error = connection.error or "abandoned"  # nobody may join it now
            return command.server
        return None

    def dequeue(self, connection: connections.Connection, number: int) -> bool:
        """Take back a request that waits for a free stream on an HTTP/2 connection."""
        child: Any = self.connections.get(connection)
        while child is not None and not isinstance(child, Http2Client):
            child = getattr(child, "child_layer", None)
        return child is not None and child.stream_queue.pop(number, None) is not None

    def _prune(self) -> None:
        """Forget upstream connections that are over; mitmproxy keeps them all.

        Also those of the layers inside a CONNECT, whose events pass through here.
        """
        in_use = {id(stream.context.server) for stream in self.streams.values()}
        for connection in list(self.connections):
            if (
                isinstance(connection, Server)
                and connection.state is ConnectionState.CLOSED
                and connection not in self.waiting_for_establishment
                and id(connection) not in in_use
                and _said_its_last_word(connection)
            ):
                del self.connections[connection]
        self.prune_above = max(PRUNE_ABOVE, 2 * len(self.connections))


def _innermost(layer: Any) -> Any:
    while (child := getattr(layer, "child_layer", None)) is not None:
        layer = child
    return layer


def _said_its_last_word(server: Server) -> bool:
    """No event of this connection can come any more."""
    never_connected = server.error is not None and server.timestamp_tcp_setup is None
    return server.timestamp_end is not None or never_connected


layer_class: type[GatewayHttpLayer] = GatewayHttpLayer
"""What client connections get; the fast path puts a subclass here."""


def install(nextlayer: layer.NextLayer) -> None:
    """Call from the addon's `next_layer`: mitmproxy decides, we take over its HTTP layer."""
    builtin: Any = ctx.master.addons.get("nextlayer")  # type: ignore[no-untyped-call]
    builtin.next_layer(nextlayer)
    # It may sit under a TLS layer; swapping the class keeps the stack as it is.
    child: Any = nextlayer.layer
    while child is not None:
        if type(child) is HttpLayer:
            layer_class.adopt(child)
        child = getattr(child, "child_layer", None)
