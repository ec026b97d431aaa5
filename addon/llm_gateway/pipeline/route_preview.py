"""`POST /route`: the routing decision about a request that nobody sends.

What lives here: `RoutePreview`, a dry run of a request for the management API.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.app.state import AppState
from llm_gateway.dialects import (
    DialectSpec,
    RequestError,
    written,
)
from llm_gateway.domain import Decision
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.access_control import (
    AccessControl,
)
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.ingress import (
    INLINE_BYTES,
    BadBody,
    Ingress,
    understood,
)


@dataclass(slots=True)
class RoutePreview:
    runtime: AppState
    admission: AccessControl
    bindings: BoundRequests
    serving: Forwarder

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
        identity = self.admission.identity(flow, Ingress.BASE_URL)
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
            return self.serving.judge(exchange)
        return await asyncio.to_thread(self.serving.judge, exchange)
