"""Policy and result of one upstream attempt: timeouts, classifier, failure report.

What lives here: the values between the addon and the HTTP layer. The addon puts a
`AttemptPolicy` on a flow; the layer asks the plan's `Classifier` about the answer and reports each
attempt that failed as a `Failure`, through a hook of our own. What this file does not
know: connections, streams, providers, and what a good answer looks like.

Times are seconds; a deadline is a moment of the event loop's clock (`loop.time()`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from mitmproxy import http
from mitmproxy.proxy import commands

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.domain import FailureKind

MIB = 1 << 20
HELD_BYTES = 32 * MIB
"""How much of an answer is read before the client gets any of it; as of a request."""
COLLECTED_BYTES = 64 * 1024
"""How much of a failing answer's body is kept for the report."""
COLLECT_SECONDS = 3.0
"""How long we wait for it."""


class Classification(Enum):
    """What an inspector says of an answer."""

    BUFFER = auto()
    """Not clear yet: keep what there is from the client and show me more."""
    FORWARD = auto()
    """Deliver: what was held goes out at once, and everything after it as it comes."""
    REJECT = auto()
    """Not an answer: abandon it."""
    READ_ERROR_BODY = auto()
    """A failing status: gather its body for the report, then it is a failure."""


class Classifier(Protocol):
    """Judges one upstream answer. Synchronous, called between two chunks: be quick.

    A new one for each attempt. An exception counts as PASS (and is logged): an app
    shall not suffer from a bug in the judge.
    """

    def head(self, status: int, headers: http.Headers) -> Classification:
        """Status line and headers are here. Any judgement."""
        ...

    def body(self, data: bytes) -> Classification:
        """A chunk, while holding. HOLD, PASS or FAIL."""
        ...

    def end(self) -> Classification:
        """The upstream has finished, while holding. PASS or FAIL."""
        ...


@dataclass
class AttemptPolicy:
    """How a flow is carried. For buffered requests set in `request`, for streamed ones
    in `requestheaders`; a new one for each further attempt, set in the failure hook."""

    classifier: Classifier
    connect_timeout: float
    """For name resolution, TCP and TLS together."""
    first_byte_timeout: float
    """From the last byte of the request to the first byte of the answer's body."""
    idle_timeout: float
    """Between two pieces of the answer, held or delivered."""
    deadline: float
    """When an answer must have been found (PASS), over all attempts."""
    pooled: bool = False
    """The gateway composed this request, from its method to its framing: its connection may
    serve others of the kind, also another client's. False: an app did. Bytes that two
    servers read in two ways then reach only connections on which no key of ours goes."""
    truncation_tail: Callable[[str], bytes] | None = None
    """The stream died after content went out: the bytes to send before a clean end (an SSE
    error event), made from the reason. None, or an answer with a content-length: the
    connection is closed (HTTP/1) or the stream reset (HTTP/2), so that the client knows."""
    proxy: ProxyServer | None = None
    """The outbound proxy by way of which the upstream is reached; None: directly."""
    max_held: int = HELD_BYTES
    """More than this while holding is an answer by its size: it PASSes, and streams."""
    sent: bool = False
    """Written by the layer: bytes of the request may have reached the upstream."""
    fresh: bool = False
    """Take a new connection: one that was kept turned out closed."""
    truncated_by: str = ""
    """Written by the layer, before the `error` hook: the upstream ended an answer after
    PASS, how (`closed`, `stalled`, `protocol error`). Empty: it was not the upstream."""


class Action(Enum):
    """What the addon wants after a failure."""

    RETRY = auto()
    """Send `flow.request` as it is now, under the plan that is set now."""
    RESPOND = auto()
    """Answer with `flow.response` (a bare 502 when there is none)."""


@dataclass
class Failure:
    """One attempt that failed; the argument of `gateway_attempt_failed`."""

    flow: http.HTTPFlow
    kind: FailureKind
    message: str
    """For a log line: what happened, bounded, possibly with words of the upstream."""
    status: int | None = None
    headers: http.Headers | None = None
    body: bytes = b""
    """At most 64 KB."""
    body_complete: bool = False
    request_sent: bool = False
    """Bytes of the request may have reached the upstream."""
    stale: bool = False
    """The connection had been kept, and was most likely closed before the request came:
    sent again on a fresh one (`AttemptPolicy.fresh`), it may well succeed. Whether the upstream
    has seen it, nobody knows: it is an attempt like any other."""
    replayable: bool = True
    """False: body bytes of a streamed request are gone; RETRY is not possible."""
    action: Action = Action.RESPOND


@dataclass
class GatewayAttemptFailedHook(commands.StartHook):  # type: ignore[no-untyped-call]
    """Calls `async def gateway_attempt_failed(self, failure: Failure)` on the addon."""

    failure: Failure


_PLAN = "_gateway_plan"
# On the flow itself and not in a weak dictionary: inspectors and tails know their flow,
# and a value that knows its own weak key is never freed. Copies of a flow have no plan.


def set_plan(flow: http.HTTPFlow, plan: AttemptPolicy) -> None:
    """From now on, the next attempt of this flow is carried under this plan."""
    setattr(flow, _PLAN, plan)


def plan_of(flow: http.HTTPFlow) -> AttemptPolicy | None:
    plan: AttemptPolicy | None = getattr(flow, _PLAN, None)
    return plan


def forget_plan(flow: http.HTTPFlow) -> None:
    """A plan knows its flow, by way of who judges and who says the last word."""
    flow.__dict__.pop(_PLAN, None)


INTERNAL = "internal error"
"""The `error` hook's message where a fault of the gateway ended a flow."""


def _plain_error(flow: http.HTTPFlow, status: int, message: str) -> http.Response:
    error = {"message": message, "type": "invalid_request_error"}
    if status >= 500:
        error["type"] = "server_error"
    body = json.dumps({"error": error})
    return http.Response.make(status, body, {"content-type": "application/json"})


@dataclass
class ErrorAnswer:
    """Makes the answer to a request that the layer itself ends."""

    make: Callable[[http.HTTPFlow, int, str], http.Response] = _plain_error


error_answer = ErrorAnswer()
"""The one in force; `set_error_answer`."""


def set_error_answer(
    make: Callable[[http.HTTPFlow, int, str], http.Response] = _plain_error,
) -> None:
    """`make(flow, status, message)`: how the layer's own refusals look. Heads that are no
    request get a 400 or 505, requests that end by a fault of ours a 500."""
    error_answer.make = make


_ABSOLUTE = "_gateway_absolute"


def note_target(request: http.Request) -> None:
    """Remember the form of the target: mitmproxy rewrites it before the first hook."""
    setattr(request, _ABSOLUTE, bool(request.authority))


def is_absolute(request: http.Request) -> bool:
    """The client named a whole URL, as clients of a proxy do (HTTP/2 always does)."""
    return bool(getattr(request, _ABSOLUTE, False))


def bare_502() -> http.Response:
    """For an addon that answered nothing: no cause, no words of the upstream."""
    error = {"message": "the upstream failed", "type": "api_error"}
    body = json.dumps({"error": error})
    return http.Response.make(502, body, {"content-type": "application/json"})
