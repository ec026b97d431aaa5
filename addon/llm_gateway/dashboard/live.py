"""One second of the gateway as one compact value, for the live page.

What lives here: `snapshot` asks what queries.py has, and puts the answers together per
provider and model. The result is plain JSON; money in it is US$, times are unix seconds.

What this file does not know: who asks, how often (plugin_state.py caches), HTML.
"""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.alerts import alerts, refills
from llm_gateway.dashboard.availability import (
    OFF,
    Availability,
    LimitBar,
    OfferState,
    best_of,
    excluded,
    moment,
    stamp,
    standing,
)
from llm_gateway.dashboard.limit_bars import LimitBars, bars_json, limit_bars
from llm_gateway.dashboard.members import cluster
from llm_gateway.dashboard.reader import Ask, Params
from llm_gateway.dashboard.recent_requests import RecentRequests
from llm_gateway.dashboard.served_names import USABLE, NamedOffer, names
from llm_gateway.dashboard.traffic import SLOTS, Pair, Series, rates, series
from llm_gateway.dashboard.usage_sums import today_and_month, unbilled_days

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
) -> Json:
    """Everything that the live page shows, as of `now`.

    `minutes` is one of WINDOWS; `simulated` counts requests of /usage/simulate too;
    `other` shows what apps ask their own hosts for besides answers; today and this month
    begin at midnight in `where`.
    """
    step = minutes * 60 // SLOTS
    start = (math.floor(now / step) - SLOTS + 1) * step
    by_model, total, sums = series(ask, start, step, minutes, simulated, now)
    bars = limit_bars(ask, now)
    gateway = _gateway(ask, now)
    policy = gateway["policy"] if gateway else None
    providers, ready, named = _providers(ask, bars, by_model, policy, now)
    pace = rates(ask, now)
    return {
        "now": now,
        "window": minutes,
        "start": start,
        "step": step,
        "gateway": gateway,
        "any": bool(ask(queries.ANY_REQUEST, {})[0]["found"]),
        "total": total.as_json() | {"sum": sums},
        **today_and_month(ask, now, where),
        "unbilled_days": unbilled_days(ask, now),
        "budget": bars_json(bars.budget),
        "clients": [
            {"name": name, "bars": bars_json(found)}
            for name, found in sorted(bars.clients.items())
        ],
        "cluster": cluster(ask, now),
        "ready": ready,
        "providers": providers,
        "names": names(named, policy),
        "alerts": alerts(gateway, providers, bars, pace, now),
        "changes": _changes(ask, now),
        "refills": refills(providers, bars, pace, now),
        "ticker": ticker.newest(ask, simulated=simulated, other=other),
    }


def standing_json(found: Availability) -> Json:
    return {
        "word": found.state,
        "hot": found.hot,
        "reason": found.reason,
        "returns": found.returns_at,
    }


def _providers(
    ask: Ask,
    bars: LimitBars,
    by_model: Mapping[Pair, Series],
    policy: str | None,
    now: float,
) -> tuple[list[Json], list[int], list[NamedOffer]]:
    """Providers with their models; [ready, in use] models; what answers to which name."""
    offers: dict[Pair, list[sqlite3.Row]] = defaultdict(list)
    for row in ask(queries.OFFERS, {}):
        offers[row["provider"], row["model"]].append(row)
    models: dict[str, dict[str, list[sqlite3.Row]]] = defaultdict(dict)
    for row in ask(queries.MODELS, {}):
        models[row["provider"]].setdefault(row["model"], []).append(row)
    asked = _asked(ask)
    result: list[Json] = []
    named: list[NamedOffer] = []
    ready = in_use = 0
    for provider in ask(queries.PROVIDERS, {}):
        id_ = provider["id"]
        off = "" if provider["enabled"] else provider["reason"] or "disabled"
        rows, words = [], []
        for model, known_as in models[id_].items():
            accounts = offers.get((id_, model), ())
            found = _standing(id_, model, known_as[0], off, accounts, bars, policy, now)
            words.append(found)
            in_use += found.state not in OFF
            ready += found.state in USABLE
            rows.append(
                _model(model, known_as, found, bars.models.get((id_, model), ()))
                | _columns(by_model.get((id_, model)))
            )
            named += [
                _named(row, found, _headroom(bars, accounts, id_, model), len(named))
                for row in known_as
            ]
        result.append(
            {
                "id": id_,
                "type": provider["type"],
                "free": bool(provider["free"]),
                "flat": provider["flat_rate_usd_per_month"],
                "accounts": provider["accounts"],
                # A ledger of an earlier version has no such column.
                "way_out": provider["way_out"] if "way_out" in provider.keys() else "",  # noqa: SIM118
                "asked": asked.get(id_),
                "state": standing_json(best_of(words, off=off)),
                "bars": bars_json(bars.shared.get(id_, ())),
                "models": rows,
            }
        )
    return result, [ready, in_use], named


def _asked(ask: Ask) -> dict[str, Json]:
    """Providers that say themselves what they have and what is left -> when they did:
    the oldest of their accounts."""
    rows = ask(queries.DETAIL, {})
    detail = json.loads(rows[0]["detail"] or "{}") if rows else {}
    found: dict[str, Json] = {}
    for poll in detail.get("polls", ()):
        said = found.setdefault(poll["provider"], {"list": None, "quota": None})
        for what in ("list", "quota"):
            at = moment(poll.get(what, {}).get("checked_at"))
            if at is not None:
                said[what] = at if said[what] is None else min(said[what], at)
    return found


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


def _columns(found: Series | None) -> Json:
    """Nothing for a model that did nothing: most of many models."""
    return {} if found is None or found.idle else found.as_json()


def _standing(
    provider: str,
    model: str,
    row: sqlite3.Row,
    off: str,
    accounts: Sequence[sqlite3.Row],
    bars: LimitBars,
    policy: str | None,
    now: float,
) -> Availability:
    free = bool(row["free"])
    off = off or ("" if row["enabled"] else row["reason"] or "disabled")
    off = off or excluded(
        policy=policy,
        free=free,
        priced=row["price_source"] is not None,
        bounded=not free and bars.bounded(provider, model),
    )
    said = [
        OfferState(one["state"], one["reason"], moment(one["returns_at"]))
        for one in accounts
    ]
    return standing(said, bars.of(provider, model, free=free), now, off=off)


def _model(
    model: str,
    known_as: Sequence[sqlite3.Row],
    found: Availability,
    bars: Sequence[LimitBar],
) -> Json:
    first = known_as[0]
    return {
        "model": model,
        "names": [row["name"] for row in known_as],
        "free": bool(first["free"]),
        "price": None
        if first["price_source"] is None
        else [first["input_usd_per_million"], first["output_usd_per_million"]],
        "state": standing_json(found),
        "bars": bars_json(bars),
    }


def _headroom(
    bars: LimitBars, accounts: Sequence[sqlite3.Row], provider: str, model: str
) -> float:
    """Of the best account."""
    names = {row["account"] for row in accounts} or {""}
    return max(bars.headroom(provider, account, model) for account in names)


def _named(
    row: sqlite3.Row, found: Availability, headroom: float, order: int
) -> NamedOffer:
    return NamedOffer(
        provider=row["provider"],
        model=row["model"],
        name=row["name"],
        aliases=tuple(json.loads(row["aliases"])),
        free=bool(row["free"]),
        input_price=row["input_usd_per_million"],
        output_price=row["output_usd_per_million"],
        standing=found,
        headroom=headroom,
        order=order,
    )


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
