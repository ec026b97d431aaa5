"""Request heads: what is refused, streamed on, or waited for before a body has come.

What lives here: `RequestHeads`. What goes nowhere is refused at once, what only passes is
streamed; of a routed request nothing is done before its body is here (handler.py).
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.dialects import DEFAULT, match, match_resource, match_stored
from llm_gateway.pipeline.access_control import ASK_FOR_KEY, AccessControl
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.destinations import Destinations, Inside, refusal
from llm_gateway.pipeline.ingress import (
    BODY_BYTES,
    SMALL_BODY,
    Ingress,
    announced,
    refused_head,
)
from llm_gateway.pipeline.kept_resources import KeptResources
from llm_gateway.pipeline.local_refusals import LocalRefusals
from llm_gateway.pipeline.own_key_passage import OwnKeyPassage
from llm_gateway.pipeline.passthrough import HOP_BY_HOP, awaited
from llm_gateway.pipeline.stored_answers import StoredAnswers, is_for

PROXY_KEY_NEEDED = (
    "This proxy asks for a client key: send one of `clients` as the proxy's user name, "
    "with any password: http://KEY:x@HOST:PORT."
)


@dataclass(slots=True)
class RequestHeads:
    clients: ClientRecognition
    destinations: Destinations
    admission: AccessControl
    refusals: LocalRefusals
    passage: OwnKeyPassage
    stored: StoredAnswers
    kept: KeptResources

    def on_headers(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Refuse what goes nowhere, stream what only passes.

        Awaitable only where a name has to be resolved first.
        """
        request = flow.request
        if refusal := refused_head(request):
            status, message = refusal
            self.refusals.refuse(flow, DEFAULT, status, "invalid_request", message)
            return None
        way = self.clients.way(flow)
        dialect = match(request.method, request.path)
        if self.clients.needs_proxy_key(flow, way):
            self.refusals.refuse(
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
            dialect and self.destinations.intercepts(request.host)
        ):
            size = announced(request)
            if size is not None and size <= SMALL_BODY:
                return (
                    None  # who may send it is asked when it is here, see `on_request`
                )
            if size is not None and size > BODY_BYTES:
                self.refusals.too_large(flow, BODY_BYTES)
            elif way is Ingress.BASE_URL:
                self.refusals.guarded(flow, dialect, body=True)
            return None
        return self._passing_head(flow, way)

    async def _passing_head(self, flow: http.HTTPFlow, way: Ingress) -> None:
        """One that is not ours to route: streamed on, unless it reaches into this machine."""
        request = flow.request
        host = request.host
        line = match_stored(request.method, request.path)
        bound = kept = None
        if self.destinations.intercepts(host):
            if line is not None:
                bound = await self.stored.look_up(line)
            else:
                kept = match_resource(request.path, request.headers)
                bound = None if kept is None else await self.kept.look_up(kept[1])
            if bound is not None and is_for(bound, self.clients.identity(flow, way)):
                return
        try:
            await self.admission.may_reach(flow)
        except Inside as e:
            self.refusals.answer(flow, refusal(e))
            return
        identity = None
        if self.destinations.intercepts(host):
            identity = self.clients.identity(flow, way)
            if self.passage.refuses(flow, identity, host):
                return
        request.stream = True
        for name in HOP_BY_HOP:
            request.headers.pop(name, None)
        if identity is not None:
            fetched = awaited(line, bound, host) if line and bound else None
            made = kept[1] if kept is not None and request.method != "GET" else None
            self.passage.begin(flow, None, None, identity, host, fetched, made)

    def _refuses_upgrade(self, flow: http.HTTPFlow, way: Ingress) -> bool:
        """A WebSocket where requests are routed: 426 makes apps fall back to POST at once."""
        request = flow.request
        if "websocket" not in request.headers.get("upgrade", "").lower():
            return False
        dialect = match("POST", request.path)
        if dialect is None or not (
            way is Ingress.BASE_URL or self.destinations.intercepts(request.host)
        ):
            return False
        self.refusals.refuse(
            flow,
            dialect,
            426,
            "upgrade_required",
            "There is no WebSocket here; send the request by POST.",
            (("upgrade", "HTTP/1.1"),),
        )
        return True
