"""How messages say where they end, and what of a head is only for the next hop.

Functions on requests and responses. Know mitmproxy's message classes, nothing of
connections or streams.
"""

from mitmproxy import http
from mitmproxy.net.http.validate import validate_headers

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection"})


def frame_request(request: http.Request, *, streamed: bool, http2: bool) -> None:
    """Say how long the body is: HTTP/2 clients need not, HTTP/1 upstreams must know.

    streamed: the body is not here but follows. http2: the upstream's protocol.
    """
    headers = request.headers
    if streamed:
        measured = "content-length" in headers or "transfer-encoding" in headers
        if not http2 and not measured:
            headers["transfer-encoding"] = "chunked"
        return
    if "transfer-encoding" in headers:
        del headers["transfer-encoding"]
    content = request.raw_content
    if content or "content-length" in headers:
        length = str(len(content or b""))
        if headers.get("content-length") != length:
            headers["content-length"] = length
    request.trailers = None


def problem_of(response: http.Response, *, validate: bool) -> str | None:
    """Why this head cannot be passed on; None: it can."""
    if response.status_code < 200 and response.status_code != 101:
        return f"status {response.status_code} is not an answer"
    if validate:
        try:
            validate_headers(response)
        except ValueError as error:
            return f"invalid headers: {error}"
    return None


def for_client(response: http.Response) -> http.Response:
    """The head as the client shall see it: without what is between us and the upstream.

    A new object: the upstream's connection decides by the old one how its body ends and
    whether it can be used again, whatever is done to this one.
    """
    if response.is_http2 or response.status_code == 101:
        return response
    fields = (f for f in response.headers.fields if f[0].lower() not in _HOP_BY_HOP)
    old = response.data.http_version == b"HTTP/1.0"
    return http.Response(
        http_version=b"HTTP/1.1" if old else response.data.http_version,
        status_code=response.status_code,
        reason=response.data.reason,
        headers=http.Headers(fields),
        content=None,
        trailers=None,
        timestamp_start=response.timestamp_start,
        timestamp_end=None,
    )


def needs_framing(request: http.Request, response: http.Response) -> bool:
    """An HTTP/1.1 answer without a length ends by closing: spare the client that."""
    return (
        request.is_http11
        and request.method != "HEAD"
        and response.status_code >= 200
        and "content-length" not in response.headers
        and "transfer-encoding" not in response.headers
    )
