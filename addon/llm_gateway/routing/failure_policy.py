"""What a failed attempt means, and what the client is told when none is left.

What lives here: the decision table of failing over. `classify` reads one failure and
returns what to do next and what to remember; `final_response` picks the most useful
last word once nothing more can be tried.

What this file does not know: sockets, mitmproxy, clocks, who the next candidate is.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from llm_gateway.dialects import ProviderError, word_of
from llm_gateway.dialects.error_topics import UNKNOWN, About, By, Topic
from llm_gateway.domain import Candidate, Offer
from llm_gateway.frozen import frozen
from llm_gateway.limits.provider_refusals import ProviderRefusal
from llm_gateway.network.proxy_failure import REFUSED
from llm_gateway.routing.circuit_breaker import OPEN_MOST
from llm_gateway.routing.health import DISABLED_FOR, MODEL_GONE_FOR, NOT_SPOKEN
from llm_gateway.routing.selection import CANNOT_CARRY, CANNOT_TAKE, KEPT_ELSEWHERE
from llm_gateway.streaming.response_probe import BROKE_OFF, CALL_AS_TEXT


class NextStep(Enum):
    NEXT_CANDIDATE = "another candidate"
    LARGER_CONTEXT = "a candidate with a larger context window"
    REFRESH_CREDENTIAL = "the same one with a fresh credential"
    RETRY_WITH_QUIRK = "the same one, adapted to what it refused"
    ANOTHER_MAKER = "a candidate of another maker, once"
    RETURN_ERROR = "the client's own error goes back"


class Penalty(Enum):
    """What is remembered of the one that failed."""

    NOTHING = "nothing"
    FAILURE = "strike"
    PROVIDER_FAILURE = "strike against the whole provider"
    COOLDOWN = "cooldown"
    DISABLE_ACCOUNT = "account disabled"
    DISABLE_MODEL = "model disabled"
    DISABLE_ENDPOINT = "model disabled in this dialect"
    DISABLE_DIALECT = "dialect not spoken"


@frozen
class FailedAttempt:
    """One attempt that failed, as the transport saw it."""

    kind: str
    """`status`, `judged`, `outbound proxy`, `no network`, `connect`, `connect timeout`, `cannot resolve`, `tls`,
    `closed before headers`, `no first byte`, `protocol error`, `deadline`."""
    message: str = ""
    status: int | None = None
    error: ProviderError | None = None
    body: bytes = b""
    body_complete: bool = False
    content_type: str = ""
    topic: Topic = UNKNOWN
    """What the error is about, with a status."""
    advice: tuple[tuple[str, str], ...] = ()
    """The provider's headers that an error keeps: its ids, when to come back."""
    back_at: float | None = None
    """Unix time that it asks us to wait for, with whatever status."""
    sent: bool = True
    """The provider may have seen the request."""
    refused: ProviderRefusal | None = None
    """What a 402, 403, 413 or 429 says of limits and money."""
    offer: Offer | None = None
    """Whose it was."""
    adapted: str = ""
    """Parts of the request that were written otherwise for it."""
    translated: str = ""
    """The pair of dialects, where it was translated for it."""
    inside: int | None = None
    """Status of the answer that held the error, where the error says another one (`status`)."""

    @property
    def code(self) -> str:
        """The provider's word for it, where it has one; never its free text."""
        refused = self.refused.code if self.refused else ""
        if self.error is None:
            return word_of(refused)
        return word_of(refused, self.error.code, self.error.type)


@frozen
class FailureVerdict:
    next: NextStep
    penalty: Penalty
    reason: str
    """A class of failure for the ledger: never a provider's free text."""
    counted: bool
    """The provider counts this attempt against its limits."""
    until: float | None = None
    """End of a cooldown or of being disabled; None: unknown. A strike with an end is
    a cooldown, too."""


_WAY_OUT = {"outbound proxy", "no network"}
_CONNECTION = {"cannot resolve", "connect", "connect timeout", "tls"}
_TIMEOUTS = {"connect timeout", "no first byte", "deadline"}
_CLOSED = "closed before headers"
_SPEAKS_OF_REQUEST = {400, 406, 411, 413, 414, 415, 422, 431, 451}
_GONE = {404, 405, 410}
_NOT_THE_CLIENTS = {About.KEY, About.MONEY, About.MODEL, About.ENDPOINT}
"""Topics that whoever runs the gateway can do something about, and no client."""
_OUT = ("disabled", "not configured")
_REFUSES_HISTORY = frozenset({400, 422})
_DISABLES = {
    About.MODEL: Penalty.DISABLE_MODEL,
    About.ENDPOINT: Penalty.DISABLE_ENDPOINT,
    About.KEY: Penalty.DISABLE_ACCOUNT,
    About.MONEY: Penalty.DISABLE_ACCOUNT,
}


def classify(
    failed: FailedAttempt, now: float, *, can_refresh: bool = False
) -> FailureVerdict:
    """One row of the table for one failure.

    `can_refresh` says that its credential is a session that was not renewed for this
    request yet.
    """
    kind = failed.kind
    if kind in _WAY_OUT:  # nobody's fault who is asked by way of it
        return FailureVerdict(
            NextStep.NEXT_CANDIDATE, Penalty.NOTHING, _reason(failed), counted=False
        )
    if kind in _CONNECTION or (kind == _CLOSED and failed.status is None):
        return FailureVerdict(
            NextStep.NEXT_CANDIDATE,
            Penalty.PROVIDER_FAILURE,
            _reason(failed),
            counted=False,
        )
    if kind == "judged" and failed.message in (CALL_AS_TEXT, BROKE_OFF):
        # The form of the tools was not read, or a call not written: nobody's strike.
        return FailureVerdict(
            NextStep.NEXT_CANDIDATE, Penalty.NOTHING, _reason(failed), counted=True
        )
    if kind in (_CLOSED, "no first byte", "deadline", "judged", "protocol error"):
        # A deadline that passed before anything was sent says nothing of a provider.
        mark = Penalty.FAILURE if failed.sent or kind != "deadline" else Penalty.NOTHING
        return FailureVerdict(
            NextStep.NEXT_CANDIDATE, mark, _reason(failed), counted=failed.sent
        )
    return _judge_status(failed, now, can_refresh)


def may_teach(failed: FailedAttempt) -> bool:
    """A refusal whose words may say how the body has to differ. With which status, the
    wordings say: a 401 may be about ids, a 500 about a template."""
    return (
        failed.kind == "status"
        and failed.error is not None
        and failed.topic.about not in (About.TOO_LONG, About.KEY, About.MONEY)
        and (failed.refused is None or failed.refused.kind == "too_large")
    )


def may_refuse_history(failed: FailedAttempt, judged: FailureVerdict) -> bool:
    """An error that would go back, and may be about turns that another one takes."""
    return (
        judged.next is NextStep.RETURN_ERROR
        and failed.status in _REFUSES_HISTORY
        and failed.topic.about is not About.FLAGGED
    )


def _judge_status(
    failed: FailedAttempt, now: float, can_refresh: bool
) -> FailureVerdict:
    status = failed.status or 0
    reason = _reason(failed)
    refused = failed.refused
    about = failed.topic.about
    unharmed = FailureVerdict(
        NextStep.NEXT_CANDIDATE, Penalty.NOTHING, reason, counted=False
    )
    if about is About.TOO_LONG and (status in (400, 413, 422) or status >= 500):
        return replace(unharmed, next=NextStep.LARGER_CONTEXT)
    if refused is not None:
        if refused.kind == "money":
            back = refused.until or now + DISABLED_FOR
            return replace(unharmed, penalty=Penalty.DISABLE_ACCOUNT, until=back)
        # A request too large for a minute's tokens is no reason to rest.
        mark = Penalty.NOTHING if refused.kind == "too_large" else Penalty.COOLDOWN
        return replace(unharmed, penalty=mark, until=refused.until)
    if status == 429:
        return replace(unharmed, penalty=Penalty.COOLDOWN)
    if can_refresh and status == 401 and about is not About.NAMED:
        return replace(unharmed, next=NextStep.REFRESH_CREDENTIAL)
    if status in (401, 402, 403):
        return _judge_access(failed, now, unharmed)
    if status in _GONE:
        return _judge_gone(failed, now, unharmed)
    if status in (408, 409, 425, 498) or status >= 500:
        if about is About.NAMED:  # it broke on this request
            return replace(unharmed, counted=True)
        # It may be asked to wait for as long as a circuit would be open at most.
        until = failed.back_at and min(failed.back_at, now + OPEN_MOST)
        return FailureVerdict(
            NextStep.NEXT_CANDIDATE, Penalty.FAILURE, reason, True, until
        )
    if 400 <= status < 500:
        if about in _NOT_THE_CLIENTS:
            # Its text may repeat the request: only a code takes anything away from others.
            sure = failed.topic.by is By.CODE
            return _disabled(about, now, unharmed) if sure else unharmed
        return FailureVerdict(
            NextStep.RETURN_ERROR, Penalty.NOTHING, reason, counted=True
        )
    # 1xx and 3xx: redirects are never followed, since a key goes to one origin only.
    return FailureVerdict(
        NextStep.NEXT_CANDIDATE, Penalty.FAILURE, reason, counted=True
    )


def _judge_access(
    failed: FailedAttempt, now: float, unharmed: FailureVerdict
) -> FailureVerdict:
    """401, 402, 403: the account where that is what they speak of. What was stopped for its
    content goes back; what nobody understands is a strike, as a 500 is."""
    about = failed.topic.about
    if about is About.NAMED:
        return unharmed
    if about is About.FLAGGED:
        return replace(unharmed, next=NextStep.RETURN_ERROR, counted=True)
    if about in (About.MODEL, About.ENDPOINT):
        return _disabled(about, now, unharmed)
    if about in (About.KEY, About.MONEY):
        return _disabled(About.KEY, now, unharmed)
    return replace(unharmed, penalty=Penalty.FAILURE, counted=True)


def _judge_gone(
    failed: FailedAttempt, now: float, unharmed: FailureVerdict
) -> FailureVerdict:
    """404, 405, 410: the model, the route, or what the request named."""
    topic = failed.topic
    if topic.about is About.ROUTE:
        # Whether it ever answered in this dialect is for `Health` to say.
        return replace(
            unharmed, penalty=Penalty.DISABLE_DIALECT, until=now + MODEL_GONE_FOR
        )
    if topic.about is About.ENDPOINT or (
        topic.about is About.MODEL and topic.by in (By.CODE, By.NAME)
    ):
        return _disabled(topic.about, now, unharmed)
    return unharmed


def _disabled(about: About, now: float, unharmed: FailureVerdict) -> FailureVerdict:
    mark = _DISABLES[about]
    for_how_long = DISABLED_FOR if mark is Penalty.DISABLE_ACCOUNT else MODEL_GONE_FOR
    return replace(unharmed, penalty=mark, until=now + for_how_long)


def _reason(failed: FailedAttempt) -> str:
    if failed.status is not None and failed.kind == "status":
        reason = f"{failed.status} {failed.code}".strip()
        return f"{reason} inside a {failed.inside}" if failed.inside else reason
    if failed.kind == "judged":
        return (failed.message or "broken answer")[:80]
    if failed.kind == _CLOSED and failed.status is not None:
        return "closed before content"
    if failed.kind in _WAY_OUT:
        return failed.message
    if failed.kind == "tls" and _UNTRUSTED.search(failed.message):
        return UNTRUSTED
    if failed.kind == "connect" and failed.message.startswith(REFUSED):
        return failed.message  # what a proxy on the way said of this host
    return failed.kind


@frozen
class UpstreamError:
    """The provider's own answer goes to the client, body and status."""

    failed: FailedAttempt


@frozen
class GatewayError:
    """Our own answer: in the client's dialect, with the reasons."""

    status: int
    code: str
    message: str
    retry_at: float | None = None
    """Unix time of the soonest return."""


UNTRUSTED = (
    "tls: its certificate is not trusted; if a company reads TLS here, name the company's "
    "root in network.caFile"
)
_UNTRUSTED = re.compile(r"local issuer|self.?signed|unable to get issuer", re.I)

UNSUPPORTED_DIALECT = "unsupported_dialect"
"""Code of our own 400 where nothing but the API format is in the way."""
UNSUPPORTED_REQUEST = "unsupported_request"
"""The same where no candidate can take this very request."""


def final_response(
    tried: Sequence[tuple[str, FailedAttempt]],
    skipped: Sequence[Candidate],
    *,
    model: str,
    now: float,
) -> UpstreamError | GatewayError:
    """The last word: about the request, else the last 5xx, else our own.

    It is a 400 when nothing but the dialect is in the way.

    `tried` holds (provider, failure) in order; `skipped` the candidates that were
    not asked, with their reasons and the moments of their return.
    """
    for _, failed in reversed(tried):
        if _speaks_of_request(failed):
            return UpstreamError(failed)
    reasons = {name: _reason(failed) for name, failed in tried}
    reasons |= {c.offer.label: c.reason for c in skipped}
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    why = why or "no provider is configured for it"
    for _, failed in reversed(tried):
        # A page, or nothing at all, tells an app less than our own words do.
        speaks = failed.body_complete and failed.body.lstrip()[:1] in (b"{", b"[")
        if failed.kind == "status" and (failed.status or 0) >= 500 and speaks:
            return UpstreamError(failed)
    if (
        skipped
        and all(NOT_SPOKEN in c.reason for c in skipped)
        and all(f.topic.about is About.ROUTE for _, f in tried)
    ):
        # A 5xx would be asked again and again; this is for the app's settings.
        return GatewayError(
            400,
            UNSUPPORTED_DIALECT,
            f"No provider of {model!r} answers in this API format: {why}. Set the app to"
            " another format, or add a provider that speaks this one.",
        )
    unfit = [c for c in skipped if c.reason.startswith(_UNFIT)]
    if unfit and not tried and all(c in unfit or c.state in _OUT for c in skipped):
        return GatewayError(
            400,
            UNSUPPORTED_REQUEST,
            f"No provider of {model!r} can take this request: {why}. Leave that part out, "
            "or add a provider of this model that takes it.",
        )
    soonest = min((c.returns_at for c in skipped if c.returns_at), default=None)
    states = {c.state for c in skipped}
    broken = states <= {"failing", "disabled", "not configured"}
    if tried and broken and all(f.kind != "status" for _, f in tried):
        late = all(f.kind in _TIMEOUTS for _, f in tried)
        return GatewayError(
            504 if late else 502,
            "upstream_unreachable",
            f"No provider of {model!r} answered. {why}",
            soonest,
        )
    if tried and soonest is None:
        return GatewayError(
            502, "upstream_failed", f"No provider could serve {model!r}. {why}"
        )
    if not tried and "too large" in states and states <= {"too large", "disabled"}:
        return GatewayError(
            413,
            "request_too_large",
            f"The request is too large for every provider of {model!r}. {why}",
        )
    if states and broken:
        return GatewayError(
            503,
            "no_provider_available",
            f"No provider of {model!r} is available. {why}",
            soonest,
        )
    return GatewayError(
        429,
        "rate_limit_exceeded",
        f"Every provider of {model!r} is exhausted. {why}",
        soonest,
    )


_UNFIT = (CANNOT_TAKE, CANNOT_CARRY, KEPT_ELSEWHERE)


def _speaks_of_request(failed: FailedAttempt) -> bool:
    """The client can do something about it; not so about a key, money or a config."""
    topic, refused = failed.topic, failed.refused
    if failed.kind != "status" or not failed.body_complete:
        return False
    if failed.status in _GONE:
        return topic.about is About.NAMED
    if failed.status in (401, 403):
        return topic.about is About.NAMED or (
            topic.about in (About.UNKNOWN, About.FLAGGED)
            and refused is None
            and failed.body.lstrip()[:1] in (b"{", b"[")
        )
    return (
        failed.status in _SPEAKS_OF_REQUEST
        and (refused is None or refused.kind == "too_large")
        and topic.about not in _NOT_THE_CLIENTS
    )
