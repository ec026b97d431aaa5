"""Serializers of upstream requests, guarded: HTTP/1, HTTP/2 and CONNECT to a proxy.

Every request that leaves is written by one of mitmproxy's functions, whichever layer or
shortcut wrote it and whichever library parsed it before. Here they get a guard: what would
not be exactly one well-formed request is not written, `Unwritable` is raised instead, and
the stream that asked ends with an error. It is the second line of defence, behind the
checks of what clients send (`pipeline.ingress`, `framing`); it does not rely on them.

What is for this hop only is left out on the way (RFC 9110, 7.6.1): `connection` with all
that it names, and its relatives. The request itself keeps them, so a connection that its
client wanted closed is closed.
"""

from collections.abc import Callable, Generator
from typing import Any

from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http2
from mitmproxy.proxy.layers.http._events import RequestHeaders

from llm_gateway.transport import request_grammar as grammar
from llm_gateway.transport.header_lookup import Table, table

_head: Callable[[http.Request], bytes] = http1.assemble_request_head
_whole: Callable[[http.Request], bytes] = http1.assemble_request
_http2_fields: Any = _http2.format_h2_request_headers

_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
)
_OURS = frozenset({b"content-length", b"transfer-encoding", b"host"})
"""Where a message ends and for whom it is: nobody takes that out by naming it."""


class Unwritable(ValueError):
    """This would not be one well-formed request; says why, holds nothing of it."""


def install() -> None:
    """Put the guards in place, once per process; there is no way around them."""
    http1.assemble_request_head = head
    http1.assemble_request = whole
    _http2.format_h2_request_headers = http2_fields


def head(request: http.Request) -> bytes:
    """The head of an HTTP/1 request, as it is sent. Raises Unwritable."""
    named = table(request.data.headers)
    if not _HOP_BY_HOP.isdisjoint(named):
        request = _without_hop_by_hop(request, named, http2=False)
        named = table(request.data.headers)
    data = request.data
    raw = _head(request)
    problem = grammar.head_problem(
        raw, named, len(data.headers.fields)
    ) or grammar.framing_problem(named)
    if data.method != b"CONNECT":
        problem = problem or grammar.host_problem(named, data.http_version)
    if problem is not None:
        raise Unwritable(problem)
    return raw


def whole(request: http.Request) -> bytes:
    """A request that asks a proxy for a tunnel. Raises Unwritable."""
    head(request)
    return _whole(request)


def http2_fields(
    context: Any, event: RequestHeaders
) -> Generator[Any, Any, list[tuple[bytes, bytes]]]:
    """The fields of an HTTP/2 request, as they are sent. Raises Unwritable."""
    named = table(event.request.data.headers)
    if not _HOP_BY_HOP.isdisjoint(named):
        request = _without_hop_by_hop(event.request, named, http2=True)
        event = RequestHeaders(event.stream_id, request, event.end_stream)
    fields: list[tuple[bytes, bytes]] = yield from _http2_fields(context, event)
    if problem := grammar.http2_problem(fields):
        raise Unwritable(problem)
    return fields


def _without_hop_by_hop(
    request: http.Request, named: Table, *, http2: bool
) -> http.Request:
    """A copy. An upgrade that was asked for properly is asked for again, in HTTP/1.1."""
    options = _options(named)
    dropped = (_HOP_BY_HOP | options) - _OURS
    if upgrades(named) and not http2:
        dropped -= {b"upgrade"}
    if named.get(b"te", b"").lower() == b"trailers":
        dropped -= {b"te"}
    kept = [
        field for field in request.headers.fields if field[0].lower() not in dropped
    ]
    if upgrades(named) and not http2:
        kept.append((b"connection", b"upgrade"))
    made = request.copy()
    made.data.headers = http.Headers(kept)
    return made


def upgrades(named: Table) -> bool:
    """The request asks for another protocol on its connection."""
    return b"upgrade" in named and b"upgrade" in _options(named)


def _options(named: Table) -> frozenset[bytes]:
    said = named.get(b"connection", b"").lower().split(b",")
    return frozenset(option.strip() for option in said)
