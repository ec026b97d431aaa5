"""Asks providers for their lists of models and for what is left: at start, then regularly.

    lists    every six hours, of providers whose `models` take something from them;
             a changed one becomes a new catalog, swapped in like a hot reload
    quotas   every ten minutes while an account is in use, else every hour, and after a
             402 or 429; what is said goes to the limiter

What a provider fails to say changes nothing: its last list and its last word hold on.
Requests wait for none of this. What lives here: who is asked when, and what follows. How
it is spelt is `list_readers` and `quota_readers`; how it is fetched, `provider_questions`.
"""

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llm_gateway.app.config_service import ConfigService
from llm_gateway.app.model_changes import tell_changes
from llm_gateway.app.poll_schedule import PollSchedule
from llm_gateway.app.provider_questions import NoAnswer, ask_list, ask_quota, has_quota
from llm_gateway.app.startup_log import log_request_to_try
from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.limits.store import scope_of
from llm_gateway.limits.values import LimitObservation, Scope
from llm_gateway.network.clocks import elapsed
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.listed_models import ModelList
from llm_gateway.providers.outbound_request import address_of
from llm_gateway.providers.quota_readers import SOURCE
from llm_gateway.routing.retirement import NotFoundCounter
from llm_gateway.timestamps import iso

logger = logging.getLogger("llm_gateway")

LISTS_EVERY = 6 * 3600.0
QUOTAS_EVERY = 600.0
UNUSED_EVERY = 3600.0
"""Seconds between two looks at what is left of an account that nobody uses."""
AT_A_TIME = 4
NOW = 0.0
IDLE = 60.0
"""Seconds after which the schedule is looked at again, whatever it says."""

Account = tuple[str, str]
"""(provider, account)"""


class ProviderPolls:
    """One per gateway; the event loop owns it."""

    def __init__(self, state: AppState, service: ConfigService) -> None:
        self.state = state
        self.service = service
        self.lists: PollSchedule[Account] = PollSchedule(LISTS_EVERY)
        self.quotas: PollSchedule[Account] = PollSchedule(QUOTAS_EVERY)
        self._not_found = NotFoundCounter()
        self._looked: dict[Account, float] = {}
        """When a quota was last asked for, by the wall clock."""
        self._wake = asyncio.Event()
        self._gate = asyncio.Semaphore(AT_A_TIME)
        self._running: dict[tuple[str, Account], asyncio.Task[None]] = {}
        self._followed = state.catalog
        state.on_config_change.append(self.follow)
        self._watch(state.catalog, ())

    # -- who is asked ----------------------------------------------------------------

    def follow(self, catalog: Catalog) -> None:
        """Another catalog is in force: of another configuration, or with other lists."""
        old, self._followed = self._followed, catalog
        changed = [k for k, u in catalog.upstreams.items() if old.upstreams.get(k) != u]
        for provider, _ in changed:
            self._not_found.forget(provider)
        for account in changed:
            self.state.limiter.withdraw(SOURCE, _scopes(account))
        self._watch(catalog, changed)

    def _watch(self, catalog: Catalog, changed: Collection[Account]) -> None:
        now = elapsed()
        enabled = {p.id: p for p in catalog.config.providers if p.enabled}
        accounts = [key for key in catalog.upstreams if key[0] in enabled]
        self.lists.follow(
            [key for key in accounts if enabled[key[0]].wanted], now, changed
        )
        self.quotas.follow(
            [key for key in accounts if has_quota(catalog.upstreams[key])], now, changed
        )
        self._wake.set()

    def ask_quota(self, provider: str, account: str) -> None:
        """It refused for want of quota or money: what does it say is left?"""
        self.quotas.ask((provider, account), elapsed())
        self._wake.set()

    def not_found(self, offer: Offer, left_at: float) -> None:
        """There is no such model, it said. The second time that ends it, for models that
        a list can bring back."""
        loader, now = self.service.loader, self.state.clock()
        account = offer.key[:2]
        upstream = self.state.catalog.upstreams.get(account)
        if account not in self.lists.polls or upstream is None:
            return
        good = self.state.health.last_answer(*offer.key)
        if offer.key in loader.retired or not self._not_found.record(
            offer.key, now, left_at=left_at, last_good=good
        ):
            return
        entry = (now, address_of(upstream.origin))
        loader.retired = {**loader.retired, offer.key: entry}
        message = "retired: it answered twice that there is no such model"
        self.state.event("model.retired", offer.label, message)
        self._keep()
        self._start("rebuild", account, self.service.rebuild())

    def ask_all(self) -> None:
        """Everybody is asked for everything, now."""
        for schedule in (self.lists, self.quotas):
            for poll in schedule.polls.values():
                poll.next_at = NOW
        self._wake.set()

    async def refresh(self) -> None:
        """The same, and it is waited for."""
        self.ask_all()
        self._begin(elapsed())
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def as_json(self) -> list[dict[str, Any]]:
        """Every account that is asked something: how old is what it said?"""
        found: dict[Account, dict[str, Any]] = {}
        for key, poll in self.lists.polls.items():
            listed = self.service.loader.lists.get(key)
            offered = [o for o in self.state.catalog.offers if o.key[:2] == key]
            found[key] = {
                "list": {
                    "checked_at": iso(listed.at) if listed else None,
                    "models": len(listed.models) if listed else 0,
                    "offered": sum(offer.enabled for offer in offered),
                    "error": poll.error,
                }
            }
        for key, poll in self.quotas.polls.items():
            at = self._looked.get(key)
            found.setdefault(key, {})["quota"] = {
                "checked_at": iso(at) if at is not None else None,
                "error": poll.error,
            }
        return [{"provider": k[0], "account": k[1], **v} for k, v in found.items()]

    # -- asking ----------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self._wake.clear()
                now = elapsed()
                self._begin(now)
                moments = (self.lists.next_at(), self.quotas.next_at())
                soonest = min((m for m in moments if m is not None), default=now + IDLE)
                wait = min(max(soonest - now, 0.05), IDLE)
                try:
                    await asyncio.wait_for(self._wake.wait(), wait)
                except TimeoutError:
                    continue
        finally:
            for task in self._running.values():
                task.cancel()

    def _begin(self, now: float) -> None:
        for key in self.lists.due(now):
            self.lists.asked(key, now)
            self._start("list", key, self._look_at_list(key))
        for key in self.quotas.due(now):
            told = self.quotas.polls[key].next_at != self.quotas.polls[key].regular_at
            self.quotas.asked(key, now)
            if not (told or self._in_use(key)) and self._looked_lately(key):
                continue
            self._start("quota", key, self._look_at_quota(key))

    def _start(self, what: str, key: Account, work: Any) -> None:
        if (what, key) in self._running:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=f"{what} of {key[0]}")
        self._running[what, key] = task
        schedules = {"list": self.lists, "quota": self.quotas}

        def over(done: "asyncio.Task[None]") -> None:
            self._running.pop((what, key), None)
            if not done.cancelled() and (error := done.exception()) is not None:
                logger.error(
                    "%s: its %s was not taken in", key[0], what, exc_info=error
                )
                if (schedule := schedules.get(what)) is not None:
                    clause = "its answer could not be taken in (see the log)"
                    schedule.failed(key, elapsed(), random.random(), clause)
                    self._wake.set()

        task.add_done_callback(over)

    def _in_use(self, key: Account) -> bool:
        at = self.state.health.last_answer(*key)
        return at is not None and self.state.clock() - at < QUOTAS_EVERY

    def _looked_lately(self, key: Account) -> bool:
        at = self._looked.get(key)
        return at is not None and 0 <= self.state.clock() - at < UNUSED_EVERY

    async def _look_at_list(self, key: Account) -> None:
        state, loader = self.state, self.service.loader
        upstream = state.catalog.upstreams.get(key)
        if upstream is None:
            return
        address = address_of(upstream.origin)
        known = loader.lists.get(key)
        if known is not None and known.address != address:
            known = None
        try:
            async with self._gate:
                listed = await ask_list(
                    upstream, state.credentials, known.etag if known else ""
                )
        except NoAnswer as e:
            if self.lists.failed(key, elapsed(), random.random(), str(e)):
                logger.warning("%s: list of models: %s", key[0], e)
            return
        self.lists.succeeded(key, elapsed(), random.random())
        if state.catalog.upstreams.get(key) != upstream:
            return  # it is somebody else's now, and was asked again
        now = state.clock()
        if listed is None and known is not None:
            listed = known
        if listed is None:
            return
        found = replace(listed, address=address, at=now)
        loader.lists = {**self._current(loader.lists), key: found}
        back = self._listed_again(key, known, found)
        self._keep()
        if known is None or known.models != found.models or back:
            before = state.catalog
            await self.service.rebuild()
            tell_changes(state, key, before, known, found, back)
            if state.catalog.model_names() and not before.model_names():
                log_request_to_try(state)

    def _current(
        self, lists: Mapping[Account, ModelList]
    ) -> Mapping[Account, ModelList]:
        """Without those of accounts that are not configured any more."""
        return {k: v for k, v in lists.items() if k in self.state.catalog.upstreams}

    def _listed_again(
        self, key: Account, old: ModelList | None, new: ModelList
    ) -> frozenset[str]:
        """Retired models that the former list had not: they are no longer retired."""
        loader = self.service.loader
        before = {model.name for model in old.models} if old is not None else set()
        fresh = {model.name for model in new.models} - before
        back = frozenset(
            k[2] for k in loader.retired if k[:2] == key and k[2] in fresh and before
        )
        loader.retired = {
            k: v
            for k, v in loader.retired.items()
            if not (k[:2] == key and (k[2] in back or v[1] != new.address))
        }
        return back

    def _keep(self) -> None:
        loader = self.service.loader
        self.state.store.model_lists(loader.lists, loader.retired)

    async def _look_at_quota(self, key: Account) -> None:
        state = self.state
        upstream = state.catalog.upstreams.get(key)
        if upstream is None:
            return
        try:
            async with self._gate:
                words = await ask_quota(upstream, state.credentials, state.clock)
        except NoAnswer as e:
            if self.quotas.failed(key, elapsed(), random.random(), str(e)):
                logger.info("%s: what is left: %s", key[0], e)
            return
        self.quotas.succeeded(key, elapsed(), random.random())
        if state.catalog.upstreams.get(key) != upstream:
            return
        self._looked[key] = state.clock()
        observe_quota(state, key, words)


def observe_quota(
    state: AppState, account: Account, words: Sequence[LimitObservation]
) -> None:
    """Each word to the limiter, by way of an offer of the account that it is about. What
    was told before and is not any more has been lifted: paid for, or taken off a key."""
    offers = [offer for offer in state.catalog.offers if offer.key[:2] == account]
    told = []
    for word in words:
        about = [o for o in offers if word.scope != "tier" or o.model.endswith(":free")]
        if about:
            # The one whose limits say most of it: a preset stands in its row.
            offer = max(about, key=lambda o: len(o.limits))
            scopes = scopes_of(*offer.key, None)
            state.limiter.observe(offer.limits, [word], scopes=scopes, now=word.at)
            if (scope := scope_of(word, scopes)) is not None:
                told.append((scope, word.metric, word.window))
    state.limiter.withdraw(SOURCE, _scopes(account), told)
    state.state_dirty = True


def _scopes(account: Account) -> tuple[Scope, ...]:
    """Those of an account that a quota can be about."""
    return (("provider", *account), ("tier", *account, ":free"))
