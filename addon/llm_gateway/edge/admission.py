"""Who may come in, and where they may go from here.

What lives here: `Admission`, the answers to every question about a stranger. Our own
port is guarded against web pages; beyond loopback nobody gets anything without a client
key; and nobody reaches into this machine through the proxy but where a provider is.

    own port          Host, Origin, token, key        `guarded`
    CONNECT, http://  client key, beyond loopback     `connect`, `needs_proxy_key`
    http://, raw TCP  never to loopback, link-local   `may_reach`, `connecting`
    TLS               tunnelled wherever it goes

What this file does not know: what is served, and how.
"""

from collections.abc import MutableMapping
from functools import lru_cache
from urllib.parse import unquote
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import connection, http
from mitmproxy.proxy import layer, layers, server_hooks

from llm_gateway.config.urls import is_loopback
from llm_gateway.dialects import plain_path
from llm_gateway.edge.arrivals import Way, addresses, is_inside
from llm_gateway.edge.http_layer import is_absolute
from llm_gateway.edge.runtime import Runtime
from llm_gateway.identity import (
    Identity,
    bearer,
    identify,
    is_nameless,
    proxy_user,
)
from llm_gateway.manage.guard import (
    Allowed,
    Area,
    GuardRequest,
    GuardRules,
    Refused,
    area,
    check,
    has_token,
)
from llm_gateway.providers.hosts import PRIVATE_HOSTS, is_known_host

_is_loopback = lru_cache(maxsize=256)(is_loopback)
KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
"""Where Anthropic's, Azure's and Google's SDKs put a key, besides Authorization."""
HTTP_PROXY_MODES = ("regular", "upstream")
"""Modes of mitmproxy in which clients speak HTTP to our own port. `upstream` only says
how we get out: through another proxy, as companies want it."""
OPEN_TO_ALL = ("/health",)
"""What strangers may ask beyond loopback."""
KEY_NEEDED = Refused(
    401,
    "invalid_api_key",
    "This gateway asks for a client key: send one of `clients` as Authorization: Bearer.",
)


class Admission:
    def __init__(
        self, runtime: Runtime, tunnels: MutableMapping[connection.Client, str]
    ) -> None:
        self.runtime = runtime
        self.tunnels = tunnels
        """Clients that sent CONNECT and were let through, with the user they named."""
        self.agents: WeakKeyDictionary[connection.Client, str] = WeakKeyDictionary()
        """What those called themselves in their CONNECT."""
        self.raw: WeakSet[connection.Client] = WeakSet()
        """Clients in whose tunnel something is spoken that is neither TLS nor HTTP."""

    # -- connections -----------------------------------------------------------

    def admits(self, client: connection.Client) -> bool:
        """Beyond loopback only where that was asked for, whatever a socket is bound to."""
        return (
            self.runtime.keys_required
            or client.proxy_mode.type_name not in HTTP_PROXY_MODES
            or _is_loopback(client.sockname[0])
        )

    def way(self, flow: http.HTTPFlow) -> Way:
        if flow.client_conn in self.tunnels:
            return Way.TUNNEL
        if flow.client_conn.proxy_mode.type_name not in HTTP_PROXY_MODES:
            return Way.TUNNEL
        return Way.ABSOLUTE if is_absolute(flow.request) else Way.DIRECT

    def connect(self, flow: http.HTTPFlow) -> bool:
        """A CONNECT: remembers who tunnels. False: a key is needed."""
        user = _proxy_user(flow.request)
        if not self._may_use_proxy(user):
            return False
        self.tunnels[flow.client_conn] = user
        if agent := flow.request.headers.get("user-agent", ""):
            self.agents[flow.client_conn] = agent
        return True

    def intercepts(self, host: str) -> bool:
        return is_known_host(host, self.runtime.catalog.config.intercept.hosts)

    def decrypts(self, client: connection.Client, sni: str | None) -> bool:
        """Is this TLS connection one that we read? All others pass byte for byte."""
        if not sni:
            return False
        if self.intercepts(sni):
            return True
        if (host := sni.lower().rstrip(".")) in PRIVATE_HOSTS:
            self.runtime.notices.private_host(self._tunneller(client), host)
        return False

    def distrusted(self, client: connection.Client) -> None:
        """A TLS handshake with a client failed: say it where it may be for our CA."""
        error = client.error or ""
        if "trust the proxy's certificate" in error:
            sure = "does not trust the proxy's" in error and "disconnected" not in error
            host = client.sni or "an unnamed host"
            self.runtime.notices.untrusting(self._tunneller(client), host, sure=sure)

    def _tunneller(self, client: connection.Client) -> str:
        """Who sits in a tunnel, before the first request in it says more."""
        catalog = self.runtime.catalog
        user = self.tunnels.get(client, "")
        agent = self.agents.get(client, "")
        found = identify(
            catalog.client_of, lambda _: None, key="", user=user, user_agent=agent
        )
        return "an app" if found.client == "unknown" else found.client

    def needs_proxy_key(self, flow: http.HTTPFlow, way: Way) -> bool:
        """The same for what comes through the proxy, however it came."""
        if not self.runtime.keys_required or way is Way.DIRECT:
            return False
        return not self._may_use_proxy(self._user(flow, way))

    def _may_use_proxy(self, user: str) -> bool:
        """Beyond loopback only those who show a client's key, not just its name."""
        if not self.runtime.keys_required:
            return True
        return bool(user) and self.runtime.catalog.client_of(user) is not None

    def _user(self, flow: http.HTTPFlow, way: Way) -> str:
        if way is Way.ABSOLUTE:
            return _proxy_user(flow.request)
        return self.tunnels.get(flow.client_conn, "")

    def speaks(self, nextlayer: layer.NextLayer) -> None:
        """What a connection speaks has been found out."""
        if isinstance(nextlayer.layer, layers.TCPLayer | layers.DNSLayer):
            self.raw.add(nextlayer.context.client)

    async def connecting(self, data: server_hooks.ServerConnectionHookData) -> None:
        """A connection is opened: never back into ourselves, nor raw into this machine."""
        if not data.server.address:
            return
        host, port = data.server.address[:2]
        if port == self.runtime.port and (is_inside(host) or _is_loopback(host)):
            data.server.error = "The gateway does not connect to itself."
        elif data.client in self.raw:
            pinned = await self._outside(host, port)
            if pinned is None:
                data.server.error = "The proxy does not reach into this machine."
            else:
                data.server.address = (pinned, port)

    # -- where to --------------------------------------------------------------

    async def may_reach(self, request: http.Request) -> bool:
        """Plain HTTP through the proxy: this machine only where a provider is there.

        The name is resolved here and the connection goes to what it resolved to, so
        that it cannot point elsewhere a moment later.
        """
        pinned = await self._outside(request.host, request.port)
        if pinned is None:
            return False
        request.data.host = pinned
        return True

    async def _outside(self, host: str, port: int) -> str | None:
        """Where a name leads, if that is no part of this machine or a provider."""
        upstreams = self.runtime.catalog.upstreams.values()
        if any((u.origin.host, u.origin.port) == (host, port) for u in upstreams):
            return host
        found = await addresses(host, port)
        if is_inside(host) or any(map(is_inside, found)):
            return None
        # The older protocol where there is a choice: one address has to do.
        return next((a for a in found if ":" not in a), found[0] if found else host)

    # -- who -------------------------------------------------------------------

    def guarded(self, flow: http.HTTPFlow) -> Allowed | Refused:
        """The guard of our own port."""
        request = flow.request
        headers = request.headers
        sockname = flow.client_conn.sockname
        server = self.runtime.catalog.config.server
        token = self.runtime.admin_token
        verdict = check(
            GuardRequest(
                method=request.method,
                path=request.path,
                host=headers.get("host", ""),
                origin=headers.get("origin"),
                sec_fetch_site=headers.get("sec-fetch-site"),
                content_type=headers.get("content-type"),
                authorization=headers.get("authorization"),
                has_body=bool(request.raw_content),
            ),
            GuardRules(
                sockname[1] if sockname else self.runtime.port,
                server.allowed_hosts,
                server.allowed_origins,
                token,
            ),
        )
        if (
            self.runtime.keys_required
            and isinstance(verdict, Allowed)
            and area(request.path) is not Area.ADMIN
            and request.method != "OPTIONS"
            and plain_path(request.path) not in OPEN_TO_ALL
            and not has_token(headers.get("authorization"), token)
            and not self.identity(flow, Way.DIRECT).authenticated
        ):
            return KEY_NEEDED
        return verdict

    def reader(self, flow: http.HTTPFlow) -> str:
        """The allowed origin whose page may read the answer; "" for all others."""
        if "origin" not in flow.request.headers or self.way(flow) is not Way.DIRECT:
            return ""
        verdict = self.guarded(flow)
        return (verdict.cors_origin or "") if isinstance(verdict, Allowed) else ""

    def identity(self, flow: http.HTTPFlow, way: Way) -> Identity:
        headers = flow.request.headers
        key = _client_key(flow.request) if way is Way.DIRECT else ""
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


def _client_key(request: http.Request) -> str:
    """The key that a base-URL client sends, wherever its SDK puts it."""
    headers = request.headers
    if key := bearer(headers.get("authorization", "")):
        return key
    for name in KEY_HEADERS:
        if given := headers.get(name):
            return str(given)
    return str(request.query.get("key", "")) if "key=" in request.path else ""


def _bundled_sdk(headers: http.Headers) -> str:
    """Whose SDK says so itself, where the User-Agent may not: `openai/js`, or ""."""
    language = headers.get("x-stainless-lang", "")
    if not language:
        return ""
    maker = "anthropic" if "anthropic-version" in headers else "openai"
    return f"{maker}/{language.lower()[:20]}"


def _proxy_user(request: http.Request) -> str:
    given = request.headers.get("proxy-authorization", "")
    return unquote(proxy_user(given)) if given else ""
