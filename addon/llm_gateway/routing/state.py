"""Routing context: catalog, limits, health and estimates, asked at one moment.

`RoutingView` answers the questions of `selection.decide` as of `now`. What this file does not
know: clocks, disks, HTTP, the text of a config.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_gateway.adaptation.learned import LearnedQuirks
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.domain import (
    Charge,
    Dialect,
    Limit,
    Metric,
    Offer,
    Policy,
    Price,
    RequestInfo,
)
from llm_gateway.limits.limiter import Limiter, LimitRefusal, scopes_of
from llm_gateway.limits.token_estimate import Estimator
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.paid_extras import Extras
from llm_gateway.routing.health import HealthTracker, Unavailable
from llm_gateway.routing.selection import expected_cost
from llm_gateway.routing.worst_case import (
    affordable,
    extras_of,
    least_output,
    most_output,
    price_of,
    worst_cost,
)

if TYPE_CHECKING:
    pass

_TIGHTNESS = {Policy.FREE_ONLY: 0, Policy.FREE_FIRST: 1, Policy.ANY: 2}


def name_key(ask: RequestInfo) -> tuple[str, str]:
    """What is learned of a name that clients ask for, whoever answers."""
    return ("name", ask.model)


def tightest(*policies: Policy | None) -> Policy:
    """The policy that spends least; None has no say."""
    return min((p for p in policies if p is not None), key=_TIGHTNESS.__getitem__)


def largest_output(quirks: Quirks, dialect: Dialect) -> int | None:
    """What `max_tokens`, or what the dialect calls it, may be at most."""
    found = (quirks.value("limit", name, "<=") for name in SPECS[dialect].output_limits)
    return min((int(n) for n in found if n and n.isdecimal()), default=None)


@dataclass(slots=True)
class RoutingContext:
    """What a decision is made of: who offers, what is used, who is well."""

    catalog: Catalog
    limiter: Limiter = field(default_factory=Limiter)
    health: HealthTracker = field(default_factory=HealthTracker)
    estimator: Estimator = field(default_factory=Estimator)

    quirks: LearnedQuirks = field(default_factory=LearnedQuirks)

    def need(
        self,
        offer: Offer,
        ask: RequestInfo,
        price: Price | None,
        max_tokens: int | None = None,
    ) -> Charge:
        """What an answer to `ask` takes from the limits of `offer`, at most.

        `price` is what it costs there, None where that is unknown or nothing;
        `max_tokens` what its length is lowered to.
        """
        tokens_in = self.estimator.tokens_in(ask.input_estimate, offer.key)
        if not SPECS[ask.dialect].has_output:
            for_tokens = for_money = 0
        else:
            for_tokens, for_money = self.estimator.output_reserve(
                offer.key, ask.max_tokens if max_tokens is None else max_tokens
            )
        cost: int | None = 0
        if price is not None and not price.is_zero:
            cost = worst_cost(ask, offer, price, tokens_in, for_money * ask.n)
        return Charge(1, tokens_in + for_tokens * ask.n, cost or 0)

    def most_output(
        self, offer: Offer, ask: RequestInfo, tried: Quirks = NO_QUIRKS
    ) -> int | None:
        """What `max_tokens` comes down to there, by the provider's row or its refusals."""
        if ask.max_tokens is None:
            return None
        quirks = self.quirks.of(offer.provider, offer.model, ask.dialect) | tried
        learned = largest_output(quirks, ask.dialect) if quirks else None
        known = [n for n in (offer.max_output, learned) if n is not None]
        return most_output(ask, min(known)) if known else None


@dataclass(slots=True)
class RoutingView:
    """Routing's questions, answered as of `now`."""

    runtime: RoutingContext
    catalog: Catalog
    """The revision that is asked about; a reload may have made another one current."""
    now: float
    client: str | None = None
    """Name of the known client that asks."""
    warm: tuple[str, str, str] | None = None
    warm_share: float = 0.0
    """Part of the prompt that the warm offer is likely to have cached."""
    needs: dict[int, Charge] = field(default_factory=dict)
    """By the identities of offers: what was found for the one ask of this view."""
    likely: tuple[int, int] | None = None
    """Tokens of its prompt and answer. The same for all offers: else the one that nobody
    asked yet, of which nothing is known, would look dear for ever."""

    def limits(self, offer: Offer) -> tuple[Limit, ...]:
        return self.catalog.limits_for(offer, self.client)

    def need(self, offer: Offer, ask: RequestInfo) -> Charge:
        found = self.needs.get(id(offer))
        if found is None:
            most = self.runtime.most_output(offer, ask) if ask.max_tokens else None
            price = self.price(offer, ask) if ask.extras else offer.price
            found = self.runtime.need(offer, ask, price, most)
            self.needs[id(offer)] = found
        return found

    def price(self, offer: Offer, ask: RequestInfo) -> Price | None:
        """What a request costs there, as far as that is known before it is answered."""
        return price_of(offer, ask, self.now) if ask.extras else offer.price

    def extras(self, offer: Offer, ask: RequestInfo) -> Extras:
        return extras_of(offer, ask)

    def price_known(self, offer: Offer, ask: RequestInfo) -> bool:
        price = self.price(offer, ask)
        return price is not None and worst_cost(ask, offer, price, 1, 1) is not None

    def most_output(self, offer: Offer, ask: RequestInfo) -> int | None:
        return self.runtime.most_output(offer, ask)

    def lowered(self, offer: Offer, ask: RequestInfo) -> int | None:
        price = self.price(offer, ask)
        if price is None or ask.max_tokens is None:
            return None
        estimator, limiter = self.runtime.estimator, self.runtime.limiter
        limits, scopes = self.limits(offer), scopes_of(*offer.key, self.client)
        most = affordable(
            ask,
            offer,
            price,
            tokens_in=estimator.tokens_in(ask.input_estimate, offer.key),
            most=self.runtime.most_output(offer, ask) or ask.max_tokens,
            room=limiter.room(limits, Metric.COST, self.now, scopes=scopes),
        )
        if most is None or most < least_output(ask, estimator.usual_output(offer.key)):
            return None
        need = self.runtime.need(offer, ask, price, most)
        if limiter.fit(limits, need, self.now, scopes=scopes) is not None:
            return None
        self.needs[id(offer)] = need
        return most

    def fit(
        self, offer: Offer, limits: Sequence[Limit], need: Charge
    ) -> LimitRefusal | None:
        scopes = scopes_of(*offer.key, self.client)
        return self.runtime.limiter.fit(limits, need, self.now, scopes=scopes)

    def headroom(self, offer: Offer, limits: Sequence[Limit]) -> float:
        scopes = scopes_of(*offer.key, self.client)
        return self.runtime.limiter.headroom(limits, self.now, scopes=scopes)

    def unavailable(self, offer: Offer, dialect: Dialect) -> Unavailable | None:
        return self.runtime.health.unavailable(offer.key, self.now, dialect)

    def expected_cost(self, offer: Offer, ask: RequestInfo) -> int | None:
        if offer.price is None:
            return None
        if self.likely is None:
            estimator, name = self.runtime.estimator, name_key(ask)
            self.likely = (
                estimator.tokens_in(ask.input_estimate, name),
                estimator.output_reserve(name, ask.max_tokens)[1],
            )
        tokens_in, tokens_out = self.likely
        return expected_cost(
            offer.price,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cached_share=self.warm_share if offer.key == self.warm else 0.0,
        )
