"""Tables of the running configuration, without secrets: `providers`, `models`, `limits`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from llm_gateway.domain import Limit, Offer, Origin, Price
from llm_gateway.ledger.limit_columns import LIMIT_COLUMNS, amount, limit_row
from llm_gateway.ledger.rows import Row, dollars, storable
from llm_gateway.ledger.table_snapshots import TableSnapshot


class Running(Protocol):
    """What is read of the catalog in force."""

    @property
    def config(self) -> Any:
        """`.providers`, each with id, type, enabled, free and flat_rate."""

    @property
    def offers(self) -> tuple[Offer, ...]: ...

    @property
    def upstreams(self) -> Mapping[tuple[str, str], Any]:
        """(provider, account) -> what has an `.origin`."""

    @property
    def budget(self) -> tuple[Limit, ...]: ...

    @property
    def without_models(self) -> Mapping[str, str]:
        """Providers that have no offer -> why."""


def _base_url(origin: Origin) -> str:
    usual = {"https": 443, "http": 80}.get(origin.scheme)
    port = "" if origin.port == usual else f":{origin.port}"
    return f"{origin.scheme}://{origin.host}{port}{origin.path}"


def _providers(catalog: Running) -> TableSnapshot:
    upstreams = {key[0]: upstream for key, upstream in catalog.upstreams.items()}
    rows = []
    for provider in catalog.config.providers:
        offers = [o for o in catalog.offers if o.provider == provider.id]
        enabled = provider.enabled and any(o.enabled for o in offers)
        why = catalog.without_models.get(provider.id, "")
        reason = next((o.disabled_reason for o in offers if not o.enabled), why)
        upstream = upstreams.get(provider.id)
        rows.append(
            (
                *(provider.id, str(provider.type)),
                _base_url(upstream.origin) if upstream else None,
                max(1, len({o.account for o in offers})),
                int(enabled),
                "" if enabled else reason or "disabled",
                int(provider.free),
                float(provider.flat_rate.cost_per_month)
                if provider.flat_rate
                else None,
                _way_out(upstream) if upstream else "",
            )
        )
    columns = ("id", "type", "base_url", "accounts", "enabled", "reason", "free")
    more = ("flat_rate_usd_per_month", "way_out")
    return TableSnapshot("providers", (*columns, *more), tuple(rows))


def _way_out(upstream: Any) -> str:
    """`http://10.0.0.1:3128`; "" for directly."""
    origin = upstream.origin
    proxy = upstream.proxy_for(origin.scheme, origin.host, origin.port)
    return proxy.shown if proxy is not None else ""


def _prices(price: Price | None, listed: Price | None) -> Row:
    shown: Row = (None,) * 6
    if price is not None:
        cached = price.input if price.cached_input is None else price.cached_input
        write = price.input if price.cache_write is None else price.cache_write
        nanos = (price.input, price.output, cached, write, price.request)
        shown = (*map(dollars, nanos), price.source)
    if listed is None:
        return (*shown, None, None)
    return (*shown, dollars(listed.input), dollars(listed.output))


def _models(catalog: Running) -> TableSnapshot:
    rows: dict[tuple[str, str, str], Row] = {}
    for offer in catalog.offers:
        rows.setdefault(
            (offer.provider, offer.model, offer.name),
            (
                *(offer.provider, offer.model, offer.name),
                json.dumps(list(offer.aliases)),
                json.dumps(sorted(offer.dialects)),
                int(offer.enabled),
                storable(offer.disabled_reason),
                int(offer.zero_cost),
                offer.context_window,
                *_prices(offer.price, offer.list_price),
            ),
        )
    columns = (
        *("provider", "model", "name", "aliases", "dialects", "enabled", "reason"),
        *("free", "context_window", "input_usd_per_million", "output_usd_per_million"),
        *("cached_input_usd_per_million", "cache_write_usd_per_million"),
        *("usd_per_request", "price_source"),
        *("list_input_usd_per_million", "list_output_usd_per_million"),
    )
    return TableSnapshot("models", columns, tuple(rows.values()))


def _limits(limits: Iterable[Limit]) -> TableSnapshot:
    rows = {
        limit.key: (
            *limit_row(limit),
            amount(limit.metric, limit.amount),
            f"{limit.reset.hour:02}:{limit.reset.minute:02} {limit.reset.zone}"
            if limit.reset
            else None,
            limit.source,
            limit.as_of,
        )
        for limit in limits
    }
    columns = (*LIMIT_COLUMNS, "amount", "reset", "source", "as_of")
    return TableSnapshot("limits", columns, tuple(rows.values()))


def running_config(
    catalog: Running, clients: Iterable[Limit] = ()
) -> tuple[TableSnapshot, ...]:
    """`providers`, `models` and `limits` of the catalog in force; no secrets.

    `clients`: the limits of the configured clients.
    """
    limits = [limit for offer in catalog.offers for limit in offer.limits]
    return (
        _providers(catalog),
        _models(catalog),
        _limits([*limits, *clients, *catalog.budget]),
    )
