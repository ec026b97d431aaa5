"""Request handler: classify each request as routed, management, passthrough or refused.

What lives here: `RequestHandler`. A request to our own port is routed or answered; one on
its way to an LLM host is routed, or passes with the app's own key; everything else
passes untouched.

What this file does not know: who may come in (access_control.py), how a routed request is
served (forwarding.py), what the management routes answer (admin/routes.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, MutableMapping
from dataclasses import replace

from mitmproxy import http

from llm_gateway import ids
from llm_gateway.admin.guard import Allowed
from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.admin.routes import AdminRoutes
from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import (
    DEFAULT,
    DialectSpec,
    RequestBody,
    RequestError,
    ResourcePath,
    match,
    match_resource,
    match_stored,
    match_subpath,
    written,
)
from llm_gateway.domain import Decision, Policy
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.access_control import (
    ASK_FOR_KEY,
    AccessControl,
    Inside,
    refusal,
)
from llm_gateway.pipeline.account_requests import (
    AccountRequest,
    AccountRequests,
    MadeIds,
)
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.forwarding import Forwarder, note_proxy, restore_request
from llm_gateway.pipeline.free_passage import billable
from llm_gateway.pipeline.ingress import (
    BODY_BYTES,
    INLINE_BYTES,
    SMALL_BODY,
    BadBody,
    Ingress,
    announced,
    decoded,
    refused_head,
    understood,
)
from llm_gateway.pipeline.kept_resources import KeptResources
from llm_gateway.pipeline.passthrough import (
    HOP_BY_HOP,
    AwaitedAnswer,
    Passthrough,
    PassthroughRequest,
    awaited,
    native,
)
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.stored_answers import StoredAnswers, is_for
from llm_gateway.providers.dialect_support import nobody_takes
from llm_gateway.providers.model_index import unknown_model
from llm_gateway.routing.selection import same_embedding_model
from llm_gateway.transport.attempt_policy import Action, Failure
from llm_gateway.transport.local_response import (
    LocalResponse,
    make_readable,
    set_response,
)

logger = logging.getLogger("llm_gateway")

AnyExchange = Exchange | PassthroughRequest | AccountRequest
"""What a flow is while it is served: routed, on its way with the app's own key, or for the
one account that keeps what it is about."""

PROXY_KEY_NEEDED = (
    "This proxy asks for a client key: send one of `clients` as the proxy's user name, "
    "with any password: http://KEY:x@HOST:PORT."
)
INTERNAL_ERROR = (
    b'{"error": {"message": "The gateway failed to handle this request; its log says'
    b' more.", "type": "server_error", "param": null, "code": "internal_error"}}'
)
DRAINING = "The gateway is shutting down; try again in a moment."


class RequestHandler:
    def __init__(
        self,
        runtime: AppState,
        exchanges: MutableMapping[http.HTTPFlow, AnyExchange],
        *,
        admission: AccessControl,
        management: AdminRoutes,
        serving: Forwarder,
        settling: Settlement,
        passing: Passthrough,
        accounts: AccountRequests,
    ) -> None:
        self.runtime = runtime
        self.exchanges = exchanges
        self.admission = admission
        self.management = management
        self.serving = serving
        self.settling = settling
        self.passing = passing
        self.accounts = accounts
        self.bindings = BoundRequests(runtime)
        self.stored = StoredAnswers(runtime, accounts)
        self.kept = KeptResources(runtime, accounts, self.bindings)
        management.judge = self.judge

    # -- heads -----------------------------------------------------------------

    def on_headers(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Refuse what goes nowhere, stream what only passes.

        Awaitable only where a name has to be resolved first.
        """
        request = flow.request
        if refusal := refused_head(request):
            status, message = refusal
            self._refuse(flow, DEFAULT, status, "invalid_request", message)
            return None
        way = self.admission.way(flow)
        dialect = match(request.method, request.path)
        if self.admission.needs_proxy_key(flow, way):
            self._refuse(
                flow,
                dialect or DEFAULT,
                407,
                "invalid_api_key",
                PROXY_KEY_NEEDED,
                ASK_FOR_KEY,
            )
            return None
        if request.method == "GET" and self._refuses_upgrade(flow, way):
            return None
        if way is Ingress.BASE_URL or (
            dialect and self.admission.intercepts(request.host)
        ):
            size = announced(request)
            if size is not None and size <= SMALL_BODY:
                return (
                    None  # who may send it is asked when it is here, see `on_request`
                )
            if size is not None and size > BODY_BYTES:
                self.too_large(flow, BODY_BYTES)
            elif way is Ingress.BASE_URL:
                self._guarded(flow, dialect, body=True)
            return None
        return self._passing_head(flow, way)

    async def _passing_head(self, flow: http.HTTPFlow, way: Ingress) -> None:
        """One that is not ours to route: streamed on, unless it reaches into this machine."""
        request = flow.request
        host = request.host
        line = match_stored(request.method, request.path)
        bound = kept = None
        if self.admission.intercepts(host):
            if line is not None:
                bound = await self.stored.look_up(line)
            else:
                kept = match_resource(request.path, request.headers)
                bound = None if kept is None else await self.kept.look_up(kept[1])
            if bound is not None and is_for(bound, self.admission.identity(flow, way)):
                return
        try:
            await self.admission.may_reach(flow)
        except Inside as e:
            self._refused(flow, refusal(e))
            return
        identity = None
        if self.admission.intercepts(host):
            identity = self.admission.identity(flow, way)
            if self._refuses_passage(flow, identity, host):
                return
        request.stream = True
        for name in HOP_BY_HOP:
            request.headers.pop(name, None)
        if identity is not None:
            fetched = awaited(line, bound, host) if line and bound else None
            made = kept[1] if kept is not None and request.method != "GET" else None
            self._pass(flow, None, None, identity, host, fetched, made)

    def _refuses_upgrade(self, flow: http.HTTPFlow, way: Ingress) -> bool:
        """A WebSocket where requests are routed: 426 makes apps fall back to POST at once."""
        request = flow.request
        if "websocket" not in request.headers.get("upgrade", "").lower():
            return False
        dialect = match("POST", request.path)
        if dialect is None or not (
            way is Ingress.BASE_URL or self.admission.intercepts(request.host)
        ):
            return False
        self._refuse(
            flow,
            dialect,
            426,
            "upgrade_required",
            "There is no WebSocket here; send the request by POST.",
            (("upgrade", "HTTP/1.1"),),
        )
        return True

    def _refuses_passage(
        self, flow: http.HTTPFlow, identity: Identity, host: str
    ) -> bool:
        """Something that may be billed, where only what is free may pass."""
        request = flow.request
        if not self._free_passage(request, identity):
            return False
        what = billable(
            request.method, request.path, request.headers.get("upgrade", "")
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
        self._refuse(flow, native(host), 403, "may_be_billed", message)
        return True

    def _free_passage(self, request: http.Request, identity: Identity) -> bool:
        """Only what costs nothing may pass with the app's own key."""
        said = self.runtime.catalog.config.intercept.passthrough
        if said is not None:
            return said == "free"
        return calls.policy(self.runtime, request, identity) is Policy.FREE_ONLY

    def too_large(self, flow: http.HTTPFlow, limit: int) -> http.Response:
        """The answer to a body that is, or turns out to be, larger than `limit` bytes."""
        dialect = match(flow.request.method, flow.request.path) or DEFAULT
        message = f"The request body is larger than {limit} bytes."
        self._refuse(flow, dialect, 413, "request_too_large", message)
        assert flow.response is not None
        return flow.response

    def error_answer(
        self, flow: http.HTTPFlow, status: int, message: str
    ) -> http.Response:
        """For what the HTTP layer refuses or ends by itself, before or after the hooks."""
        code = "internal_error" if status == 500 else "invalid_request"
        dialect = match(flow.request.method, flow.request.path) or DEFAULT
        self._refuse(flow, dialect, status, code, message)
        assert flow.response is not None
        return flow.response

    # -- whole requests --------------------------------------------------------

    async def on_request(self, flow: http.HTTPFlow) -> None:
        """The body is here (or streams by): route it, answer it, or let it pass."""
        if flow in self.exchanges or flow.request.stream:
            return
        way = self.admission.way(flow)
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
            allowed = self._guarded(flow, dialect)
            if allowed is None:
                return
            cors_origin = allowed.cors_origin or ""
        if dialect is None and (
            line := match_stored(flow.request.method, flow.request.path)
        ):
            identity = self.admission.identity(flow, way)
            asked = await self.stored.begin(flow, line, identity, cors_origin)
            if asked is not None:
                self.exchanges[flow] = asked
            else:
                make_readable(flow, cors_origin)
            return
        if dialect is None and (
            kept := match_resource(flow.request.path, flow.request.headers)
        ):
            spoken, about = kept
            if about.id or about.resource.is_made:
                identity = self.admission.identity(flow, way)
                asked = await self.kept.begin(
                    flow, spoken, about, identity, cors_origin
                )
                if asked is not None:
                    self.exchanges[flow] = asked
                else:
                    make_readable(flow, cors_origin)
                return
        if dialect is None:
            await self.management.answer(flow, cors_origin)
            make_readable(flow, cors_origin)
            return
        if self.runtime.draining:
            self._refuse(
                flow, dialect, 503, "draining", DRAINING, (("retry-after", "5"),)
            )
            return
        await self._routed(flow, way, dialect, below, cors_origin)

    async def _routed(
        self,
        flow: http.HTTPFlow,
        way: Ingress,
        dialect: DialectSpec,
        below: str,
        cors: str,
    ) -> None:
        request = flow.request
        identity = self.admission.identity(flow, way)
        if self.runtime.keys_required and not identity.authenticated:
            self._refuse(
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
            if e.status == 415 and self._lets_pass(flow, way, identity):
                self._pass(flow, dialect, None, identity)
            else:
                self._refuse(flow, dialect, e.status, "invalid_request", str(e))
            return
        if isinstance(body, RequestError):
            self._refuse(
                flow, dialect, body.status, body.code, body.message, param=body.param
            )
            return
        catalog = self.runtime.catalog
        translate = not below and calls.translates(self.runtime, request)
        ranks = catalog.names.able(body.ask.model, dialect.name, translate=translate)
        if not dialect.interchangeable:
            ranks = same_embedding_model(ranks)
        bound = await self.bindings.of(body, identity, ranks)
        if bound.own_host == request.host and self._lets_pass(flow, way, identity):
            self._pass(flow, dialect, body, identity)
            return
        if bound.refusal and any(ranks):
            self._refuse(flow, dialect, 400, "account_gone", bound.refusal)
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
        self.exchanges[flow] = exchange
        await self.serving.begin(exchange)
        if exchange.passthrough:
            self._pass_instead(exchange)

    def _counts_here(self, body: RequestBody) -> bool:
        """Its tokens may be estimated: the model is here, if only for translation."""
        dialect, catalog = body.dialect, self.runtime.catalog
        if dialect.count_answer is None or not catalog.config.routing.translate:
            return False
        return any(catalog.names.able(body.ask.model, dialect.name))

    async def judge(
        self, asked: AdminRequest, dialect: DialectSpec, values: Mapping[str, object]
    ) -> Decision | RequestError | None:
        """`POST /route`: the decision about a request that nobody sends."""
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

    def _lets_pass(self, flow: http.HTTPFlow, way: Ingress, identity: Identity) -> bool:
        """An intercepted request that we cannot serve or read: may its own host?"""
        if self.runtime.catalog.config.intercept.passthrough == "free":
            return False
        policy = calls.policy(self.runtime, flow.request, identity)
        routing = self.runtime.catalog.config.routing
        return way is not Ingress.BASE_URL and calls.passes_unserved(routing, policy)

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
        if self._lets_pass(flow, way, identity):
            if is_here:
                self.runtime.notices.own_key(
                    identity.app, name, flow.request.host, dialect.endpoint
                )
            self._pass(flow, dialect, body, identity)
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
        self._refuse(flow, dialect, status, code, message, param="model")
        exchange = calls.new_exchange(self.runtime, flow, way, body, identity, ())
        exchange.record.outcome, exchange.record.error = "refused", code
        exchange.record.status = status
        self.runtime.in_flight += 1
        self.settling.close(exchange)
        assert flow.response is not None
        flow.response.headers["x-gateway-request-id"] = exchange.call.id

    def _pass(
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
        self.exchanges[flow] = passage
        self.passing.begin(passage)

    def _pass_instead(self, exchange: Exchange) -> None:
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
        )
        self.exchanges[exchange.flow] = passage
        self.passing.begin(passage)

    async def failed(self, failure: Failure) -> None:
        found = self.exchanges.get(failure.flow)
        if isinstance(found, Exchange):
            await self.serving.failed(found, failure)
            if found.passthrough:
                self._pass_instead(found)
                failure.action = Action.RETRY
        elif isinstance(found, AccountRequest):
            self.accounts.failed(found, failure)
        elif found is not None:
            if failure.stale and failure.replayable:
                self.passing.again(found)
                failure.action = Action.RETRY
            else:
                await note_proxy(self.runtime, failure)
                self.passing.failed(found, failure)

    def _guarded(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec | None,
        *,
        body: bool | None = None,
    ) -> Allowed | None:
        """The guard of our own port. None: it has answered. body: there is one, or is to
        come; left out: look."""
        if body is None:
            body = bool(flow.request.raw_content)
        verdict = self.admission.check_own_port(flow, has_body=body)
        if isinstance(verdict, Allowed):
            return verdict
        spoken = dialect or DEFAULT
        self._refuse(flow, spoken, verdict.status, verdict.code, verdict.message)
        return None

    def _refuse(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec,
        status: int,
        code: str,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        param: str | None = None,
    ) -> None:
        body = dialect.error_body(status, code, message, param=param)
        self._refused(flow, LocalResponse(status, body, headers=headers))

    def _refused(self, flow: http.HTTPFlow, answer: LocalResponse) -> None:
        ours = (
            ("x-gateway-request-id", ids.new_id(self.runtime.clock())),
            ("x-gateway-attempts", "0"),
        )
        # Nobody is told to go on with a body that will not be read.
        flow.request.headers.pop("expect", None)
        set_response(
            flow,
            LocalResponse(answer.status, answer.body, headers=(*answer.headers, *ours)),
        )
        make_readable(flow, self.admission.cors_origin_for(flow))


def internal_error(flow: http.HTTPFlow) -> None:
    """Fail closed: nothing leaves, the client is told. Calls nothing that could fail."""
    if flow.response is None:
        flow.response = http.Response.make(
            500, INTERNAL_ERROR, {"content-type": "application/json"}
        )
