"""What a failed attempt means, and what the client is told when none is left.

What lives here: the decision table of failing over. `judge` reads one failure and
returns what to do next and what to remember; `final_answer` picks the most useful
last word once nothing more can be tried.

What this file does not know: sockets, mitmproxy, clocks, who the next candidate is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .dialects import ProviderError
from .exchange import Candidate
from .health import DISABLED_FOR, MODEL_GONE_FOR
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


@dataclass(frozen=True, slots=True)
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
    refused: Refused | None = None
    """What a 402, 403, 413 or 429 says of limits and money."""


@dataclass(frozen=True, slots=True)
class Judged:
    next: Next
    mark: Mark
    reason: str
    """A class of failure for the ledger: never a provider's free text."""
    counted: bool
    """The provider counts this attempt against its limits."""
    until: float | None = None
    """End of a cooldown or of being disabled; None: unknown."""


_CONNECTION = {"cannot resolve", "connect", "connect timeout", "tls"}
_CLOSED = "closed before headers"
_SPEAKS_OF_REQUEST = {400, 405, 406, 411, 413, 414, 415, 422, 431, 451}
_MODEL_GONE = (
    "model_not_found",
    "model not found",
    "does not exist",
    "no such model",
    "unknown model",
    "unknown_model",
    "model_not_supported",
    "not supported",
    "is not a valid model",
    "invalid model",
    "not found for api version",
    "decommissioned",
    "no endpoints found",
)
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
        return Judged(Next.MOVE_ON, Mark.STRIKE, _reason(failed), counted=True)
    return _judge_status(failed, now, model, can_refresh)


def _judge_status(failed: Failed, now: float, model: str, can_refresh: bool) -> Judged:
    status = failed.status or 0
    reason = _reason(failed)
    refused = failed.refused
    text = _text(failed)
    if status in (402, 403, 429, 413, 400) and refused is not None:
        if refused.kind == "money":
            until = refused.until or now + DISABLED_FOR
            return Judged(Next.MOVE_ON, Mark.DISABLE_ACCOUNT, reason, False, until)
        if status in (402, 429, 413):
            # A request too large for a minute's tokens is no reason to rest.
            mark = Mark.NOTHING if refused.kind == "too_large" else Mark.COOL
            return Judged(Next.MOVE_ON, mark, reason, False, refused.until)
    if status == 429:
        return Judged(Next.MOVE_ON, Mark.COOL, reason, counted=False)
    if status == 402 or (status in (400, 403) and _any(_NO_MONEY, text)):
        return Judged(
            Next.MOVE_ON, Mark.DISABLE_ACCOUNT, reason, False, now + DISABLED_FOR
        )
    if status in (401, 403) or (status == 400 and _any(_BAD_KEY, text)):
        if can_refresh and status == 401:
            return Judged(Next.REFRESH, Mark.NOTHING, reason, counted=False)
        return Judged(
            Next.MOVE_ON, Mark.DISABLE_ACCOUNT, reason, False, now + DISABLED_FOR
        )
    if status in (404, 405, 410):
        if _names_model(failed, model, text):
            return Judged(
                Next.MOVE_ON, Mark.DISABLE_MODEL, reason, False, now + MODEL_GONE_FOR
            )
        return Judged(Next.MOVE_ON, Mark.NO_DIALECT, reason, counted=False)
    if status in (400, 413, 422) and _any(_TOO_LONG, text):
        return Judged(Next.LARGER, Mark.NOTHING, reason, counted=False)
    if status == 400 and "model" in text and _any(_MODEL_GONE, text):
        return Judged(
            Next.MOVE_ON, Mark.DISABLE_MODEL, reason, False, now + MODEL_GONE_FOR
        )
    if status in (408, 409, 425) or status >= 500 or status == 498:
        return Judged(Next.MOVE_ON, Mark.STRIKE, reason, counted=True)
    if 400 <= status < 500:
        return Judged(Next.STOP, Mark.NOTHING, reason, counted=True)
    # 1xx and 3xx: redirects are never followed, since a key goes to one origin only.
    return Judged(Next.MOVE_ON, Mark.STRIKE, reason, counted=True)


def _names_model(failed: Failed, model: str, text: str) -> bool:
    """A 404 is about the model when it names it, or says nothing else."""
    if failed.status == 405:
        return False
    if not text.strip():
        return True
    return model.lower() in text or _any(_MODEL_GONE, text) or "model" in text


def _any(needles: Sequence[str], text: str) -> bool:
    return any(needle in text for needle in needles)


def _text(failed: Failed) -> str:
    error = failed.error
    if error is None:
        return ""
    return f"{error.code} {error.type} {error.message}".lower()


def _reason(failed: Failed) -> str:
    if failed.status is not None and failed.kind == "status":
        code = failed.error.code or failed.error.type if failed.error else ""
        if failed.refused is not None:
            code = failed.refused.code or code
        return f"{failed.status} {code}".strip()[:80]
    if failed.kind == "judged":
        return (failed.message or "broken answer")[:80]
    if failed.kind == _CLOSED and failed.status is not None:
        return "closed before content"
    return failed.kind


@dataclass(frozen=True, slots=True)
class Passed:
    """The provider's own answer goes to the client, body and status."""

    failed: Failed


@dataclass(frozen=True, slots=True)
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
        about_request = (
            failed.kind == "status"
            and failed.status in _SPEAKS_OF_REQUEST
            and not (failed.refused is not None and failed.refused.kind != "too_large")
            and not _any(_BAD_KEY + _NO_MONEY, _text(failed))
            and failed.body_complete
        )
        if about_request:
            return Passed(failed)
    lines = [f"{name}: {_reason(failed)}" for name, failed in tried]
    lines += [f"{_name(c)}: {c.reason}" for c in skipped]
    why = "; ".join(dict.fromkeys(lines)) or "no provider is configured for it"
    for _, failed in reversed(tried):
        if (
            failed.kind == "status"
            and (failed.status or 0) >= 500
            and failed.body_complete
        ):
            return Passed(failed)
    soonest = min((c.returns_at for c in skipped if c.returns_at), default=None)
    unreachable = [f for _, f in tried if f.kind != "status"]
    if tried and len(unreachable) == len(tried) and soonest is None:
        timeouts = ("connect timeout", "no first byte", "deadline")
        late = all(f.kind in timeouts for f in unreachable)
        status = 504 if late else 502
        return Own(
            status, "upstream_unreachable", f"No provider of {model!r} answered. {why}"
        )
    states = {c.state for c in skipped}
    if tried and soonest is None:
        return Own(502, "upstream_failed", f"No provider could serve {model!r}. {why}")
    if states and states <= {"failing", "disabled", "not configured"}:
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


def _name(candidate: Candidate) -> str:
    offer = candidate.offer
    account = f"#{offer.account}" if offer.account else ""
    return f"{offer.provider}{account}/{offer.model}"
