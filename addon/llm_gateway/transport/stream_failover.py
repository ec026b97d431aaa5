"""When it goes wrong: report, retry or respond, and end a flow exactly once.

What lives here: the middle of a stream, between an attempt that failed and what the
client sees of it. What this file does not know: how an answer is judged.
"""

import logging
import time
from typing import Any, TypeVar, cast

from mitmproxy import flow, http
from mitmproxy.flow import Error
from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, GetHttpConnection, SendHttp
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestData,
    RequestEndOfMessage,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)

from llm_gateway.domain import FailureKind
from llm_gateway.transport import error_text as words
from llm_gateway.transport import framing
from llm_gateway.transport.attempt_policy import (
    COLLECTED_BYTES,
    INTERNAL,
    Action,
    AttemptPolicy,
    Failure,
    GatewayAttemptFailedHook,
    bare_502,
    error_answer,
    plan_of,
)
from llm_gateway.transport.body_limit import request_limit
from llm_gateway.transport.commands import SERVER_ERROR, ConnectOwn, Told, no, nothing
from llm_gateway.transport.serializer import Unwritable
from llm_gateway.transport.stale_connection import found_dead
from llm_gateway.transport.stream_attempt import AttemptStream, Phase

logger = logging.getLogger(__name__)

T = TypeVar("T")

STALE_SECONDS = 2.0
"""A reused connection that closes this soon after the request, without a byte, had been
closed before it. Later than that the provider may have begun to work: a failure."""


def _hears_nothing(event: object) -> CommandGenerator[None]:
    return nothing()


def _connecting_on_its_own(
    step: CommandGenerator[bool],
) -> CommandGenerator[bool]:
    """What mitmproxy does, with a connection on which the gateway sends nothing."""
    reply: Any = None
    try:
        while True:
            command = step.send(reply)
            if type(command) is GetHttpConnection:
                command = ConnectOwn(
                    command.address,
                    command.tls,
                    command.via,
                    command.transport_protocol,
                )
            reply = yield command
    except StopIteration as end:
        return bool(end.value)


class FailoverStream(AttemptStream):
    held: list[HttpEvent]
    """The answer so far, from its head; the client has got nothing of it."""
    collected = b""
    """Body of a failing answer, bounded."""
    checked = False
    """The answer's headers have been validated."""
    consumed = False
    """Bytes of a streamed request body are gone."""

    # attempts

    def make_server_connection(self) -> CommandGenerator[bool]:
        self.plan = plan_of(self.flow)
        if self.plan is not None:
            return (yield from self._reach(self.plan))
        ok: bool = yield from _connecting_on_its_own(super().make_server_connection())
        if ok:
            self.connected(self.context.server)
        return ok

    def _reach(self, plan: AttemptPolicy) -> CommandGenerator[bool]:
        """Connect as often as the addon wants. True: the request may be sent."""
        while True:
            problem = yield from self.connect(plan, fresh=plan.fresh)
            if problem is None:
                return True
            next_plan = yield from self._report(self._failure(*problem, sent=False))
            if next_plan is None:
                return False
            plan = next_plan

    def attempt_failed(
        self,
        kind: FailureKind,
        message: str,
        *,
        sent: bool = True,
        complete: bool = False,
        stale: bool = False,
    ) -> CommandGenerator[None]:
        """An attempt that was sent is over: report it, and send the next one if wanted.

        complete: all of the body that the upstream had to give is in the report.
        """
        failure = self._failure(kind, message, sent=sent, complete=complete)
        failure.stale = stale
        plan = yield from self._report(failure)
        if plan is not None and (yield from self._reach(plan)):
            yield from self.send()

    def _failure(
        self, kind: FailureKind, message: str, *, sent: bool, complete: bool = False
    ) -> Failure:
        failure = Failure(self.flow, kind, message[:300])
        failure.request_sent = sent
        failure.replayable = not self.consumed
        if self.held:
            response = cast(ResponseHeaders, self.held[0]).response
            failure.status, failure.headers = response.status_code, response.headers
            pieces = (e.data for e in self.held if isinstance(e, ResponseData))
            failure.body = (self.collected or b"".join(pieces))[:COLLECTED_BYTES]
            failure.body_complete = complete and self.held_bytes <= COLLECTED_BYTES
        self.forget_answer()
        return failure

    def forget_answer(self) -> None:
        self.held = []
        self.held_bytes = 0
        self.collected = b""
        self.checked = False

    def _report(self, failure: Failure) -> CommandGenerator[AttemptPolicy | None]:
        """Ask the addon. A plan: try again under it; None: the flow is answered, or over."""
        self.phase = Phase.QUIET
        if (yield from self.check_killed(True)):
            return None
        yield GatewayAttemptFailedHook(failure)
        if (yield from self.check_killed(True)):
            return None
        plan = plan_of(self.flow)
        if failure.action is Action.RETRY and failure.replayable and plan is not None:
            self.plan = plan
            self.flow.response = None
            return plan
        if self.flow.response is None:
            self.flow.response = bare_502()
        yield from self._respond(self.flow.response)
        return None

    # answers of our own

    def _respond(self, response: http.Response) -> CommandGenerator[None]:
        if self.client_state != self.state_done:
            yield from self.respond_early(response)
            return
        response.timestamp_start = time.time()
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()

    def respond_early(self, response: http.Response) -> CommandGenerator[None]:
        """Answer while the request is still coming in, and ignore the rest of it."""
        self.client_state = self.server_state = self.state_errored
        if not self.flow.request.is_http2:
            response.headers["connection"] = "close"
        if self.flow.request.method == "HEAD":
            framing.head_only(response)
        yield HttpResponseHook(self.flow)
        client, content = self.context.client, response.raw_content
        self.flow.live = False
        yield SendHttp(ResponseHeaders(self.stream_id, response, not content), client)
        if content:
            yield SendHttp(ResponseData(self.stream_id, content), client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), client)
        yield DropStream(self.stream_id)

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
                return self._too_large(limit)
        return super().check_body_size(request)

    def _too_large(self, limit: int) -> CommandGenerator[bool]:
        self.request_body_buf.clear()  # type: ignore[no-untyped-call]
        self.flow.response = response = request_limit.answer(self.flow, limit)
        yield from self.respond_early(response)
        return True

    # uploads

    def start_request_stream(self) -> CommandGenerator[None]:
        self.uploading = True
        return super().start_request_stream()

    def state_stream_request_body(
        self, event: RequestData | RequestTrailers | RequestEndOfMessage
    ) -> CommandGenerator[None]:
        # An upload may take its time: the wait for the answer begins with its last byte.
        self.sent_at = self.layer.now()
        self.consumed = True
        step: CommandGenerator[None] = super().state_stream_request_body(event)
        return step

    # broken connections

    def handle_protocol_error(
        self, event: RequestProtocolError | ResponseProtocolError
    ) -> CommandGenerator[None]:
        if isinstance(event, RequestProtocolError):
            return self._client_failed(event)
        match self.phase:
            case Phase.COLLECTING:
                return self.attempt_failed(FailureKind.STATUS, event.message)
            case Phase.WAITING | Phase.HOLDING:
                return self._upstream_failed(event.message)
            case Phase.PASSED if self.server_state == self.state_stream_response_body:
                return self._upstream_died(event)
        return self.bodiless(super().handle_protocol_error(event))

    def bodiless(self, step: CommandGenerator[T]) -> CommandGenerator[T]:
        """mitmproxy's own error page, for HEAD without the page."""
        return step if self.flow.request.method != "HEAD" else self._bodiless(step)

    def _bodiless(self, step: CommandGenerator[T]) -> CommandGenerator[T]:
        reply = None
        while True:
            try:
                command = step.send(reply)
            except StopIteration as end:
                return cast(T, end.value)
            reply = None
            error = command.event if isinstance(command, SendHttp) else None
            if (
                not isinstance(error, ResponseProtocolError)
                or self.flow.response is not None
                or (status := words.status_of(error.code)) is None
            ):
                reply = yield command
                continue
            head = http.Response.make(status, b"", {"connection": "close"})
            client = self.context.client
            yield SendHttp(ResponseHeaders(self.stream_id, head, True), client)
            yield SendHttp(ResponseEndOfMessage(self.stream_id), client)

    def _upstream_failed(self, message: str) -> CommandGenerator[None]:
        """Before anything went to the client."""
        kind = words.failure_kind(message)
        yield from self.attempt_failed(kind, message, stale=self._was_stale(message))

    def _was_stale(self, message: str) -> bool:
        return (
            self.phase is Phase.WAITING
            and self.reused
            and not self.consumed
            and words.was_closed(message)
            and (
                self.layer.now() - self.sent_at < STALE_SECONDS
                or found_dead(self.context.server)
            )
        )

    def _upstream_died(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        """After content went to the client."""
        plan, response = (
            cast(AttemptPolicy, self.plan),
            cast(http.Response, self.flow.response),
        )
        self.phase = Phase.QUIET
        self.server_state = self.state_errored
        self.flow.error = flow.Error(event.message)
        plan.truncated_by = words.truncation_cause(event.message)
        yield HttpErrorHook(self.flow)
        if (yield from self.check_killed(False)):
            return
        client = self.context.client
        if plan.truncation_tail is None or "content-length" in response.headers:
            yield SendHttp(event, client)
        else:
            try:
                tail = plan.truncation_tail(event.message)
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
        ended = (self.state_done, self.state_errored)
        settled = self.client_state == self.state_errored or self.server_state in ended
        yield from self._let_go(event.message)
        self.client_state = self.server_state = self.state_errored
        if not settled:
            self.flow.error = flow.Error(event.message)
            yield HttpErrorHook(self.flow)
        self.flow.live = False
        yield DropStream(self.stream_id)

    def check_killed(self, emit_error_hook: bool) -> CommandGenerator[bool]:
        if self.flow.error is None and not self._paused_event_queue:
            return no()
        return self._check_killed(emit_error_hook)

    def _check_killed(self, emit_error_hook: bool) -> CommandGenerator[bool]:
        killed = yield from super().check_killed(emit_error_hook)
        if killed:
            # mitmproxy would let the upstream go on, and keep the stream.
            yield from self._let_go("killed")
            yield DropStream(self.stream_id)
        return killed

    def break_off(self, error: Exception) -> CommandGenerator[None]:
        """A fault of ours: an answer, or what there is of one is cut. Nothing of this
        stream goes on, and nothing of any other stream changes."""
        self.__dict__["_handle_event"] = _hears_nothing
        yield from self._let_go(INTERNAL)
        flow, client = self.flow, self.context.client
        ended = (self.state_done, self.state_errored)
        settled = self.client_state == self.state_errored or self.server_state in ended
        if not settled:
            flow.error = Error(INTERNAL)
            yield HttpErrorHook(flow)
        flow.live = False
        self.client_state = self.server_state = self.state_errored
        number = self.stream_id
        told = self.layer.told(number)
        if told is Told.NOTHING and self.child_layer is None:
            status, words = 500, "The gateway failed to handle this request."
            if isinstance(error, Unwritable) and not (self.plan and self.plan.pooled):
                status, words = 400, str(error)
            flow.response = response = error_answer.make(flow, status, words)
            if not flow.request.is_http2:
                response.headers["connection"] = "close"
            yield SendHttp(ResponseHeaders(number, response), client)
            yield SendHttp(ResponseData(number, response.raw_content or b""), client)
            yield SendHttp(ResponseEndOfMessage(number), client)
            if client.alpn != b"h2":
                yield commands.CloseConnection(client)
        elif told is not Told.OVER:
            cut = ResponseProtocolError(number, INTERNAL, SERVER_ERROR)
            yield SendHttp(cut, client)
        yield DropStream(number)

    def _let_go(self, reason: str) -> CommandGenerator[None]:
        yield from self.abandon_upstream(reason)
        self.phase = Phase.QUIET
        self.forget_answer()
