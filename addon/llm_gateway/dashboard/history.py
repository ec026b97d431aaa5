"""Hours to months of use: the sums behind the History page.

What lives here: what can be asked, the questions to the rollups, and their answers as series
that a chart, a table and a CSV file can be made of. Money is US$, times are unix
seconds at which a column begins (hours of UTC, days of the reader).

What this file does not know: charts, HTML.
"""

import csv
import io
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.dashboard import history_columns, history_sums, usage_sums
from llm_gateway.dashboard.availability import moment, stamp
from llm_gateway.dashboard.history_columns import OWN, RANGES, Columns, Dates
from llm_gateway.dashboard.history_sums import BY
from llm_gateway.dashboard.plugin_state import HISTORY_TTL, PluginState

from .reader import Ask, Params, TooSlow

Json = dict[str, Any]

DAY = 86_400
UTC = ZoneInfo("UTC")


METRICS = ("requests", "tokens", "cost", "saved")
FAILURES = ("errors", "refused")
"""What did not end in an answer, as series of its own."""

SERIES = 7
"""As many get a colour of their own; the rest is summed as `other`."""
SAMPLE = 40_000
"""Requests that percentiles are computed of; of more, an even sample."""
HEAT_DAYS = (7, 90)
"""The heat strip looks back at least and at most so many days."""
NANO = 1e9

_LATENCY = """
SELECT ts, duration_ms, ttft_ms FROM requests
WHERE ts >= :since AND ts < :until AND rowid % :every = 0
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
WHERE ts >= :since AND ts < :until AND outcome = 'ok'
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page asks for."""

    span: str
    by: str
    simulated: bool
    zone: str = "UTC"
    """Whose days the columns are."""
    dates: Dates | None = None
    """Of the range `own`."""
    compare: bool = False
    """Also the time before."""

    @property
    def where(self) -> ZoneInfo:
        return usage_sums.zone(self.zone) or UTC

    def columns(self, now: float) -> Columns:
        if self.dates is not None:
            return history_columns.of_dates(self.dates, now, self.where)
        return history_columns.of_range(RANGES[self.span], now, self.where)


def wanted(args: Mapping[str, str]) -> Wanted | str:
    """From the query string; a text says what is wrong with it."""
    span, by = args.get("range") or "7d", args.get("by") or "provider"
    dates = history_columns.dates(args)
    if isinstance(dates, str):
        return dates
    if dates is not None:
        span = OWN
    elif span not in RANGES:
        return f"range is {span!r}; write one of {', '.join(RANGES)}"
    if by not in BY:
        return f"by is {by!r}; write one of {', '.join(BY)}"
    zone = args.get("tz") or "UTC"
    if usage_sums.zone(zone) is None:
        return f"tz is {zone[:60]!r}; write the name of a time zone, e.g. Europe/Berlin"
    compare = args.get("compare") == "1"
    return Wanted(span, by, args.get("sim") != "0", zone, dates, compare)


async def load(board: PluginState, asked: Wanted) -> Json:
    """The answer, kept for a few seconds. Raises as Board.ask."""

    async def build() -> Json:
        now = board.clock()
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
    columns = asked.columns(now)
    times, width = columns.times, len(columns.times)
    sim = int(asked.simulated)
    series: dict[str, dict[str, list[float]]] = defaultdict(
        lambda: {metric: [0] * width for metric in METRICS}
    )
    failures: dict[str, list[float]] = {name: [0] * width for name in FAILURES}
    totals: dict[str, Json] = defaultdict(lambda: dict.fromkeys(_TOTALS, 0))
    for slot, key, row in history_sums.sums(
        ask, columns, asked.by, simulated=asked.simulated
    ):
        if not 0 <= slot < width or not (row["requests"] or row["tokens"]):
            continue
        for name, column in _TOTALS.items():
            totals[key][name] += row[column]
        for metric in METRICS:
            series[key][metric][slot] += row[_TOTALS[metric]]
        for name in FAILURES:
            failures[name][slot] += row[name]
    for total in totals.values():
        total |= {name: round(total[name], 9) for name in ("cost", "saved")}
    shown = [key for key in totals if totals[key]["requests"] or totals[key]["tokens"]]
    ranked = sorted(shown, key=lambda key: (-totals[key]["requests"], key))
    return {
        "range": asked.span,
        "by": asked.by,
        "zone": asked.zone,
        "step": columns.step,
        "since": history_sums.bound(times[0], columns.period),
        "until": columns.until if columns.closed else None,
        "times": list(times),
        "series": [{"key": key, **_rounded(series[key])} for key in ranked[:SERIES]]
        + _others([series[key] for key in ranked[SERIES:]], width),
        "failures": failures,
        "totals": [{"key": key, **totals[key]} for key in ranked],
        "heat": _heat(ask, columns, sim, now),
        "before": _before(ask, asked, columns) if asked.compare else None,
    }


def _before(ask: Ask, asked: Wanted, columns: Columns) -> Json:
    """The sums of the time before, whole and per column, and of what time they are."""
    earlier = history_columns.before(columns, asked.where)
    found: dict[str, list[float]] = {
        name: [0] * len(earlier.times) for name in (*METRICS, *FAILURES)
    }
    for slot, _, row in history_sums.sums(
        ask, earlier, asked.by, simulated=asked.simulated
    ):
        if 0 <= slot < len(earlier.times):
            for name, values in found.items():
                values[slot] += row[_TOTALS[name]]
    return {
        "since": earlier.times[0],
        "until": earlier.until,
        "sums": {name: round(sum(values), 9) for name, values in found.items()},
        **_rounded(found),
    }


_TOTALS = {
    "requests": "requests",
    "tokens": "tokens",
    "cost": "cost_usd",
    "saved": "saved_usd",
    "prompt": "prompt_tokens",
    "completion": "completion_tokens",
    "errors": "errors",
    "refused": "refused",
    "passed": "passed",
    "unknown": "unknown_cost",
}
"""Name of a total -> its column."""


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


def _heat(ask: Ask, columns: Columns, sim: int, now: float) -> Json:
    days = min(max(round(columns.seconds / DAY), HEAT_DAYS[0]), HEAT_DAYS[1])
    rows = ask(
        _HEAT, {"since": history_sums.bound(now - days * DAY, "hour"), "sim": sim}
    )
    return {
        "days": days,
        "hours": [[moment(row["hour"]), row["requests"]] for row in rows],
    }


def _latency(ask: Ask, asked: Wanted, found: Json) -> Json:
    """Per column: median and 95th percentile of the whole, median until the first byte."""
    times = found["times"]
    requests = sum(total["requests"] for total in found["totals"])
    every = max(1, math.ceil(requests / SAMPLE))
    durations: dict[int, list[int]] = defaultdict(list)
    firsts: dict[int, list[int]] = defaultdict(list)
    params: Params = {
        "since": stamp(times[0]),
        "until": stamp(found["until"]) if found["until"] else history_sums.OPEN,
        "every": every,
        "sim": int(asked.simulated),
    }
    for row in ask(_LATENCY, params):
        slot = history_sums.slot_of(times, moment(row["ts"]) or 0)
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


def questions(
    asked: Wanted, found: Json, now: float
) -> dict[str, tuple[str, dict[str, str]]]:
    """For people: the SQL behind each chart, with its parameters."""
    sim = str(int(asked.simulated))
    local = datetime.fromtimestamp(found["times"][-1], asked.where).utcoffset()
    heat_since = history_sums.bound(now - found["heat"]["days"] * DAY, "hour")
    until = stamp(found["until"]) if found["until"] else history_sums.OPEN
    return {
        "sums": history_sums.question(
            asked.columns(now),
            asked.by,
            simulated=asked.simulated,
            offset=local.total_seconds() if local else 0.0,
        ),
        "latency": (
            _LATENCY_FOR_PEOPLE.strip(),
            {"since": stamp(found["times"][0]), "until": until},
        ),
        "heat": (_HEAT.strip(), {"since": heat_since, "sim": sim}),
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
                lines.writerow([_csv_time(at, asked), spreadsheet_safe(key), *values])
    return out.getvalue()


def _csv_time(at: float, asked: Wanted) -> str:
    """UTC, or with the offset of the reader's zone."""
    where = asked.where
    if where.key == "UTC":
        return stamp(at)
    return datetime.fromtimestamp(at, where).isoformat(timespec="seconds")


def spreadsheet_safe(text: str) -> str:
    """Names come from clients: none may begin like a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
