"""Where the proxy may go: never to inside addresses (SSRF), and a name is resolved once.

What lives here: `Destinations`. Inside (config/addresses.py) is what is configured only:
providers, `server.allowedTunnels`, and for TLS, which is read or fails there,
`intercept.hosts`. To LLM hosts and providers, which are read, nothing goes that is neither
TLS nor HTTP: `Spoken`.

What this file does not know: requests, connections that are opened (access_control.py).
"""

from collections.abc import Collection
from enum import Enum
from functools import lru_cache
from weakref import WeakKeyDictionary

from mitmproxy import connection

from llm_gateway.app.state import AppState
from llm_gateway.config import urls
from llm_gateway.config.addresses import (
    Network,
    Reach,
    as_resolvers_read,
    best,
    parsed,
    reach_of,
)
from llm_gateway.config.fields import as_network
from llm_gateway.dialects import DEFAULT, DialectSpec
from llm_gateway.network.resolver import known_addresses
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.providers.hosts import is_known_host, matches
from llm_gateway.transport.local_response import LocalResponse

is_loopback = lru_cache(maxsize=256)(urls.is_loopback)
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


class Destinations:
    def __init__(self, runtime: AppState) -> None:
        self.runtime = runtime
        self._pinned: WeakKeyDictionary[
            connection.Client, dict[tuple[str, int, Spoken], str]
        ] = WeakKeyDictionary()
        """Where the hosts lead that a client named: judged once, then kept to."""
        self._found: WeakKeyDictionary[
            connection.Client, dict[tuple[str, int], tuple[str, ...]]
        ] = WeakKeyDictionary()
        """All addresses of such a host, by the one that was taken: one may be dead."""
        self._origins: tuple[object, Collection[tuple[str, int]]] = (None, ())

    def intercepts(self, host: str) -> bool:
        return is_known_host(host, self.runtime.catalog.config.intercept.hosts)

    async def pin(
        self,
        client: connection.Client,
        host: str,
        port: int,
        spoken: Spoken = Spoken.TLS,
    ) -> str:
        """The address to connect to, for as long as the client is there. Raises Inside."""
        pinned = self._pinned.setdefault(client, {})
        if (judged := pinned.get((host, port, spoken))) is None:
            scheme = "https" if spoken is Spoken.TLS else "http"
            way = self.runtime.catalog.ways.choose(scheme, host, port)
            resolves = way is None or not way.resolves
            found = await self._judged(host, port, spoken, resolves=resolves)
            judged = best(found)
            if len(pinned) < MOST_PINNED:
                pinned[host, port, spoken] = judged
                if len(found) > 1:
                    self._found.setdefault(client, {})[judged, port] = found
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
        if is_address:
            found: tuple[str, ...] = (host,)
        elif resolves:
            found = await known_addresses(host, port)
        else:  # whoever looks names up there reads numbers as everybody does
            found = (as_resolvers_read(host),)
        if not found:
            raise Inside(host, known=False)
        for address in found:
            reach = Reach.MACHINE if is_loopback(name) else reach_of(address)
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

    def addresses_beside(
        self, client: connection.Client, address: str, port: int
    ) -> tuple[str, ...]:
        """All addresses of the host that `address` was taken for."""
        return self._found.get(client, {}).get((address, port), ())
