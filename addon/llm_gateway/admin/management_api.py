"""Management API: a request in, the answer of its route out.

What lives here: `ManagementApi`. The guard has let the request in (guard.py); numbers come
from the runtime, history from the ledger.

What this file does not know: sockets, which routes there are (routes.py).
"""

from urllib.parse import parse_qsl

from mitmproxy import http

from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.copilot_login import CopilotLoginRoutes
from llm_gateway.admin.health_route import HealthRoute
from llm_gateway.admin.json_responses import (
    AdminRequest,
    BadRequest,
    failure,
    nothing_here,
)
from llm_gateway.admin.model_routes import ModelRoutes
from llm_gateway.admin.operator_routes import OperatorRoutes
from llm_gateway.admin.route_explanations import RouteExplanations
from llm_gateway.admin.routes import Handlers, methods_of, route_to
from llm_gateway.admin.usage_routes import UsageRoutes
from llm_gateway.app.state import AppState
from llm_gateway.dialects import plain_path, unrouted
from llm_gateway.transport.local_response import (
    LocalResponse,
    preflight,
    set_response,
)

BODY_BYTES = 1 << 20
"""The largest body that a management route reads."""


class ManagementApi:
    def __init__(
        self, runtime: AppState, config: ConfigRoutes, logins: CopilotLoginRoutes
    ) -> None:
        self.explanations = RouteExplanations(runtime)
        self.handlers = Handlers(
            HealthRoute(runtime),
            ModelRoutes(runtime),
            UsageRoutes(runtime),
            self.explanations,
            OperatorRoutes(runtime, config),
            config,
            logins,
        )

    async def answer(self, flow: http.HTTPFlow, cors_origin: str) -> None:
        """`cors_origin`: the page of an allowed origin that asks, or ""."""
        request = flow.request
        if request.method == "OPTIONS":
            set_response(
                flow,
                LocalResponse(
                    204, b"", headers=preflight(cors_origin, request.headers)
                ),
            )
            return
        # Bytes that are no UTF-8 become question marks: SQLite and JSON want text.
        target = request.path.encode("utf-8", "surrogateescape").decode(
            "utf-8", "replace"
        )
        query = target.partition("?")[2]
        asked = AdminRequest(
            request.method,
            plain_path(target),
            dict(parse_qsl(query, keep_blank_values=True)),
            request.headers,
            request.raw_content or b"",
            flow,
        )
        try:
            if len(asked.body) > BODY_BYTES:
                raise BadRequest(413, f"The body is larger than {BODY_BYTES} bytes.")
            answer = await self._dispatch(asked)
        except BadRequest as e:
            answer = failure(e.status, str(e))
        set_response(flow, answer)

    async def _dispatch(self, asked: AdminRequest) -> LocalResponse:
        method = "GET" if asked.method == "HEAD" else asked.method
        found = route_to(asked.method, asked.path) or route_to(method, asked.path)
        if found is None:
            if other := unrouted(asked.path):
                spoken, message = other
                body = spoken.error_body(501, "not_routed", message)
                return LocalResponse(501, body)
            known = methods_of(asked.path)
            if known:
                return failure(
                    405,
                    f"{asked.path} takes {' and '.join(sorted(known))}.",
                    headers=(("allow", ", ".join(sorted(known))),),
                )
            return nothing_here(asked.path)
        result = found.handler(self.handlers)(asked)
        return result if isinstance(result, LocalResponse) else await result
