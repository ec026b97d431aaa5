"""What a web page of an allowed origin has to be told before it may read an answer.

What this file does not know: which origins are allowed (manage/guard.py).
"""

from mitmproxy import http

Pairs = tuple[tuple[str, str], ...]

READABLE = (
    "x-gateway-request-id, x-gateway-provider, x-gateway-model, x-gateway-attempts, "
    "x-gateway-cost, x-gateway-revision, x-request-id, retry-after"
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
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
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
