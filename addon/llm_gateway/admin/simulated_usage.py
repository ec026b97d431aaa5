"""`POST /usage/simulate`: usage that never happened, counted as if it had.

What lives here: reading the request, counting it against the limits, writing its row
with `simulated` set. It is there to try limits, alerts and charts with.
"""

import os
from typing import Any

from llm_gateway.app.state import AppState, committed
from llm_gateway.dialects import DEFAULT
from llm_gateway.domain import NANO, AttemptRecord, Charge, Offer, RequestRecord, Usage
from llm_gateway.ids import uuid7
from llm_gateway.limits.limiter import SpentAttempt

MOST_TOKENS = 10**9
MOST_DOLLARS = 10**6


async def simulate(runtime: AppState, asked: dict[str, Any]) -> dict[str, object]:
    """Raises ValueError for a request that names nobody or counts nonsense."""
    offer = _offer(runtime, asked)
    tokens = _number(asked, "tokens", 100, MOST_TOKENS)
    cost = _number(asked, "cost", 0.01, MOST_DOLLARS)
    now = runtime.clock()
    nanos = round(cost * NANO)
    prompt = int(tokens) * 7 // 10
    record = RequestRecord(
        uuid7(now, os.urandom(10)),
        now,
        "simulate",
        "simulate",
        DEFAULT.name,
        offer.name,
        provider=offer.provider,
        account=offer.account,
        model=offer.model,
        status=200,
        outcome="ok",
        attempts=1,
        usage=Usage(prompt, output_tokens=int(tokens) - prompt, source="reported"),
        cost=nanos,
        saved=0,
        price_source="simulated",
        duration_ms=0,
        simulated=True,
        config_revision=runtime.catalog.revision,
    )
    attempt = AttemptRecord(
        record.id,
        1,
        now,
        *offer.key,
        status=200,
        outcome="ok",
        duration_ms=0,
        tokens=int(tokens),
        cost=nanos,
    )
    need = Charge(1, int(tokens), nanos)
    limits = tuple(runtime.catalog.limits())
    runtime.limiter.count(SpentAttempt(now, *offer.key, None, need), limits, now)
    runtime.state_dirty = True
    await committed(runtime.store.begin(record, attempt, None))
    return {
        "message": "Usage simulated",
        "providerId": offer.provider,
        "model": offer.model,
        "tokens": int(tokens),
        "cost": cost,
    }


def _offer(runtime: AppState, asked: dict[str, Any]) -> Offer:
    provider = asked.get("providerId")
    offers = [o for o in runtime.catalog.offers if o.provider == provider]
    if not offers:
        known = ", ".join(dict.fromkeys(o.provider for o in runtime.catalog.offers))
        raise ValueError(f"providerId is one of: {known}.")
    model = asked.get("model")
    if model is None:
        return offers[0]
    for offer in offers:
        if model in (offer.model, offer.name):
            return offer
    raise ValueError(f"{provider} has no model {model!r}.")


def _number(asked: dict[str, Any], key: str, default: float, most: float) -> float:
    value = asked.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is a number.")
    if not 0 <= value <= most:
        raise ValueError(f"{key} is between 0 and {most}.")
    return value
