"""Limits on client connections: how many, how long for a head, how long idle.

What lives here: `ConnectionLimits`. One timer for all connections looks at each of them
once a second; a request costs nothing for it. When all places are taken, a newcomer gets
that of the connection that has been waiting longest without asking for anything: a crowd
that talks slowly, or not at all, keeps nobody out.

    15 s    for a head: first byte, CONNECT, TLS and the request's head, each
    300 s   idle between two requests, and for the next piece of a body that is read whole
    512     connections (fewer where file descriptors are few); a client that is not on
            this machine gets three quarters of them

What this file does not know: requests, clients' names, keys.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from mitmproxy import connection
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.tunnel import TunnelState

from llm_gateway.config.addresses import Reach, reach_of

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

logger = logging.getLogger("llm_gateway")

HEAD_SECONDS = 15.0
IDLE_SECONDS = 300.0
LOOK_SECONDS = 1.0
MOST_CONNECTIONS = 512
FEWEST_CONNECTIONS = 16
OWN_DESCRIPTORS = 64
"""Files, the ledger, the dashboard, listening sockets: not for clients."""
LOG_SECONDS = 60.0


class Stage(Enum):
    """What a client connection is waiting for."""

    HEAD = auto()
    """It has not said yet, or not whole, what it wants."""
    BODY = auto()
    """The rest of a request that is read whole."""
    IDLE = auto()
    """Its next request."""
    BUSY = auto()
    """Nothing: a request is served, or something passes."""


BOUNDS: Mapping[Stage, float] = {
    Stage.HEAD: HEAD_SECONDS,
    Stage.BODY: IDLE_SECONDS,
    Stage.IDLE: IDLE_SECONDS,
}


class Sight(NamedTuple):
    """One look at a connection. As long as it does not change, nothing has happened."""

    stage: Stage
    progress: object = None


class Seen(NamedTuple):
    sight: Sight
    since: float


def note(
    seen: Mapping[str, Seen], sights: Iterable[tuple[str, Sight]], now: float
) -> dict[str, Seen]:
    """What is known after a look at all connections, by their ids."""
    after = {}
    for id, sight in sights:
        before = seen.get(id)
        same = before is not None and before.sight == sight
        after[id] = before if same and before else Seen(sight, now)
    return after


def overdue(seen: Mapping[str, Seen], now: float) -> list[str]:
    """The connections that have been waiting for too long."""
    return [
        id
        for id, (sight, since) in seen.items()
        if now - since >= BOUNDS.get(sight.stage, now + 1)
    ]


def makes_room(
    newcomer: str, hosts: Mapping[str, str], seen: Mapping[str, Seen]
) -> str | None:
    """The connection that goes when there are too many; None: all are busy.

    hosts: where each comes from, the newcomer too. The longest waiting one of whoever has
    the most.
    """
    waiting = [
        id
        for id in hosts
        if id != newcomer and id in seen and seen[id].sight.stage in BOUNDS
    ]
    if not waiting:
        return None
    held = Counter(hosts.values())
    return max(waiting, key=lambda id: (held[hosts[id]], -seen[id].since))


def most_connections(wanted: int = MOST_CONNECTIONS) -> int:
    """As many as wanted, where each can have a connection upstream as well."""
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + OWN_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
        soft = max(soft, allowed)
    except (OSError, ValueError):
        pass
    return max(FEWEST_CONNECTIONS, min(wanted, (soft - OWN_DESCRIPTORS) // 2))


def stage_of(top: Any) -> Sight:
    """What a connection's outermost layer, and what lies in it, is waiting for."""
    inner: Any = top
    depth = 0
    while inner is not None:
        depth += 1
        if isinstance(inner, layer.NextLayer):
            if inner.layer is None:
                return Sight(Stage.HEAD, depth)
            inner = inner.layer
        elif isinstance(inner, HttpLayer):
            sight, inner = _http_stage(inner, depth)
            if inner is None:
                return sight
        elif (
            isinstance(inner, ClientTLSLayer)
            and inner.tunnel_state is TunnelState.ESTABLISHING
        ):
            return Sight(Stage.HEAD, depth)
        else:
            inner = _inside_of(inner)
    return Sight(Stage.BUSY)


def _inside_of(outer: Any) -> Any:
    """The next layer; None: there is none. A proxy's outermost one only hands its events
    on to it."""
    if (child := getattr(outer, "child_layer", None)) is not None:
        return child
    receiver = getattr(outer._handle_event, "__self__", None)
    return receiver if receiver is not outer else None


def _http_stage(http: HttpLayer, depth: int) -> tuple[Sight, Any]:
    """What this layer waits for, or the layer inside its CONNECT."""
    server: Any = http.connections.get(http.context.client)
    if isinstance(server, Http2Server):
        stage = Stage.BUSY if http.streams else Stage.IDLE
        return Sight(stage, server.h2_conn.highest_inbound_stream_id), None
    if type(server) is not Http1Server:
        return Sight(Stage.BUSY), None
    number, state = server.stream_id, server.state
    if state == server.read_headers:
        stage = Stage.HEAD if server.buf else Stage.IDLE
        return Sight(stage, (depth, number)), None
    stream: Any = http.streams.get(number)
    if state == server.read_body and stream is not None:
        if stream.client_state == stream.state_consume_request_body:
            return Sight(Stage.BODY, (number, len(stream.request_body_buf))), None
    elif state == server.passthrough and stream is not None:
        return Sight(Stage.BUSY), stream.child_layer
    return Sight(Stage.BUSY), None


class ConnectionLimits:
    """One per gateway. handlers: mitmproxy's, by the ids of client connections."""

    def __init__(
        self,
        handlers: Mapping[Any, ConnectionHandler],
        most: int = MOST_CONNECTIONS,
    ) -> None:
        self.handlers = handlers
        self.most = most
        self.seen: dict[str, Seen] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._said = float("-inf")

    def admit(self, client: connection.Client) -> str | None:
        """Let a newcomer in, in place of another if need be. Text: why it is not."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)
        host = client.peername[0]
        if reach_of(host) is not Reach.MACHINE:
            held = sum(h.client.peername[0] == host for h in self.handlers.values())
            if held > self.most * 3 // 4:
                return self._full(
                    client, f"{host} has {held - 1} connections", loop.time()
                )
        if len(self.handlers) <= self.most:
            return None
        self.seen = self._now(loop.time())
        hosts = {id: h.client.peername[0] for id, h in self.handlers.items()}
        leaving = makes_room(client.id, hosts, self.seen)
        if leaving is None:
            return self._full(client, f"{self.most} connections are open", loop.time())
        del self.seen[leaving]
        self._close(leaving)
        return None

    def _full(self, client: connection.Client, why: str, now: float) -> str:
        say(self.handlers[client.id], TOO_MANY)
        if now - self._said >= LOG_SECONDS:
            self._said = now
            logger.warning("A client was turned away: %s.", why)
        return why

    def _now(self, now: float) -> dict[str, Seen]:
        sights = (
            (id, stage_of(handler.layer))
            for id, handler in self.handlers.items()
            if not handler.client.error
        )
        return note(self.seen, sights, now)

    def _look(self) -> None:
        """Runs once a second while there are clients."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            self.seen = self._now(now)
            for id in overdue(self.seen, now):
                sight, _ = self.seen.pop(id)
                self._close(id, TOO_SLOW if sight.stage is not Stage.IDLE else b"")
        except Exception:
            logger.exception("Internal error while looking at connections.")
        if self.handlers:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def _close(self, id: str, farewell: bytes = b"") -> None:
        handler = self.handlers[id]
        io = handler.transports.get(handler.client)
        if io is None or io.handler is None:
            return
        if farewell and not handler.client.tls and _speaks_http(handler.layer):
            say(handler, farewell)
        handler.close_connection(handler.client)


def say(handler: ConnectionHandler, text: bytes) -> None:
    """A last word to a client, past all layers."""
    io = handler.transports.get(handler.client)
    if io is not None and isinstance(io.writer, asyncio.StreamWriter):
        io.writer.write(text)


def _speaks_http(top: Any) -> bool:
    """It is the request to us that is late, not what is said inside a tunnel."""
    inner: Any = top
    while inner is not None and not isinstance(inner, HttpLayer):
        is_next = isinstance(inner, layer.NextLayer)
        inner = inner.layer if is_next else _inside_of(inner)
    if inner is None:
        return False
    server: Any = inner.connections.get(inner.context.client)
    return type(server) is Http1Server and server.state != server.passthrough


def _answer(status: str, kind: str, code: str, message: str, *headers: str) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    body = json.dumps({"error": error})
    lines = [
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        "connection: close",
        f"content-length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


TOO_SLOW = _answer(
    "408 Request Timeout",
    "invalid_request_error",
    "request_timeout",
    "The request did not arrive in time.",
)
TOO_MANY = _answer(
    "503 Service Unavailable",
    "server_error",
    "too_many_connections",
    "This gateway has as many connections as it takes; try again in a moment.",
    "retry-after: 1",
)
