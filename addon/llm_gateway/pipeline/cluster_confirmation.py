"""Shared limits: have the other gateways' counters room for an attempt, too?"""

from typing import TYPE_CHECKING

from llm_gateway.app.state import AppState
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline.exchange import Attempt, Exchange

if TYPE_CHECKING:
    from llm_gateway.cluster.service import ClusterService


async def confirmed(
    cluster: "ClusterService", runtime: AppState, exchange: Exchange, taken: Attempt
) -> bool:
    """The other gateways' counters have room, too. Where not, nothing stays of the try."""
    offer = taken.candidate.offer
    client = exchange.call.known_client
    said = await cluster.confirm(
        taken.reservation,
        exchange.catalog.limits_for(offer, client),
        scopes_of(*offer.key, client),
        zero_cost=taken.candidate.zero_cost,
    )
    if said == "granted" and not exchange.finished:
        return True
    runtime.limiter.release(taken.reservation, runtime.clock())
    runtime.health.release_probe(offer.key)
    exchange.record.attempts -= 1
    if said == "away":
        exchange.cluster_away = True
        exchange.exclude.add(offer.key)
    elif offer.key in exchange.cluster_full:
        exchange.exclude.add(offer.key)  # it was taught, and is not asked a third time
    exchange.cluster_full.add(offer.key)
    return False
