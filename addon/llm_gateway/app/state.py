"""Process state: catalog, limits, health, ledger, and how a new catalog is swapped in.

`AppState`, one per gateway, is built once and reloaded whole: a new catalog is made
beside the old one and takes its place in one assignment, so that a request is served
under one revision from start to end.

What this file does not know: flows, HTTP, the text of a config.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import SecretStr

from llm_gateway.adaptation.calls_as_text import TextCalls
from llm_gateway.adaptation.conversation_quirks import ConversationQuirks
from llm_gateway.adaptation.kept_state import KeptState, Recall, asker_of
from llm_gateway.adaptation.served_members import ServedMembers
from llm_gateway.adaptation.tried_quirks import TriedQuirks
from llm_gateway.app.notices import Notices
from llm_gateway.app.way_out_status import WayOutStatus
from llm_gateway.domain import Event, GatewayRequest, Offer
from llm_gateway.ledger.spent import LONGEST_WINDOW
from llm_gateway.ledger.store import Store
from llm_gateway.ledger.write_queue import CommitFuture
from llm_gateway.network import own_addresses
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.outbound_request import address_of
from llm_gateway.providers.upstream import Upstream
from llm_gateway.routing.affinity import ConversationAffinity
from llm_gateway.routing.health import BILLED_FOR
from llm_gateway.routing.state import RoutingContext

if TYPE_CHECKING:
    from llm_gateway.cluster.service import ClusterService

logger = logging.getLogger("llm_gateway")

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}


def committed(waiter: CommitFuture) -> Awaitable[bool]:
    """What the store gives on the event loop is always a future of that loop."""
    return cast("asyncio.Future[bool]", waiter)


def addresses_of(catalog: Catalog) -> dict[str, str]:
    """Provider -> where it is."""
    return {key[0]: address_of(up.origin) for key, up in catalog.upstreams.items()}


class Polls(Protocol):
    """Who asks providers what they have and what is left: `provider_polls`."""

    def ask_quota(self, provider: str, account: str) -> None: ...

    def not_found(self, offer: Offer, left_at: float) -> None: ...

    def ask_all(self) -> None: ...

    async def refresh(self) -> None: ...

    def as_json(self) -> list[dict[str, Any]]: ...


@dataclass(slots=True)
class ConfigStatus:
    """How the configuration stands: shown by /health and the dashboard."""

    revision: str
    loaded_at: float
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class AppState(RoutingContext):
    """A standpoint that serves: with a ledger, a clock and a configuration that changes."""

    store: Store
    clock: Callable[[], float]
    loading: ConfigStatus
    credentials: Credentials
    admin_token: SecretStr
    on_config_change: list[Callable[[Catalog], None]] = field(default_factory=list)
    """Who wants to know of a new configuration."""
    on_clock_set: list[Callable[[float, float], None]] = field(default_factory=list)
    """Who wants to know by how many seconds the wall clock was set, and to what."""
    on_shutdown: list[Callable[[], None]] = field(default_factory=list)
    """Who settles what is still open when the gateway ends."""
    conversation_quirks: ConversationQuirks = field(default_factory=ConversationQuirks)
    text_calls: TextCalls = field(default_factory=TextCalls)
    tried_quirks: TriedQuirks = field(default_factory=TriedQuirks)
    served_members: ServedMembers = field(default_factory=ServedMembers)
    kept: KeptState = field(default_factory=KeptState)
    affinity: ConversationAffinity = field(default_factory=ConversationAffinity)
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
    dashboard_port: int = 0
    """0: no dashboard was started."""
    in_flight: int = 0
    state_dirty: bool = True
    """Something that the dashboard shows has moved since it was last written."""
    quirks_dirty: bool = False
    """A learned quirk was used since they were last written."""
    cluster: "ClusterService | None" = None
    """Who else uses these accounts; None: this gateway is alone."""
    polls: Polls | None = None
    """Who asks providers what they have and what is left; None: nobody does yet."""
    notices: Notices = field(init=False)
    way_out: WayOutStatus = field(init=False)

    def __post_init__(self) -> None:
        self.notices = Notices(self._notice, self.clock)
        self.way_out = WayOutStatus(
            lambda subject, message: self.event("degraded", subject, message),
            lambda: own_addresses.has_network(),
        )

    @property
    def degraded(self) -> list[str]:
        """What does not work as it should, in sentences."""
        of_cluster = self.cluster.standing.degraded if self.cluster is not None else ()
        return [*self.store.degraded, *self.way_out.degraded, *of_cluster]

    def clock_set(self, seconds: float, now: float) -> None:
        """Somebody set the wall clock forward by so much (backward: less than 0)."""
        self.limiter.clock_set(seconds, now)
        self.health.clock_set(seconds, now)
        self.affinity.clock_set(seconds)
        if self.cluster is not None:
            self.cluster.offset.clock_set(seconds)
        for tell in self.on_clock_set:
            tell(seconds, now)
        self.event("clock", "wall clock", f"set by {seconds:+.0f} s; limits hold on")

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
        quiet = kind in ("config", "login") or kind.startswith("model.")
        quiet = quiet and subject != "refused"
        level = logging.INFO if quiet else logging.WARNING
        logger.log(level, "%s: %s", subject or kind, message)
        self.state_dirty = True

    def recall(self, call: GatewayRequest, upstream: Upstream, model: str) -> Recall:
        """What was kept for who asks, as far as `model` of `upstream` may see it."""
        asker = asker_of(call.known_client, call.client)
        return self.kept.recall_for(asker, upstream.maker(model), call.ask.opening)

    def replay(self, catalog: Catalog, now: float) -> None:
        """Counters for limits that are not counted yet, who has answered in which
        dialect, and who was billed though free, out of the ledger. Blocks."""
        for provider, dialect in self.store.spoken():
            self.health.answered((provider,), dialect)
        for key, until in self.store.billed(catalog.revision, now).items():
            self.health.bill(key, until, account=len(key) < 3)
        for lesson in self.store.quirks():
            self.quirks.remember(lesson)
        self.quirks.forget_old(now)
        self.quirks.forget_moved(addresses_of(catalog))
        self.conversation_quirks.load(self.store.conversation_quirks(), now)
        self.kept.signed.load(self.store.known_blocks())
        missing = self.limiter.missing(tuple(catalog.limits()))
        if missing:
            self.limiter.replay(self.store.spent(now - LONGEST_WINDOW), missing, now)

    def save_signed_blocks(self) -> None:
        """Who issued what since this was last done, for the next start."""
        if new := self.kept.signed.take_new():
            self.store.signed_blocks(new, self.clock())

    async def activate(self, catalog: Catalog) -> None:
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
        had_bills = bool(self.health.billed(now))
        if catalog.revision != self.catalog.revision:
            self.health.forget_bills()
        config, self.catalog = self.catalog.config, catalog
        for provider in changed | {key[0] for key in old.keys() - catalog.upstreams}:
            self.health.forget(provider)
            self.tried_quirks.forget(provider)
            self.served_members.forget(provider)
            self.credentials.forget(provider)
        if had_bills:
            self._keep_bills(now)
        if self.quirks.forget_moved(addresses_of(catalog)):
            self.save_quirks()
        if catalog.config.log_level != self.catalog_log_level:
            self.catalog_log_level = catalog.config.log_level
            if not self.log_level_is_given:
                self.set_log_level(self.catalog_log_level)
        for tell in self.on_config_change:
            tell(catalog)
        if catalog.config is not config:
            self.loading = ConfigStatus(catalog.revision, now)
        self.state_dirty = True
        self.publish()

    def take_out_as_billed(
        self, offer: Offer, message: str, *, account: bool = False, **detail: object
    ) -> None:
        """It counts as free and was charged for: the model, or with `account` its key, is
        not asked for 24 h or until the configuration changes, over a restart too."""
        now = self.clock()
        until = now + BILLED_FOR
        self.health.bill(offer.key, until, account=account)
        self._keep_bills(now)
        self.event("billed", offer.label, message, until=until, **detail)

    def _keep_bills(self, now: float) -> None:
        self.store.billed_offers(self.health.billed(now), self.catalog.revision, now)

    def save_quirks(self) -> None:
        """What refusals taught, for the next start and for people to see."""
        self.quirks_dirty = False
        self.store.learned(self.quirks)

    def save_conversation_quirks(self) -> None:
        """What was learned of single conversations, for the next start."""
        if rows := self.conversation_quirks.take_changed():
            self.store.learned_of_conversations(rows)

    def forget_quirks(self, provider: str, model: str | None = None) -> int:
        """By hand: of a provider, or of one of its models. How many there were."""
        gone = self.quirks.forget(provider, model)
        self.tried_quirks.forget(provider, model)
        if gone:
            subject = f"{provider}/{model}" if model else provider
            self.event(
                "quirk", subject, f"{len(gone)} learned quirks forgotten by hand"
            )
            self.save_quirks()
        return len(gone)

    def publish(self) -> None:
        """The running configuration, without secrets, for SQL to join."""
        clients = [limit for c in self.catalog.clients for limit in c.limits]
        self.store.running_config(self.catalog, clients)
