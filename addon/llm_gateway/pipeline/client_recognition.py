"""Recognizes the client of a request: ingress, client key, proxy user, tunnel, SDK.

What lives here: `ClientRecognition`. What this file does not know: what a client may do.
"""

from collections.abc import MutableMapping
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from mitmproxy import connection, http

from llm_gateway.app.state import AppState
from llm_gateway.client_identity import (
    Identity,
    bearer,
    identify,
    is_nameless,
    proxy_user,
)
from llm_gateway.dialects import key_headers, key_parameters
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.transport.attempt_policy import is_absolute

HTTP_PROXY_MODES = ("regular", "upstream")
"""Modes of mitmproxy in which clients speak HTTP to our own port. `upstream` only says
how we get out: through another proxy, as companies want it."""


class ClientRecognition:
    def __init__(
        self, runtime: AppState, tunnels: MutableMapping[connection.Client, str]
    ) -> None:
        self.runtime = runtime
        self.tunnels = tunnels
        """Clients that sent CONNECT and were let through, with the user they named."""
        self.agents: WeakKeyDictionary[connection.Client, str] = WeakKeyDictionary()
        """What those called themselves in their CONNECT."""

    def way(self, flow: http.HTTPFlow) -> Ingress:
        """How the request came in."""
        if flow.client_conn in self.tunnels:
            return Ingress.TUNNEL
        if flow.client_conn.proxy_mode.type_name not in HTTP_PROXY_MODES:
            return Ingress.TUNNEL
        return Ingress.FORWARD_PROXY if is_absolute(flow.request) else Ingress.BASE_URL

    def identity(self, flow: http.HTTPFlow, way: Ingress) -> Identity:
        headers = flow.request.headers
        key = _client_key(flow.request) if way is Ingress.BASE_URL else ""
        agent = headers.get("user-agent", "")
        catalog = self.runtime.catalog
        return identify(
            catalog.client_of,
            lambda name: next((c for c in catalog.clients if c.name == name), None),
            key=key,
            user=self._user(flow, way),
            user_agent=agent,
            sdk=_bundled_sdk(headers) if is_nameless(agent) else "",
        )

    def tunneller(self, client: connection.Client) -> str:
        """Who sits in a tunnel, before the first request in it says more."""
        catalog = self.runtime.catalog
        user = self.tunnels.get(client, "")
        agent = self.agents.get(client, "")
        found = identify(
            catalog.client_of, lambda _: None, key="", user=user, user_agent=agent
        )
        return "an app" if found.client == "unknown" else found.client

    def needs_proxy_key(self, flow: http.HTTPFlow, way: Ingress) -> bool:
        """It comes through the proxy, whichever way, and shows no client's key."""
        if not self.runtime.keys_required or way is Ingress.BASE_URL:
            return False
        return not self.may_use_proxy(self._user(flow, way))

    def may_use_proxy(self, user: str) -> bool:
        """Beyond loopback only those who show a client's key, not just its name."""
        if not self.runtime.keys_required:
            return True
        return bool(user) and self.runtime.catalog.client_of(user) is not None

    def _user(self, flow: http.HTTPFlow, way: Ingress) -> str:
        if way is Ingress.FORWARD_PROXY:
            return named_user(flow.request)
        return self.tunnels.get(flow.client_conn, "")

    def tunnels_as(self, client: connection.Client, request: http.Request) -> None:
        """Its CONNECT was let through."""
        self.tunnels[client] = named_user(request)
        if agent := request.headers.get("user-agent", ""):
            self.agents[client] = agent


def _client_key(request: http.Request) -> str:
    """The key that a base-URL client sends, wherever its SDK puts it."""
    headers = request.headers
    if key := bearer(_first(headers, "authorization")):
        return key
    for name in key_headers():
        if given := _first(headers, name):
            return given
    for name in key_parameters():
        if f"{name}=" in request.path and (given := request.query.get(name, "")):
            return str(given)
    return ""


def _first(headers: http.Headers, name: str) -> str:
    """A key that is sent twice is still one: joined, the two would be nobody's."""
    return next(filter(None, headers.get_all(name)), "")


def _bundled_sdk(headers: http.Headers) -> str:
    """Whose SDK says so itself, where the User-Agent may not: `openai/js`, or ""."""
    language = headers.get("x-stainless-lang", "")
    if not language:
        return ""
    maker = "anthropic" if "anthropic-version" in headers else "openai"
    return f"{maker}/{language.lower()[:20]}"


def named_user(request: http.Request) -> str:
    given = request.headers.get("proxy-authorization", "")
    return unquote(proxy_user(given)) if given else ""
