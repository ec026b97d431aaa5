"""Candidates of a request: who may answer now, in which form, and room reserved for one.

What lives here: `Candidates`. The decision is the core's; the first candidate that can hold
the request, and has room within its limits, becomes an attempt.

What this file does not know: how a request is sent (attempt_sending.py).
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.app.state import AppState
from llm_gateway.domain import AttemptRecord, Candidate, Decision, Dialect
from llm_gateway.limits.limiter import LimitRefusal, scopes_of
from llm_gateway.pipeline import translating
from llm_gateway.pipeline.adapting import adapt, known_quirks
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.providers.upstream import Upstream
from llm_gateway.routing.selection import CANNOT_TAKE, decide
from llm_gateway.routing.state import RoutingView


class Candidates:
    def __init__(
        self, runtime: AppState, tie_break: Callable[[], float] = random.random
    ) -> None:
        self.runtime = runtime
        self.tie_break = tie_break

    def view(self, exchange: Exchange, now: float) -> RoutingView:
        """How things stand for this call at this moment."""
        call = exchange.call
        view = RoutingView(self.runtime, exchange.catalog, now, call.known_client)
        if exchange.catalog.config.routing.sticky:
            warm = self.runtime.affinity.lookup(call.ask.conversation, now)
            if warm is not None:
                view.warm, view.warm_share = warm.offer, warm.cache_hit_ratio
        return view

    def decide(
        self,
        exchange: Exchange,
        view: RoutingView,
        tie_break: Callable[[], float] | None = None,
    ) -> Decision:
        return decide(
            exchange.call,
            exchange.ranks,
            view,
            affinity=view.warm,
            tie_break=tie_break or self.tie_break,
            exclude=exchange.exclude,
            unfit=exchange.unfit,
            min_context_window=exchange.larger_than,
        )

    def reserve(
        self, exchange: Exchange, decision: Decision, view: RoutingView
    ) -> Attempt | None:
        """Room for the first candidate that has it."""
        runtime = self.runtime
        now = view.now
        ready = decision.ready
        if exchange.repeat is not None:
            ready = (exchange.repeat, *ready)
            exchange.repeat = None
        for candidate in ready:
            offer = candidate.offer
            upstream = exchange.catalog.upstreams[offer.provider, offer.account]
            fitting = self.fitting(exchange, upstream, candidate, view)
            if isinstance(fitting, str):
                exchange.unfit[offer.key] = fitting
                continue
            candidate, form, quirks, adapted = fitting
            n = exchange.record.attempts + 1
            ask = exchange.call.ask if form is exchange.form else form.body.ask
            need = view.need(offer, ask)
            reserved = runtime.limiter.reserve(
                exchange.catalog.limits_for(offer, exchange.call.known_client),
                need,
                now,
                id=f"{exchange.call.id}/{n}",
                scopes=scopes_of(*offer.key, exchange.call.known_client),
            )
            if isinstance(reserved, LimitRefusal):
                continue
            record = AttemptRecord(
                exchange.call.id,
                n,
                now,
                offer.provider,
                offer.account,
                offer.model,
                tokens=need.tokens,
                cost=need.cost,
            )
            exchange.record.attempts = n
            runtime.health.record_dispatch(offer.key, now)
            started = asyncio.get_running_loop().time()
            routing = exchange.catalog.config.routing
            others = (
                len(ready) > 1
                and len(exchange.tried) + 1 < routing.max_attempts
                and any(other.offer.key != offer.key for other in ready)
            )
            return Attempt(
                candidate,
                form,
                upstream,
                record,
                reserved,
                started,
                others=others,
                quirks=quirks,
                adapted=adapted,
            )
        return None

    def fitting(
        self,
        exchange: Exchange,
        upstream: Upstream,
        candidate: Candidate,
        view: RoutingView,
    ) -> tuple[Candidate, RequestForm, Quirks, Adapted] | str:
        """What a candidate is sent: in the dialect of the decision, or in another one that
        it speaks where that cannot hold the request; else why none can."""
        runtime, offer = self.runtime, candidate.offer
        dialect, why = candidate.dialect or exchange.dialect.name, ""
        others: list[Dialect] | None = None
        while True:
            form = translating.form_of(runtime, exchange, upstream, candidate)
            if isinstance(form, str):
                why = why or form
            else:
                quirks = known_quirks(runtime, exchange, dialect, upstream, offer)
                adapted = adapt(runtime, exchange, form, upstream, offer, quirks)
                if not adapted.unfit:
                    return candidate, form, quirks, adapted
                why = why or CANNOT_TAKE + adapted.unfit
            if others is None:
                others = [
                    other
                    for other in translating.other_ways(exchange, offer, dialect)
                    if view.unavailable(offer, other) is None
                ]
            if not others:
                return why
            dialect = others.pop(0)
            native = dialect == exchange.dialect.name
            candidate = replace(candidate, dialect=None if native else dialect)
