"""Patches of mitmproxy that correctness needs: trailers, connections per upstream.

Trailers, the header fields after a chunked body: mitmproxy stops at them with an error
of its own, and the connection hangs. HTTP allows whoever forwards a message to leave
them out (RFC 9110, 6.5.1).
"""

import collections
from types import TracebackType
from typing import Any, cast

from h11 import EndOfMessage
from mitmproxy import connection as connections
from mitmproxy import ctx
from mitmproxy.proxy.layers.http import (
    _http1,
)


class WithoutTrailers(_http1.ChunkedReader):  # type: ignore[misc, name-defined]
    """h11's reader of a chunked body, which ends plainly."""

    def __call__(self, buf: Any) -> Any:
        event = super().__call__(buf)
        if type(event) is EndOfMessage and event.headers:
            return EndOfMessage()
        return event


def drop_trailers() -> None:
    """From now on, in both directions."""
    cast(Any, _http1).ChunkedReader = WithoutTrailers


class _NoCap:
    """A semaphore that lets everybody in."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def lift_connection_caps(client: connections.Client) -> None:
    """Call from `client_connected`: no five-connections-per-upstream rule for streams.

    mitmproxy holds one of five places per upstream address for as long as a response
    takes: the sixth SSE stream of one client would wait for the first to end.
    """
    proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
    handler = proxy.connections.get(client.id)
    if handler is not None:
        handler.max_conns = collections.defaultdict(_NoCap)
