"""Own-key passage: what may go to the app's own host with the app's own key, and its start.

What lives here: `OwnKeyPassage`. An intercepted request that is not, or cannot be, served
here passes where policy and configuration let it; where only what is free may, the rest
is refused.

What this file does not know: the passing itself (passthrough.py).
"""

import asyncio
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import DialectSpec, RequestBody, ResourcePath
from llm_gateway.domain import Policy
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.account_requests import MadeIds
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.flow_rewriting import restore_request
from llm_gateway.pipeline.free_passage import billable
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.pipeline.local_refusals import LocalRefusals
from llm_gateway.pipeline.passthrough import (
    AwaitedAnswer,
    Passthrough,
    PassthroughRequest,
    native,
)
from llm_gateway.pipeline.served_flows import Flows
from llm_gateway.pipeline.settlement import Settlement


@dataclass(slots=True)
class OwnKeyPassage:
    runtime: AppState
    flows: Flows
    refusals: LocalRefusals
    passing: Passthrough
    settling: Settlement

    def refuses(self, flow: http.HTTPFlow, identity: Identity, host: str) -> bool:
        """Something that may be billed, where only what is free may pass."""
        request = flow.request
        if not self._free_only(request, identity):
            return False
        what = billable(
            request.method,
            request.path,
            request.headers.get("upgrade", ""),
            request.headers,
        )
        if not what:
            return False
        record = calls.passage_record(self.runtime, host, None, None, identity)
        record.outcome, record.error, record.status = "refused", "may_be_billed", 403
        self.runtime.store.begin(record, None, None)
        message = (
            f"The gateway lets only pass to {host[:80]} what is free, and this may be "
            f'billed ({what}). "intercept": {{"passthrough": "all"}} lets it pass.'
        )
        self.refusals.refuse(flow, native(host), 403, "may_be_billed", message)
        return True

    def _free_only(self, request: http.Request, identity: Identity) -> bool:
        """Only what costs nothing may pass with the app's own key."""
        said = self.runtime.catalog.config.intercept.passthrough
        if said is not None:
            return said == "free"
        return calls.policy(self.runtime, request, identity) is Policy.FREE_ONLY

    def may_pass(self, flow: http.HTTPFlow, way: Ingress, identity: Identity) -> bool:
        """An intercepted request that we cannot serve or read: may its own host?"""
        if self.runtime.catalog.config.intercept.passthrough == "free":
            return False
        policy = calls.policy(self.runtime, flow.request, identity)
        routing = self.runtime.catalog.config.routing
        return way is not Ingress.BASE_URL and calls.passes_unserved(routing, policy)

    def begin(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec | None,
        body: RequestBody | None,
        identity: Identity,
        host: str = "",
        fetched: AwaitedAnswer | None = None,
        made: ResourcePath | None = None,
    ) -> None:
        """With the app's own key. `host`: as the app named it, if that is pinned."""
        record = calls.passage_record(
            self.runtime, host or flow.request.host, dialect, body, identity
        )
        started = asyncio.get_running_loop().time()
        passage = PassthroughRequest(flow, record, started, dialect, body, fetched)
        if made is not None:
            passage.made = MadeIds(made.resource)
        self.flows[flow] = passage
        self.passing.begin(passage)

    def begin_instead(self, exchange: Exchange) -> None:
        """Nobody here can serve it: as it came, to the host that the app named."""
        if exchange.unspoken:
            self.runtime.notices.own_key(
                exchange.call.app,
                exchange.call.ask.model,
                exchange.call.host,
                exchange.dialect.endpoint,
            )
        self.settling.convert_to_passthrough(exchange)
        restore_request(exchange)
        passage = PassthroughRequest(
            exchange.flow,
            exchange.record,
            exchange.started,
            exchange.dialect,
            exchange.body,
            spent=exchange.spent,
        )
        self.flows[exchange.flow] = passage
        self.passing.begin(passage)
