"""HTTP answers of the gateway itself, and CORS: values to mitmproxy's response.

What this file does not know: how an answer was decided, whose headers pass.
"""

import math

from mitmproxy import http

from llm_gateway.frozen import frozen

JSON = "application/json"


@frozen
class LocalResponse:
    """One HTTP answer of the gateway itself."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def set_response(flow: http.HTTPFlow, answer: LocalResponse) -> None:
    """Answer the flow here; nothing leaves for an upstream any more."""
    headers = [("content-type", answer.content_type or JSON), *answer.headers]
    flow.response = http.Response.make(
        answer.status,
        answer.body,
        http.Headers([(k.encode(), v.encode()) for k, v in headers]),
    )


def seconds_until(at: float, now: float) -> str:
    """`Retry-After` in whole seconds, never too early."""
    return str(max(1, math.ceil(at - now)))


Pairs = tuple[tuple[str, str], ...]

READABLE = (
    "x-gateway-request-id, x-gateway-provider, x-gateway-model, x-gateway-attempts, "
    "x-gateway-cost, x-gateway-revision, x-gateway-translated, x-gateway-estimated, "
    "x-request-id, retry-after"
)


def readable_by(origin: str) -> Pairs:
    """Headers of an answer that a page of this origin may read."""
    return (
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", READABLE),
        ("vary", "origin"),
    )


def preflight(origin: str, request: http.Headers) -> Pairs:
    """The answer to a page that asks whether it may send a request."""
    asked = request.get("access-control-request-headers", "")
    return (
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        # `*` does not stand for authorization, so each name that was asked for is said.
        ("access-control-allow-headers", asked or "authorization, content-type"),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    )


def make_readable(flow: http.HTTPFlow, origin: str) -> None:
    """The same for an answer that is already there."""
    if origin and flow.response is not None:
        for name, value in readable_by(origin):
            flow.response.headers[name] = value
