"""Access control of the proxy: CONNECT, what is decrypted, where connections may go.

What lives here: `AccessControl`, the answers to every question about a stranger's
connection. Beyond loopback nobody gets anything without a client key, and nobody reaches
into this machine through the proxy but where a provider is.

    own port          Host, Origin, token, key        own_port.py
    CONNECT, http://  client key, beyond loopback     `connect`, client_recognition.py
                      never to an inside address      `connect`, `may_reach`, `connecting`

What this file does not know: what is served, and how; which addresses are inside
(destinations.py).
"""

import logging
from weakref import WeakSet

from mitmproxy import connection, http
from mitmproxy.proxy import layer, layers, server_hooks

from llm_gateway.app.state import AppState
from llm_gateway.config.addresses import Reach, reach_of
from llm_gateway.pipeline.client_recognition import (
    HTTP_PROXY_MODES,
    ClientRecognition,
    named_user,
)
from llm_gateway.pipeline.destinations import (
    Destinations,
    Inside,
    Spoken,
    is_loopback,
    refusal,
)
from llm_gateway.providers.hosts import PRIVATE_HOSTS, is_known_host
from llm_gateway.transport.connecting import mark_addresses
from llm_gateway.transport.local_response import LocalResponse

logger = logging.getLogger("llm_gateway")

ASK_FOR_KEY = (("proxy-authenticate", 'Basic realm="llm-gateway"'),)
CONFIGURED = ("local", "reverse")
"""Modes in which nobody but this machine's own programs, or its owner, says where to."""


class AccessControl:
    def __init__(
        self, runtime: AppState, clients: ClientRecognition, destinations: Destinations
    ) -> None:
        self.runtime = runtime
        self.clients = clients
        self.destinations = destinations
        self.opaque_clients: WeakSet[connection.Client] = WeakSet()
        """Clients in whose tunnel something is spoken that is neither TLS nor HTTP."""

    def admits(self, client: connection.Client) -> bool:
        """Beyond loopback only where that was asked for, whatever a socket is bound to."""
        return (
            self.runtime.keys_required
            or client.proxy_mode.type_name not in HTTP_PROXY_MODES
            or is_loopback(client.sockname[0])
        )

    async def connect(self, flow: http.HTTPFlow) -> LocalResponse | None:
        """A CONNECT: remembers who tunnels. An answer: not with us."""
        request = flow.request
        if not self.clients.may_use_proxy(named_user(request)):
            return LocalResponse(407, b"", headers=ASK_FOR_KEY)
        if not is_known_host(request.host):  # that one need not even be reached
            try:
                await self.destinations.pin(
                    flow.client_conn, request.host, request.port
                )
            except Inside as e:
                logger.info("Refused a tunnel: %s", e)
                return refusal(e)
        self.clients.tunnels_as(flow.client_conn, request)
        return None

    def decrypts(self, client: connection.Client, sni: str | None) -> bool:
        """Is this TLS connection one that we read? All others pass byte for byte."""
        if not sni:
            return False
        if self.destinations.intercepts(sni):
            return True
        if (host := sni.lower().rstrip(".")) in PRIVATE_HOSTS:
            self.runtime.notices.private_host(self.clients.tunneller(client), host)
        return False

    def distrusted(self, client: connection.Client) -> None:
        """A TLS handshake with a client failed: say it where it may be for our CA."""
        error = client.error or ""
        if "trust the proxy's certificate" in error:
            sure = "does not trust the proxy's" in error and "disconnected" not in error
            host = client.sni or "an unnamed host"
            self.runtime.notices.untrusting(
                self.clients.tunneller(client), host, sure=sure
            )

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
                judged = await self.destinations.pin(
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
        if others := self.destinations.addresses_beside(client, host, port):
            mark_addresses(server, others)
        if port == self.runtime.port and (
            reach_of(host) is Reach.MACHINE or is_loopback(host)
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
        judged = await self.destinations.pin(
            flow.client_conn, request.host, request.port, spoken
        )
        if plain:
            request.data.host = judged
