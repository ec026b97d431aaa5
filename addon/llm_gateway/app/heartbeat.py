"""Heartbeat: writes limit, offer and gateway state for the dashboard, once a second.

What lives here: one loop. What stands against each limit, what each offer can do now,
and a heartbeat go into the ledger, all from the same moment.

What this file does not know: requests, HTTP.
"""

import asyncio
import os

from llm_gateway import __version__
from llm_gateway.app.state import AppState
from llm_gateway.domain import Metric
from llm_gateway.ledger.store import GatewayState
from llm_gateway.limits.limiter import LimitStatus
from llm_gateway.routing import status

EVERY = 1.0
HEARTBEAT = 2.0
"""Seconds between two signs of life while nothing moves."""
MOVING_FOR = 120.0
"""Rolling windows go on emptying for this long after the last request; hours and days
are looked at with the heartbeat."""


async def run_heartbeat(runtime: AppState) -> None:
    """Runs until it is cancelled."""
    started = runtime.clock()
    last_moved = last_beat = 0.0
    while True:
        now = runtime.clock()
        if runtime.state_dirty:
            runtime.state_dirty = False
            last_moved = now
        beat = now - last_beat >= HEARTBEAT
        if beat or now - last_moved < EVERY:
            last_beat = now
            if runtime.quirks.forget_old(now) or runtime.quirks_dirty:
                runtime.save_quirks()
            runtime.save_signed_blocks()
            runtime.store.gateway_state(_state(runtime, started, now))
            if runtime.cluster is not None:
                runtime.store.members(runtime.cluster.standing.member_rows())
            if now - last_moved < MOVING_FOR or beat:
                write_standings(runtime, now)
        await asyncio.sleep(EVERY)


def write_standings(runtime: AppState, now: float) -> None:
    catalog = runtime.catalog
    found: dict[tuple[str, ...], LimitStatus] = {}
    for offer in catalog.offers:
        for standing in status.standings(runtime, offer, now):
            found.setdefault(standing.limit.key, standing)
    others = [limit for client in catalog.clients for limit in client.limits]
    for standing in runtime.limiter.status((*others, *catalog.budget), now):
        found.setdefault(standing.limit.key, standing)
    runtime.store.limit_state(found.values(), now)
    runtime.store.offer_state(
        [status.state_of(runtime, offer, now) for offer in catalog.offers], now
    )


def _polls(runtime: AppState) -> list[dict[str, object]]:
    return runtime.polls.as_json() if runtime.polls is not None else []


def _state(runtime: AppState, started: float, now: float) -> GatewayState:
    loading = runtime.loading
    bounded = bool(runtime.catalog.budget) or any(
        limit.metric is Metric.COST for limit in runtime.catalog.limits()
    )
    return GatewayState(
        __version__,
        started,
        now,
        port=runtime.port,
        pid=os.getpid(),
        policy=runtime.catalog.config.routing.policy.value,
        budget_set=bounded,
        config_revision=loading.revision,
        config_loaded_at=loading.loaded_at,
        config_error=loading.error,
        degraded=[
            *(["draining"] if runtime.draining else []),
            *runtime.way_out.degraded,
            *(runtime.cluster.standing.degraded if runtime.cluster is not None else ()),
        ],
        detail={
            "in_flight": runtime.in_flight,
            **({"polls": found} if (found := _polls(runtime)) else {}),
            **(
                {"cluster": runtime.cluster.standing.details()}
                if runtime.cluster
                else {}
            ),
        },
    )
