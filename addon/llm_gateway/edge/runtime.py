"""What outlives a request: catalog, limits, health, ledger, and how they are swapped.

What lives here: `Runtime`, one per gateway. It is built once, reloaded whole: a new
catalog is made beside the old one and takes its place in one assignment, so that a
request is served under one revision from start to end. `View` answers routing's
questions at one moment.

What this file does not know: flows, HTTP, the text of a config.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pydantic import SecretStr

from llm_gateway.dialects import SPECS
from llm_gateway.edge.background import Background
from llm_gateway.edge.notices import Notices
from llm_gateway.exchange import (
    Dialect,
    Event,
    Limit,
    Metric,
    Need,
    Offer,
    Policy,
    Price,
    RequestInfo,
)
from llm_gateway.health import Health, Unavailable
from llm_gateway.ledger.backlog import Waiter
from llm_gateway.ledger.store import Store
from llm_gateway.limits.engine import Limiter, LimitRefusal, scopes_of
from llm_gateway.limits.estimate import Estimator
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.paid_extras import Extras
from llm_gateway.providers.quirks import Quirks
from llm_gateway.reserving import (
    affordable,
    extras_of,
    least_output,
    most_output,
    price_of,
    worst_cost,
)
from llm_gateway.routing import expected_cost
from llm_gateway.sticky import Sticky

if TYPE_CHECKING:
    from llm_gateway.edge.desk import Desk
    from llm_gateway.edge.logins import Logins

logger = logging.getLogger("llm_gateway")

LONGEST_WINDOW = 31 * 86400.0 + 3600.0
"""How far back the ledger is read for counters, in seconds."""

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}

_TIGHTNESS = {Policy.FREE_ONLY: 0, Policy.FREE_FIRST: 1, Policy.ANY: 2}


def name_key(ask: RequestInfo) -> tuple[str, str]:
    """What is learned of a name that clients ask for, whoever answers."""
    return ("name", ask.model)


def tightest(*policies: Policy | None) -> Policy:
    """The policy that spends least; None has no say."""
    return min((p for p in policies if p is not None), key=_TIGHTNESS.__getitem__)


def committed(waiter: Waiter) -> Awaitable[bool]:
    """What the store gives on the event loop is always a future of that loop."""
    return cast("asyncio.Future[bool]", waiter)


@dataclass(slots=True)
class Loading:
    """How the configuration stands: shown by /health and the dashboard."""

    revision: str
    loaded_at: float
    error: str | None = None


@dataclass(slots=True)
class Standpoint:
    """What a decision is made of: who offers, what is used, who is well."""

    catalog: Catalog
    limiter: Limiter = field(default_factory=Limiter)
    health: Health = field(default_factory=Health)
    estimator: Estimator = field(default_factory=Estimator)

    quirks: Quirks = field(default_factory=Quirks)

    def need(
        self,
        offer: Offer,
        ask: RequestInfo,
        price: Price | None,
        max_tokens: int | None = None,
    ) -> Need:
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
        return Need(1, tokens_in + for_tokens * ask.n, cost or 0)

    def most_output(self, offer: Offer, ask: RequestInfo) -> int | None:
        """What `max_tokens` comes down to there, by the provider's row or its refusals."""
        if ask.max_tokens is None:
            return None
        learned = self.quirks.of(offer.provider, offer.model).max_output
        known = [n for n in (offer.max_output, learned) if n is not None]
        return most_output(ask, min(known)) if known else None


@dataclass(slots=True, kw_only=True)
class Runtime(Standpoint):
    """A standpoint that serves: with a ledger, a clock and a configuration that changes."""

    store: Store
    clock: Callable[[], float]
    loading: Loading
    credentials: Credentials
    desk: "Desk"
    admin_token: SecretStr
    logins: "Logins | None" = None
    adopted: list[Callable[[Catalog], None]] = field(default_factory=list)
    """Who wants to know of a new configuration."""
    ending: list[Callable[[], None]] = field(default_factory=list)
    """Who settles what is still open when the gateway ends."""
    sticky: Sticky = field(default_factory=Sticky)
    background: Background = field(default_factory=Background)
    draining: bool = False
    keys_required: bool = False
    """We listen beyond loopback: only known clients are served."""
    log_level: str = "info"
    log_level_is_given: bool = False
    """By the environment, which wins over the configuration."""
    catalog_log_level: str = "info"
    """As the config has it: only a changed one overrides what was set since."""
    origins: set[tuple[str, int]] = field(default_factory=set)
    """Hosts and ports that requests were routed to: of this configuration, of one before
    under which a request is still served, and what a provider's login named."""
    port: int = 8080
    in_flight: int = 0
    changed: bool = True
    """Something that the dashboard shows has moved since it was last written."""
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = Notices(self._notice, self.clock)

    def _notice(self, kind: str, subject: str, message: str) -> None:
        if kind == "private host":
            # Nothing is wrong: it is how the app was set up.
            logger.info("%s: %s", subject, message)
        else:
            self.event(kind, subject, message)

    def event(self, kind: str, subject: str, message: str, **detail: object) -> None:
        """One row of `events`, and a line in the log where people should look."""
        now = self.clock()
        values = {k: v for k, v in detail.items() if isinstance(v, str | int | float)}
        self.store.event(Event(now, kind, subject, message, values))
        level = logging.INFO if kind in ("config", "login") else logging.WARNING
        logger.log(level, "%s: %s", subject or kind, message)
        self.changed = True

    def replay(self, catalog: Catalog, now: float) -> None:
        """Counters for limits that are not counted yet, and who has answered in which
        dialect, out of the ledger. Blocks."""
        for provider, dialect in self.store.spoken():
            self.health.answered((provider,), dialect)
        missing = self.limiter.missing(tuple(catalog.limits()))
        if missing:
            self.limiter.replay(self.store.spent(now - LONGEST_WINDOW), missing, now)

    async def adopt(self, catalog: Catalog) -> None:
        """Swap in a new configuration; what was spent stays spent.

        Limits that it adds are counted from the ledger before they hold.
        """
        missing = self.limiter.missing(tuple(catalog.limits()))
        spent = []
        if missing:
            await committed(self.store.flush())
            since = self.clock() - LONGEST_WINDOW
            spent = await asyncio.to_thread(self.store.spent, since)
        now = self.clock()
        if missing:
            self.limiter.replay(spent, missing, now)
        self._swap(catalog, now)
        self.limiter.forget_unused(limit.key for limit in catalog.limits())

    def set_log_level(self, level: str) -> None:
        self.log_level = level
        logger.setLevel(LEVELS[level])

    def _swap(self, catalog: Catalog, now: float) -> None:
        """In one step: from here on, new requests are served under it."""
        old = {key: upstream for key, upstream in self.catalog.upstreams.items()}
        changed = {
            key[0] for key, up in catalog.upstreams.items() if old.get(key) != up
        }
        if catalog.revision != self.catalog.revision:
            self.health.forget_bills()
        self.catalog = catalog
        for provider in changed | {key[0] for key in old.keys() - catalog.upstreams}:
            self.health.forget(provider)
            self.credentials.forget(provider)
            self.quirks.forget(provider)
        if catalog.config.log_level != self.catalog_log_level:
            self.catalog_log_level = catalog.config.log_level
            if not self.log_level_is_given:
                self.set_log_level(self.catalog_log_level)
        for tell in self.adopted:
            tell(catalog)
        self.loading = Loading(catalog.revision, now)
        self.changed = True
        self.publish()

    def publish(self) -> None:
        """The running configuration, without secrets, for SQL to join."""
        clients = [limit for c in self.catalog.clients for limit in c.limits]
        self.store.running_config(self.catalog, clients)


@dataclass(slots=True)
class View:
    """Routing's questions, answered as of `now`."""

    runtime: Standpoint
    catalog: Catalog
    """The revision that is asked about; a reload may have made another one current."""
    now: float
    client: str | None = None
    """Name of the known client that asks."""
    warm: tuple[str, str, str] | None = None
    warm_share: float = 0.0
    """Part of the prompt that the warm offer is likely to have cached."""
    needs: dict[int, Need] = field(default_factory=dict)
    """By the identities of offers: what was found for the one ask of this view."""

    def limits(self, offer: Offer) -> tuple[Limit, ...]:
        return self.catalog.limits_for(offer, self.client)

    def need(self, offer: Offer, ask: RequestInfo) -> Need:
        found = self.needs.get(id(offer))
        if found is None:
            most = self.runtime.most_output(offer, ask)
            price = self.price(offer, ask)
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
        self, offer: Offer, limits: Sequence[Limit], need: Need
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
        estimator = self.runtime.estimator
        # The same tokens for all: else the one that nobody asked yet, of which nothing
        # is known, would look dear for ever.
        _, tokens_out = estimator.output_reserve(name_key(ask), ask.max_tokens)
        return expected_cost(
            offer.price,
            tokens_in=estimator.tokens_in(ask.input_estimate, name_key(ask)),
            tokens_out=tokens_out,
            cached_share=self.warm_share if offer.key == self.warm else 0.0,
        )
