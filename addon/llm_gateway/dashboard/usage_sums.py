"""Sums of today and of this month, in the reader's own days.

The rollups hold UTC minutes, hours and days; a day of the reader's begins at any minute. So
a sum is put together of what is left of the first hour, the hours until the next UTC
midnight, and whole UTC days: exact in every time zone, and a few hundred rows at most.

What this file does not know: SQLite connections, clocks (`now` is an argument), HTML.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.reader import Ask, Params

Json = dict[str, Any]
NANO = 1e9
HOUR, DAY = 3600, 86_400
APPS_SHOWN = 5
MINUTES_KEPT = 6 * DAY
"""Seconds for which `usage_minute` is sure to be there; before, the rows are asked."""

_COLUMNS = """client, {what} AS requests, {tokens} AS tokens, cost_nano, saved_nano,
  {unknown} AS unknown, {passed} AS passed, {errors} AS errors, {refused} AS refused"""
_OF_ROLLUP = _COLUMNS.format(
    what="requests",
    tokens="total_tokens",
    unknown="(provider <> '') * unknown_cost",
    passed="passthrough",
    errors="errors",
    refused="refused",
)
_OF_ROWS = _COLUMNS.format(
    what="1",
    tokens="total_tokens",
    unknown="""(cost_nano IS NULL AND provider IS NOT NULL
    AND outcome NOT IN ('refused', 'passthrough')
    AND (outcome <> 'error' OR total_tokens > 0))""",
    passed="(outcome = 'passthrough')",
    errors="(outcome IN ('error', 'truncated', 'lost'))",
    refused="(outcome = 'refused')",
)
_FIRST_HOUR = {
    True: f"SELECT {_OF_ROLLUP} FROM usage_minute WHERE minute >= :m AND minute < :h",
    False: f"""SELECT {_OF_ROWS} FROM requests
  WHERE ts >= :m AND ts < :h AND simulated = 0 AND outcome <> 'in_flight'""",
}
_SUMS = """coalesce(sum(requests), 0) AS requests, coalesce(sum(tokens), 0) AS tokens,
  sum(cost_nano) AS cost, sum(saved_nano) AS saved,
  coalesce(sum(unknown), 0) AS unknown, coalesce(sum(passed), 0) AS passed,
  coalesce(sum(errors), 0) AS errors, coalesce(sum(refused), 0) AS refused"""
_PARTS = {
    recent: f"""({first}
  UNION ALL
  SELECT {_OF_ROLLUP} FROM usage_hour WHERE hour >= :h AND hour < :d
  UNION ALL
  SELECT {_OF_ROLLUP} FROM usage_day WHERE day >= substr(:d, 1, 10))"""
    for recent, first in _FIRST_HOUR.items()
}
SINCE = {recent: f"SELECT {_SUMS} FROM {parts}" for recent, parts in _PARTS.items()}
BY_APP = f"""
SELECT client, {_SUMS} FROM {_PARTS[True]}
GROUP BY client ORDER BY tokens DESC, requests DESC, client LIMIT :most
"""
_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")


@lru_cache(64)
def zone(name: str | None) -> ZoneInfo | None:
    """A time zone by its IANA name; UTC for none, None where there is no such zone."""
    if not name:
        return ZoneInfo("UTC")
    if len(name) > 64 or not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def midnight(at: float, where: ZoneInfo, *, days_back: int = 0) -> float:
    """Unix seconds at which the local day of `at`, or an earlier one, began."""
    day = datetime.fromtimestamp(at, where).date() - timedelta(days=days_back)
    return datetime.combine(day, time.min, where).timestamp()


def month_start(at: float, where: ZoneInfo) -> float:
    day = datetime.fromtimestamp(at, where).date().replace(day=1)
    return datetime.combine(day, time.min, where).timestamp()


def since(ask: Ask, start: float, now: float) -> Json:
    """What finished requests that began at `start` or later come to; not simulated ones.

    `cost` and `saved` in US$, None where nothing had a known price; `unknown` counts
    answers without one, `passed` what went to the app's own host.
    """
    row = ask(SINCE[start > now - MINUTES_KEPT], _bounds(start))[0]
    return {
        **{name: row[name] for name in ("requests", "tokens", "unknown", "passed")},
        **{name: row[name] for name in ("errors", "refused")},
        **{name: _dollars(row[name]) for name in ("cost", "saved")},
    }


def _bounds(start: float) -> Params:
    return {
        # `…T12:00` sorts before every moment of that minute, also in rows.
        "m": stamp(start)[:16],
        "h": stamp(-(-start // HOUR) * HOUR)[:16],
        "d": stamp(-(-start // DAY) * DAY)[:16],
    }


def apps_today(ask: Ask, now: float, where: ZoneInfo) -> list[Json]:
    """Who used most since the reader's midnight, by tokens: the first of them."""
    bounds = {**_bounds(midnight(now, where)), "most": APPS_SHOWN}
    return [
        {
            "name": row["client"],
            "requests": row["requests"],
            "tokens": row["tokens"],
            "cost": _dollars(row["cost"]),
        }
        for row in ask(BY_APP, bounds)
    ]


def _dollars(nano: int | None) -> float | None:
    return None if nano is None else round(nano / NANO, 9)


def today_and_month(ask: Ask, now: float, where: ZoneInfo) -> Json:
    """{today, month}: sums since the reader's midnight and since the first."""
    month = since(ask, month_start(now, where), now)
    today = since(ask, midnight(now, where), now)
    shown = (
        "requests",
        "tokens",
        "cost",
        "saved",
        "unknown",
        "passed",
        "errors",
        "refused",
    )
    return {
        "today": {name: today[name] for name in shown},
        "month": {name: month[name] for name in ("cost", "saved")},
    }


LAST_BILLED = """
SELECT (SELECT day FROM usage_day WHERE cost_nano > 0 ORDER BY day DESC LIMIT 1) AS last,
  (SELECT min(day) FROM usage_day) AS first
"""


def unbilled_days(ask: Ask, now: float) -> int | None:
    """Whole UTC days, today included, on which nothing was billed; None: today something
    was, or there is no day yet."""
    row = ask(LAST_BILLED, {})[0]
    today = datetime.fromtimestamp(now, UTC).date()
    if row["first"] is None:
        return None
    if row["last"] is None:
        return (today - date.fromisoformat(row["first"])).days + 1
    return (today - date.fromisoformat(row["last"])).days or None
