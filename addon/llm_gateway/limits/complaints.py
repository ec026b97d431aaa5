"""An error body, taken apart: codes, text, and the few numbers that speak of limits.

What lives here: one bounded, tolerant reader for every provider's shape. What it does
not know: what any of it means (see `refusals`). Never raises.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

READ = 1 << 16
"""Bytes of a body that are read."""
CODE_LENGTH = 100
_CODE_KEYS = (
    "type",
    "__type",
    "status",
    "reason",
    "code",
    "error_type",
    "error_code",
    "limit_source",
)
"""The more particular the later."""
_MESSAGE_KEYS = ("message", "detail", "title", "raw")
_VAGUE = frozenset({"error", "invalid_request_error", "false", "true"})
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Violation:
    """One of Google's exhausted quotas."""

    quota: str
    """`GenerateRequestsPerDayPerProjectPerModel-FreeTier`"""
    value: int | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says."""

    code: str = ""
    """The finest word: `rate_limit_exceeded`, `openrouter_free_tier_daily`."""
    codes: frozenset[str] = frozenset()
    """All of its codes, in lower case."""
    text: str = ""
    """Its messages, in lower case; the start of the body when it is not JSON."""
    violations: tuple[Violation, ...] = ()
    retry_delay: str = ""
    """Google's RetryInfo: `38s`."""
    headers: Mapping[str, str] | None = None
    """Headers that the body repeats (OpenRouter), names in lower case."""


def read_complaint(body: bytes, headers: Mapping[str, str]) -> Complaint:
    """Codes may also stand in a header (`x-amzn-errortype`)."""
    amazon = _word(headers.get("x-amzn-errortype", "").partition(":")[0])
    try:
        value = json.loads(body[:READ])
    except (ValueError, RecursionError):
        text = body[:4096].decode("utf-8", "replace").lower()
        return Complaint(amazon, frozenset({amazon.lower()} - {""}), text)
    parts = list(_parts(value))
    codes: list[str] = [amazon] if amazon else []
    texts: list[str] = []
    violations: list[Violation] = []
    retry_delay = ""
    inner: dict[str, str] = {}
    for part in parts:
        codes += [word for key in _CODE_KEYS if (word := _word(part.get(key)))]
        texts += [
            said[:2000]
            for key in _MESSAGE_KEYS
            if isinstance(said := part.get(key), str)
        ]
        violations += _violations(part)
        if isinstance(delay := part.get("retryDelay"), str):
            retry_delay = retry_delay or delay
        if isinstance(repeated := part.get("headers"), dict):
            inner.update({str(k).lower(): str(v) for k, v in repeated.items()})
    return Complaint(
        code=_finest(codes),
        codes=frozenset(code.lower() for code in codes),
        text=" ".join(texts).lower()[:4096],
        violations=tuple(violations),
        retry_delay=retry_delay,
        headers=inner or None,
    )


def names_paid_quota(body: bytes, free: str) -> bool:
    """The quotas that it names are none of a free tier, whose ids hold `free`."""
    quotas = [v.quota for v in read_complaint(body, {}).violations]
    return bool(quotas) and not any(free in quota for quota in quotas)


def _parts(value: object) -> Iterator[Mapping[str, object]]:
    """Every object in which providers say something, the outermost first."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return
    error = value.get("error")
    yield value
    if isinstance(error, str):
        yield {"message": error}
    errors = value.get("errors")
    if isinstance(errors, list) and errors:
        error = errors[0]
    if not isinstance(error, dict):
        return
    yield error
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        yield metadata
    details = error.get("details")
    if isinstance(details, dict):
        details = [details]
    if isinstance(details, list):
        yield from (detail for detail in details[:16] if isinstance(detail, dict))


def _violations(part: Mapping[str, object]) -> Iterator[Violation]:
    said = part.get("violations")
    if not isinstance(said, list):
        said = [part]
    for one in said[:16]:
        if isinstance(one, dict) and isinstance(quota := one.get("quotaId"), str):
            value = str(one.get("quotaValue", ""))
            known = value.isascii() and value.isdigit() and len(value) < 16
            yield Violation(quota[:200], int(value) if known else None)


def _word(value: object) -> str:
    """A code: printable, without spaces, bounded."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return _UNPRINTABLE.sub("_", str(value))[:CODE_LENGTH]


def _finest(codes: list[str]) -> str:
    """The last one is the most particular; bare numbers say little."""
    for code in reversed(codes):
        if not code.isdigit() and code.lower() not in _VAGUE:
            return code
    return codes[-1] if codes else ""
