"""Access control: own port, proxy, CONNECT, client keys.

What lives here: `AccessControl`, the answers to every question about a stranger. Our own
port is guarded against web pages; beyond loopback nobody gets anything without a client
key; and nobody reaches into this machine through the proxy but where a provider is.

    own port          Host, Origin, token, key        `check_own_port`
    CONNECT, http://  client key, beyond loopback     `connect`, `needs_proxy_key`
                      never to an inside address      `connect`, `may_reach`, `connecting`

Inside (addresses.py) is what is configured only: providers, `server.allowedTunnels`, and
for TLS, which is read or fails there, `intercept.hosts`. To LLM hosts and providers, which
are read, nothing goes that is neither TLS nor HTTP: `Spoken`.

What this file does not know: what is served, and how.
"""

import logging
from collections.abc import Collection, MutableMapping
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import connection, http
from mitmproxy.proxy import layer, layers, server_hooks

from llm_gateway.admin.guard import (
    Allowed,
    Area,
    GuardRequest,
    GuardRules,
    Refused,
    check,
    has_token,
)
from llm_gateway.admin.routes import area
from llm_gateway.app.state import AppState
from llm_gateway.client_identity import (
    Identity,
    bearer,
    identify,
    is_nameless,
    proxy_user,
)
from llm_gateway.config.addresses import Network, Reach, best, parsed, reach_of, resolve
from llm_gateway.config.fields import as_network
from llm_gateway.config.urls import is_loopback
from llm_gateway.dialects import DEFAULT, DialectSpec, plain_path
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.providers.hosts import PRIVATE_HOSTS, is_known_host, matches
from llm_gateway.transport.attempt_policy import is_absolute
from llm_gateway.transport.connecting import mark_addresses
from llm_gateway.transport.local_response import LocalResponse

logger = logging.getLogger("llm_gateway")

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


ASK_FOR_KEY = (("proxy-authenticate", 'Basic realm="llm-gateway"'),)
CONFIGURED = ("local", "reverse")
"""Modes in which nobody but this machine's own programs, or its owner, says where to."""
MOST_PINNED = 256
"""Hosts that one client connection may name; what comes after is judged each time."""


class Spoken(Enum):
    """What goes through a connection."""

    TLS = "TLS"
    """Or it is not known yet."""
    HTTP = "HTTP"
    """Without TLS, which would show that somebody expects it there."""
    OTHER = "something that is neither TLS nor HTTP"


class Inside(Exception):
    """The proxy does not go there. `known`: the host's addresses are."""

    def __init__(
        self, host: str, *, known: bool = True, spoken: Spoken = Spoken.TLS
    ) -> None:
        self.known = known
        shown = quoted(host)
        message = f"The host {shown} is not known: its name does not resolve."
        if known:
            where = f"does not reach into this machine or its network ({shown})"
            if spoken is Spoken.OTHER:
                where = f"speaks HTTP with {shown}, and was sent {spoken.value}"
            message = (
                f"The proxy {where}; if it should, add the host to "
                "server.allowedTunnels."
            )
        super().__init__(message)


def refusal(inside: Inside, dialect: DialectSpec = DEFAULT) -> LocalResponse:
    """403, or 502 for a host that nobody knows."""
    status, code = (403, "forbidden") if inside.known else (502, "upstream_unreachable")
    return LocalResponse(status, dialect.error_body(status, code, str(inside)))


@lru_cache(maxsize=8)
def _networks(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    """Those of `server.allowedTunnels` that are addresses or networks."""
    return tuple(network for network in map(as_network, allowed) if network)


@lru_cache(maxsize=8)
def _names(allowed: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text for text in allowed if not as_network(text))


def _is_in(address: str, networks: Collection[Network]) -> bool:
    here = parsed(address)
    return any(here in network for network in networks)


class AccessControl:
    def __init__(
        self, runtime: AppState, tunnels: MutableMapping[connection.Client, str]
    ) -> None:
        self.runtime = runtime
        self.tunnels = tunnels
        """Clients that sent CONNECT and were let through, with the user they named."""
        self.agents: WeakKeyDictionary[connection.Client, str] = WeakKeyDictionary()
        """What those called themselves in their CONNECT."""
        self.opaque_clients: WeakSet[connection.Client] = WeakSet()
        """Clients in whose tunnel something is spoken that is neither TLS nor HTTP."""
        self.pinned: WeakKeyDictionary[
            connection.Client, dict[tuple[str, int, Spoken], str]
        ] = WeakKeyDictionary()
        """Where the hosts lead that a client named: judged once, then kept to."""
        self.judged: WeakKeyDictionary[
            connection.Client, dict[tuple[str, int], tuple[str, ...]]
        ] = WeakKeyDictionary()
        """All addresses of such a host, by the one that was taken: one may be dead."""
        self._origins: tuple[object, Collection[tuple[str, int]]] = (None, ())

    # -- connections -----------------------------------------------------------

    def admits(self, client: connection.Client) -> bool:
        """Beyond loopback only where that was asked for, whatever a socket is bound to."""
        return (
            self.runtime.keys_required
            or client.proxy_mode.type_name not in HTTP_PROXY_MODES
            or _is_loopback(client.sockname[0])
        )

    def way(self, flow: http.HTTPFlow) -> Ingress:
        if flow.client_conn in self.tunnels:
            return Ingress.TUNNEL
        if flow.client_conn.proxy_mode.type_name not in HTTP_PROXY_MODES:
            return Ingress.TUNNEL
        return Ingress.FORWARD_PROXY if is_absolute(flow.request) else Ingress.BASE_URL

    async def connect(self, flow: http.HTTPFlow) -> LocalResponse | None:
        """A CONNECT: remembers who tunnels. An answer: not with us."""
        request = flow.request
        user = _proxy_user(request)
        if not self._may_use_proxy(user):
            return LocalResponse(407, b"", headers=ASK_FOR_KEY)
        if not is_known_host(request.host):  # that one need not even be reached
            try:
                await self._pin(flow.client_conn, request.host, request.port)
            except Inside as e:
                logger.info("Refused a tunnel: %s", e)
                return refusal(e)
        self.tunnels[flow.client_conn] = user
        if agent := request.headers.get("user-agent", ""):
            self.agents[flow.client_conn] = agent
        return None

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

    def needs_proxy_key(self, flow: http.HTTPFlow, way: Ingress) -> bool:
        """The same for what comes through the proxy, however it came."""
        if not self.runtime.keys_required or way is Ingress.BASE_URL:
            return False
        return not self._may_use_proxy(self._user(flow, way))

    def _may_use_proxy(self, user: str) -> bool:
        """Beyond loopback only those who show a client's key, not just its name."""
        if not self.runtime.keys_required:
            return True
        return bool(user) and self.runtime.catalog.client_of(user) is not None

    def _user(self, flow: http.HTTPFlow, way: Ingress) -> str:
        if way is Ingress.FORWARD_PROXY:
            return _proxy_user(flow.request)
        return self.tunnels.get(flow.client_conn, "")

    def on_protocol(self, nextlayer: layer.NextLayer) -> None:
        """What a connection speaks has been found out."""
        if isinstance(nextlayer.layer, layers.TCPLayer | layers.DNSLayer):
            self.opaque_clients.add(nextlayer.context.client)

    async def connecting(self, data: server_hooks.ServerConnectionHookData) -> None:
        """A connection is opened: never back into ourselves, nor to an inside address.

        It goes to the address that was judged, so that a name cannot point elsewhere a
        moment later.
        """
        server, client = data.server, data.client
        if not server.address:
            return
        host, port = server.address[:2]
        if not self._is_trusted(server, client, host, port):
            opaque = client in self.opaque_clients
            try:
                judged = await self._pin(
                    client, host, port, Spoken.OTHER if opaque else Spoken.TLS
                )
            except Inside as e:
                if opaque:  # nobody is answered in there
                    logger.info("Closed a tunnel: %s", e)
                server.error = str(e)
                return
            if judged != host:
                server.address = (judged, port)
                host = judged
        if others := self.judged.get(client, {}).get((host, port)):
            mark_addresses(server, others)
        if port == self.runtime.port and (
            reach_of(host) is Reach.MACHINE or _is_loopback(host)
        ):
            server.error = "The gateway does not connect to itself."

    def _is_trusted(
        self, server: connection.Server, client: connection.Client, host: str, port: int
    ) -> bool:
        """Nothing to judge: a provider, a proxy on the way, an LLM host's certificate."""
        mode = client.proxy_mode.type_name
        if mode in CONFIGURED or mode == "upstream":
            return True
        if client in self.opaque_clients:
            return False
        if (host, port) in self.runtime.origins:
            return True
        return server.tls and is_known_host(host)

    # -- where to --------------------------------------------------------------

    async def may_reach(self, flow: http.HTTPFlow) -> None:
        """A request that only passes. Raises Inside.

        Plain HTTP goes to what the name was resolved to, here and now; TLS needs the
        name, its connection is pinned when it is opened.
        """
        request = flow.request
        plain = request.scheme == "http"
        if flow.client_conn.proxy_mode.type_name in CONFIGURED:
            return
        if not plain and is_known_host(request.host):
            return
        spoken = Spoken.HTTP if plain else Spoken.TLS
        judged = await self._pin(flow.client_conn, request.host, request.port, spoken)
        if plain:
            request.data.host = judged

    async def _pin(
        self,
        client: connection.Client,
        host: str,
        port: int,
        spoken: Spoken = Spoken.TLS,
    ) -> str:
        """The address to connect to, for as long as the client is there. Raises Inside."""
        pinned = self.pinned.setdefault(client, {})
        if (judged := pinned.get((host, port, spoken))) is None:
            scheme = "https" if spoken is Spoken.TLS else "http"
            way = self.runtime.catalog.ways.choose(scheme, host, port)
            resolves = way is None or not way.resolves
            found = await self._judged(host, port, spoken, resolves=resolves)
            judged = best(found)
            if len(pinned) < MOST_PINNED:
                pinned[host, port, spoken] = judged
                if len(found) > 1:
                    self.judged.setdefault(client, {})[judged, port] = found
        return judged

    async def _judged(
        self, host: str, port: int, spoken: Spoken, *, resolves: bool
    ) -> tuple[str, ...]:
        """At least one. resolves: it is us who look names up, not another proxy."""
        config = self.runtime.catalog.config
        allowed = config.server.allowed_tunnels
        name = host.lower().rstrip(".")
        if matches(host, _names(allowed)):
            return (host,)
        is_provider = (name, port) in self._providers()
        is_address = parsed(host) is not None
        if spoken is Spoken.OTHER and (is_provider or self.intercepts(host)):
            if is_address and _is_in(host, _networks(allowed)):
                return (host,)
            raise Inside(host, spoken=spoken)
        listed = matches(host, config.intercept.hosts)
        if is_provider or (listed and spoken is Spoken.TLS):
            return (host,)
        found = (host,) if is_address or not resolves else await resolve(host, port)
        if not found:
            raise Inside(host, known=False)
        for address in found:
            reach = Reach.MACHINE if _is_loopback(name) else reach_of(address)
            if reach is Reach.OUTSIDE or (listed and reach is Reach.NETWORK):
                continue
            if not _is_in(address, _networks(allowed)):
                raise Inside(host)
        return found

    def _providers(self) -> Collection[tuple[str, int]]:
        catalog = self.runtime.catalog
        if self._origins[0] is not catalog:
            upstreams = catalog.upstreams.values()
            found = frozenset((u.origin.host, u.origin.port) for u in upstreams)
            self._origins = catalog, found
        return self._origins[1]

    # -- who -------------------------------------------------------------------

    def check_own_port(
        self, flow: http.HTTPFlow, *, has_body: bool = False
    ) -> Allowed | Refused:
        """The guard of our own port."""
        request = flow.request
        path = plain_path(request.path)
        headers = request.headers
        sockname = flow.client_conn.sockname
        server = self.runtime.catalog.config.server
        token = self.runtime.admin_token
        verdict = check(
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
            and not self.identity(flow, Ingress.BASE_URL).authenticated
        ):
            return KEY_NEEDED
        return verdict

    def cors_origin_for(self, flow: http.HTTPFlow) -> str:
        """The allowed origin whose page may read the answer; "" for all others."""
        if (
            "origin" not in flow.request.headers
            or self.way(flow) is not Ingress.BASE_URL
        ):
            return ""
        verdict = self.check_own_port(flow)
        return (verdict.cors_origin or "") if isinstance(verdict, Allowed) else ""

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
