"""Patches of mitmproxy that correctness needs: trailers, status lines, connections per upstream.

Trailers, the header fields after a chunked body: mitmproxy stops at them with an error
of its own, and the connection hangs. HTTP allows whoever forwards a message to leave
them out (RFC 9110, 6.5.1).

Status lines: mitmproxy takes for a status what Python takes for a number (`+200`, `2_00`,
`0200`). It is three digits (RFC 9112, 4), and whoever reads it otherwise is not to be
believed about where its answer ends.
"""

import collections
import re
from types import TracebackType
from typing import Any, cast

from h11 import EndOfMessage
from mitmproxy import connection as connections
from mitmproxy import ctx
from mitmproxy.net.http.http1 import read
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


_IS_STATUS_LINE = re.compile(rb"\S+[ \t]+[0-9]{3}(?:\s|\Z)").match
_read_status_line: Any = read._read_response_line


def _read_response_line(line: bytes) -> Any:
    """Version, status, reason. Raises ValueError, as the original does."""
    if not _IS_STATUS_LINE(line):
        raise ValueError(f"Bad HTTP response line: {line!r}")
    return _read_status_line(line)


def check_status_lines() -> None:
    """From now on, on every upstream connection."""
    cast(Any, read)._read_response_line = _read_response_line


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
