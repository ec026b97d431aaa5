"""Limit bars of providers, tiers, models, clients and the budget, from `limit_state`.

Each scope has its place: a tier (all `:free` models of an account) is its provider's, a
budget is nobody's but money's. A scope that is not known here is an error, never a budget.

What this file does not know: states, HTML, clocks (`now` is an argument).
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.availability import LimitBar, add_up, fresh, moment
from llm_gateway.dashboard.reader import Ask

K = TypeVar("K")


class UnknownScope(ValueError):
    """`limit_state` holds a scope that this version has no place for."""


@dataclass(slots=True)
class LimitBars:
    """Every bar where it belongs; `of` asks for those that hold for one model."""

    shared: dict[str, tuple[LimitBar, ...]] = field(default_factory=dict)
    """Provider -> over all its models, then of its tiers."""
    models: dict[tuple[str, str], tuple[LimitBar, ...]] = field(default_factory=dict)
    clients: dict[str, tuple[LimitBar, ...]] = field(default_factory=dict)
    budget: tuple[LimitBar, ...] = ()
    accounts: dict[tuple[str, str], list[LimitBar]] = field(default_factory=dict)
    """(provider, account) -> single bars, of the provider, its tiers and its models."""

    def of(self, provider: str, model: str, *, free: bool) -> tuple[LimitBar, ...]:
        """All that hold for a model; the budget holds for what is paid."""
        return (
            *self.models.get((provider, model), ()),
            *(b for b in self.shared.get(provider, ()) if counts_in(b, model)),
            *(() if free else self.budget),
        )

    def bounded(self, provider: str, model: str) -> bool:
        """Does a cost limit or the budget hold for what this model would cost?"""
        return any(b.metric == "cost" for b in self.of(provider, model, free=False))

    def headroom(self, provider: str, account: str, model: str) -> float:
        """Fraction left of the tightest limit of one account, as the router weighs it."""
        mine = [
            bar.ratio
            for bar in self.accounts.get((provider, account), ())
            if (bar.model == model if bar.scope == "model" else counts_in(bar, model))
        ]
        return max(0.0, 1 - max(mine, default=0.0))


def counts_in(bar: LimitBar, model: str) -> bool:
    """A tier holds for the models that end like it."""
    return bar.scope != "tier" or model.endswith(bar.model)


def limit_bars(ask: Ask, now: float) -> LimitBars:
    """Raises UnknownScope."""
    shared: dict[str, list[LimitBar]] = defaultdict(list)
    models: dict[tuple[str, str], list[LimitBar]] = defaultdict(list)
    clients: dict[str, list[LimitBar]] = defaultdict(list)
    accounts: dict[tuple[str, str], list[LimitBar]] = defaultdict(list)
    budget: list[LimitBar] = []
    for row in ask(queries.LIMIT_STATE, {}):
        bar = fresh(_bar(row), now)
        match row["scope"]:
            case "provider" | "tier":
                shared[row["provider"]].append(bar)
            case "model":
                models[row["provider"], row["model"]].append(bar)
            case "client":
                clients[row["client"]].append(bar)
                continue
            case "budget":
                budget.append(bar)
                continue
            case other:
                raise UnknownScope(f"limit_state has the scope {other!r}")
        accounts[row["provider"], row["account"]].append(bar)
    return LimitBars(
        _summed(shared), _summed(models), _summed(clients), add_up(budget), accounts
    )


def _summed(found: Mapping[K, Iterable[LimitBar]]) -> dict[K, tuple[LimitBar, ...]]:
    return {key: add_up(bars) for key, bars in found.items()}


def _bar(row: sqlite3.Row) -> LimitBar:
    return LimitBar(
        metric=row["metric"],
        window=row["window"],
        used=row["used"],
        reserved=row["reserved"],
        amount=row["amount"],
        resets_at=moment(row["resets_at"]),
        source=row["source"],
        scope=row["scope"],
        model=row["model"],
        as_of=row["as_of"],
    )


def bars_json(bars: Sequence[LimitBar]) -> list[dict[str, Any]]:
    return [bar_json(bar) for bar in bars]


def bar_json(bar: LimitBar) -> dict[str, Any]:
    """Used, reserved and limit in requests, tokens or US$."""
    shown = {
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
    if bar.scope == "tier":
        shown["tier"] = bar.model
    if bar.as_of:
        shown["as_of"] = bar.as_of
    return shown
