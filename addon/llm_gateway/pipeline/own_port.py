"""The guard of the gateway's own port: Host, Origin, token, client key, CORS.

What lives here: `OwnPort`. Our own port is guarded against web pages (admin/guard.py);
beyond loopback nobody gets anything without a client key.

What this file does not know: what is served, and how.
"""

from mitmproxy import http

from llm_gateway.admin.guard import (
    Allowed,
    Area,
    GuardRequest,
    GuardRules,
    Refused,
    has_token,
)
from llm_gateway.admin.guard import check as check_guard
from llm_gateway.admin.routes import area
from llm_gateway.app.state import AppState
from llm_gateway.dialects import plain_path
from llm_gateway.pipeline.client_recognition import ClientRecognition
from llm_gateway.pipeline.ingress import Ingress

OPEN_TO_ALL = ("/health",)
"""What strangers may ask beyond loopback."""
KEY_NEEDED = Refused(
    401,
    "invalid_api_key",
    "This gateway asks for a client key: send one of `clients` as Authorization: Bearer.",
)


class OwnPort:
    def __init__(self, runtime: AppState, clients: ClientRecognition) -> None:
        self.runtime = runtime
        self.clients = clients

    def check(
        self, flow: http.HTTPFlow, *, has_body: bool = False
    ) -> Allowed | Refused:
        """The guard of our own port."""
        request = flow.request
        path = plain_path(request.path)
        headers = request.headers
        sockname = flow.client_conn.sockname
        server = self.runtime.catalog.config.server
        token = self.runtime.admin_token
        verdict = check_guard(
            GuardRequest(
                method=request.method,
                path=path,
                host=headers.get("host", ""),
                origin=headers.get("origin"),
                sec_fetch_site=headers.get("sec-fetch-site"),
                content_type=headers.get("content-type"),
                authorization=headers.get("authorization"),
                has_body=has_body,
            ),
            GuardRules(
                sockname[1] if sockname else self.runtime.port,
                server.allowed_hosts,
                server.allowed_origins,
                token,
            ),
            area(path),
        )
        if (
            self.runtime.keys_required
            and isinstance(verdict, Allowed)
            and area(path) is not Area.ADMIN
            and request.method != "OPTIONS"
            and path not in OPEN_TO_ALL
            and not has_token(headers.get("authorization"), token)
            and not self.clients.identity(flow, Ingress.BASE_URL).authenticated
        ):
            return KEY_NEEDED
        return verdict

    def cors_origin_for(self, flow: http.HTTPFlow) -> str:
        """The allowed origin whose page may read the answer; "" for all others."""
        if (
            "origin" not in flow.request.headers
            or self.clients.way(flow) is not Ingress.BASE_URL
        ):
            return ""
        verdict = self.check(flow)
        return (verdict.cors_origin or "") if isinstance(verdict, Allowed) else ""
