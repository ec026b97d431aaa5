"""Forwards a routed request: decide, reserve, write the row, send.

What lives here: `Forwarder`, which takes an `Exchange` from one candidate to the next. The
thinking is the core's; this is the order in which it is asked and what is done with its
answers.

What this file does not know: how a client addressed the gateway, what a failure means
(failures.py), how an attempt leaves (attempt_sending.py), how an answer ends (settlement.py).
"""

import asyncio

from llm_gateway.app.state import AppState
from llm_gateway.domain import Decision
from llm_gateway.pipeline import translating
from llm_gateway.pipeline.adapting import adapt_aside, is_late, known_quirks
from llm_gateway.pipeline.attempt_sending import AttemptSender
from llm_gateway.pipeline.candidate_reservation import Candidates
from llm_gateway.pipeline.cluster_confirmation import confirmed
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.final_errors import FinalErrors
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.pipeline.way_out_failures import note_way_out
from llm_gateway.transport.attempt_policy import Action, Failure


class Forwarder:
    def __init__(
        self,
        runtime: AppState,
        candidates: Candidates,
        sender: AttemptSender,
        setbacks: FailureHandler,
        final: FinalErrors,
    ) -> None:
        self.runtime = runtime
        self.candidates = candidates
        self.sender = sender
        self.setbacks = setbacks
        self.final = final

    async def begin(self, exchange: Exchange) -> None:
        """Send the request to the first candidate, or answer it right here."""
        self.runtime.in_flight += 1
        await self._next(exchange)

    async def failed(self, exchange: Exchange, failure: Failure) -> None:
        """An attempt failed before the client saw a byte: another one, or the last word."""
        await note_way_out(self.runtime, failure)
        form = exchange.attempt.form if exchange.attempt is not None else exchange.form
        if failure.status is not None and len(form.body.raw) > INLINE_BYTES:
            await asyncio.to_thread(form.values)  # for what the refusal may teach
        if failure.stale:
            self.setbacks.stale(exchange)
            await self._next(exchange)
        elif self.setbacks.failed(exchange, failure):
            await self._next(exchange)
        failure.action = Action.RESPOND if exchange.flow.response else Action.RETRY

    async def _next(self, exchange: Exchange) -> None:
        """Prepare the flow for the next candidate; without one, set its response."""
        runtime = self.runtime
        loop = asyncio.get_running_loop()
        routing = exchange.catalog.config.routing
        while True:
            now = runtime.clock()
            view = self.candidates.view(exchange, now)
            decision = self.candidates.decide(exchange, view)
            if exchange.decision is None:
                exchange.decision = decision
            out_of_tries = len(exchange.tried) >= routing.max_attempts
            if out_of_tries or loop.time() >= exchange.deadline:
                break
            large = len(exchange.body.raw) > INLINE_BYTES
            if large and await self._written_aside(exchange, decision):
                continue  # it took a while: how do things stand now?
            unfit = len(exchange.unfit)
            taken = self.candidates.reserve(exchange, decision, view)
            if len(exchange.unfit) > unfit and not exchange.recorded:
                exchange.decision = self.candidates.decide(exchange, view)
            if taken is None:
                if len(exchange.unfit) > unfit:
                    continue
                if runtime.cluster is not None and not exchange.cluster_asked:
                    exchange.cluster_asked = True
                    if await runtime.cluster.refresh():
                        continue
                break
            if runtime.cluster is not None and not await confirmed(
                runtime.cluster, runtime, exchange, taken
            ):
                if exchange.finished:
                    return
                continue
            if await self.sender.prepare(exchange, taken):
                return
        self.final.exhausted(exchange, decision, now)

    async def _written_aside(self, exchange: Exchange, decision: Decision) -> bool:
        """A large body was translated for, or adapted to, whoever comes next, on a thread."""
        candidate = exchange.repeat or next(iter(decision.ready), None)
        if candidate is None:
            return False
        offer = candidate.offer
        upstream = exchange.catalog.upstreams[offer.provider, offer.account]
        runtime = self.runtime
        if translating.is_late(runtime, exchange, upstream, candidate):
            await asyncio.to_thread(
                translating.form_of, runtime, exchange, upstream, candidate
            )
            return True
        form = translating.form_of(runtime, exchange, upstream, candidate)
        if isinstance(form, str):
            return False
        quirks = known_quirks(runtime, exchange, form.dialect.name, upstream, offer)
        if not is_late(exchange, form, offer, quirks):
            return False
        await adapt_aside(runtime, exchange, form, upstream, offer, quirks)
        return True
