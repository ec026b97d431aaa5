"""Every spelling of "when" that providers use, read into unix time.

What lives here: pure parsing of one value each; None for anything that is not one.
What it does not know: which header a value came from, what is done with it.

    Go duration      6m0s  120ms  2m59.56s  1h2m3s
    bare number      37  11.38               seconds from now
    unix time        1785658140              seconds, by its size
                     1785658140000           milliseconds, by its size
    RFC 3339         2026-05-04T12:34:56Z    or with an offset; without one UTC
    HTTP date        Sun, 27 Sep 2026 12:30:00 GMT
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_WAIT_SECONDS = 31 * 86_400.0
"""Seconds. No wait is believed to be longer than a month: what lies beyond is cut to it."""
MIN_WAIT_SECONDS = 1.0
"""Seconds. "At once" after a refusal would be asked for in a loop."""
MAX_COUNT = float(1 << 53)
"""No count is believed to be larger."""

_LONGEST_TEXT = 64
_UNITS = {
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_PART = r"(\d+(?:\.\d+)?|\.\d+)(d|h|ms|m|s|us|µs|ns)"
_GO = re.compile(rf"(?:{_PART})+", re.ASCII)
_GO_PART = re.compile(_PART, re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11


def number(text: str | None) -> float | None:
    """A number that is not negative, with or without commas; at most 2**53."""
    if text is None or len(text) > _LONGEST_TEXT:
        return None
    bare = text.strip().replace(",", "")
    if not _NUMBER.fullmatch(bare):
        return None
    value = float(bare)
    return value if value <= MAX_COUNT else None


def seconds(text: str) -> float | None:
    """A length of time: a Go duration or a bare number of seconds."""
    text = text.strip()
    if not text or len(text) > _LONGEST_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        return _finite(float(text))
    if _GO.fullmatch(text):
        parts = _GO_PART.findall(text)
        return _finite(sum(float(number) * _UNITS[unit] for number, unit in parts))
    return None


def moment(text: str, now: float) -> float | None:
    """A moment, however it is spelt, between now and a month from now."""
    when = seconds(text)
    if when is not None:
        if when >= _EPOCH_MILLISECONDS:
            when /= 1000
        elif when < _EPOCH_SECONDS:
            when += now
    else:
        when = _date(text.strip())
    if when is None:
        return None
    return min(max(when, now), now + MAX_WAIT_SECONDS)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """When to come back, by `retry-after-ms` or else `retry-after` (lower-case names).

    Unix time, between a second and a month from now.
    """
    when = None
    length = seconds(headers.get("retry-after-ms", ""))
    if length is not None:
        when = now + length / 1000
    else:
        when = moment(headers.get("retry-after", ""), now)
    if when is None:
        return None
    return min(max(when, now + MIN_WAIT_SECONDS), now + MAX_WAIT_SECONDS)


def _date(text: str) -> float | None:
    if not text or len(text) > _LONGEST_TEXT:
        return None
    try:
        if text[:1].isdigit() and len(text) > 10:
            when = datetime.fromisoformat(text)
        else:
            when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return when.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
