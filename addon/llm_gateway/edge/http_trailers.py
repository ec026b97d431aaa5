"""Trailers: header fields after a chunked body. Nobody needs them, so they are dropped.

mitmproxy stops at them with an error of its own, and the connection hangs. HTTP allows
whoever forwards a message to leave its trailers out (RFC 9110, 6.5.1).
"""

from typing import Any, cast

from h11 import EndOfMessage
from mitmproxy.proxy.layers.http import _http1


class WithoutTrailers(_http1.ChunkedReader):  # type: ignore[misc, name-defined]
    """h11's reader of a chunked body, which ends plainly."""

    def __call__(self, buf: Any) -> Any:
        event = super().__call__(buf)
        if type(event) is EndOfMessage and event.headers:
            return EndOfMessage()
        return event


def drop() -> None:
    """From now on, in both directions."""
    cast(Any, _http1).ChunkedReader = WithoutTrailers
