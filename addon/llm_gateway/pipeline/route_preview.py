"""`POST /route`: the routing decision about a request that nobody sends.

What lives here: `RoutePreview`, a dry run of a request for the management API.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DialectSpec, RequestError, written
from llm_gateway.domain import Candidate, Decision
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.adapting import adaptation_of
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.candidate_reservation import Candidates
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.ingress import INLINE_BYTES, BadBody, Ingress, understood


@dataclass(slots=True)
class RoutePreview:
    runtime: AppState
    clients: ClientRecognition
    bindings: BoundRequests
    candidates: Candidates

    async def judge(
        self, asked: AdminRequest, dialect: DialectSpec, values: Mapping[str, object]
    ) -> Decision | RequestError | None:
        """None: nobody can be asked for its model."""
        flow = asked.flow
        assert flow is not None
        try:
            body = await understood(dialect, written(values), "")
        except BadBody as e:
            return RequestError(e.status, "invalid_request", str(e))
        if isinstance(body, RequestError):
            return body
        translate = calls.translates(self.runtime, flow.request)
        names = self.runtime.catalog.names
        ranks = names.able(body.ask.model, dialect.name, translate=translate)
        if not any(ranks):
            return None
        identity = self.clients.identity(flow, Ingress.BASE_URL)
        exchange = calls.new_exchange(
            self.runtime,
            flow,
            Ingress.BASE_URL,
            body,
            identity,
            ranks,
            translate=translate,
        )
        bound = await self.bindings.of(body, identity, ranks)
        exchange.unfit.update(bound.unfit)
        if len(body.raw) <= INLINE_BYTES:
            return self._weighed(exchange)
        return await asyncio.to_thread(self._weighed, exchange)

    def _weighed(self, exchange: Exchange) -> Decision:
        """The decision about a request that is not sent: of each candidate what would
        be written otherwise, or why it cannot be asked. The order of the config breaks
        ties, so that asking twice gives one answer."""
        view = self.candidates.view(exchange, self.runtime.clock())
        shown: dict[tuple[str, str, str], Candidate] = {}
        for candidate in self.candidates.decide(exchange, view, lambda: 0.0).ready:
            offer = candidate.offer
            upstream = exchange.catalog.upstreams[offer.provider, offer.account]
            fitting = self.candidates.fitting(exchange, upstream, candidate, view)
            if isinstance(fitting, str):
                exchange.unfit[offer.key] = fitting
                continue
            candidate, form, _, adapted = fitting
            if form.translation is not None or adapted.changes:
                notes = adaptation_of(form, adapted)
                candidate = replace(candidate, adaptation=notes)
            shown[offer.key] = candidate
        found = self.candidates.decide(exchange, view, lambda: 0.0)
        return replace(
            found,
            candidates=tuple(
                replace(c, dialect=made.dialect, adaptation=made.adaptation)
                if (made := shown.get(c.offer.key))
                else c
                for c in found.candidates
            ),
        )
