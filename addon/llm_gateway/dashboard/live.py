"""One second of the gateway as one compact value, for the live page.

What lives here: `snapshot` asks what queries.py has, and puts the answers together per
provider and model. The result is plain JSON; money in it is US$, times are unix seconds.

What this file does not know: who asks, how often (plugin_state.py caches), HTML.
"""

import json
import math
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.alerts import alerts, refills
from llm_gateway.dashboard.availability import (
    moment,
    stamp,
)
from llm_gateway.dashboard.limit_bars import bars_json
from llm_gateway.dashboard.members import cluster
from llm_gateway.dashboard.provider_standings import Standings, standings
from llm_gateway.dashboard.reader import Ask, Params
from llm_gateway.dashboard.recent_requests import RecentRequests
from llm_gateway.dashboard.traffic import SLOTS, Pair, Series, rates, series
from llm_gateway.dashboard.usage_sums import (
    apps_today,
    today_and_month,
    unbilled_days,
)

UTC = ZoneInfo("UTC")
WINDOWS = (1, 5, 10, 30, 60)
"""Minutes that the page can show."""
SILENT_AFTER = 8.0
"""Seconds without a heartbeat after which the gateway counts as gone."""

DAY = 86_400
CHANGES = 8
"""Changes of models that are shown."""

Json = dict[str, Any]


def snapshot(
    ask: Ask,
    ticker: RecentRequests,
    *,
    minutes: int,
    simulated: bool,
    now: float,
    other: bool = False,
    where: ZoneInfo = UTC,
    known: Standings | None = None,
) -> Json:
    """Everything that the live page shows, as of `now`.

    `minutes` is one of WINDOWS; `simulated` counts requests of /usage/simulate too;
    `other` shows what apps ask their own hosts for besides answers; today and this month
    begin at midnight in `where`; `known`: the standings, where they are known already.
    """
    step = minutes * 60 // SLOTS
    start = (math.floor(now / step) - SLOTS + 1) * step
    by_model, total, sums = series(ask, start, step, minutes, simulated, now)
    gateway = gateway_json(ask, now)
    policy = gateway["policy"] if gateway else None
    stand = known or standings(ask, policy, now)
    bars, providers = stand.bars, stand.providers
    pace = rates(ask, now)
    return {
        "now": now,
        "window": minutes,
        "start": start,
        "step": step,
        "gateway": gateway,
        "any": bool(ask(queries.ANY_REQUEST, {})[0]["found"]),
        "total": total.as_json(whole=True) | {"sum": sums},
        **today_and_month(ask, now, where),
        "apps": apps_today(ask, now, where),
        "unbilled_days": unbilled_days(ask, now),
        "budget": bars_json(bars.budget),
        "clients": [
            {"name": name, "bars": bars_json(found)}
            for name, found in sorted(bars.clients.items())
        ],
        "cluster": cluster(ask, now),
        "ready": stand.ready,
        "providers": [_with_traffic(one, by_model) for one in providers],
        "names": stand.names,
        "alerts": alerts(gateway, providers, bars, pace, now),
        "changes": _changes(ask, now),
        "refills": refills(providers, bars, pace, now),
        "ticker": ticker.newest(ask, simulated=simulated, other=other),
    }


def _changes(ask: Ask, now: float) -> list[Json]:
    """What providers' lists changed in the last day, the newest first."""
    wanted: Params = {"since": stamp(now - DAY), "newest": 1_000, "count": CHANGES}
    return [
        {
            "at": moment(row["ts"]),
            "kind": row["kind"].removeprefix("model."),
            "subject": row["subject"],
            "message": row["message"],
        }
        for row in ask(queries.MODEL_CHANGES, wanted)
    ]


def _with_traffic(provider: Json, by_model: Mapping[Pair, Series]) -> Json:
    """Nothing is added to a model that did nothing: most of many models."""
    models = [
        model | found.as_json() if found and not found.idle else model
        for model in provider["models"]
        for found in (by_model.get((provider["id"], model["model"])),)
    ]
    return provider | {"models": models}


def gateway_json(ask: Ask, now: float) -> Json | None:
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
