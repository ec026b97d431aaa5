"""Rewrites the request of a flow: into the one that leaves, and back into the client's own."""

from mitmproxy import http

from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.providers.outbound_request import Outbound


def rewrite_request(request: http.Request, out: Outbound) -> None:
    """Turn the client's request into the one that leaves. Nothing of it remains."""
    data = request.data
    data.scheme = out.scheme.encode()
    data.host = out.host
    data.port = out.port
    data.path = out.path.encode()
    data.authority = b""
    data.headers = http.Headers(
        (*out.headers, (b"content-length", str(len(out.body)).encode()))
    )
    data.content = out.body
    data.trailers = None


def restore_request(exchange: Exchange) -> None:
    """The client's own request again, as it came."""
    original = exchange.original
    assert original is not None
    data = exchange.flow.request.data
    data.scheme = original.scheme.encode()
    data.host, data.port = original.host, original.port
    data.path = original.path.encode()
    data.authority = original.authority.encode()
    data.headers = http.Headers(exchange.headers)
    data.content = original.body
