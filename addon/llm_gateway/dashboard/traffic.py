"""How much went through, in the columns of a sparkline, and at which pace.

What lives here: sums over the rows of a few minutes, or over the rollups for more.

What this file does not know: limits, states, HTML.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from llm_gateway.dashboard.availability import stamp

from . import queries
from .reader import Ask

SLOTS = 30
"""Columns of a sparkline."""
FROM_MINUTES = 30
"""Windows of this many minutes and more are summed from `usage_minute`."""
PACE_SECONDS = 900
"""Forecasts go on at the pace of the last quarter of an hour."""

LONGEST_REQUEST = 3600
"""Seconds; what began earlier and has no end is nowhere any more."""

NANO = 1e9
Json = dict[str, Any]
Pair = tuple[str, str]
"""(provider, model)."""


@dataclass(slots=True)
class Series:
    """Requests, tokens and cost of one model, slot by slot."""

    requests: list[int]
    tokens: list[int]
    cost: list[float]

    @classmethod
    def empty(cls) -> "Series":
        return cls([0] * SLOTS, [0] * SLOTS, [0.0] * SLOTS)

    def add(self, slot: int, requests: int, tokens: int, cost: float) -> None:
        self.requests[slot] += requests
        self.tokens[slot] += tokens
        self.cost[slot] += cost

    @property
    def idle(self) -> bool:
        return not any(self.requests)

    def as_json(self, *, whole: bool = False) -> Json:
        shown: dict[str, list[Any]] = {
            "r": self.requests,
            "t": self.tokens,
            "c": [round(cost, 9) or 0 for cost in self.cost],
        }
        # A column of zeros says nothing, and most answers of free models cost nothing.
        return shown if whole else {k: v for k, v in shown.items() if any(v)}


def series(
    ask: Ask, start: int, step: int, minutes: int, simulated: bool, now: float
) -> tuple[dict[Pair, Series], Series, Json]:
    """Per model, of everything, and the sums: {requests, tokens, cost, errors, refused,
    ended, in_flight}.

    `requests` are those that began in the window, also those that are on their way;
    `in_flight` all that are; `errors` and `refused` are of `ended`, which are real ones.
    """
    whole_minutes = minutes >= FROM_MINUTES
    since = stamp(start)[:16] if whole_minutes else stamp(start)
    sql = queries.SLOTS_FROM_MINUTES if whole_minutes else queries.SLOTS_FROM_ROWS
    by_model: dict[Pair, Series] = defaultdict(Series.empty)
    total = Series.empty()
    errors = refused = ended = 0
    for row in ask(sql, {"since": since, "start": start, "step": step}):
        slot = min(max(row["slot"], 0), SLOTS - 1)
        requests, tokens, cost = row["requests"], row["tokens"], row["cost"]
        if simulated:
            requests += row["simulated_requests"]
            tokens += row["simulated_tokens"]
            cost += row["simulated_cost"]
        ended += row["requests"]
        errors += row["errors"]
        refused += row["refused"]
        by_model[row["provider"], row["model"]].add(slot, requests, tokens, cost / NANO)
        total.add(slot, requests, tokens, cost / NANO)
    within = {"since": stamp(now - LONGEST_REQUEST), "start": stamp(start)}
    in_flight = ask(queries.IN_FLIGHT, within)[0]
    sums = {
        "requests": sum(total.requests) + in_flight["recent"],
        "tokens": sum(total.tokens),
        "cost": round(sum(total.cost), 9),
        "errors": errors,
        "refused": refused,
        "ended": ended,
        "in_flight": in_flight["requests"],
    }
    return dict(by_model), total, sums


def rates(ask: Ask, now: float) -> dict[tuple[str, ...], dict[str, float]]:
    """Per second: of each model, of each provider, and () of everything."""
    found: dict[tuple[str, ...], dict[str, float]] = defaultdict(
        lambda: {"requests": 0.0, "tokens": 0.0, "cost": 0.0}
    )
    for row in ask(queries.RATES, {"since": stamp(now - PACE_SECONDS)[:16]}):
        for key in ((row["provider"], row["model"]), (row["provider"],), ()):
            found[key]["requests"] += row["requests"] / PACE_SECONDS
            found[key]["tokens"] += row["tokens"] / PACE_SECONDS
            found[key]["cost"] += row["cost"] / NANO / PACE_SECONDS
    return dict(found)
