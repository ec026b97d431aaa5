"""Sums per column of the History page: SQL over the rollups, in the reader's own days.

Columns of minutes and hours are UTC's, which are everybody's but for half-hour zones.
Columns of days begin at the reader's midnights: hours are summed into them, and where a
midnight lies within an hour, what belongs to the day before is taken from the rows.

What this file does not know: clocks, charts, HTML.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from llm_gateway.dashboard.availability import moment, stamp
from llm_gateway.dashboard.history_columns import Columns
from llm_gateway.dashboard.reader import Ask, Params

BY = ("provider", "model", "client")
HOUR, DAY = 3600, 86_400

_ROLLUP = """
  sum(requests + :sim * simulated_requests) AS requests,
  sum(total_tokens + :sim * simulated_tokens) AS tokens,
  sum(input_tokens + cached_tokens + cache_write_tokens) AS prompt_tokens,
  sum(output_tokens + reasoning_tokens) AS completion_tokens,
  sum(coalesce(cost_nano, 0) + :sim * coalesce(simulated_cost_nano, 0)) / 1e9 AS cost_usd,
  sum(coalesce(saved_nano, 0)) / 1e9 AS saved_usd,
  sum(errors) AS errors,
  sum(refused) AS refused,
  sum(passthrough) AS passed,
  sum(unknown_cost) AS unknown_cost"""
_REAL = "(simulated = 0)"
_SEEN = "(simulated = 0 OR :sim)"
_ROWS = f"""
  sum({_SEEN}) AS requests,
  sum({_SEEN} * total_tokens) AS tokens,
  sum({_REAL} * (input_tokens + cached_tokens + cache_write_tokens)) AS prompt_tokens,
  sum({_REAL} * (output_tokens + reasoning_tokens)) AS completion_tokens,
  sum({_SEEN} * coalesce(cost_nano, 0)) / 1e9 AS cost_usd,
  sum({_REAL} * coalesce(saved_nano, 0)) / 1e9 AS saved_usd,
  sum({_REAL} * (outcome IN ('error', 'truncated', 'lost'))) AS errors,
  sum({_REAL} * (outcome = 'refused')) AS refused,
  sum({_REAL} * (outcome = 'passthrough')) AS passed,
  sum({_REAL} * (cost_nano IS NULL AND provider IS NOT NULL
    AND outcome NOT IN ('refused', 'passthrough')
    AND (outcome <> 'error' OR total_tokens > 0))) AS unknown_cost"""
NAMES = (
    *("requests", "tokens", "prompt_tokens", "completion_tokens", "cost_usd"),
    *("saved_usd", "errors", "refused", "passed", "unknown_cost"),
)

# The only texts that are put into SQL: table and column names from the tables above.
_PERIODS = {
    (period, by): f"""
SELECT {period} AS at, {by},{_ROLLUP}
FROM usage_{period}
WHERE {period} >= :since AND {period} < :until
GROUP BY {period}, {by}
ORDER BY {period}, {by}
"""
    for period in ("minute", "hour", "day")
    for by in BY
}
_DAYS = {
    by: f"""
SELECT day.key AS slot, {by},{_ROLLUP}
FROM json_each(:days) AS day JOIN usage_hour
  ON hour >= json_extract(day.value, '$[0]') AND hour < json_extract(day.value, '$[1]')
GROUP BY day.key, {by}
"""
    for by in BY
}
_WITHIN_AN_HOUR = {
    by: f"""
SELECT day.key AS slot, coalesce({by}, '') AS {by},{_ROWS}
FROM json_each(:edges) AS day JOIN requests
  ON ts >= json_extract(day.value, '$[0]') AND ts < json_extract(day.value, '$[1]')
WHERE outcome <> 'in_flight'
GROUP BY day.key, 2
"""
    for by in BY
}
_DAYS_FOR_PEOPLE = {
    by: f"""
SELECT date(hour, :offset) AS day, {by},{_ROLLUP}
FROM usage_hour
WHERE hour >= :since AND hour < :until
GROUP BY 1, 2
ORDER BY 1, 2
"""
    for by in BY
}


def slot_of(times: Sequence[float], at: float) -> int:
    """Which column holds this moment; -1 before the first."""
    return bisect_right(times, at) - 1


OPEN = "~"
"""Behind every time: nothing that finished by now is later than now."""


def sums(
    ask: Ask, columns: Columns, by: str, *, simulated: bool
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(column, key, {name: sum} of NAMES)."""
    sim, times, period = int(simulated), columns.times, columns.period
    until = columns.until if columns.closed else None
    marks = times if until is None else (*times, until)
    if period == "day" and any(at % DAY for at in marks):
        yield from _local_days(ask, by, times, until, sim)
        return
    asked: Params = {
        "since": bound(times[0], period),
        "until": OPEN if until is None else bound(until, period),
        "sim": sim,
    }
    for row in ask(_PERIODS[period, by], asked):
        yield slot_of(times, moment(row["at"]) or 0.0), row[by], _values(row)


def _local_days(
    ask: Ask, by: str, times: Sequence[float], until: float | None, sim: int
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    begun = [at for at in times if until is None or at < until]
    hours = [stamp(at - at % HOUR)[:16] for at in begun]
    end = OPEN if until is None else stamp(until - until % HOUR)[:16]
    spans = [*zip(hours, [*hours[1:], end], strict=True)]
    for row in ask(_DAYS[by], {"days": json.dumps(spans), "sim": sim}):
        yield row["slot"], row[by], _values(row)
    edges = {
        str(n): (stamp(at - at % HOUR), stamp(at))
        for n, at in enumerate([*begun, *([] if until is None else [until])])
        if at % HOUR
    }
    if not edges:
        return
    # The hour was given to the day that begins within it: its first part goes back.
    for row in ask(_WITHIN_AN_HOUR[by], {"edges": json.dumps(edges), "sim": sim}):
        slot, values = int(row["slot"]), _values(row)
        if slot < len(begun):
            yield slot, row[by], {name: -value for name, value in values.items()}
        if slot:
            yield slot - 1, row[by], values


def _values(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in NAMES}


def question(
    columns: Columns, by: str, *, simulated: bool, offset: float
) -> tuple[str, dict[str, str]]:
    """The same for people: (SQL, parameters). Days of a zone by its offset of now."""
    sim, times, period = str(int(simulated)), columns.times, columns.period
    if period == "day" and any(at % DAY for at in times):
        since = stamp(times[0] - times[0] % HOUR)[:16]
        until = stamp(columns.until)[:16] if columns.closed else OPEN
        minutes = f"{offset / 60:+.0f} minutes"
        return _DAYS_FOR_PEOPLE[by].strip(), {"since": since, "until": until, "sim": sim, "offset": minutes}  # fmt: skip
    until = bound(columns.until, period) if columns.closed else OPEN
    since = bound(times[0], period)
    return _PERIODS[period, by].strip(), {"since": since, "until": until, "sim": sim}


def bound(at: float, period: str) -> str:
    """The rollup's own way of writing the period in which `at` lies."""
    text = stamp(at)
    return {"minute": text[:16], "hour": text[:13] + ":00", "day": text[:10]}[period]
