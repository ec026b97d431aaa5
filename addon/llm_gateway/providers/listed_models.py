"""Model lists of providers: what one says of each model, and which of them are offered.

What lives here: the values (`ModelList`, `ListedModel`), the choice that `models` and
`exclude` make among them, and their form as JSON, in which the ledger keeps them for a
start without network. How a provider spells its list is `list_readers.py`'s.

What this file does not know: sockets, the clock, prices that others publish.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from llm_gateway.config.models import Provider
from llm_gateway.config.urls import is_loopback
from llm_gateway.domain import Price
from llm_gateway.frozen import frozen
from llm_gateway.providers.free_tiers import free_tier_of, had_free_tier
from llm_gateway.providers.provider_type import ProviderType

SOURCE = "list"
"""`Price.source` of what the provider's own list says."""


@frozen
class ListedModel:
    """What a provider's list says of one model; None: it does not say."""

    name: str
    """As it is sent."""
    price: Price | None = None
    context_window: int | None = None
    max_output: int | None = None
    converses: bool = True
    """It answers conversations (no embeddings, no pictures alone), as far as its entry or its name tells."""
    billed: bool = False
    """Something of it costs, by the list, that has no price here."""


@frozen
class ModelList:
    """A provider's list, as one account of it was given."""

    models: tuple[ListedModel, ...]
    address: str
    """Whose: where the provider is."""
    at: float = 0.0
    """When it was last seen to be so."""
    etag: str = ""


Lists = Mapping[tuple[str, str], ModelList]
"""(provider, account) -> its list."""


def chosen(
    provider: Provider, row: ProviderType, models: Iterable[ListedModel]
) -> tuple[ListedModel, ...]:
    """Those of the list that `models` and `exclude` mean, in the list's order.

    Left out: what is no chat model, what is written out in `models`, and with
    `tier: "free"` what is not on it.
    """
    words = provider.wanted
    if not words:
        return ()
    written = {model.name for _, model in provider.own_models}
    found = []
    for model in models:
        if not model.converses or model.name in written:
            continue
        if any(matches_glob(name, model.name) for name in provider.exclude):
            continue
        free = is_free(provider, row, model)
        if provider.tier == "free" and not free:
            continue
        if any(_means(word, model.name, free) for word in words):
            found.append(model)
    return tuple(found)


def _means(word: str, name: str, free: bool) -> bool:
    match word:
        case "all":
            return True
        case "free":
            return free
        case _:
            return matches_glob(word, name)


def is_free(provider: Provider, row: ProviderType, model: ListedModel) -> bool:
    """It costs nothing: the list says so, or, where it names no prices, the provider's
    free tier, the configuration (`free`, `flatRate`), or that it runs at home."""
    if model.price is not None or model.billed:
        return model.price is not None and model.price.is_zero
    return (
        provider.free
        or provider.flat_rate is not None
        or free_tier_of(row, model.name) is not None
        or (_at_home(provider, row) and not model.name.endswith("cloud"))
    )


def _at_home(provider: Provider, row: ProviderType) -> bool:
    return row.local and (provider.origin is None or is_loopback(provider.origin.host))


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def matches_glob(pattern: str, name: str) -> bool:
    """`*` stands for any characters; nothing else is special, and case matters."""
    return _glob(pattern).fullmatch(name) is not None


def cannot_choose(provider: Provider, row: ProviderType) -> str:
    """Why nothing can be taken from this provider's list; "" when it can."""
    if not provider.wanted:
        return ""
    if row.models_path is None:
        return (
            f"{row.title} has no list of models, or not under the names it is sent; "
            'write them out: [{"name": …}]'
        )
    said = row.lists_prices or had_free_tier(row) or row.local or not row.hosts
    if "free" in provider.wanted and not (said or provider.free or provider.flat_rate):
        return (
            f'"free" is not known for {row.title}: its list names no prices, and no '
            'lasting free tier is published; write "all" or names with *'
        )
    return ""


# -- as JSON ----------------------------------------------------------------------


def as_json(models: Iterable[ListedModel]) -> list[dict[str, Any]]:
    """Without what is not known; prices in nano-dollars per million tokens."""
    return [
        {key: value for key, value in asdict(model).items() if value is not None}
        for model in models
    ]


def from_json(value: Any) -> tuple[ListedModel, ...]:
    """The reverse. Raises ValueError, TypeError, KeyError: another version wrote it."""
    found = []
    for entry in value:
        price = entry.get("price")
        if price is not None:
            known = {k: price[k] for k in _PRICES if k in price}
            price = Price(**known, source=SOURCE)
        found.append(
            ListedModel(
                str(entry["name"]),
                price,
                entry.get("context_window"),
                entry.get("max_output"),
                bool(entry.get("converses", True)),
                bool(entry.get("billed", False)),
            )
        )
    return tuple(found)


_PRICES = ("input", "output", "cached_input", "cache_write", "request", "reasoning")
