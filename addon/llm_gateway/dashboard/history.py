"""Hours to months of use: the sums behind the History page.

What lives here: the ranges, the questions to the rollups, and their answers as series
that a chart, a table and a CSV file can be made of. Money is US$, times are unix
seconds at which a column begins (UTC hours and days, as the rollups have them).

What this file does not know: charts, the reader's time zone.
"""

import csv
import io
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_gateway.dashboard.availability import moment, stamp
from llm_gateway.dashboard.plugin_state import HISTORY_TTL, PluginState

from .reader import Ask, TooSlow

Json = dict[str, Any]

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Range:
    label: str
    period: str
    """Which rollup: minute, hour or day."""
    seconds: int
    step: int
    """Seconds that one column of the chart stands for."""


RANGES = {
    "6h": Range("6 hours", "minute", 6 * 3600, 600),
    "24h": Range("24 hours", "hour", DAY, 3600),
    "7d": Range("7 days", "hour", 7 * DAY, 3600),
    "30d": Range("30 days", "day", 30 * DAY, DAY),
    "90d": Range("90 days", "day", 90 * DAY, DAY),
    "1y": Range("1 year", "day", 365 * DAY, DAY),
}
BY = ("provider", "model", "client")
METRICS = ("requests", "tokens", "cost", "saved")

SERIES = 7
"""As many get a colour of their own; the rest is summed as `other`."""
SAMPLE = 40_000
"""Requests that percentiles are computed of; of more, an even sample."""
HEAT_DAYS = (7, 90)
"""The heat strip looks back at least and at most so many days."""
NANO = 1e9

# The only texts that are put into SQL: table and column names from the tables above.
_SUMS = {
    (period, by): f"""
SELECT {period}, {by},
  sum(requests + :sim * simulated_requests) AS requests,
  sum(total_tokens + :sim * simulated_tokens) AS tokens,
  sum(input_tokens + cached_tokens + cache_write_tokens) AS prompt_tokens,
  sum(output_tokens + reasoning_tokens) AS completion_tokens,
  sum(coalesce(cost_nano, 0) + :sim * coalesce(simulated_cost_nano, 0)) / 1e9 AS cost_usd,
  sum(coalesce(saved_nano, 0)) / 1e9 AS saved_usd,
  sum(errors) AS errors,
  sum(unknown_cost) AS unknown_cost
FROM usage_{period}
WHERE {period} >= :since
GROUP BY {period}, {by}
ORDER BY {period}, {by}
"""
    for period in ("minute", "hour", "day")
    for by in BY
}

_LATENCY = """
SELECT ts, duration_ms, ttft_ms FROM requests
WHERE ts >= :since AND rowid % :every = 0
  AND outcome = 'ok' AND simulated <= :sim AND duration_ms IS NOT NULL
"""

_HEAT = """
SELECT hour, sum(requests + :sim * simulated_requests) AS requests
FROM usage_hour WHERE hour >= :since GROUP BY hour
"""

_LATENCY_FOR_PEOPLE = """
SELECT substr(ts, 1, 13) AS hour, count(*) AS requests,
  avg(ttft_ms) AS average_ttft_ms, avg(duration_ms) AS average_duration_ms,
  max(duration_ms) AS slowest_ms
FROM requests
WHERE ts >= :since AND outcome = 'ok'
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page asks for."""

    span: str
    by: str
    simulated: bool


def wanted(args: Mapping[str, str]) -> Wanted | str:
    """From the query string; a text says what is wrong with it."""
    span, by = args.get("range") or "7d", args.get("by") or "provider"
    if span not in RANGES:
        return f"range is {span!r}; write one of {', '.join(RANGES)}"
    if by not in BY:
        return f"by is {by!r}; write one of {', '.join(BY)}"
    return Wanted(span, by, args.get("sim") != "0")


async def load(board: PluginState, asked: Wanted) -> Json:
    """The answer, kept for a few seconds. Raises as Board.ask."""

    async def build() -> Json:
        now = time.time()
        found = await board.ask(
            "history", lambda ask: history(ask, asked, now), seconds=5.0
        )
        try:
            found["latency"] = await board.ask(
                "history", lambda ask: _latency(ask, asked, found), seconds=4.0
            )
        except TooSlow:
            found["latency"] = None
        return found

    kept: Json = await board.kept(("history", asked), HISTORY_TTL, build)
    return dict(kept)


def history(ask: Ask, asked: Wanted, now: float) -> Json:
    """Series per provider, model or client, their totals, and the hours' heat."""
    span = RANGES[asked.span]
    start = math.floor(now / span.step) * span.step - span.seconds + span.step
    times = list(range(start, math.floor(now) + 1, span.step))
    columns = len(times)
    sim = int(asked.simulated)
    rows = ask(
        _SUMS[span.period, asked.by],
        {"since": _bound(start, span.period), "sim": sim},
    )
    series: dict[str, dict[str, list[float]]] = defaultdict(
        lambda: {metric: [0] * columns for metric in METRICS}
    )
    totals: dict[str, Json] = defaultdict(
        lambda: dict.fromkeys(
            (*METRICS, "prompt", "completion", "errors", "unknown"), 0
        )
    )
    for row in rows:
        at = moment(row[span.period])
        slot = math.floor(((at or 0) - start) / span.step)
        if not 0 <= slot < columns or not (row["requests"] or row["tokens"]):
            continue
        values = {
            "requests": row["requests"],
            "tokens": row["tokens"],
            "cost": row["cost_usd"],
            "saved": row["saved_usd"],
            "prompt": row["prompt_tokens"],
            "completion": row["completion_tokens"],
            "errors": row["errors"],
            "unknown": row["unknown_cost"],
        }
        key = row[asked.by]
        for name, value in values.items():
            totals[key][name] += value
            if name in METRICS:
                series[key][name][slot] += value
    ranked = sorted(totals, key=lambda key: (-totals[key]["requests"], key))
    return {
        "range": asked.span,
        "by": asked.by,
        "step": span.step,
        "since": _bound(start, span.period),
        "times": times,
        "series": [{"key": key, **_rounded(series[key])} for key in ranked[:SERIES]]
        + _others([series[key] for key in ranked[SERIES:]], columns),
        "totals": [{"key": key, **totals[key]} for key in ranked],
        "heat": _heat(ask, span, sim, now),
    }


def _others(rest: list[dict[str, list[float]]], columns: int) -> list[Json]:
    if not rest:
        return []
    summed = {
        metric: [sum(one[metric][n] for one in rest) for n in range(columns)]
        for metric in METRICS
    }
    return [{"key": None, "count": len(rest), **_rounded(summed)}]


def _rounded(series: Mapping[str, list[float]]) -> dict[str, list[float]]:
    return {name: [round(v, 9) for v in values] for name, values in series.items()}


def _heat(ask: Ask, span: Range, sim: int, now: float) -> Json:
    days = min(max(span.seconds // DAY, HEAT_DAYS[0]), HEAT_DAYS[1])
    rows = ask(_HEAT, {"since": _bound(now - days * DAY, "hour"), "sim": sim})
    return {
        "days": days,
        "hours": [[moment(row["hour"]), row["requests"]] for row in rows],
    }


def _latency(ask: Ask, asked: Wanted, found: Json) -> Json:
    """Per column: median and 95th percentile of the whole, median until the first byte."""
    step, start = found["step"], found["times"][0]
    requests = sum(total["requests"] for total in found["totals"])
    every = max(1, math.ceil(requests / SAMPLE))
    durations: dict[int, list[int]] = defaultdict(list)
    firsts: dict[int, list[int]] = defaultdict(list)
    params = {"since": stamp(start), "every": every, "sim": int(asked.simulated)}
    for row in ask(_LATENCY, params):
        slot = math.floor(((moment(row["ts"]) or 0) - start) / step)
        durations[slot].append(row["duration_ms"])
        if row["ttft_ms"] is not None:
            firsts[slot].append(row["ttft_ms"])
    slots = range(len(found["times"]))
    return {
        "every": every,
        "p50": [percentile(durations.get(n, []), 0.50) for n in slots],
        "p95": [percentile(durations.get(n, []), 0.95) for n in slots],
        "first": [percentile(firsts.get(n, []), 0.50) for n in slots],
    }


def percentile(values: list[int], share: float) -> int | None:
    """The smallest value that at least `share` of all do not exceed; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def questions(asked: Wanted, found: Json) -> dict[str, tuple[str, dict[str, str]]]:
    """For people: the SQL behind each chart, with its parameters."""
    span = RANGES[asked.span]
    sim = str(int(asked.simulated))
    return {
        "sums": (
            _SUMS[span.period, asked.by].strip(),
            {"since": found["since"], "sim": sim},
        ),
        "latency": (_LATENCY_FOR_PEOPLE.strip(), {"since": stamp(found["times"][0])}),
        "heat": (
            _HEAT.strip(),
            {
                "since": _bound(
                    found["times"][-1] - found["heat"]["days"] * DAY, "hour"
                ),
                "sim": sim,
            },
        ),
    }


def as_csv(found: Json, asked: Wanted) -> str:
    """One line per column of the chart and series: time, key, and the four metrics."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(["time", asked.by, "requests", "tokens", "cost_usd", "saved_usd"])
    for n, at in enumerate(found["times"]):
        for one in found["series"]:
            values = [one[metric][n] for metric in METRICS]
            if any(values):
                key = "other" if one["key"] is None else one["key"]
                lines.writerow([stamp(at), spreadsheet_safe(key), *values])
    return out.getvalue()


def spreadsheet_safe(text: str) -> str:
    """Names come from clients: none may begin like a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _bound(at: float, period: str) -> str:
    """The rollup's own way of writing the period in which `at` lies."""
    text = stamp(at)
    return {"minute": text[:16], "hour": text[:13] + ":00", "day": text[:10]}[period]
