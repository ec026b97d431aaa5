"""The pipeline, wired: each stage gets those that it hands on to."""

from collections.abc import MutableMapping

from mitmproxy import connection

from llm_gateway.admin.management_api import ManagementApi
from llm_gateway.app.state import AppState
from llm_gateway.pipeline.access_control import AccessControl
from llm_gateway.pipeline.account_requests import AccountRequests
from llm_gateway.pipeline.answer_streaming import AnswerStreaming
from llm_gateway.pipeline.attempt_sending import AttemptSender
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.candidate_reservation import Candidates
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.destinations import Destinations
from llm_gateway.pipeline.failure_penalties import FailurePenalties
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.final_errors import FinalErrors
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.handler import RequestHandler
from llm_gateway.pipeline.kept_resources import KeptResources
from llm_gateway.pipeline.local_refusals import LocalRefusals
from llm_gateway.pipeline.own_key_passage import OwnKeyPassage
from llm_gateway.pipeline.own_port import OwnPort
from llm_gateway.pipeline.passthrough import Passthrough
from llm_gateway.pipeline.refusals import Refusals
from llm_gateway.pipeline.request_heads import RequestHeads
from llm_gateway.pipeline.request_pricing import RequestPricing
from llm_gateway.pipeline.route_preview import RoutePreview
from llm_gateway.pipeline.routed_requests import RoutedRequests
from llm_gateway.pipeline.served_flows import Flows
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.stored_answers import StoredAnswers
from llm_gateway.pipeline.stored_settlement import StoredSettlement
from llm_gateway.pipeline.stream_blame import StreamBlame


def build_handler(
    state: AppState,
    management: ManagementApi,
    flows: Flows,
    tunnels: MutableMapping[connection.Client, str],
) -> RequestHandler:
    clients = ClientRecognition(state, tunnels)
    destinations = Destinations(state)
    admission = AccessControl(state, clients, destinations)
    pricing = RequestPricing(state)
    settling = Settlement(state, pricing, StreamBlame(state))
    accounts = AccountRequests(state, StoredSettlement(state, pricing))
    passing = Passthrough(state)
    final = FinalErrors(state, settling)
    failures = FailureHandler(
        state, settling, Refusals(state, settling), FailurePenalties(state), final
    )
    candidates = Candidates(state)
    sender = AttemptSender(state, failures)
    serving = Forwarder(state, candidates, sender, failures, final)
    bindings = BoundRequests(state)
    stored = StoredAnswers(state, accounts)
    kept = KeptResources(state, accounts, bindings)
    refusals = LocalRefusals(state, OwnPort(state, clients))
    passage = OwnKeyPassage(state, flows, refusals, passing, settling)
    management.explanations.judge = RoutePreview(
        state, clients, bindings, candidates
    ).judge
    return RequestHandler(
        state,
        flows,
        admission=admission,
        clients=clients,
        management=management,
        refusals=refusals,
        heads=RequestHeads(
            clients, destinations, admission, refusals, passage, stored, kept
        ),
        routed=RoutedRequests(
            state, flows, clients, refusals, passage, bindings, serving, settling
        ),
        passage=passage,
        serving=serving,
        answering=AnswerStreaming(state),
        settling=settling,
        passing=passing,
        accounts=accounts,
        stored=stored,
        kept=kept,
    )
