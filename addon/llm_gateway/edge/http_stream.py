"""One client request on its way: mitmproxy's HTTP stream, with attempts.

What lives here: the state machine between "the request is complete" and "this answer is
the one". A flow with a `Plan` is carried like this; a flow without takes mitmproxy's own
path through the same class.

    request ──▶ CONNECTING ──▶ WAITING ──▶ HOLDING ──▶ PASSED ──▶ mitmproxy's own states
                    │             │  │        │           │
                    │             │  └▶ COLLECTING        └▶ died: `error`, tail, end
                    ▼             ▼        ▼
                  gateway_attempt_failed ──RETRY──▶ CONNECTING
                                         ──RESPOND▶ flow.response

Which hook ends a flow (exactly one of them, always):

    answered (upstream's, or ours after RESPOND)       responseheaders, response
    request body too large                             response
    upstream died or stalled after PASS                error, then tail and clean end
    client left, at any time before the end            error (upstream is cancelled first)
    client left after `response` was called            nothing more

Rules: addons see only the answer that wins; events of an attempt that is over are
dropped by their stream id; after PASS nothing of ours stands between two chunks but one
look at the clock. What this file does not know: providers, and who decides.
"""

import functools
import logging
import re
import time
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING, Any, cast

from mitmproxy import flow, http
from mitmproxy.connection import Server
from mitmproxy.net.http.validate import validate_headers
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HttpStream,
    SendHttp,
)
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)

from .http_plan import (
    COLLECT_SECONDS,
    COLLECTED_BYTES,
    Action,
    Failure,
    FailureKind,
    GatewayAttemptFailedHook,
    Judgement,
    Plan,
    plan_of,
    request_limit,
)

if TYPE_CHECKING:
    from .http_layer import GatewayHttpLayer

logger = logging.getLogger(__name__)

STALE_SECONDS = 2.0
"""A reused connection that closes this soon after the request, without a byte, had been
closed before it. Later than that the provider may have begun to work: a failure."""

RESPONSE_EVENTS = frozenset(
    {
        ResponseHeaders,
        ResponseData,
        ResponseTrailers,
        ResponseEndOfMessage,
        ResponseProtocolError,
    }
)
PROTOCOL_WORDS = re.compile(
    r"protocol error|Cannot parse|unexpected server response|Invalid HTTP|Received "
)
"""In mitmproxy's words: the peer spoke, but not HTTP."""
CLOSED_WORDS = re.compile(
    r"peer closed connection|server closed connection|connection closed|REFUSED_STREAM"
)
RESOLVE_WORDS = re.compile(
    r"\[Errno -\d+\]|getaddrinfo|nodename nor servname|not known|name resolution"
)
"""In the resolvers' words (glibc, musl, macOS, Windows)."""

# The codes became an enum in mitmproxy 12.
_Codes: Any = getattr(http_events, "ErrorCode", None)
CANCELLED: Any = _Codes.CANCEL if _Codes else 499
SERVER_ERROR: Any = _Codes.GENERIC_SERVER_ERROR if _Codes else 502


class ConnectUpstream(GetHttpConnection):
    """mitmproxy's request for a connection, without its memory for failures."""

    fresh = False
    """Take no connection that exists."""
    server: Server | None = None
    """The one that was tried; set by the layer when it is known."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def connection_spec_matches(self, connection: object) -> bool:
        # A connection that failed once answers for all that come later on the same
        # client connection, even when the provider is back: never match it.
        return (
            not self.fresh
            and isinstance(connection, Server)
            and not connection.error
            and super().connection_spec_matches(connection)
        )


class TimeUp(events.Event):
    """The layer's clock: this stream's `due()` has passed."""


class Phase(Enum):
    QUIET = auto()
    """Nothing to time: no plan, in a hook, or over."""
    CONNECTING = auto()
    WAITING = auto()
    HOLDING = auto()
    COLLECTING = auto()
    PASSED = auto()


def nothing() -> CommandGenerator[None]:
    yield from ()


@functools.lru_cache(maxsize=1024)
def name_problem(host: str) -> str | None:
    """Why a host name cannot even be looked up (asyncio would never tell)."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        return f"{host!r} is not a host name: {error}"
    return None


class GatewayStream(HttpStream):
    plan: Plan | None = None
    phase = Phase.QUIET
    mark = 0.0
    """When the upstream last gave a sign of life, or the phase began."""
    sent_at = 0.0
    """When the last byte of the request was handed on."""
    carrying = False
    """A request is with an upstream, and its answer is not complete."""
    reused = False
    resent = False
    uploading = False
    """The request's body is streamed."""
    consumed = False
    """Bytes of a streamed body are gone."""
    checked = False
    """The answer's headers have been validated."""
    held_bytes = 0
    collect_until = inf

    def __init__(
        self, context: Context, stream_id: int, layer: "GatewayHttpLayer"
    ) -> None:
        super().__init__(context, stream_id)
        self.layer = layer
        self.upstream_id = stream_id
        """Under which id upstream events are ours; 0: none are. Each attempt that is
        sent has its own, so that late words of one are never taken for the next one's."""
        self.held: list[HttpEvent] = []
        self.collected = bytearray()

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
            answer = cast(HttpEvent, event)
            if answer.stream_id != self.upstream_id:
                return nothing()
            answer.stream_id = self.stream_id
            self.mark = self.layer.now()
            if kind is ResponseData:
                # An empty chunk would end a chunked body, and a stream callable takes
                # it for the end.
                if not cast(ResponseData, answer).data:
                    return nothing()
            elif kind is ResponseEndOfMessage:
                self._upstream_over()
            elif kind is ResponseProtocolError:
                self._upstream_over(broken=True)
                return self.handle_protocol_error(cast(ResponseProtocolError, answer))
            return cast("CommandGenerator[None]", self.server_state(answer))
        if kind is TimeUp:
            return self._time_up()
        if kind is GetHttpConnectionCompleted:
            return nothing()  # of an attempt to connect that was given up
        return super()._handle_event(event)

    def passthrough(self, event: events.Event) -> CommandGenerator[None]:
        if self.upstream_id == self.stream_id or self.upstream_id == 0:
            return super().passthrough(event)
        return self._passthrough_retried(event)

    def _passthrough_retried(self, event: events.Event) -> CommandGenerator[None]:
        """A protocol switch (101) on an attempt that is not the first."""
        if isinstance(event, HttpEvent):
            event.stream_id = self.stream_id
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
            return min(plan.deadline, self.mark + plan.connect_timeout)
        if self._paused is not None:
            return now + 1.0  # in a hook; look again
        if phase is Phase.COLLECTING:
            return self.collect_until
        if phase is Phase.PASSED:
            return self.mark + plan.idle_timeout
        if self.held_bytes:
            return min(plan.deadline, self.mark + plan.idle_timeout)
        return min(plan.deadline, self.sent_at + plan.first_byte_timeout)

    def _enter(self, phase: Phase) -> CommandGenerator[None]:
        self.phase = phase
        self.mark = self.layer.now()
        yield from self._arm()

    def _arm(self) -> CommandGenerator[None]:
        if wakeup := self.layer.alarm(self.due(self.mark)):
            yield wakeup
            # The answer goes to the layer, which asks all its streams.
            self.layer.command_sources.pop(wakeup, None)

    def _time_up(self) -> CommandGenerator[None]:
        plan, now = self.plan, self.layer.now()
        if plan is None or self.due(now) > now:
            return
        match self.phase:
            case Phase.PASSED:
                words = f"no data for {plan.idle_timeout:g} s"
                yield from self._abandon_upstream(words)
                yield from self.handle_protocol_error(
                    ResponseProtocolError(self.stream_id, words, SERVER_ERROR)
                )
            case Phase.COLLECTING:
                yield from self._abandon_upstream("failed")
                yield from self._attempt_failed(FailureKind.STATUS, "status")
            case Phase.WAITING | Phase.HOLDING:
                if now >= plan.deadline:
                    kind, words = FailureKind.DEADLINE, "the deadline passed"
                elif self.held_bytes:
                    kind = FailureKind.FIRST_BYTE
                    words = f"stalled for {plan.idle_timeout:g} s"
                else:
                    kind = FailureKind.FIRST_BYTE
                    words = f"no byte for {plan.first_byte_timeout:g} s"
                sent = yield from self._abandon_upstream(words)
                yield from self._attempt_failed(kind, words, sent=sent)

    # the way there

    def make_server_connection(self) -> CommandGenerator[bool]:
        self.plan = plan_of(self.flow)
        if self.plan is None:
            if not (yield from super().make_server_connection()):
                return False
            self.layer.carried.add(self.context.server)
            self._frame_request(self.context.server)
            self.carrying = True
            return True
        return (yield from self._reach())

    def _reach(self, *, fresh: bool = False) -> CommandGenerator[bool]:
        """Connect as often as the addon wants; True: the request may be sent."""
        while True:
            failure = yield from self._connect(fresh)
            if failure is None:
                return True
            if not (yield from self._report(failure)):
                return False
            fresh = False

    def _connect(self, fresh: bool) -> CommandGenerator[Failure | None]:
        plan, request = cast(Plan, self.plan), self.flow.request
        if problem := name_problem(request.host):
            return self._failure(FailureKind.RESOLVE, problem)
        if self.layer.now() >= plan.deadline:
            return self._failure(FailureKind.DEADLINE, "the deadline passed")
        get = ConnectUpstream(
            (request.host, request.port),
            request.scheme == "https",
            self.flow.server_conn.via,
            self.flow.server_conn.transport_protocol,
        )
        # HTTP/2 clients never share an HTTP/1 connection: no use in waiting for one.
        get.fresh = fresh or (self.context.client.alpn == b"h2" and not get.tls)
        yield from self._enter(Phase.CONNECTING)
        server, error = yield get
        if server is None:
            return self._failure(*self._why_unreachable(get, error))
        self.context.server = self.flow.server_conn = server
        self.reused = server in self.layer.carried
        self.layer.carried.add(server)
        if not self.upstream_id:
            self.upstream_id = self.layer.new_id(self)
        self._frame_request(server)
        self.carrying = True
        self.sent_at = self.layer.now()
        yield from self._enter(Phase.WAITING)
        return None

    def _why_unreachable(
        self, get: ConnectUpstream, error: str
    ) -> tuple[FailureKind, str]:
        plan, server = cast(Plan, self.plan), get.server
        connected = server is not None and server.timestamp_tcp_setup is not None
        if error == "timed out":
            if self.layer.now() >= plan.deadline:
                return FailureKind.DEADLINE, "the deadline passed while connecting"
            step = "TLS handshake" if connected else "connection"
            words = f"no {step} within {plan.connect_timeout:g} s"
            return FailureKind.CONNECT_TIMEOUT, words
        if connected:
            return FailureKind.TLS, error
        if RESOLVE_WORDS.search(error):
            return FailureKind.RESOLVE, error
        return FailureKind.CONNECT, error

    def _frame_request(self, server: Server) -> None:
        """Say how long the body is: HTTP/2 clients need not, HTTP/1 upstreams must know."""
        request = self.flow.request
        headers = request.headers
        if self.uploading:
            if (
                server.alpn != b"h2"
                and "content-length" not in headers
                and "transfer-encoding" not in headers
            ):
                headers["transfer-encoding"] = "chunked"
            return
        headers.pop("transfer-encoding", None)
        content = request.raw_content
        if content or "content-length" in headers:
            length = str(len(content or b""))
            if headers.get("content-length") != length:
                headers["content-length"] = length
        request.trailers = None

    def _send(self) -> CommandGenerator[None]:
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

    def start_request_stream(self) -> CommandGenerator[None]:
        self.uploading = True
        return super().start_request_stream()

    def state_stream_request_body(self, event: HttpEvent) -> CommandGenerator[None]:
        # An upload may take its time: the wait for the answer begins with its last byte.
        self.sent_at = self.layer.now()
        self.consumed = True
        return cast(
            "CommandGenerator[None]",
            super().state_stream_request_body(event),  # type: ignore[arg-type]
        )

    def check_body_size(self, request: bool) -> CommandGenerator[bool]:
        limit = request_limit.bytes
        if (
            request
            and limit is not None
            and self.client_state == self.state_consume_request_body
        ):
            declared = self.flow.request.headers.get("content-length", "")
            expected = int(declared) if declared.isdecimal() else 0
            if max(expected, len(self.request_body_buf)) > limit:
                self.request_body_buf.clear()
                self.flow.response = request_limit.answer(self.flow, limit)
                yield from self._respond_early()
                return True
        return (yield from super().check_body_size(request))

    # the answer, until it is known to be one

    def state_wait_for_response_headers(
        self, event: ResponseHeaders
    ) -> CommandGenerator[None]:
        plan = self.plan
        if plan is None:
            return cast(
                "CommandGenerator[None]",
                super().state_wait_for_response_headers(event),
            )
        return self._judge_head(plan, event)

    def _judge_head(self, plan: Plan, event: ResponseHeaders) -> CommandGenerator[None]:
        response = event.response
        self.held = [event]
        if problem := self._invalid(response):
            yield from self._abandon_upstream(problem)
            yield from self._attempt_failed(FailureKind.PROTOCOL, problem)
            return
        self.checked = True
        verdict = self._ask(
            lambda: plan.inspector.head(response.status_code, response.headers)
        )
        match verdict:
            case Judgement.PASS:
                yield from self._pass()
            case Judgement.HOLD if response.status_code == 101:
                yield from self._pass()
            case Judgement.HOLD:
                self.server_state = self.state_hold
                self.phase = Phase.HOLDING  # timed as before: no byte of body yet
            case Judgement.COLLECT:
                self.server_state = self.state_collect
                self.collect_until = self.layer.now() + COLLECT_SECONDS
                yield from self._enter(Phase.COLLECTING)
            case Judgement.FAIL:
                yield from self._abandon_upstream("not an answer")
                yield from self._attempt_failed(
                    FailureKind.JUDGED, "judged by its head"
                )

    def _invalid(self, response: http.Response) -> str | None:
        if response.status_code < 200 and response.status_code != 101:
            return f"status {response.status_code} is not an answer"
        if self.context.options.validate_inbound_headers:
            try:
                validate_headers(response)
            except ValueError as error:
                return f"invalid headers: {error}"
        return None

    def _ask(self, judge: Callable[[], Judgement]) -> Judgement:
        try:
            return judge()
        except Exception:
            logger.exception("an inspector failed; the answer is passed on")
            return Judgement.PASS

    def state_hold(self, event: HttpEvent) -> CommandGenerator[None]:
        plan = cast(Plan, self.plan)
        self.held.append(event)
        verdict = Judgement.HOLD
        if isinstance(event, ResponseData):
            first = not self.held_bytes
            self.held_bytes += len(event.data)
            data = event.data
            verdict = self._ask(lambda: plan.inspector.body(data))
            if verdict is Judgement.HOLD:
                if self.held_bytes > plan.max_held:
                    verdict = Judgement.PASS
                elif first:
                    yield from self._arm()
        elif isinstance(event, ResponseEndOfMessage):
            verdict = self._ask(plan.inspector.end)
            if verdict is Judgement.HOLD:
                verdict = Judgement.FAIL
        match verdict:
            case Judgement.PASS:
                yield from self._pass()
            case Judgement.FAIL | Judgement.COLLECT:
                yield from self._abandon_upstream("not an answer")
                yield from self._attempt_failed(
                    FailureKind.JUDGED, "judged by its body"
                )
            case Judgement.HOLD:
                pass

    def state_collect(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, ResponseData):
            self.collected += event.data[: COLLECTED_BYTES - len(self.collected)]
            if len(self.collected) < COLLECTED_BYTES:
                return
            yield from self._abandon_upstream("failed")
        elif not isinstance(event, ResponseEndOfMessage):
            return
        complete = isinstance(event, ResponseEndOfMessage)
        yield from self._attempt_failed(FailureKind.STATUS, "status", complete=complete)

    def _pass(self) -> CommandGenerator[None]:
        """Hand over to mitmproxy's own states, with everything held so far."""
        held, self.held = self.held, []
        switched = cast(ResponseHeaders, held[0]).response.status_code == 101
        self.server_state = super().state_wait_for_response_headers
        if self.carrying and not switched:
            yield from self._enter(Phase.PASSED)
        else:
            self.phase = Phase.QUIET
        for event in held:
            yield from self.server_state(event)

    def check_invalid(self, request: bool) -> CommandGenerator[bool]:
        if not request and self.checked:
            yield from ()
            return False
        return (yield from super().check_invalid(request))

    # failures

    def _attempt_failed(
        self,
        kind: FailureKind,
        message: str,
        *,
        sent: bool = True,
        complete: bool = False,
    ) -> CommandGenerator[None]:
        """An attempt that was sent is over: report it, and send the next one if wanted."""
        failure = self._failure(kind, message, sent=sent, complete=complete)
        if (yield from self._report(failure)) and (yield from self._reach()):
            yield from self._send()

    def _failure(
        self,
        kind: FailureKind,
        message: str,
        *,
        sent: bool = False,
        complete: bool = False,
    ) -> Failure:
        failure = Failure(self.flow, kind, message[:300], request_sent=sent)
        failure.replayable = not self.consumed
        if self.held:
            response = cast(ResponseHeaders, self.held[0]).response
            failure.status, failure.headers = response.status_code, response.headers
            if kind is FailureKind.STATUS:
                failure.message = f"status {failure.status}"
            pieces = (e.data for e in self.held if isinstance(e, ResponseData))
            failure.body = bytes(self.collected or b"".join(pieces)[:COLLECTED_BYTES])
            last_word = isinstance(self.held[-1], ResponseEndOfMessage)
            failure.body_complete = complete or (
                last_word and self.held_bytes <= COLLECTED_BYTES
            )
        self._forget_answer()
        return failure

    def _forget_answer(self) -> None:
        self.held = []
        self.held_bytes = 0
        self.collected = bytearray()
        self.checked = False

    def _report(self, failure: Failure) -> CommandGenerator[bool]:
        """Ask the addon. True: try again; else the flow has been answered, or is over."""
        self.phase = Phase.QUIET
        if (yield from self.check_killed(True)):
            return False
        yield GatewayAttemptFailedHook(failure)
        if (yield from self.check_killed(True)):
            return False
        plan = plan_of(self.flow)
        if failure.action is Action.RETRY and failure.replayable and plan is not None:
            self.plan = plan
            self.resent = False
            self.flow.response = None
            return True
        if self.flow.response is None:
            body = '{"error": {"message": "the upstream failed", "type": "api_error"}}'
            kind = {"content-type": "application/json"}
            self.flow.response = http.Response.make(502, body, kind)
        yield from self._respond()
        return False

    def _respond(self) -> CommandGenerator[None]:
        assert self.flow.response is not None
        if self.client_state != self.state_done:
            yield from self._respond_early()
            return
        self.flow.response.timestamp_start = time.time()
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()

    def _respond_early(self) -> CommandGenerator[None]:
        """Answer while the request is still coming in, and ignore the rest of it."""
        response = self.flow.response
        assert response is not None
        self.client_state = self.server_state = self.state_errored
        if self.flow.request.is_http11 or self.flow.request.is_http10:
            response.headers["connection"] = "close"
        yield HttpResponseHook(self.flow)
        content = response.raw_content
        self.flow.live = False
        client = self.context.client
        yield SendHttp(ResponseHeaders(self.stream_id, response, not content), client)
        if content:
            yield SendHttp(ResponseData(self.stream_id, content), client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), client)
        yield DropStream(self.stream_id)

    def handle_protocol_error(
        self, event: RequestProtocolError | ResponseProtocolError
    ) -> CommandGenerator[None]:
        if isinstance(event, RequestProtocolError):
            return self._client_failed(event)
        match self.phase:
            case Phase.WAITING | Phase.HOLDING | Phase.COLLECTING:
                return self._upstream_failed(event)
            case Phase.PASSED if self.server_state == self.state_stream_response_body:
                return self._upstream_died(event)
        return super().handle_protocol_error(event)

    def _upstream_failed(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        """Before anything went to the client."""
        words = event.message
        if self.phase is Phase.COLLECTING:
            yield from self._attempt_failed(FailureKind.STATUS, words)
        elif self._was_stale(words):
            cast(Plan, self.plan).resends += 1
            self.resent = True
            if (yield from self._reach(fresh=True)):
                yield from self._send()
        elif PROTOCOL_WORDS.search(words) and not CLOSED_WORDS.search(words):
            yield from self._attempt_failed(FailureKind.PROTOCOL, words)
        else:
            yield from self._attempt_failed(FailureKind.CLOSED, words)

    def _was_stale(self, words: str) -> bool:
        return (
            self.phase is Phase.WAITING
            and self.reused
            and not self.resent
            and not self.consumed
            and CLOSED_WORDS.search(words) is not None
            and self.layer.now() - self.sent_at < STALE_SECONDS
        )

    def _upstream_died(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        """After content went to the client."""
        plan, response = cast(Plan, self.plan), cast(http.Response, self.flow.response)
        self.phase = Phase.QUIET
        self.server_state = self.state_errored
        self.flow.error = flow.Error(event.message)
        yield HttpErrorHook(self.flow)
        if (yield from self.check_killed(False)):
            return
        client = self.context.client
        if plan.cut is None or "content-length" in response.headers:
            yield SendHttp(event, client)
        else:
            try:
                tail = plan.cut(event.message)
            except Exception:
                logger.exception("no tail for a stream that was cut")
                tail = b""
            if tail:
                yield SendHttp(ResponseData(self.stream_id, tail), client)
            yield SendHttp(ResponseEndOfMessage(self.stream_id), client)
        self.client_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)

    def _client_failed(self, event: RequestProtocolError) -> CommandGenerator[None]:
        settled = self.client_state == self.state_errored or self.server_state in (
            self.state_done,
            self.state_errored,
        )
        yield from self._abandon_upstream(event.message)
        self.phase = Phase.QUIET
        self._forget_answer()
        self.client_state = self.server_state = self.state_errored
        if not settled:
            self.flow.error = flow.Error(event.message)
            yield HttpErrorHook(self.flow)
        self.flow.live = False
        yield DropStream(self.stream_id)

    def check_killed(self, emit_error_hook: bool) -> CommandGenerator[bool]:
        killed = yield from super().check_killed(emit_error_hook)
        if killed:
            # mitmproxy would let the upstream go on, and keep the stream.
            yield from self._abandon_upstream("killed")
            self.phase = Phase.QUIET
            self._forget_answer()
            yield DropStream(self.stream_id)
        return killed

    def _abandon_upstream(self, reason: str) -> CommandGenerator[bool]:
        """No more of this attempt. False: its request had not even left."""
        if not self.carrying:
            return True
        number, server = self.upstream_id, self.context.server
        self._upstream_over(broken=True)
        if self.layer.unqueue(server, number):
            return False
        yield SendHttp(RequestProtocolError(number, reason, CANCELLED), server)
        return True

    def _upstream_over(self, *, broken: bool = False) -> None:
        response = getattr(self, "flow", None) and self.flow.response
        if not broken and response is not None and response.status_code == 101:
            return  # the end of the head is the beginning of another protocol
        self.carrying = False
        if self.upstream_id != self.stream_id:
            self.layer.streams.pop(self.upstream_id, None)
        self.upstream_id = 0

    # the answer, once it is one

    def start_response_stream(self) -> CommandGenerator[None]:
        if self.plan is None:
            yield from super().start_response_stream()
            return
        response = cast(http.Response, self.flow.response)
        if self._needs_framing(response):
            response.headers["transfer-encoding"] = "chunked"
        yield SendHttp(
            ResponseHeaders(self.stream_id, response, end_stream=False),
            self.context.client,
        )
        self.server_state = self.state_stream_response_body

    def send_response(self, already_streamed: bool = False) -> CommandGenerator[None]:
        response = self.flow.response
        if self.plan is not None and not already_streamed and response is not None:
            self.phase = Phase.QUIET
            if response.raw_content and self._needs_framing(response):
                response.headers["content-length"] = str(len(response.raw_content))
        return cast("CommandGenerator[None]", super().send_response(already_streamed))

    def _needs_framing(self, response: http.Response) -> bool:
        """HTTP/1.1 without a length ends by closing: spare the client's connection."""
        return (
            self.flow.request.is_http11
            and self.flow.request.method != "HEAD"
            and response.status_code >= 200
            and "content-length" not in response.headers
            and "transfer-encoding" not in response.headers
        )
