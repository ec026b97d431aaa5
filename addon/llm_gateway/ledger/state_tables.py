"""The tables that say how things stand at this moment, each written whole.

What lives here: how the rows of `limit_state`, `offer_state`, `billed_offers` and
`gateway_state` are made. What this file does not know: files, threads, when something
is written.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_gateway.domain import Candidate
from llm_gateway.ledger.limit_columns import LIMIT_COLUMNS, amount, limit_row
from llm_gateway.ledger.rows import iso_or_none, storable
from llm_gateway.ledger.table_snapshots import TableSnapshot
from llm_gateway.limits.values import LimitStatus
from llm_gateway.timestamps import iso


@dataclass(frozen=True, slots=True)
class GatewayState:
    """How the gateway itself is: one row, refreshed as a heartbeat."""

    version: str
    started_at: float
    heartbeat: float
    port: int | None = None
    pid: int | None = None
    policy: str | None = None
    budget_set: bool | None = None
    """A budget or a cost limit bounds paid use; None: no configuration is loaded."""
    config_revision: str | None = None
    config_loaded_at: float | None = None
    config_error: str | None = None
    """Why the newest config was refused."""
    degraded: Sequence[str] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the dashboard should know; stored as JSON."""


def _used(standing: LimitStatus) -> int:
    """What we counted, or more where the provider says that less is left."""
    said = standing.limit.amount - standing.remaining - standing.reserved
    return max(standing.used, said)


def limit_state(standings: Iterable[LimitStatus], now: float) -> TableSnapshot:
    """Every limit with what stands against it, as `/usage/current` says it."""
    columns = (
        *LIMIT_COLUMNS,
        *("used", "reserved", "amount", "resets_at"),
        *("source", "as_of", "observed_at", "updated_at"),
    )
    rows = tuple(
        (
            *limit_row(s.limit),
            amount(s.limit.metric, _used(s)),
            amount(s.limit.metric, s.reserved),
            amount(s.limit.metric, s.limit.amount),
            iso_or_none(s.resets_at),
            s.source,
            s.limit.as_of,
            iso_or_none(s.observed_at),
            iso(now),
        )
        for s in standings
    )
    return TableSnapshot("limit_state", columns, rows)


def offer_state(candidates: Iterable[Candidate], now: float) -> TableSnapshot:
    """Every offer with its state word, the reason for it and when it comes back."""
    columns = ("provider", "account", "model", "name", "free", "state", "reason")
    rows = tuple(
        (
            *(c.offer.provider, c.offer.account, c.offer.model, c.offer.name),
            *(int(c.offer.zero_cost), c.state, storable(c.reason)),
            iso_or_none(c.returns_at),
            iso(now),
        )
        for c in candidates
    )
    return TableSnapshot("offer_state", (*columns, "returns_at", "updated_at"), rows)


def billed_offers(
    until: Mapping[tuple[str, ...], float], revision: str, now: float
) -> TableSnapshot:
    """(provider, account) or (provider, account, model) that was billed though it counts
    as free -> when it is asked again; under the configuration of this revision only."""
    columns = ("provider", "account", "model", "returns_at", "config_revision")
    rows = tuple(
        (key[0], key[1], key[2] if len(key) > 2 else "", iso(at), revision, iso(now))
        for key, at in until.items()
    )
    return TableSnapshot("billed_offers", (*columns, "updated_at"), rows)


def gateway_state(state: GatewayState, degraded: Sequence[str]) -> TableSnapshot:
    """`degraded`: the ledger's own reasons, shown after the gateway's."""
    row: dict[str, str | int | float | None] = {
        "id": 1,
        "version": state.version,
        "port": state.port,
        "pid": state.pid,
        "started_at": iso(state.started_at),
        "heartbeat": iso(state.heartbeat),
        "policy": state.policy,
        "budget_set": None if state.budget_set is None else int(state.budget_set),
        "config_revision": state.config_revision,
        "config_loaded_at": iso_or_none(state.config_loaded_at),
        "config_error": storable(state.config_error),
        "degraded": json.dumps(list(dict.fromkeys([*state.degraded, *degraded]))),
        "detail": json.dumps(dict(state.detail)),
    }
    return TableSnapshot("gateway_state", tuple(row), (tuple(row.values()),))
