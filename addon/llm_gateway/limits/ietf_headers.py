"""The IETF's RateLimit header fields, in the spellings of its drafts.

    draft 8 and later   RateLimit: "default";r=0;t=30      several, comma-separated
    draft 7             RateLimit: limit=100, remaining=0, reset=30
    up to draft 6       RateLimit-Remaining: 0, RateLimit-Reset: 30

`t` and `reset` are seconds from now. Pure; names of headers are in lower case.
"""

import re
from collections.abc import Iterator, Mapping

from llm_gateway.limits.durations import (
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    moment,
    seconds,
)

_PARAMETER = re.compile(r"[;,\s](r|t)=(\d{1,12})")
_MEMBER = re.compile(r"\b(remaining|reset)=(\d{1,12})")


def reset_of(headers: Mapping[str, str], now: float) -> float | None:
    """When the last of the used-up quotas comes back (unix time); None: none is said."""
    found = [*_fields(headers.get("ratelimit", "")[:1000])]
    remaining = headers.get("ratelimit-remaining", "0").strip()
    when = None
    if remaining in ("", "0"):
        when = moment(headers.get("ratelimit-reset", ""), now)
    ends = [now + length for left, length in found if not left]
    ends += [] if when is None else [when]
    if not ends:
        return None
    return min(max(*ends, now + MIN_WAIT_SECONDS), now + MAX_WAIT_SECONDS)


def _fields(text: str) -> Iterator[tuple[int, float]]:
    """(remaining, seconds) of each quota that tells both, or its reset alone."""
    if "reset=" in text:
        items, names = [text], ("remaining", "reset")
        pattern = _MEMBER
    else:
        items, names = text.split(","), ("r", "t")
        pattern = _PARAMETER
    for item in items:
        said = dict(pattern.findall(item))
        length = seconds(said.get(names[1], ""))
        if length is not None:
            yield int(said.get(names[0], "0")), length
