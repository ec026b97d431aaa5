"""Routed requests: decode the body, read what is asked, find candidates, hand on to be sent.

What lives here: `RoutedRequests`, the way of a whole request that names a model.

What this file does not know: how it is sent (forwarding.py), requests that name none.
"""

from dataclasses import dataclass, replace

from mitmproxy import http

from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import DialectSpec, RequestBody, RequestError
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.ingress import BadBody, Ingress, decoded, understood
from llm_gateway.pipeline.local_refusals import LocalRefusals
from llm_gateway.pipeline.own_key_passage import OwnKeyPassage
from llm_gateway.pipeline.served_flows import Flows
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.providers.dialect_support import nobody_takes
from llm_gateway.providers.model_index import unknown_model
from llm_gateway.routing.selection import same_embedding_model


@dataclass(slots=True)
class RoutedRequests:
    runtime: AppState
    flows: Flows
    clients: ClientRecognition
    refusals: LocalRefusals
    passage: OwnKeyPassage
    bindings: BoundRequests
    serving: Forwarder
    settling: Settlement

    async def begin(
        self,
        flow: http.HTTPFlow,
        way: Ingress,
        dialect: DialectSpec,
        below: str,
        cors: str,
    ) -> None:
        """Read it, find who may answer, and send it to the first; or refuse it."""
        request = flow.request
        identity = self.clients.identity(flow, way)
        if self.runtime.keys_required and not identity.authenticated:
            self.refusals.refuse(
                flow,
                dialect,
                401,
                "invalid_api_key",
                "This gateway asks for a client key.",
            )
            return
        try:
            raw = await decoded(request)
            body = await understood(dialect, raw, request.path)
        except BadBody as e:
            if e.status == 415 and self.passage.may_pass(flow, way, identity):
                self.passage.begin(flow, dialect, None, identity)
            else:
                self.refusals.refuse(flow, dialect, e.status, "invalid_request", str(e))
            return
        if isinstance(body, RequestError):
            self.refusals.refuse(
                flow, dialect, body.status, body.code, body.message, param=body.param
            )
            return
        catalog = self.runtime.catalog
        translate = not below and calls.translates(self.runtime, request)
        ranks = catalog.names.able(body.ask.model, dialect.name, translate=translate)
        if not dialect.interchangeable:
            ranks = same_embedding_model(ranks)
        bound = await self.bindings.of(body, identity, ranks)
        if bound.own_host == request.host and self.passage.may_pass(
            flow, way, identity
        ):
            self.passage.begin(flow, dialect, body, identity)
            return
        if bound.refusal and any(ranks):
            self.refusals.refuse(flow, dialect, 400, "account_gone", bound.refusal)
            return
        if not any(ranks) and not (below and self._counts_here(body)):
            self._unknown_model(flow, way, body, identity, translate=translate)
            return
        exchange = calls.new_exchange(
            self.runtime, flow, way, body, identity, ranks, translate=translate
        )
        if below:
            # Counting tokens is a request that takes none, and costs nothing.
            ask = replace(body.ask, input_estimate=0, max_tokens=0)
            exchange.call = replace(exchange.call, ask=ask)
        exchange.subpath, exchange.cors_origin = below, cors
        exchange.unfit.update(bound.unfit)
        self.flows[flow] = exchange
        await self.serving.begin(exchange)
        if exchange.passthrough:
            self.passage.begin_instead(exchange)

    def _counts_here(self, body: RequestBody) -> bool:
        """Its tokens may be estimated: the model is here, if only for translation."""
        dialect, catalog = body.dialect, self.runtime.catalog
        if dialect.count_answer is None or not catalog.config.routing.translate:
            return False
        return any(catalog.names.able(body.ask.model, dialect.name))

    def _unknown_model(
        self,
        flow: http.HTTPFlow,
        way: Ingress,
        body: RequestBody,
        identity: Identity,
        *,
        translate: bool,
    ) -> None:
        """Nobody has it, or not in this dialect: the app's own host answers, or we refuse."""
        dialect, name = body.dialect, body.ask.model
        names, offers = self.runtime.catalog.names, self.runtime.catalog.offers
        is_here = bool(names.dialects(name))
        if self.passage.may_pass(flow, way, identity):
            if is_here:
                self.runtime.notices.own_key(
                    identity.app, name, flow.request.host, dialect.endpoint
                )
            self.passage.begin(flow, dialect, body, identity)
            return
        if is_here:
            having = [offer for rank in names.match_tiers(name) for offer in rank]
            status, code = 400, "unsupported_dialect"
            message = nobody_takes(
                dialect.name, name, having, offers, translate=translate
            )
        else:
            status, code = 404, "model_not_found"
            message = unknown_model(name, self.runtime.catalog.model_names())
            message += " GET /v1/models lists what does."
        self.refusals.refuse(flow, dialect, status, code, message, param="model")
        exchange = calls.new_exchange(self.runtime, flow, way, body, identity, ())
        exchange.record.outcome, exchange.record.error = "refused", code
        exchange.record.status = status
        self.runtime.in_flight += 1
        self.settling.close(exchange)
        assert flow.response is not None
        flow.response.headers["x-gateway-request-id"] = exchange.call.id
