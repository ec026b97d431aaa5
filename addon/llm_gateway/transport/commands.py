"""What travels between a stream and its layer, beside mitmproxy's own.

Values only: a command, an event, and the face that a layer shows to its streams.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from mitmproxy.connection import Connection, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import GetHttpConnection, HttpStream
from mitmproxy.proxy.layers.http import _events as http_events

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.transport.stale_connection import outlived

# The codes became an enum in mitmproxy 12.
_CODES: Any = getattr(http_events, "ErrorCode", None)
CANCELLED: Any = _CODES.CANCEL if _CODES else 499
SERVER_ERROR: Any = _CODES.GENERIC_SERVER_ERROR if _CODES else 502


_POOLED = "llm_gateway_pooled"
_PROXY = "llm_gateway_proxy"


def is_pooled(connection: Connection) -> bool:
    """It carries only requests that the gateway composed, so it may serve any of them."""
    return _POOLED in connection.__dict__


def mark_pooled(connection: Connection) -> None:
    setattr(connection, _POOLED, True)


def proxy_of(connection: Connection) -> ProxyServer | None:
    """The outbound proxy that it goes by way of, where that was said (`mark_proxy`)."""
    proxy: ProxyServer | None = connection.__dict__.get(_PROXY)
    return proxy


def way_is_known(connection: Connection) -> bool:
    return _PROXY in connection.__dict__


def mark_proxy(connection: Connection, proxy: ProxyServer | None) -> None:
    """None: directly, whatever the rules for all others are."""
    connection.__dict__[_PROXY] = proxy


class Broken(events.Event):
    """A fault of ours: whatever this stream was doing, it is over."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Told(Enum):
    """How much of an answer a client has got."""

    NOTHING = auto()
    PART = auto()
    """Or all of it, with the connection or stream still open."""
    OVER = auto()
    """Nobody listens any more."""


class TimeUp(events.Event):
    """The layer's clock: this stream's `due()` has passed."""


class ConnectOwn(GetHttpConnection):
    """mitmproxy's request for a connection, for a request that an app composed itself."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def connection_spec_matches(self, connection: Connection) -> bool:
        return (
            super().connection_spec_matches(connection)
            and not is_pooled(connection)
            and not outlived(connection)
        )


class ConnectUpstream(GetHttpConnection):
    """The same under a plan, without mitmproxy's memory for failures."""

    pooled = False
    """See `Plan.pooled`: the two kinds of requests never share a connection."""
    proxy: ProxyServer | None = None
    """The outbound proxy by way of which; nothing opened another way serves."""
    fresh = False
    """Take no connection that exists."""
    server: Server | None = None
    """The one that was tried; set by the layer when it is known."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def connection_spec_matches(self, connection: Connection) -> bool:
        # A connection that failed once answers for all that come later on the same
        # client connection, even when the provider is back: never match it.
        return (
            not self.fresh
            and not connection.error
            and super().connection_spec_matches(connection)
            and is_pooled(connection) is self.pooled
            and connection.__dict__.get(_PROXY) == self.proxy
            and not outlived(connection)
        )


class Surroundings(Protocol):
    """What a stream needs from its layer: see `layer`."""

    now: Callable[[], float]
    streams: dict[int, HttpStream]
    command_sources: dict[commands.Command, Any]

    def new_id(self, stream: HttpStream) -> int: ...
    def request_wakeup(self, due: float) -> commands.RequestWakeup | None: ...
    def abandon(self, command: ConnectUpstream) -> Server | None: ...
    def told(self, number: int) -> "Told": ...
    def dequeue(self, connection: Connection, number: int) -> bool: ...


def nothing() -> CommandGenerator[None]:
    yield from ()


def no() -> CommandGenerator[bool]:
    yield from ()
    return False
