"""Columns of the History page: a range that ends now, two dates of the reader's, and the time before.

What this file does not know: SQL, clocks (`now` is an argument), charts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from llm_gateway.dashboard import usage_sums

HOUR, DAY = 3600, 86_400
DAYS_AT_MOST = 731
"""Days between two dates."""
DAYS_IN_HOURS = 3
"""Of so many days hours are shown, where they begin at a full hour of UTC."""


@dataclass(frozen=True, slots=True)
class Range:
    label: str
    period: str
    """Which rollup: minute, hour or day."""
    seconds: int
    step: int
    """Seconds that one column of the chart stands for."""


RANGES = {
    "6h": Range("6 hours", "minute", 6 * HOUR, 600),
    "24h": Range("24 hours", "hour", DAY, HOUR),
    "7d": Range("7 days", "hour", 7 * DAY, HOUR),
    "30d": Range("30 days", "day", 30 * DAY, DAY),
    "90d": Range("90 days", "day", 90 * DAY, DAY),
    "1y": Range("1 year", "day", 365 * DAY, DAY),
}
OWN = "own"
"""Name of the range between two dates."""


@dataclass(frozen=True, slots=True)
class Columns:
    """When each column begins, in unix seconds; the last one ends at `until`."""

    times: tuple[float, ...]
    until: float
    period: str
    step: int
    closed: bool = False
    """It ended; nothing that came later counts."""

    @property
    def seconds(self) -> float:
        return self.until - self.times[0]


@dataclass(frozen=True, slots=True)
class Dates:
    """Two days of the reader's, both included."""

    first: date
    last: date


def dates(args: Mapping[str, str]) -> Dates | str | None:
    """From `from` and `to` of the query string; a text says what is wrong, None: neither."""
    if not args.get("from") and not args.get("to"):
        return None
    found = []
    for name in ("from", "to"):
        text = args.get(name) or args.get("from") or ""
        try:
            found.append(date.fromisoformat(text))
        except ValueError:
            return f"{name} is {text[:40]!r}; write a date, e.g. 2026-03-01"
    first, last = found
    if first > last:
        return f"from is {first}, after to, {last}; write the earlier date first"
    if (last - first).days >= DAYS_AT_MOST or not 2000 < first.year < last.year + 1 < 2200:  # fmt: skip
        return f"from {first} to {last} is too long; choose at most two years"
    return Dates(first, last)


def of_range(span: Range, now: float, where: ZoneInfo) -> Columns:
    """The last column holds `now`."""
    if span.period == "day":
        days = span.seconds // DAY
        times = tuple(
            usage_sums.midnight(now, where, days_back=ago)
            for ago in range(days - 1, -1, -1)
        )
    else:
        start = math.floor(now / span.step) * span.step - span.seconds + span.step
        times = tuple(range(start, math.floor(now) + 1, span.step))
    return Columns(times, now, span.period, span.step)


def of_dates(asked: Dates, now: float, where: ZoneInfo) -> Columns:
    """From the first midnight to the one after the last day, or until now."""
    days = (asked.last - asked.first).days + 1
    edges = [_midnight(asked.first + timedelta(days=n), where) for n in range(days + 1)]
    closed = edges[-1] <= now
    until = max(min(edges[-1], now), edges[0])
    if days <= DAYS_IN_HOURS and not any(at % HOUR for at in edges):
        start, end = int(edges[0]), int(edges[-1])
        return Columns(tuple(range(start, end, HOUR)), until, "hour", HOUR, closed)
    return Columns(tuple(edges[:-1]), until, "day", DAY, closed)


def before(columns: Columns, where: ZoneInfo) -> Columns:
    """As many columns before them, until as far into the last as these have come.

    That moment is a full hour, for more is not kept of the time before.
    """
    times = columns.times
    count = len(times)
    # How far the columns have come, which may be short of the last one.
    last = max(n for n, at in enumerate(times) if at <= columns.until)
    into = columns.until - times[last]
    earlier: tuple[float, ...]
    if columns.step == DAY:
        first = datetime.fromtimestamp(times[0], where).date()
        earlier = tuple(_midnight(first - timedelta(days=n), where) for n in range(count, 0, -1))  # fmt: skip
    else:
        earlier = tuple(at - count * columns.step for at in times)
    whole = 60 if columns.period == "minute" else HOUR
    until = earlier[last] + into
    until -= until % whole
    return Columns(earlier, until, columns.period, columns.step, closed=True)


def _midnight(day: date, where: ZoneInfo) -> float:
    return datetime.combine(day, time.min, where).timestamp()
