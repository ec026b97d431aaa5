"""One attempt at one upstream: connect, send, keep time, abandon.

What lives here: the lower half of a stream. Events of the attempt that counts come in,
all others are dropped by their stream id; each attempt that was sent has its own. What
this file does not know: whether an answer is good, and what happens after a failure.
"""

from enum import Enum, auto
from math import inf
from typing import cast

from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    GetHttpConnectionCompleted,
    HttpStream,
    SendHttp,
)
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)

from llm_gateway.domain import FailureKind
from llm_gateway.network.proxy_failure import UNAVAILABLE
from llm_gateway.transport import error_text as words
from llm_gateway.transport import framing, stale_connection
from llm_gateway.transport.attempt_policy import AttemptPolicy
from llm_gateway.transport.commands import (
    CANCELLED,
    Broken,
    ConnectUpstream,
    Surroundings,
    TimeUp,
    nothing,
)

RESPONSE_EVENTS = frozenset(
    {
        ResponseHeaders,
        ResponseData,
        ResponseTrailers,
        ResponseEndOfMessage,
        ResponseProtocolError,
    }
)


class Phase(Enum):
    QUIET = auto()
    """Nothing to time: no plan, in a hook, or over."""
    CONNECTING = auto()
    WAITING = auto()
    """Sent; no head yet."""
    HOLDING = auto()
    """A head, and perhaps some body, that the client has not got."""
    COLLECTING = auto()
    """The body of a failing answer."""
    PASSED = auto()
    """The client gets what comes."""


class AttemptStream(HttpStream):
    plan: AttemptPolicy | None = None
    phase = Phase.QUIET
    last_activity = 0.0
    """When the upstream last gave a sign of life, or the phase began."""
    seen_due = 0.0
    """The due moment that was seen to have passed, once."""
    sent_at = 0.0
    """When the last byte of the request was handed on."""
    collect_until = inf
    held_bytes = 0
    """Size of the body that the client has not got."""
    carrying = False
    """A request is with an upstream, and its answer is not complete."""
    reused = False
    """It went out on a connection that had carried one before."""
    uploading = False
    """The request's body is streamed."""
    broken = False
    """A fault of ours ended it: see `exception_guard`."""

    def __init__(self, context: Context, stream_id: int, layer: Surroundings) -> None:
        super().__init__(context, stream_id)
        self.layer = layer
        self.upstream_id = stream_id
        """Under which id upstream events are ours; 0: none are."""

    def time_is_up(self, plan: AttemptPolicy) -> CommandGenerator[None]:
        """`due()` has passed while waiting for an answer: for the upper half."""
        raise AssertionError("an attempt alone does not know")

    def break_off(self, error: Exception) -> CommandGenerator[None]:
        """A fault of ours ends this stream: for the upper half."""
        raise AssertionError("an attempt alone does not know") from error

    # events

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if (paused := self._paused) is not None:
            if type(paused.command) is ConnectUpstream:
                if isinstance(event, RequestProtocolError):
                    self._paused_event_queue.append(event)
                    return self._give_up_connecting("client disconnected")
                if isinstance(event, TimeUp):
                    return self._give_up_connecting("timed out")
            elif isinstance(event, TimeUp):
                return nothing()
        return super().handle_event(event)

    def _give_up_connecting(self, reason: str) -> CommandGenerator[None]:
        assert self._paused is not None
        command = cast(ConnectUpstream, self._paused.command)
        unwanted = self.layer.abandon(command)
        reply = GetHttpConnectionCompleted(command, (None, reason))
        yield from super().handle_event(reply)
        if unwanted is not None:
            yield commands.CloseConnection(unwanted)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        kind = type(event)
        if kind in RESPONSE_EVENTS:
            return self._answer_event(kind, cast(HttpEvent, event))
        if kind is TimeUp:
            now = self.layer.now()
            if self.plan is not None and self.due(now) <= now:
                return self.time_is_up(self.plan)
            return nothing()
        if kind is RequestData and not cast(RequestData, event).data:
            # mitmproxy 11 would end a chunked body with it, and then once more.
            return nothing()
        if kind is RequestTrailers:
            # Left out, as those of answers are (see http_trailers): HTTP/1 upstreams get
            # none from mitmproxy.
            return nothing()
        if kind is Broken:
            return self.break_off(cast(Broken, event).error)
        step: CommandGenerator[None] = super()._handle_event(event)
        return step

    def _answer_event(
        self, kind: type[events.Event], event: HttpEvent
    ) -> CommandGenerator[None]:
        if event.stream_id != self.upstream_id:
            return nothing()
        event.stream_id = self.stream_id
        self.last_activity = self.layer.now()
        if kind is ResponseData:
            if not cast(ResponseData, event).data:
                # It would end a chunked body; a stream callable takes it for the end.
                return nothing()
        elif kind is ResponseTrailers:
            if self.context.client.alpn != b"h2":
                return nothing()
        elif kind is ResponseEndOfMessage:
            self.upstream_over()
        elif kind is ResponseProtocolError:
            self.upstream_over(broken=True)
            return self.handle_protocol_error(cast(ResponseProtocolError, event))
        step: CommandGenerator[None] = self.server_state(event)
        return step

    def passthrough(self, event: events.Event) -> CommandGenerator[None]:
        # In a tunnel a broken connection is one that is closed; mitmproxy knows no more.
        if isinstance(event, RequestProtocolError):
            event = RequestEndOfMessage(event.stream_id)
        elif isinstance(event, ResponseProtocolError):
            event = ResponseEndOfMessage(event.stream_id)
        elif isinstance(event, RequestData | ResponseData):
            # What came along with the head is a bytearray, of which layers inside know less.
            event.data = bytes(event.data)
        if self.upstream_id in (self.stream_id, 0):
            step: CommandGenerator[None] = super().passthrough(event)
            return step
        return self._passthrough_retried(event)

    def _passthrough_retried(self, event: events.Event) -> CommandGenerator[None]:
        """A protocol switch (101) on an attempt that is not the first."""
        for command in super().passthrough(event):
            if (
                isinstance(command, SendHttp)
                and command.connection is self.context.server
            ):
                command.event.stream_id = self.upstream_id
            yield command

    # time

    def due(self, now: float) -> float:
        """When something has to be over; `inf`: nothing has."""
        plan, phase = self.plan, self.phase
        if plan is None or phase is Phase.QUIET:
            return inf
        if phase is Phase.CONNECTING:
            return min(plan.deadline, self.last_activity + plan.connect_timeout)
        if self._paused is not None:
            return now + 1.0  # in a hook; look again
        if phase is Phase.COLLECTING:
            return self.collect_until
        if phase is Phase.PASSED:
            return self.last_activity + plan.idle_timeout
        if self.held_bytes:
            return min(plan.deadline, self.last_activity + plan.idle_timeout)
        return min(plan.deadline, self.sent_at + plan.first_byte_timeout)

    def enter(self, phase: Phase) -> CommandGenerator[None]:
        self.phase = phase
        self.last_activity = self.layer.now()
        yield from self.arm()

    def arm(self) -> CommandGenerator[None]:
        """See to it that the clock strikes when this phase is due."""
        if wakeup := self.layer.request_wakeup(self.due(self.last_activity)):
            yield wakeup
            # The answer goes to the layer, which asks all its streams.
            self.layer.command_sources.pop(wakeup, None)

    # the way there

    def connect(
        self, plan: AttemptPolicy, *, fresh: bool
    ) -> CommandGenerator[tuple[FailureKind, str] | None]:
        """Get a connection for `flow.request`. None: it is there, send at once."""
        request = self.flow.request
        if problem := words.name_problem(request.host):
            return FailureKind.RESOLVE, problem
        if self.layer.now() >= plan.deadline:
            return FailureKind.DEADLINE, "the deadline passed"
        get = ConnectUpstream(
            (request.host, request.port),
            request.scheme == "https",
            None,
            self.flow.server_conn.transport_protocol,
        )
        get.pooled, get.proxy = plan.pooled, plan.proxy
        # HTTP/2 clients never share an HTTP/1 connection: no use in waiting for one.
        get.fresh = fresh or (self.context.client.alpn == b"h2" and not get.tls)
        yield from self.enter(Phase.CONNECTING)
        server, error = yield get
        if server is None:
            return self._why_not(plan, get, error)
        self.context.server = self.flow.server_conn = server
        if not self.upstream_id:
            self.upstream_id = self.layer.new_id(self)
        self.connected(server)
        self.sent_at = self.layer.now()
        yield from self.enter(Phase.WAITING)
        return None

    def _why_not(
        self, plan: AttemptPolicy, get: ConnectUpstream, error: str
    ) -> tuple[FailureKind, str]:
        server = get.server
        connected = server is not None and server.timestamp_tcp_setup is not None
        if plan.proxy is not None and connected and words.says_nothing(error):
            # Between a proxy that went silent and an upstream that did nobody can tell.
            tunnel = f"{UNAVAILABLE}{plan.proxy.name} opened a tunnel"
            return FailureKind.PROXY, f"{tunnel}, and nothing came through it"
        if error != "timed out":
            kind = words.kind_of_connect_error(error, tcp_connected=connected)
            return kind, error
        if plan.proxy is not None and not connected:
            silent = f"{UNAVAILABLE}{plan.proxy.name} does not answer"
            return FailureKind.PROXY, silent
        if self.layer.now() >= plan.deadline:
            return FailureKind.DEADLINE, "the deadline passed while connecting"
        step = "TLS handshake" if connected else "connection"
        return (
            FailureKind.CONNECT_TIMEOUT,
            f"no {step} within {plan.connect_timeout:g} s",
        )

    def connected(self, server: Connection) -> None:
        """The request is about to be sent there."""
        idle = stale_connection.note_use(server)
        self.reused = idle is not None
        if idle is not None and idle > stale_connection.IDLE_SECONDS:
            stale_connection.watch(self.context.client, server)
        self.carrying = True
        if self.plan is not None:
            self.plan.sent = True
        http2 = server.alpn == b"h2"
        framing.frame_request(self.flow.request, streamed=self.uploading, http2=http2)

    def send(self) -> CommandGenerator[None]:
        """What mitmproxy does for the first attempt, for all later ones."""
        request, server, number = (
            self.flow.request,
            self.context.server,
            self.upstream_id,
        )
        content = request.raw_content
        self.server_state = self.state_wait_for_response_headers
        yield SendHttp(RequestHeaders(number, request, not content), server)
        if content:
            yield SendHttp(RequestData(number, content), server)
        yield SendHttp(RequestEndOfMessage(number), server)

    # the end of it

    def abandon_upstream(self, reason: str) -> CommandGenerator[bool]:
        """No more of this attempt. False: its request had not even left."""
        if not self.carrying:
            return True
        number, server = self.upstream_id, self.context.server
        self.upstream_over(broken=True)
        if self.layer.dequeue(server, number):
            if self.plan is not None:
                self.plan.sent = False
            return False
        if server.alpn != b"h2":
            # It is closed now, and nobody takes it for one at rest: its peer may be about
            # to say more than it announced.
            server.error = server.error or "abandoned"
        yield SendHttp(RequestProtocolError(number, reason, CANCELLED), server)
        return True

    def upstream_over(self, *, broken: bool = False) -> None:
        """Nothing that comes from this attempt any more is for us."""
        response = self.flow.response
        if not broken and response is not None and response.status_code == 101:
            return  # the end of this head is the beginning of another protocol
        self.carrying = False
        if self.upstream_id != self.stream_id:
            self.layer.streams.pop(self.upstream_id, None)
        self.upstream_id = 0
