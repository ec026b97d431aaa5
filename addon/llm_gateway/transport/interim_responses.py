"""Interim answers (1xx) of HTTP/1 upstreams are passed over, as HTTP/2's are already.

mitmproxy takes `103 Early Hints` or `100 Continue` for the answer itself, and what follows
for data that nobody asked for. A proxy may leave out what its client did not ask for
(RFC 9110, 15.2). `101 Switching Protocols` is an answer.
"""

import re
from collections.abc import Generator
from typing import Any, cast

from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection

_STARTS = (b"HTTP/1.1 1", b"HTTP/1.0 1")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d(?:[ \r\n]|\Z)")


def _handle_event(self: Any, event: events.Event) -> Generator[Any, Any, None]:
    if (
        type(event) is events.DataReceived
        and self.request
        and self.state == self.read_headers
    ):
        start = bytes(self.buf)[:12] if self.buf else b""
        if (start + event.data[:12]).startswith(_STARTS):
            return _pass_over(self, event)
    steps: Generator[Any, Any, None] = Http1Connection._handle_event(self, event)
    return steps


def _pass_over(self: Any, event: events.DataReceived) -> Generator[Any, Any, None]:
    buffer = self.buf
    buffer += event.data
    while True:
        if not _INTERIM.match(bytes(buffer)[:13]):
            break
        if buffer.maybe_extract_lines() is None:
            return  # the rest of this head is still to come
    if buffer:
        nothing_new = events.DataReceived(event.connection, b"")
        yield from Http1Connection._handle_event(self, nothing_new)


def pass_over() -> None:
    """From now on, on every upstream connection."""
    cast(Any, Http1Client)._handle_event = _handle_event
