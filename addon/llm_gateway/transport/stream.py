"""HTTP stream of one client request: classifies the upstream's answer, passes it on.

What lives here: the judging of an answer, and its way to the client. Below are
`stream_failover` (what happens after a failure) and `stream_attempt` (one try at one
upstream). A flow with a `AttemptPolicy` is carried like this; a flow without takes mitmproxy's
own path through the same class.

    request ──▶ CONNECTING ──▶ WAITING ──▶ HOLDING ──▶ PASSED ──▶ mitmproxy's own states
                    │             │  │        │           │
                    │             │  └▶ COLLECTING        └▶ died: `error`, tail, end
                    ▼             ▼        ▼
                  gateway_attempt_failed ──RETRY──▶ CONNECTING
                                         ──RESPOND▶ flow.response

Which hooks end a flow, exactly once, always:

    answered (by an upstream, or by us after RESPOND)      responseheaders, response
    RESPOND while a streamed request is still coming in    response
    request body too large                                 response (`request` never came)
    a head that is no request: 400, 505                    response (and no other)
    a fault of ours, at any time before the end            error (`INTERNAL`), then a 500
    upstream died or stalled after PASS                    error, then tail and clean end
    client left, at any time before the end                error, after upstream's cancel
    client left after `response` was called                nothing more
    addon killed the flow                                  error

When a client leaves while the addon decides about a failure, a RETRY is not carried out:
`error` follows. The tail of a stream that died is asked for after `error`, and a stream
callable (`flow.response.stream`) is not called again.

Rules: addons see only the answer that wins; after PASS nothing of ours stands between
two chunks but one look at the clock. What this file does not know: providers, and who
decides.
"""

import logging
from collections.abc import Callable
from typing import cast

from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, SendHttp, validate_request
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestHeaders,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)

from llm_gateway.domain import FailureKind
from llm_gateway.transport import framing
from llm_gateway.transport.attempt_policy import (
    COLLECT_SECONDS,
    COLLECTED_BYTES,
    AttemptPolicy,
    Classification,
    error_answer,
    forget_plan,
    note_target,
)
from llm_gateway.transport.commands import SERVER_ERROR, Surroundings, no, nothing
from llm_gateway.transport.error_text import STALLED
from llm_gateway.transport.stream_attempt import Phase
from llm_gateway.transport.stream_failover import FailoverStream

logger = logging.getLogger(__name__)


class GatewayStream(FailoverStream):
    def __init__(self, context: Context, stream_id: int, layer: Surroundings) -> None:
        super().__init__(context, stream_id, layer)
        self.held = []

    def time_is_up(self, plan: AttemptPolicy) -> CommandGenerator[None]:
        match self.phase:
            case Phase.PASSED:
                words = f"{STALLED} {plan.idle_timeout:g} s"
                yield from self.abandon_upstream(words)
                yield from self.handle_protocol_error(
                    ResponseProtocolError(self.stream_id, words, SERVER_ERROR)
                )
            case Phase.COLLECTING:
                words = f"its body took longer than {COLLECT_SECONDS:g} s"
                yield from self.abandon_upstream(words)
                yield from self.attempt_failed(FailureKind.STATUS, words)
            case Phase.WAITING | Phase.HOLDING:
                if self.layer.now() >= plan.deadline:
                    kind, words = FailureKind.DEADLINE, "the deadline passed"
                elif self.held_bytes:
                    kind = FailureKind.FIRST_BYTE
                    words = f"stalled for {plan.idle_timeout:g} s"
                else:
                    kind = FailureKind.FIRST_BYTE
                    words = f"no byte for {plan.first_byte_timeout:g} s"
                sent = yield from self.abandon_upstream(words)
                yield from self.attempt_failed(kind, words, sent=sent)

    # the head

    def state_wait_for_request_headers(
        self, event: RequestHeaders
    ) -> CommandGenerator[None]:
        note_target(event.request)
        step: CommandGenerator[None] = super().state_wait_for_request_headers(event)
        return step if event.end_stream else self._unless_answered(step)

    def after_request_head(self, hook: StartHook) -> CommandGenerator[None]:
        """The rest of `state_wait_for_request_headers`, from its hook on."""
        return self._unless_answered(self._after_request_head(hook))

    def _after_request_head(self, hook: StartHook) -> CommandGenerator[None]:
        yield hook
        if (yield from self.check_killed(True)):
            return
        if self.flow.request.stream:
            yield from self.start_request_stream()
        else:
            self.client_state = self.state_consume_request_body
        self.server_state = self.state_wait_for_response_headers

    def _unless_answered(self, step: CommandGenerator[None]) -> CommandGenerator[None]:
        """An addon that answers a head does not wait for its body, nor does the client."""
        yield from step
        response = self.flow.response
        if (
            response is not None
            and self.client_state == self.state_consume_request_body
        ):
            yield from self.respond_early(response)

    def state_wait_for_response_headers(
        self, event: ResponseHeaders
    ) -> CommandGenerator[None]:
        if self.plan is not None:
            return self._judge_head(self.plan, event)
        if event.response.status_code == 101 and (
            problem := framing.problem_of(
                self.flow.request, event.response, validate=False
            )
        ):
            return self._not_an_answer(problem)
        step: CommandGenerator[None] = super().state_wait_for_response_headers(event)
        return step

    def _not_an_answer(self, problem: str) -> CommandGenerator[None]:
        """For a flow without a plan; nothing of it went to the client."""
        yield from self.abandon_upstream(problem)
        yield from self.handle_protocol_error(
            ResponseProtocolError(self.stream_id, problem, SERVER_ERROR)
        )

    def _judge_head(
        self, plan: AttemptPolicy, event: ResponseHeaders
    ) -> CommandGenerator[None]:
        response = event.response
        self.held = [event]
        framing.mend(response)
        validate = self.context.options.validate_inbound_headers
        request = self.flow.request
        if problem := framing.problem_of(request, response, validate=validate):
            yield from self.abandon_upstream(problem)
            yield from self.attempt_failed(FailureKind.PROTOCOL, problem)
            return
        self.checked = True
        status = response.status_code
        verdict = ask(lambda: plan.classifier.head(status, response.headers))
        if verdict is Classification.BUFFER and status == 101:
            verdict = Classification.FORWARD
        yield from self.judged_by_head(verdict)

    def judged_by_head(self, verdict: Classification) -> CommandGenerator[None]:
        match verdict:
            case Classification.FORWARD:
                yield from self._pass()
            case Classification.BUFFER:
                self.server_state = self.state_hold
                self.phase = Phase.HOLDING  # timed as before: no byte of body yet
            case Classification.READ_ERROR_BODY if self._switches():
                # There is no body, and the connection is no HTTP connection any more.
                yield from self.abandon_upstream("status 101")
                yield from self.attempt_failed(FailureKind.STATUS, "status 101")
            case Classification.READ_ERROR_BODY:
                self.server_state = self.state_collect
                self.collect_until = self.layer.now() + COLLECT_SECONDS
                yield from self.enter(Phase.COLLECTING)
            case Classification.REJECT:
                yield from self.abandon_upstream("not an answer")
                yield from self.attempt_failed(FailureKind.JUDGED, "judged by its head")

    def _switches(self) -> bool:
        return cast(ResponseHeaders, self.held[0]).response.status_code == 101

    def check_invalid(self, request: bool) -> CommandGenerator[bool]:
        if request:
            problem = self._request_problem()
            return no() if problem is None else self._refuse(problem)
        if self.checked:
            return no()
        if self.flow.response is not None:
            framing.mend(self.flow.response)
        return self.bodiless(super().check_invalid(request))

    def _request_problem(self) -> tuple[int, str] | None:
        request = self.flow.request
        validate = self.context.options.validate_inbound_headers
        if error := validate_request(self.mode, request, validate):
            return 400, error.partition(", refusing to prevent")[0]
        if request.data.method == b"CONNECT":
            return None
        http2 = self.context.client.alpn == b"h2"
        return framing.problem_of_request(request, http2=http2)

    def _refuse(self, problem: tuple[int, str]) -> CommandGenerator[bool]:
        """The addon says it in the client's dialect; the connection ends with it."""
        if self.context.client.state is ConnectionState.CLOSED:
            # mitmproxy could not read the head's length: it has said so and hung up. A
            # second word, or a second end, would meet a connection that is being closed.
            self.client_state = self.server_state = self.state_errored
            self.flow.live = False
            yield DropStream(self.stream_id)
            return True
        self.flow.response = error_answer.make(self.flow, *problem)
        yield from self.respond_early(self.flow.response)
        if self.context.client.alpn != b"h2":
            yield commands.CloseConnection(self.context.client)
        return True

    # the body

    def state_hold(self, event: HttpEvent) -> CommandGenerator[None]:
        plan = cast(AttemptPolicy, self.plan)
        self.held.append(event)
        verdict = Classification.BUFFER
        last = isinstance(event, ResponseEndOfMessage)
        if isinstance(event, ResponseData):
            data, first = event.data, not self.held_bytes
            self.held_bytes += len(data)
            verdict = ask(lambda: plan.classifier.body(data))
            if self.held_bytes > plan.max_held and verdict is Classification.BUFFER:
                yield from self._pass(large=True)
                return
            if first:
                yield from self.arm()
        elif last:
            verdict = ask(plan.classifier.end)
        yield from self.judged_by_body(verdict, last=last)

    def judged_by_body(
        self, verdict: Classification, *, last: bool
    ) -> CommandGenerator[None]:
        """last: there is no more of it."""
        if last and verdict is Classification.BUFFER:
            verdict = Classification.REJECT
        match verdict:
            case Classification.FORWARD:
                yield from self._pass()
            case Classification.REJECT | Classification.READ_ERROR_BODY:
                yield from self.abandon_upstream("not an answer")
                yield from self.attempt_failed(
                    FailureKind.JUDGED, "judged by its body", complete=last
                )
            case Classification.BUFFER:
                pass

    def state_collect(self, event: HttpEvent) -> CommandGenerator[None]:
        status = cast(ResponseHeaders, self.held[0]).response.status_code
        message = f"status {status}"
        if isinstance(event, ResponseData):
            self.collected += event.data
            if len(self.collected) > COLLECTED_BYTES:
                yield from self.abandon_upstream(message)
                yield from self.attempt_failed(FailureKind.STATUS, message)
        elif isinstance(event, ResponseEndOfMessage):
            yield from self.attempt_failed(FailureKind.STATUS, message, complete=True)

    # the way to the client

    def _pass(self, *, large: bool = False) -> CommandGenerator[None]:
        """Hand over to mitmproxy's own states, with everything held so far."""
        held, self.held = self.held, []
        self.held_bytes = 0
        head = cast(ResponseHeaders, held[0])
        head.response = framing.for_client(head.response)
        if large:
            head.response.stream = (
                True  # an addon may meter it; nobody collects the rest
            )
        self.server_state = super().state_wait_for_response_headers
        if self.carrying and head.response.status_code != 101:
            yield from self.enter(Phase.PASSED)
        else:
            self.phase = Phase.QUIET
        held.reverse()
        while held:  # each is forgotten when it is on its way: they may be 32 MB
            yield from self.server_state(held.pop())

    def after_response_head(
        self, hook: StartHook, body: list[HttpEvent]
    ) -> CommandGenerator[None]:
        """The rest of `_pass`, from its hook on."""
        yield hook
        if (yield from self.check_killed(True)):
            return
        if cast(http.Response, self.flow.response).stream:
            yield from self.start_response_stream()
        else:
            self.server_state = self.state_consume_response_body
        for event in body:
            yield from self.server_state(event)

    def start_response_stream(self) -> CommandGenerator[None]:
        response = cast(http.Response, self.flow.response)
        if framing.is_old(self.flow.request):
            self.flow.response = response = framing.for_old_client(response, None)
        if self.plan is None:
            yield from super().start_response_stream()
            return
        if framing.needs_framing(self.flow.request, response):
            response.headers["transfer-encoding"] = "chunked"
        head = ResponseHeaders(self.stream_id, response, end_stream=False)
        yield SendHttp(head, self.context.client)
        self.server_state = self.state_stream_response_body

    def send_response(self, already_streamed: bool = False) -> CommandGenerator[None]:
        request, response = self.flow.request, self.flow.response
        if not already_streamed and response is not None:
            if request.method == "HEAD":
                framing.head_only(response)
            elif response.raw_content and framing.is_old(request):
                self.flow.response = framing.for_old_client(
                    response, response.raw_content
                )
            if self.plan is not None:
                self.phase = Phase.QUIET
                if response.raw_content and framing.needs_framing(request, response):
                    response.headers["content-length"] = str(len(response.raw_content))
        step: CommandGenerator[None] = super().send_response(already_streamed)
        return step

    # the end

    def flow_done(self) -> CommandGenerator[None]:
        yield from super().flow_done()
        if self.child_layer is None:
            self.untie()

    def untie(self) -> None:
        """Nothing will come any more: what knows itself forgets that.

        All of it is then freed at once, bodies too. Left to the garbage collector, it
        took a twentieth of the time that a request takes.
        """
        self.client_state = self.server_state = _over
        self.context.layers.clear()
        forget_plan(self.flow)
        response = self.flow.response
        if response is not None and callable(response.stream):
            response.stream = True


def _over(event: object) -> CommandGenerator[None]:
    """The state of a stream that is done."""
    return nothing()


def ask(judge: Callable[[], Classification]) -> Classification:
    try:
        return judge()
    except Exception:
        logger.exception("an inspector failed; the answer is passed on")
        return Classification.FORWARD
