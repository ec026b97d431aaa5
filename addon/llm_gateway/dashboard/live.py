"""One second of the gateway as one compact value, for the live page.

What lives here: `snapshot` asks what queries.py has, and puts the answers together per
provider and model. The result is plain JSON; money in it is US$, times are unix seconds.

What this file does not know: who asks, how often (plugin_state.py caches), HTML.
"""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from llm_gateway.dashboard.availability import (
    Availability,
    LimitBar,
    OfferState,
    add_up,
    best_of,
    fresh,
    moment,
    standing,
)
from llm_gateway.dashboard.recent_requests import RecentRequests

from . import queries
from .alerts import alerts
from .reader import Ask
from .traffic import SLOTS, Pair, Series, days, rates, series

WINDOWS = (1, 5, 10, 30, 60)
"""Minutes that the page can show."""
SILENT_AFTER = 8.0
"""Seconds without a heartbeat after which the gateway counts as gone."""

Json = dict[str, Any]


def snapshot(
    ask: Ask,
    ticker: RecentRequests,
    *,
    minutes: int,
    simulated: bool,
    now: float,
    other: bool = False,
) -> Json:
    """Everything that the live page shows, as of `now`.

    `minutes` is one of WINDOWS; `simulated` counts requests of /usage/simulate too;
    `other` shows what apps ask their own hosts for besides answers.
    """
    step = minutes * 60 // SLOTS
    start = (math.floor(now / step) - SLOTS + 1) * step
    by_model, total, sums = series(ask, start, step, minutes, simulated, now)
    bars, clients, budget = _bars(ask, now)
    providers, ready, word_of = _providers(ask, bars, by_model, now)
    pace = rates(ask, now)
    gateway = _gateway(ask, now)
    return {
        "now": now,
        "window": minutes,
        "start": start,
        "step": step,
        "gateway": gateway,
        "any": bool(ask(queries.ANY_REQUEST, {})[0]["found"]),
        "total": total.as_json() | {"sum": sums},
        **days(ask, now),
        "budget": [bar_json(bar) for bar in budget],
        "clients": [
            {"name": name, "bars": [bar_json(bar) for bar in found]}
            for name, found in sorted(clients.items())
        ],
        "ready": ready,
        "providers": providers,
        "names": _names(ask, word_of),
        "alerts": alerts(gateway, providers, bars, budget, pace, now),
        "ticker": ticker.newest(ask, simulated=simulated, other=other),
    }


def bar_json(bar: LimitBar) -> Json:
    """Used, reserved and limit in requests, tokens or US$."""
    return {
        "metric": bar.metric,
        "window": bar.window,
        "used": bar.used,
        "reserved": bar.reserved,
        "limit": bar.amount,
        "resets": bar.resets_at,
        "level": bar.level,
        "source": bar.source,
        "accounts": bar.accounts,
    }


def standing_json(found: Availability) -> Json:
    return {
        "word": found.state,
        "hot": found.hot,
        "reason": found.reason,
        "returns": found.returns_at,
    }


Bars = dict[tuple[str, ...], tuple[LimitBar, ...]]
"""(provider,) or (provider, model) -> its bars."""


def _bars(
    ask: Ask, now: float
) -> tuple[Bars, dict[str, tuple[LimitBar, ...]], list[LimitBar]]:
    """Bars of providers and models, of clients, of the budget."""
    found: dict[tuple[str, ...], list[LimitBar]] = defaultdict(list)
    clients: dict[str, list[LimitBar]] = defaultdict(list)
    budget: list[LimitBar] = []
    for row in ask(queries.LIMIT_STATE, {}):
        bar = fresh(_bar(row), now)
        match row["scope"]:
            case "provider":
                found[(row["provider"],)].append(bar)
            case "model":
                found[row["provider"], row["model"]].append(bar)
            case "client":
                clients[row["client"]].append(bar)
            case _:
                budget.append(bar)
    return (
        {key: add_up(bars) for key, bars in found.items()},
        {name: add_up(bars) for name, bars in clients.items()},
        list(add_up(budget)),
    )


def _bar(row: sqlite3.Row) -> LimitBar:
    return LimitBar(
        metric=row["metric"],
        window=row["window"],
        used=row["used"],
        reserved=row["reserved"],
        amount=row["amount"],
        resets_at=moment(row["resets_at"]),
        source=row["source"],
    )


def _providers(
    ask: Ask, bars: Bars, by_model: Mapping[Pair, Series], now: float
) -> tuple[list[Json], list[int], dict[Pair, Availability]]:
    """Providers with their models; [ready, in use] models; each model's word."""
    offers: dict[Pair, list[OfferState]] = defaultdict(list)
    for row in ask(queries.OFFERS, {}):
        offers[row["provider"], row["model"]].append(
            OfferState(row["state"], row["reason"], moment(row["returns_at"]))
        )
    models: dict[str, dict[str, list[sqlite3.Row]]] = defaultdict(dict)
    for row in ask(queries.MODELS, {}):
        models[row["provider"]].setdefault(row["model"], []).append(row)
    result: list[Json] = []
    word_of: dict[Pair, Availability] = {}
    ready = in_use = 0
    for provider in ask(queries.PROVIDERS, {}):
        id_ = provider["id"]
        off = "" if provider["enabled"] else provider["reason"] or "disabled"
        shared = bars.get((id_,), ())
        rows = []
        for model, names in models[id_].items():
            own = bars.get((id_, model), ())
            first = names[0]
            off_here = off or (
                "" if first["enabled"] else first["reason"] or "disabled"
            )
            found = standing(
                offers.get((id_, model), ()), (*own, *shared), now, off=off_here
            )
            word_of[id_, model] = found
            in_use += not off_here
            ready += not off_here and found.state in ("ready", "near limit")
            shown = by_model.get((id_, model)) or Series.empty()
            rows.append(
                {
                    "model": model,
                    "names": [row["name"] for row in names],
                    "free": bool(first["free"]),
                    "state": standing_json(found),
                    "bars": [bar_json(bar) for bar in own],
                    **shown.as_json(),
                }
            )
        result.append(
            {
                "id": id_,
                "type": provider["type"],
                "free": bool(provider["free"]),
                "flat": provider["flat_rate_usd_per_month"],
                "accounts": provider["accounts"],
                # A ledger of an earlier version has no such column.
                "way_out": provider["way_out"] if "way_out" in provider.keys() else "",  # noqa: SIM118
                "state": standing_json(
                    best_of([word_of[id_, m] for m in models[id_]], off=off)
                ),
                "bars": [bar_json(bar) for bar in shared],
                "models": rows,
            }
        )
    return result, [ready, in_use], word_of


def _names(ask: Ask, word_of: Mapping[Pair, Availability]) -> list[Json]:
    """What clients ask for, and who can serve it: free ones first, then the cheapest."""
    by_name: dict[str, list[tuple[tuple[bool, float], Json]]] = defaultdict(list)
    aliases: dict[str, list[str]] = defaultdict(list)
    for row in ask(queries.MODELS, {}):
        found = word_of.get((row["provider"], row["model"]))
        if found is None:
            continue
        price = row["input_usd_per_million"]
        rank = (not row["free"], math.inf if price is None else price)
        by_name[row["name"]].append(
            (
                rank,
                {
                    "provider": row["provider"],
                    "model": row["model"],
                    "word": found.state,
                },
            )
        )
        for alias in json.loads(row["aliases"]):
            if alias not in aliases[row["name"]]:
                aliases[row["name"]].append(alias)
    return [
        {
            "name": name,
            "aliases": aliases[name],
            "offers": [offer for _, offer in sorted(offers, key=lambda o: o[0])],
        }
        for name, offers in sorted(by_name.items())
    ]


def _gateway(ask: Ask, now: float) -> Json | None:
    rows = ask(queries.GATEWAY, {})
    if not rows:
        return None
    row = rows[0]
    heartbeat = moment(row["heartbeat"])
    age = now - heartbeat if heartbeat is not None else math.inf
    return {
        "version": row["version"],
        "port": row["port"],
        "heartbeat": heartbeat,
        "silent": age > SILENT_AFTER,
        "policy": row["policy"],
        "budget_set": None if row["budget_set"] is None else bool(row["budget_set"]),
        "revision": row["config_revision"],
        "loaded": moment(row["config_loaded_at"]),
        "config_error": row["config_error"],
        "degraded": json.loads(row["degraded"]),
    }
