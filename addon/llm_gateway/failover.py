"""What a failed attempt means, and what the client is told when none is left.

What lives here: the decision table of failing over. `judge` reads one failure and
returns what to do next and what to remember; `final_answer` picks the most useful
last word once nothing more can be tried.

What this file does not know: sockets, mitmproxy, clocks, who the next candidate is.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from llm_gateway.frozen import frozen

from .dialects import ProviderError, word_of
from .exchange import Candidate
from .health import DISABLED_FOR, MODEL_GONE_FOR, OPEN_MOST
from .limits.refusals import Refused


class Next(Enum):
    MOVE_ON = "another candidate"
    LARGER = "a candidate with a larger context window"
    REFRESH = "the same one with a fresh credential"
    REPEAT = "the same one without what it rejects"
    STOP = "the client's own error goes back"


class Mark(Enum):
    """What is remembered of the one that failed."""

    NOTHING = "nothing"
    STRIKE = "strike"
    STRIKE_PROVIDER = "strike against the whole provider"
    COOL = "cooldown"
    DISABLE_ACCOUNT = "account disabled"
    DISABLE_MODEL = "model disabled"
    NO_DIALECT = "dialect not spoken"


@frozen
class Failed:
    """One attempt that failed, as the edge saw it."""

    kind: str
    """`status`, `judged`, `connect`, `connect timeout`, `cannot resolve`, `tls`,
    `closed before headers`, `no first byte`, `protocol error`, `deadline`."""
    message: str = ""
    status: int | None = None
    error: ProviderError | None = None
    body: bytes = b""
    body_complete: bool = False
    content_type: str = ""
    retry_after: str = ""
    """The provider's header, as it came."""
    back_at: float | None = None
    """Unix time that it asks us to wait for, with whatever status."""
    sent: bool = True
    """The provider may have seen the request."""
    refused: Refused | None = None
    """What a 402, 403, 413 or 429 says of limits and money."""

    @property
    def code(self) -> str:
        """The provider's word for it, where it has one; never its free text."""
        refused = self.refused.code if self.refused else ""
        if self.error is None:
            return word_of(refused)
        return word_of(refused, self.error.code, self.error.type)


@frozen
class Judged:
    next: Next
    mark: Mark
    reason: str
    """A class of failure for the ledger: never a provider's free text."""
    counted: bool
    """The provider counts this attempt against its limits."""
    until: float | None = None
    """End of a cooldown or of being disabled; None: unknown. A strike with an end is
    a cooldown, too."""


_CONNECTION = {"cannot resolve", "connect", "connect timeout", "tls"}
_TIMEOUTS = {"connect timeout", "no first byte", "deadline"}
_CLOSED = "closed before headers"
_SPEAKS_OF_REQUEST = {400, 406, 411, 413, 414, 415, 422, 431, 451}
_MODEL_GONE = re.compile(
    r"model_not_found|model_not_supported|unknown_model|invalid_model\b"
    r"|no such model|unknown model|invalid model|is not a valid model"
    r"|no endpoints found|decommissioned|access to (?:the )?model"
    # "The model `x` does not exist", and not "… is not supported with this model".
    r"|\bmodels?\b[^\w.]*(?:\S+ )?(?:is |was )?"
    r"(?:not found|not supported|not available|does not exist)"
)
"""Said of a model that a provider does not have, in a text in lower case."""
_TOO_LONG = (
    "context_length_exceeded",
    "maximum context",
    "context length",
    "context window",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
    "exceeds the maximum number of tokens",
)
_BAD_KEY = (
    "api key not valid",
    "api_key_invalid",
    "invalid api key",
    "invalid_api_key",
)
_FLAGGED = ("moderation", "flagged", "content policy", "content_policy")
_NO_MONEY = ("insufficient_quota", "billing", "credit balance", "spend limit")


def judge(
    failed: Failed, now: float, *, model: str, can_refresh: bool = False
) -> Judged:
    """One row of the table for one failure.

    `model` is the name that the provider was sent; `can_refresh` says that its
    credential is a session that was not renewed for this request yet.
    """
    kind = failed.kind
    if kind in _CONNECTION or (kind == _CLOSED and failed.status is None):
        return Judged(
            Next.MOVE_ON, Mark.STRIKE_PROVIDER, _reason(failed), counted=False
        )
    if kind in (_CLOSED, "no first byte", "deadline", "judged", "protocol error"):
        # A deadline that passed before anything was sent says nothing of a provider.
        mark = Mark.STRIKE if failed.sent or kind != "deadline" else Mark.NOTHING
        return Judged(Next.MOVE_ON, mark, _reason(failed), counted=failed.sent)
    return _judge_status(failed, now, model, can_refresh)


def _judge_status(failed: Failed, now: float, model: str, can_refresh: bool) -> Judged:
    status = failed.status or 0
    reason = _reason(failed)
    refused = failed.refused
    text = _text(failed)
    gone = Judged(Next.MOVE_ON, Mark.DISABLE_MODEL, reason, False, now + MODEL_GONE_FOR)
    useless = Judged(
        Next.MOVE_ON, Mark.DISABLE_ACCOUNT, reason, False, now + DISABLED_FOR
    )
    if status in (400, 413, 422) and _any(_TOO_LONG, text):
        return Judged(Next.LARGER, Mark.NOTHING, reason, counted=False)
    if refused is not None:
        if refused.kind == "money":
            return replace(useless, until=refused.until or useless.until)
        # A request too large for a minute's tokens is no reason to rest.
        mark = Mark.NOTHING if refused.kind == "too_large" else Mark.COOL
        return Judged(Next.MOVE_ON, mark, reason, False, refused.until)
    if status == 429:
        return Judged(Next.MOVE_ON, Mark.COOL, reason, counted=False)
    if status == 402 or (status in (400, 403) and _any(_NO_MONEY, text)):
        return useless
    if status in (400, 403) and _MODEL_GONE.search(text):
        return gone
    if status == 403 and _any(_FLAGGED, text):
        return Judged(Next.STOP, Mark.NOTHING, reason, counted=True)
    if status in (401, 403) or (status == 400 and _any(_BAD_KEY, text)):
        if can_refresh and status == 401:
            return Judged(Next.REFRESH, Mark.NOTHING, reason, counted=False)
        return useless
    if status in (404, 405, 410):
        if _is_about_model(failed, model, text):
            return gone
        return Judged(Next.MOVE_ON, Mark.NO_DIALECT, reason, counted=False)
    if status in (408, 409, 425) or status >= 500 or status == 498:
        # It may be asked to wait for as long as a circuit would be open at most.
        until = failed.back_at and min(failed.back_at, now + OPEN_MOST)
        return Judged(Next.MOVE_ON, Mark.STRIKE, reason, True, until)
    if 400 <= status < 500:
        return Judged(Next.STOP, Mark.NOTHING, reason, counted=True)
    # 1xx and 3xx: redirects are never followed, since a key goes to one origin only.
    return Judged(Next.MOVE_ON, Mark.STRIKE, reason, counted=True)


def _is_about_model(failed: Failed, model: str, text: str) -> bool:
    """A 404 is about the model when it names it, or says nothing else."""
    if failed.status == 405:
        return False
    names = (model.lower(), "model", "deployment")
    return not text.strip() or _any(names, text) or bool(_MODEL_GONE.search(text))


def _any(needles: Sequence[str], text: str) -> bool:
    return any(needle in text for needle in needles)


def _text(failed: Failed) -> str:
    error = failed.error
    if error is None:
        return ""
    return f"{error.code} {error.type} {error.message}".lower()


def _reason(failed: Failed) -> str:
    if failed.status is not None and failed.kind == "status":
        return f"{failed.status} {failed.code}".strip()
    if failed.kind == "judged":
        return (failed.message or "broken answer")[:80]
    if failed.kind == _CLOSED and failed.status is not None:
        return "closed before content"
    return failed.kind


@frozen
class Passed:
    """The provider's own answer goes to the client, body and status."""

    failed: Failed


@frozen
class Own:
    """Our own answer: in the client's dialect, with the reasons."""

    status: int
    code: str
    message: str
    retry_after: float | None = None
    """Unix time of the soonest return."""


def final_answer(
    tried: Sequence[tuple[str, Failed]],
    skipped: Sequence[Candidate],
    *,
    model: str,
    now: float,
) -> Passed | Own:
    """The last word: about the request, else the last 5xx, else our own.

    `tried` holds (provider, failure) in order; `skipped` the candidates that were
    not asked, with their reasons and the moments of their return.
    """
    for _, failed in reversed(tried):
        if _speaks_of_request(failed):
            return Passed(failed)
    reasons = {name: _reason(failed) for name, failed in tried}
    reasons |= {_name(c): c.reason for c in skipped}
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    why = why or "no provider is configured for it"
    for _, failed in reversed(tried):
        # A page, or nothing at all, tells an app less than our own words do.
        speaks = failed.body_complete and failed.body.lstrip()[:1] in (b"{", b"[")
        if failed.kind == "status" and (failed.status or 0) >= 500 and speaks:
            return Passed(failed)
    soonest = min((c.returns_at for c in skipped if c.returns_at), default=None)
    states = {c.state for c in skipped}
    broken = states <= {"failing", "disabled", "not configured"}
    if tried and broken and all(f.kind != "status" for _, f in tried):
        late = all(f.kind in _TIMEOUTS for _, f in tried)
        return Own(
            504 if late else 502,
            "upstream_unreachable",
            f"No provider of {model!r} answered. {why}",
            soonest,
        )
    if tried and soonest is None:
        return Own(502, "upstream_failed", f"No provider could serve {model!r}. {why}")
    if not tried and "too large" in states and states <= {"too large", "disabled"}:
        return Own(
            413,
            "request_too_large",
            f"The request is too large for every provider of {model!r}. {why}",
        )
    if states and broken:
        return Own(
            503,
            "no_provider_available",
            f"No provider of {model!r} is available. {why}",
            soonest,
        )
    return Own(
        429,
        "rate_limit_exceeded",
        f"Every provider of {model!r} is exhausted. {why}",
        soonest,
    )


def _speaks_of_request(failed: Failed) -> bool:
    """The client can do something about it; not so about a key, money or a config."""
    text = _text(failed)
    refused = failed.refused
    return (
        failed.kind == "status"
        and failed.status in _SPEAKS_OF_REQUEST
        and failed.body_complete
        and (refused is None or refused.kind == "too_large")
        and not _any(_BAD_KEY + _NO_MONEY, text)
        and not _MODEL_GONE.search(text)
    )


def _name(candidate: Candidate) -> str:
    offer = candidate.offer
    account = f"#{offer.account}" if offer.account else ""
    return f"{offer.provider}{account}/{offer.model}"
