"""Status of limits, offers and decisions, as `/usage/current` and `/route` show it.

What lives here: `/usage/current`, `/route` and the rows of `limit_state` and
`offer_state`, all read from the same limiter and the same health, so that they agree.

What this file does not know: HTTP, the ledger.
"""

from collections.abc import Mapping, Sequence

from llm_gateway.dialects import DEFAULT, SPECS, first_of
from llm_gateway.domain import (
    NANO,
    Adaptation,
    Candidate,
    Charge,
    Decision,
    Dialect,
    GatewayRequest,
    Limit,
    Metric,
    Offer,
    Policy,
    RequestInfo,
    Window,
)
from llm_gateway.limits.calendar import span
from llm_gateway.limits.limit_set import INDEX, amounts
from llm_gateway.limits.limiter import LimitStatus, scopes_of
from llm_gateway.limits.windows import LENGTHS
from llm_gateway.providers.dialect_support import nobody_takes
from llm_gateway.providers.model_index import unknown_model
from llm_gateway.providers.registry import TYPES
from llm_gateway.routing.selection import decide
from llm_gateway.routing.state import RoutingContext, RoutingView
from llm_gateway.timestamps import iso
from llm_gateway.translation.answer_parts import shown_part

NOTHING = Charge()
UNITS = {Metric.REQUESTS: "requests", Metric.TOKENS: "tokens", Metric.COST: "USD"}
ALWAYS = [(m, w) for m in Metric for w in (Window.MINUTE, Window.HOUR, Window.DAY)]


def key_name(metric: Metric, window: Window) -> str:
    """As the config spells it: `requestsPerMinute`."""
    return f"{metric.value}Per{window.value.capitalize()}"


OfLedger = Mapping[str, Mapping[Window, Mapping[tuple[str, str], Charge]]]
"""By provider and window: what the ledger says of each (provider, model)."""


def starts(runtime: RoutingContext, now: float) -> dict[str, dict[Window, float]]:
    """When the windows of each provider began that nobody may limit."""
    found: dict[str, dict[Window, float]] = {}
    for provider in runtime.catalog.config.providers:
        reset = provider.resets.day or TYPES[provider.type].day
        day = span(Window.DAY, reset, now) if reset is not None else None
        found[provider.id] = {
            Window.MINUTE: now - LENGTHS[Window.MINUTE],
            Window.HOUR: now - LENGTHS[Window.HOUR],
            Window.DAY: day[0] if day else now - LENGTHS[Window.DAY],
        }
    return found


def usage(
    runtime: RoutingContext,
    of_ledger: OfLedger,
    degraded: Sequence[str],
    now: float,
) -> dict[str, object]:
    """The original's `/usage/current`: one entry per provider, one per model in it.

    Where a limit counts, it says what was used; elsewhere the ledger does.
    """
    providers: dict[str, dict[str, list[Offer]]] = {}
    for offer in runtime.catalog.offers:
        models = providers.setdefault(offer.provider, {})
        models.setdefault(offer.model, []).append(offer)
    return {
        "providers": [
            {
                "id": provider,
                "models": [
                    _model(runtime, offers, now, of_ledger.get(provider, {}))
                    for offers in models.values()
                ],
            }
            for provider, models in providers.items()
        ],
        "timestamp": iso(now),
        "degraded": list(degraded),
    }


def _model(
    runtime: RoutingContext,
    offers: Sequence[Offer],
    now: float,
    of_ledger: Mapping[Window, Mapping[tuple[str, str], Charge]],
) -> dict[str, object]:
    """Limits of one model: the tightest of its own and its provider's, over accounts."""
    by_key: dict[tuple[Metric, Window], list[LimitStatus]] = {}
    for offer in offers:
        tightest: dict[tuple[Metric, Window], LimitStatus] = {}
        for standing in standings(runtime, offer, now):
            key = (standing.limit.metric, standing.limit.window)
            known = tightest.get(key)
            if known is None or standing.remaining < known.remaining:
                tightest[key] = standing
        for key, standing in tightest.items():
            by_key.setdefault(key, []).append(standing)
    first = offers[0]
    limits: dict[str, object] = {}
    for metric, window in ALWAYS + [k for k in by_key if k[1] is Window.MONTH]:
        need = of_ledger.get(window, {}).get((first.provider, first.model), NOTHING)
        limits[key_name(metric, window)] = _entry(
            metric, by_key.get((metric, window)), now, amounts(need)[INDEX[metric]]
        )
    found: dict[str, object] = {"name": first.model}
    if first.mapped:
        found["mappedName"] = first.name
    return found | {"limits": limits}


def _entry(
    metric: Metric, standings: Sequence[LimitStatus] | None, now: float, of_ledger: int
) -> dict[str, object]:
    scale = NANO if metric is Metric.COST else 1
    if not standings:
        return {
            "consumed": of_ledger / scale if scale > 1 else of_ledger,
            "limit": -1,
            "percentage": 0,
            "msBeforeNext": 0,
            "unit": UNITS[metric],
        }
    amount = sum(s.limit.amount for s in standings)
    consumed = sum(
        max(s.used + s.reserved, s.limit.amount - s.remaining) for s in standings
    )
    resets = [s.resets_at for s in standings if s.resets_at is not None]
    return {
        "consumed": consumed / scale if scale > 1 else consumed,
        "limit": amount / scale if scale > 1 else amount,
        "percentage": round(consumed / amount * 100) if amount else 100,
        "msBeforeNext": max(0, round((min(resets) - now) * 1000)) if resets else 0,
        "unit": UNITS[metric],
    }


def standings(
    runtime: RoutingContext,
    offer: Offer,
    now: float,
    limits: Sequence[Limit] | None = None,
) -> tuple[LimitStatus, ...]:
    """The offer's limits and those that its provider let us know of."""
    return runtime.limiter.status(
        offer.limits if limits is None else limits,
        now,
        scopes=scopes_of(*offer.key, None),
    )


def decision(
    runtime: RoutingContext, name: str, now: float, dialect: Dialect | None = None
) -> Decision | None:
    """Who would answer a small request for this model. None: nobody has the name, or
    nobody can be asked for it in this dialect, nor in one that it is translated to;
    without one it is chat, where somebody speaks that."""
    if dialect is None:
        dialect = usual_dialect(runtime, name)
    if dialect is None:
        return None
    translate = runtime.catalog.config.routing.translate
    ranks = runtime.catalog.names.able(name, dialect, translate=translate)
    if not any(ranks):
        return None
    call = GatewayRequest(
        id="",
        at=now,
        ask=RequestInfo(dialect, name),
        client="",
        app="",
        policy=runtime.catalog.config.routing.policy,
        translate=translate,
    )
    return decide(
        call,
        ranks,
        RoutingView(runtime, runtime.catalog, now),
        # The order of the config breaks ties, so that asking twice gives one answer.
        tie_break=lambda: 0.0,
    )


def usual_dialect(runtime: RoutingContext, name: str) -> Dialect | None:
    """The one that is meant when none is named."""
    spoken = _spoken(runtime, name)
    return DEFAULT.name if DEFAULT.name in spoken else next(iter(spoken), None)


def _spoken(runtime: RoutingContext, name: str) -> list[Dialect]:
    """Every dialect in which somebody has the name, usable or not."""
    ranks = runtime.catalog.names.match_tiers(name)
    found = {d for rank in ranks for offer in rank for d in offer.dialects}
    return [dialect for dialect in SPECS if dialect in found]


def missing(runtime: RoutingContext, name: str, dialect: Dialect | None) -> str:
    """Why there is no decision: an unknown name, or one that is here in other dialects."""
    if dialect is None or not any(runtime.catalog.names.match_tiers(name)):
        return unknown_model(name, runtime.catalog.model_names())
    ranks = runtime.catalog.names.match_tiers(name)
    having = [offer for rank in ranks for offer in rank]
    translate = runtime.catalog.config.routing.translate
    offers = runtime.catalog.offers
    return nobody_takes(dialect, name, having, offers, translate=translate)


def route(
    runtime: RoutingContext, name: str, now: float, dialect: Dialect | None = None
) -> dict[str, object] | None:
    """`GET /route`: one decision, and without a named dialect one more for each.

    None: there is nobody; `missing` says why.
    """
    found = decision(runtime, name, now, dialect)
    if found is None:
        return None
    spoken = dialect or usual_dialect(runtime, name)
    assert spoken is not None
    shown = explained(found, spoken) | {"dialect": spoken}
    if dialect is None:
        shown["dialects"] = {
            one: _block(runtime, name, now, one)
            for one in SPECS
            if SPECS[one].apps or one in _spoken(runtime, name)
        }
    return shown


def _block(
    runtime: RoutingContext, name: str, now: float, dialect: Dialect
) -> dict[str, object]:
    """What one dialect adds to the answer of `route`."""
    found = decision(runtime, name, now, dialect)
    if found is None:
        return {
            "chosen": None,
            "candidates": [],
            "reason": missing(runtime, name, dialect),
            "apps": list(SPECS[dialect].apps),
        }
    shown = explained(found, dialect)
    return {k: v for k, v in shown.items() if k in ("chosen", "candidates", "pairs")}


def explained(found: Decision, dialect: Dialect) -> dict[str, object]:
    """A decision about a request in `dialect`, in the shape of `GET /route`."""
    ready = found.ready
    targets = {c.dialect for c in found.candidates if c.dialect is not None}
    pairs = {"pairs": {_pair(dialect, t): _table(dialect, t) for t in sorted(targets)}}
    return {
        "model": found.model,
        "policy": found.policy.value,
        "chosen": _name(ready[0].offer) if ready else None,
        "candidates": [_candidate(c, dialect) for c in found.candidates],
        **(pairs if targets else {}),
    }


def _pair(source: Dialect, target: Dialect) -> str:
    return f"{source}>{target}"


def _table(source: Dialect, target: Dialect) -> dict[str, dict[str, str]]:
    """What holds for a pair of dialects whatever is asked: parts that are not carried as
    they are. A request that uses one that is needed is not sent there."""
    said, writes = SPECS[source].codecs, SPECS[target].codecs
    assert said is not None
    assert writes is not None
    found: dict[str, dict[str, str]] = {"needed": {}, "approximated": {}, "dropped": {}}
    for part in sorted(said.says):
        fate = writes.fates[part]
        if fate.kind.value in found:
            found[fate.kind.value][part.value] = fate.text
    for given in sorted(writes.gives):
        fate = said.answer_fates[given]
        if fate.kind.value in found:
            found[fate.kind.value][shown_part(given)] = fate.text
    return found


def _name(offer: Offer) -> dict[str, str]:
    return {"provider": offer.provider, "account": offer.account, "model": offer.model}


def _candidate(candidate: Candidate, dialect: Dialect) -> dict[str, object]:
    cost, target = candidate.expected_cost, candidate.dialect
    return {
        **_name(candidate.offer),
        "free": candidate.offer.zero_cost,
        "verdict": candidate.verdict.value,
        "state": candidate.state,
        "reason": candidate.reason,
        "expected_cost": None if cost is None else cost / NANO,
        "headroom": _rounded(candidate.headroom),
        "returns_at": iso(candidate.returns_at) if candidate.returns_at else None,
        "translated": None if target is None else _pair(dialect, target),
        "adaptation": adaptation_shown(candidate.adaptation),
        "limits": [
            {
                "key": key_name(limit.metric, limit.window),
                "scope": limit.scope[0],
                "amount": limit.amount / NANO
                if limit.metric is Metric.COST
                else limit.amount,
                "source": limit.source,
                **({"as_of": limit.as_of} if limit.as_of else {}),
            }
            for limit in candidate.offer.limits
        ],
    }


def _rounded(fraction: float | None) -> float | None:
    return None if fraction is None else round(fraction, 4)


def adaptation_shown(found: Adaptation | None) -> dict[str, object] | None:
    """What is written otherwise for a candidate: parts, never content."""
    if found is None:
        return None
    return {
        "pair": found.pair,
        "dropped": [{"part": part, "why": why} for part, why in found.dropped],
        "approximated": [{"part": p, "how": how} for p, how in found.approximated],
    }


def state_of(runtime: RoutingContext, offer: Offer, now: float) -> Candidate:
    """One offer as the dashboard shows it: its state word, reason and return."""
    dialect = first_of(offer.dialects) or DEFAULT.name
    ask = RequestInfo(dialect, offer.name)
    call = GatewayRequest(id="", at=now, ask=ask, client="", app="", policy=Policy.ANY)
    found = decide(
        call,
        ((offer,),),
        RoutingView(runtime, runtime.catalog, now),
        tie_break=lambda: 0.0,
    )
    return found.candidates[0]
