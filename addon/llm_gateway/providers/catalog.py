"""The whole config as routing needs it: every offer with its limits and prices.

What lives here: `build`, from a validated `Config` to a `Catalog`, and the look-ups
on it. A catalog is made whole beside the old one and never changes.

    config.providers[] x accounts -> Upstream           upstream.py
                       x models   -> Offer              here, limits in provider_limits.py
                       and those of its list that it wants: listed_models.py
    config.clients[]              -> KnownClient
    config.budget                 -> Limit ("budget",)

What this file does not know: what is used up, who is healthy, the disk, the clock.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import SecretStr

from llm_gateway.accounting import prices
from llm_gateway.domain import Limit, Offer, Policy, Price
from llm_gateway.frozen import frozen
from llm_gateway.network.proxy_rules import DIRECT, ProxyRules
from llm_gateway.providers.free_tiers import free_tier_of
from llm_gateway.providers.listed_models import (
    ListedModel,
    Lists,
    ModelList,
    cannot_choose,
    chosen,
    is_free,
)
from llm_gateway.providers.model_index import ModelIndex
from llm_gateway.providers.provider_limits import (
    free_tier_limits,
    limits_of,
    shared_limits,
)
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import FreePreset, most_telling
from llm_gateway.providers.registry import TYPES, types_at

from ..config.jsonc import show
from ..config.models import Config, Model, Provider
from ..config.problems import UnlocatedProblem
from ..config.urls import is_loopback
from .hosts import matches
from .outbound_request import address_of
from .upstream import NotConfigured, Upstream, upstream

T = TypeVar("T")
PriceOf = Callable[[str | None, str, float], Price | None]
WindowOf = Callable[[str | None, str], int | None]

FREE_PRICE = Price(source="config")
LOCAL_PRICE = Price(source="local")
RETIRED = (
    "retired: it answered twice that there is no such model, until it is listed again"
)
_UNLISTED = ListedModel("")


class CatalogError(ValueError):
    """The config asks for something that no provider has. One line per complaint."""

    def __init__(self, *complaints: UnlocatedProblem) -> None:
        super().__init__(*complaints)
        self.complaints = complaints
        """With paths from the top of the config, for whoever knows its lines."""

    def __str__(self) -> str:
        return "\n".join(f"{show(c.path)}: {c.message}" for c in self.complaints)


@frozen
class KnownClient:
    """An app or a person with a key for this gateway."""

    name: str
    key: SecretStr
    policy: Policy | None
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Catalog:
    """One revision of the config, ready to be asked."""

    revision: str
    config: Config
    offers: tuple[Offer, ...] = ()
    """In the order of the config, also those that cannot be used."""
    upstreams: Mapping[tuple[str, str], Upstream] = field(default_factory=dict)
    """By (provider, account); only those that are configured."""
    budget: tuple[Limit, ...] = ()
    clients: tuple[KnownClient, ...] = ()
    ways: ProxyRules = DIRECT
    """Outbound proxies for all that no provider has its own way for."""
    without_models: Mapping[str, str] = field(default_factory=dict)
    """Providers that have no offer -> why."""

    @cached_property
    def names(self) -> ModelIndex:
        return ModelIndex(self.offers)

    def client_of(self, key: str) -> KnownClient | None:
        """Whose key it is."""
        return self._by_key.get(_digest(key)) if self._by_key else None

    def model_names(self) -> tuple[str, ...]:
        """Distinct names that clients may ask for, wildcards aside, in config order."""
        names: dict[str, None] = {}
        for offer in self.offers:
            if offer.enabled:
                names[offer.name] = None
                names |= dict.fromkeys(a for a in offer.aliases if "*" not in a)
        return tuple(names)

    def limits_for(self, offer: Offer, client: str | None) -> tuple[Limit, ...]:
        """All limits that one attempt holds: the offer's, the client's, the budget's.

        The same arguments give the same object, which lets the limiter recognise it.
        """
        key = (offer.key, client)
        found = self._limits_for.get(key)
        if found is None:
            own = next((c.limits for c in self.clients if c.name == client), ())
            found = (*offer.limits, *own, *self.budget)
            self._limits_for[key] = found
        return found

    def limits(self) -> Iterator[Limit]:
        """Every limit, once."""
        seen: set[tuple[str, ...]] = set()
        sources = [offer.limits for offer in self.offers]
        sources += [client.limits for client in self.clients]
        for limits in (*sources, self.budget):
            for limit in limits:
                if limit.key not in seen:
                    seen.add(limit.key)
                    yield limit

    @cached_property
    def _limits_for(
        self,
    ) -> dict[tuple[tuple[str, str, str], str | None], tuple[Limit, ...]]:
        return {}

    @cached_property
    def _by_key(self) -> Mapping[bytes, KnownClient]:
        return {_digest(c.key.get_secret_value()): c for c in self.clients}


def build(
    config: Config,
    revision: str,
    *,
    price: PriceOf = prices.known_price,
    window: WindowOf = prices.context_window,
    now: float,
    signed_in: Collection[str] = (),
    simulator_port: int = 0,
    ways: ProxyRules = DIRECT,
    lists: Lists = MappingProxyType({}),
    retired: Collection[tuple[str, str, str]] = (),
    types: Mapping[str, ProviderType] | None = None,
) -> Catalog:
    """The catalog of a config. Raises CatalogError.

    `price`, `window`: what is known of a model of a provider of genai-prices.
    `lists`: what providers list, by account; `retired`: keys of offers that answered
    twice that there is no such model.
    `types`: the rows by type; None: with what the packaged catalogue says of them at `now`.
    `signed_in`: ids of Copilot providers that have a stored token. `ways`: outbound
    proxies, of `network` and the environment.
    """
    types = types_at(now) if types is None else types
    complaints: list[UnlocatedProblem] = []
    offers: list[Offer] = []
    upstreams: dict[tuple[str, str], Upstream] = {}
    without: dict[str, str] = {}
    for index, provider in enumerate(config.providers):
        row = types[provider.type]
        allowed = free_tier_limits(provider, row)
        above = ("providers", index)
        complaints += [replace(c, path=(*above, *c.path)) for c in allowed.complaints]
        if clause := cannot_choose(provider, row):
            complaints.append(UnlocatedProblem((*above, "models"), clause))
        for account, key in provider.accounts:
            found = upstream(
                provider,
                row,
                account,
                key,
                signed_in=provider.id in signed_in,
                simulator_port=simulator_port,
                ways=ways,
            )
            if isinstance(found, Upstream):
                upstreams[provider.id, account] = found
            shared = shared_limits(provider, row, account)
            listed = _list_of(found, lists.get((provider.id, account)))
            for model, free in (
                *((model, allowed.of(model)) for _, model in provider.own_models),
                *_chosen(provider, row, listed),
            ):
                offer = _offer(
                    provider,
                    row,
                    found,
                    account,
                    model,
                    free,
                    price,
                    window,
                    now,
                    listed,
                )
                if offer.key in retired:
                    offer = replace(offer, enabled=False, disabled_reason=RETIRED)
                if offer.enabled and (gone := allowed.lost.get(model.name)):
                    offer = replace(offer, enabled=False, disabled_reason=gone)
                limits = (*shared, *limits_of(provider, row, account, model, free))
                offers.append(replace(offer, limits=limits, order=len(offers)))
            if provider.wanted and not (offers and offers[-1].provider == provider.id):
                without[provider.id] = _no_models(provider, found, listed)
    if complaints:
        raise CatalogError(*complaints)
    return Catalog(
        revision,
        config,
        tuple(offers),
        upstreams,
        tuple(Limit(("budget",), *amount) for amount in config.budget.amounts()),
        tuple(
            KnownClient(
                client.name,
                client.key,
                client.policy,
                tuple(
                    Limit(("client", client.name), *a) for a in client.limits.amounts()
                ),
            )
            for client in config.clients
        ),
        ways,
        without,
    )


def _list_of(
    found: Upstream | NotConfigured, listed: ModelList | None
) -> Mapping[str, ListedModel]:
    """By name; nothing when it is another address's."""
    if listed is None or not isinstance(found, Upstream):
        return {}
    if listed.address != address_of(found.origin):
        return {}
    return {model.name: model for model in listed.models}


def _chosen(
    provider: Provider, row: ProviderType, listed: Mapping[str, ListedModel]
) -> Iterator[tuple[Model, FreePreset | None]]:
    """The models that are taken from the list, each with the free tier that it is on."""
    for entry in chosen(provider, row, listed.values()):
        on_tier = provider.tier == "free" or (
            "free" in provider.wanted and is_free(provider, row, entry)
        )
        preset = free_tier_of(row, entry.name) if on_tier else None
        yield Model(name=entry.name), preset


def _no_models(
    provider: Provider,
    found: Upstream | NotConfigured,
    listed: Mapping[str, ListedModel],
) -> str:
    if not provider.enabled:
        return "disabled"
    if isinstance(found, NotConfigured):
        return found.reason
    return "none of its list is meant" if listed else "its list was not read yet"


def _offer(
    provider: Provider,
    row: ProviderType,
    found: Upstream | NotConfigured,
    account: str,
    model: Model,
    free: FreePreset | None,
    price: PriceOf,
    window: WindowOf,
    now: float,
    listed_models: Mapping[str, ListedModel],
) -> Offer:
    """One offer, without its limits. The configuration wins over the provider's own list,
    and that over what genai-prices knows."""
    genai = _genai(row, found)
    entry = listed_models.get(model.name) or _UNLISTED
    own = model.pricing.as_price() if model.pricing is not None else None

    def known() -> Price | None:
        """Looked up only where nobody nearer says it: it takes a millisecond."""
        found: Price | None = _published(row, model.name, "price")
        if found is not None:
            return found
        return _known(genai, model.name, lambda name: price(genai, name, now))

    is_free = provider.free or free is not None
    flat_rate = provider.flat_rate is not None
    if is_free or flat_rate:
        charged: Price | None = FREE_PRICE
        # What it costs those who pay stands under the name without its tier.
        paid = listed_models.get(model.name.removesuffix(":free"), _UNLISTED).price
        listed = own or (None if paid is None or paid.is_zero else paid) or known()
    else:
        listed = entry.price or known()
        charged = own or _local(row, found, model.name) or listed
    context = model.context_window or entry.context_window
    if context is None:
        context = _published(row, model.name, "context_window")
    if context is None:
        context = _known(genai, model.name, lambda name: window(genai, name))
    return Offer(
        provider.id,
        account,
        model.name,
        provider.type,
        model.client_name,
        aliases=model.aliases,
        mapped=model.mapped_name is not None,
        dialects=frozenset(
            found.paths
            if isinstance(found, Upstream)
            else provider.dialects or row.paths
        ),
        presumed=frozenset() if provider.dialects else row.presumed,
        free=is_free,
        flat_rate=flat_rate,
        price=charged,
        list_price=listed,
        genai=genai,
        context_window=context,
        max_output=entry.max_output or _max_output(row, model.name),
        enabled=provider.enabled and model.enabled and isinstance(found, Upstream),
        disabled_reason=_why_not(provider, model, found),
    )


def _max_output(row: ProviderType, model: str) -> int | None:
    found: int | None = _published(row, model, "max_output")
    return found


def _published(row: ProviderType, model: str, what: str) -> Any:
    """A fact of the catalogue's, also where a publisher stands before the model's name;
    None: it has none."""
    known = [fact for fact in row.model_facts if getattr(fact, what) is not None]
    found = most_telling(known, model) or most_telling(known, model.rpartition("/")[2])
    return None if found is None else getattr(found, what)


def _why_not(provider: Provider, model: Model, found: Upstream | NotConfigured) -> str:
    if not (provider.enabled and model.enabled):
        return "disabled"
    return found.reason if isinstance(found, NotConfigured) else ""


def _genai(row: ProviderType, found: Upstream | NotConfigured) -> str | None:
    """The id in genai-prices; for a type of no company, that of the host's owner."""
    if row.genai is not None or not isinstance(found, Upstream) or row.hosts:
        return row.genai
    host = found.origin.host
    owners = (r.genai for r in TYPES.values() if r.genai and matches(host, r.hosts))
    return next(owners, None)


def _local(
    row: ProviderType, found: Upstream | NotConfigured, model: str
) -> Price | None:
    """Nothing, for what runs on this machine: nobody sends a bill for it.

    Ollama passes models whose tag ends in `cloud` on to its own servers.
    """
    if not row.local or model.endswith("cloud") or not isinstance(found, Upstream):
        return None
    return LOCAL_PRICE if is_loopback(found.origin.host) else None


def _known(
    genai: str | None, model: str, look_up: Callable[[str], T | None]
) -> T | None:
    """What is known of a model, also when a publisher stands before its name."""
    if genai is None:
        return None
    found = look_up(model)
    if found is None and "/" in model:
        found = look_up(model.rpartition("/")[2])
    return found


def _digest(key: str) -> bytes:
    # Looked up by digest: how long that takes says nothing about the key.
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
