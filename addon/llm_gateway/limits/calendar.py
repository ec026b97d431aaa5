"""When a calendar window ends: a provider's day or month, in its own zone.

What lives here: wall clock times turned into moments, through `zoneinfo`. What it does
not know: what is counted. Windows keep the answer, so zones are asked once a day.

Two wall clock times need a rule, as clocks change: one that happens twice means the
first, and one that never happens (02:30 on a spring night) means the moment as long
after midnight as the clock would have shown it, 03:30.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from llm_gateway.domain import Reset, Window

FIRST_OF_MONTH_UTC = Reset()
"""A month without a reset of its own."""


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo | None:
    """The zone of that name; None when this system does not know it."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a directory
        return None


def zone_problem(name: str) -> str | None:
    """What to tell whoever wrote a zone that is not known here; None when it is."""
    if zone(name) is not None:
        return None
    return (
        f'"{name}" is not a time zone that this system knows; write an IANA name such as'
        ' "America/Los_Angeles", or "UTC" (where every name is unknown: pip install tzdata)'
    )


def span(window: Window, reset: Reset, now: float) -> tuple[float, float] | None:
    """Start and end of the day or month that `now` lies in, unix time, end excluded.

    None when the reset's zone is not known. Only days and months have a calendar.
    """
    where = zone(reset.zone)
    if where is None:
        return None
    start = datetime.fromtimestamp(now, where).date()
    if window is Window.MONTH:
        start = start.replace(day=1)
        if now < _moment(start, reset, where):
            start = (start - timedelta(days=1)).replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        if now < _moment(start, reset, where):
            start -= timedelta(days=1)
        end = start + timedelta(days=1)
    return _moment(start, reset, where), _moment(end, reset, where)


def _moment(day: date, reset: Reset, where: tzinfo) -> float:
    wall = datetime(day.year, day.month, day.day, reset.hour, reset.minute)
    return wall.replace(tzinfo=where).timestamp()
