"""Request handler: classify each request as routed, management, passthrough or refused.

What lives here: `RequestHandler`. A request to our own port is routed or answered; one on
its way to an LLM host is routed, or passes with the app's own key; everything else
passes untouched.

What this file does not know: who may come in (access_control.py, own_port.py), what is
seen by its head (request_heads.py), how a routed request is served (routed_requests.py,
forwarding.py), what the management routes answer (admin/management_api.py).
"""

from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.admin.management_api import ManagementApi
from llm_gateway.app.state import AppState
from llm_gateway.dialects import match, match_resource, match_stored, match_subpath
from llm_gateway.pipeline.access_control import AccessControl
from llm_gateway.pipeline.account_requests import AccountRequest, AccountRequests
from llm_gateway.pipeline.answer_streaming import AnswerStreaming
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.pipeline.kept_resources import KeptResources
from llm_gateway.pipeline.local_refusals import LocalRefusals
from llm_gateway.pipeline.own_key_passage import OwnKeyPassage
from llm_gateway.pipeline.passthrough import Passthrough
from llm_gateway.pipeline.request_heads import RequestHeads
from llm_gateway.pipeline.routed_requests import RoutedRequests
from llm_gateway.pipeline.served_flows import Flows
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.stored_answers import StoredAnswers
from llm_gateway.pipeline.way_out_failures import note_way_out
from llm_gateway.transport.attempt_policy import Action, Failure
from llm_gateway.transport.local_response import make_readable

DRAINING = "The gateway is shutting down; try again in a moment."


@dataclass(slots=True)
class RequestHandler:
    runtime: AppState
    flows: Flows
    admission: AccessControl
    clients: ClientRecognition
    management: ManagementApi
    refusals: LocalRefusals
    heads: RequestHeads
    routed: RoutedRequests
    passage: OwnKeyPassage
    serving: Forwarder
    answering: AnswerStreaming
    settling: Settlement
    passing: Passthrough
    accounts: AccountRequests
    stored: StoredAnswers
    kept: KeptResources

    async def on_request(self, flow: http.HTTPFlow) -> None:
        """The body is here (or streams by): route it, answer it, or let it pass."""
        if flow in self.flows or flow.request.stream:
            return
        way = self.clients.way(flow)
        dialect = match(flow.request.method, flow.request.path)
        below = ""
        if (
            dialect is None
            and way is Ingress.BASE_URL
            and (found := match_subpath(flow.request.method, flow.request.path))
        ):
            dialect, below = found
        cors_origin = ""
        if way is Ingress.BASE_URL:
            allowed = self.refusals.guarded(flow, dialect)
            if allowed is None:
                return
            cors_origin = allowed.cors_origin or ""
        if dialect is None and (
            line := match_stored(flow.request.method, flow.request.path)
        ):
            identity = self.clients.identity(flow, way)
            asked = await self.stored.begin(flow, line, identity, cors_origin)
            if asked is not None:
                self.flows[flow] = asked
            else:
                make_readable(flow, cors_origin)
            return
        if dialect is None and (
            kept := match_resource(flow.request.path, flow.request.headers)
        ):
            spoken, about = kept
            if about.id or about.resource.is_made:
                identity = self.clients.identity(flow, way)
                asked = await self.kept.begin(
                    flow, spoken, about, identity, cors_origin
                )
                if asked is not None:
                    self.flows[flow] = asked
                else:
                    make_readable(flow, cors_origin)
                return
        if dialect is None:
            await self.management.answer(flow, cors_origin)
            make_readable(flow, cors_origin)
            return
        if self.runtime.draining:
            self.refusals.refuse(
                flow, dialect, 503, "draining", DRAINING, (("retry-after", "5"),)
            )
            return
        await self.routed.begin(flow, way, dialect, below, cors_origin)

    async def failed(self, failure: Failure) -> None:
        found = self.flows.get(failure.flow)
        if isinstance(found, Exchange):
            await self.serving.failed(found, failure)
            if found.passthrough:
                self.passage.begin_instead(found)
                failure.action = Action.RETRY
        elif isinstance(found, AccountRequest):
            self.accounts.failed(found, failure)
        elif found is not None:
            if failure.stale and failure.replayable:
                self.passing.again(found)
                failure.action = Action.RETRY
            else:
                await note_way_out(self.runtime, failure)
                self.passing.failed(found, failure)
