"""When a used-up plan comes back, as error bodies tell it: lengths, dates, members.

    members   "retryDelay": "38s"   "resets_at": 1785658140   "resets_in_seconds": 5000
    lengths   try again in 7m12s · resets in 12 days · reset after 18h31m10s
    dates     reset at 2026-11-30 18:04:05 · regain access on 2026-12-01 at 00:00 UTC
              resets Dec 1, 2026, 5:00 PM · 您的限额将在 2026-11-30 18:04:05 重置

A date without a zone is read as UTC. Pure; texts are in lower case and bounded.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.limits.durations import (
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    moment,
    seconds,
)

_UNIT = r"(?:milliseconds?|msecs?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|hrs?|h|days?|d|weeks?|w)\b"
_LENGTH = rf"\d{{1,9}}(?:\.\d{{1,12}})? ?(?:{_UNIT}|[dhm](?=\d))"
_LENGTHS = rf"({_LENGTH}(?:(?:,? and |, | )?{_LENGTH}){{0,4}})"
_ABOUT = r"(?:about |approximately |around |~ ?)?"
_WAIT = re.compile(
    r"(?:try(?:ing)? (?:it )?again|retry(?:ing)?|resets?|renews?|refresh(?:es)?|replenish(?:es)?"
    r"|available(?: again)?|back|wait)(?: automatically)? (?:(?:in|after|for) )?"
    + _ABOUT
    + _LENGTHS
)
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,12})?) ?(milli|ms|m|s|h|d|w)")
_SECONDS = {"milli": 1e-3, "ms": 1e-3, "s": 1.0, "m": 60.0}
_SECONDS |= {"h": 3_600.0, "d": 86_400.0, "w": 604_800.0}

_VERB = (
    r"(?:resets?|renews?|refresh(?:es)?|regain access|try again|retry|available(?: again)?"
    r"|blocked until|until|将在|将于|于)"
)
_LEAD = re.compile(_VERB + r"(?: (?:at|on|by|after|until|from|time))?[ :]*")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:(?:[t ]| at )(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)?"
    r" ?(z|utc|gmt|[+-]\d\d:?\d\d)?"
)
_MONTHS = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_NAMED = re.compile(
    r"(?:(\d{1,2}) )?("
    + "|".join(_MONTHS)
    + r")[a-z]*\.?(?: (\d{1,2})(?:st|nd|rd|th)?)?"
    r",? (\d{4})(?:,? (?:at )?(\d{1,2}):(\d\d)(?::\d\d)? ?([ap]m)?)?"
)
_UNIX = re.compile(r"(?:\||\b)(1\d{9}(?:\d{3})?)\b")
_AFTER = 40
"""Characters behind the verb in which a date begins."""

_MILLISECONDS = frozenset({"retry_after_ms"})
_MOMENTS = frozenset(
    {"resets_at", "reset_at", "resetsAt", "resetAt", "reset_time", "resetTime"}
    | {"quotaResetTimeStamp"}
)


def reset_in(error: ProviderError, now: float) -> float | None:
    """When to come back, by the body: unix time, a second to a month from now.

    Of several the latest: a plan comes back with the last of its limits.
    """
    moments = [*_fields(error, now), *_lengths(error.text, now)]
    moments += _dates(error.text, now)
    when = max(moments, default=None)
    return (
        None
        if when is None
        else min(max(when, now + MIN_WAIT_SECONDS), now + MAX_WAIT_SECONDS)
    )


def _fields(error: ProviderError, now: float) -> Iterator[float]:
    for name, value in error.resets.items():
        if name in _MOMENTS:
            found = moment(value, now)
        elif (length := seconds(value)) is not None:
            found = now + (length / 1000 if name in _MILLISECONDS else length)
        else:
            found = moment(value, now)
        if found is not None:
            yield found


def _lengths(text: str, now: float) -> Iterator[float]:
    for found in _WAIT.finditer(text):
        parts = _PART.findall(found[1])
        yield now + sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _dates(text: str, now: float) -> Iterator[float]:
    for lead in _LEAD.finditer(text):
        rest = text[lead.end() : lead.end() + _AFTER]
        if found := _ISO.match(rest):
            zone = (found[3] or "z").upper().replace("UTC", "Z").replace("GMT", "Z")
            when = moment(f"{found[1]}T{found[2] or '00:00'}{zone}", now)
        elif found := _NAMED.match(rest):
            when = _named(found)
        elif found := _UNIX.match(rest):
            when = moment(found[1], now)
        else:
            continue
        if when is not None:
            yield when
    for found in re.finditer(r"limit reached\|(\d{10,13})\b", text):
        if (when := moment(found[1], now)) is not None:
            yield when


def _named(found: re.Match[str]) -> float | None:
    day = found[1] or found[3]
    hour, minute = int(found[5] or 0), int(found[6] or 0)
    if found[7]:
        hour = hour % 12 + (12 if found[7] == "pm" else 0)
    try:
        month = _MONTHS.index(found[2]) + 1
        when = datetime(int(found[4]), month, int(day or 1), hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    return when.timestamp()
