"""How messages say where they end, and what of a head is only for the next hop.

Functions on requests and responses. Know mitmproxy's message classes, nothing of
connections or streams. They run for each request: headers are read as bytes, in one go
(a look-up by name costs as much as all of a function here).
"""

import re
from typing import TypeVar

from mitmproxy import http
from mitmproxy.net.http import validate as checks

from llm_gateway.transport import request_grammar as grammar
from llm_gateway.transport.header_lookup import table
from llm_gateway.transport.serializer import upgrades

T = TypeVar("T")

_LENGTHS = (b"content-length", b"transfer-encoding")
_CONTROL = bytes(set(range(0x20)) - {0x09}) + b"\x7f"
_first_control = re.compile(b"[" + re.escape(_CONTROL) + b"]").search
_LAST_STATUS = 999
"""Three digits (RFC 9112, 4)."""
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection"})


def frame_request(request: http.Request, *, streamed: bool, http2: bool) -> None:
    """Say how long the body is: HTTP/2 clients need not, HTTP/1 upstreams must know.

    streamed: the body is not here but follows. http2: the upstream's protocol.
    """
    headers = request.headers
    named = table(headers)
    said = [name for name in _LENGTHS if name in named]
    if streamed:
        if not said and not http2:
            headers["transfer-encoding"] = "chunked"
        return
    request.trailers = None
    content = request.raw_content or b""
    length = b"%d" % len(content)
    if said == [b"content-length"]:
        if named[b"content-length"] != length:
            headers["content-length"] = length.decode()
        return
    for name in said:
        headers.pop(name, None)
    if content:
        headers["content-length"] = length.decode()


VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")


def problem_of_request(request: http.Request, *, http2: bool) -> tuple[int, str] | None:
    """Status and sentence for a head that is not to be believed; None: it is.

    http2: the client's protocol. mitmproxy has checked the fields' names and, as far as
    it was parsed, the length.
    """
    if http2:
        return None
    named = table(request.data.headers)
    if request.data.http_version not in VERSIONS:
        return 505, "This is neither HTTP/1.1 nor HTTP/1.0."
    if problem := grammar.framing_problem(named):
        return 400, problem
    if problem := grammar.host_problem(named, request.data.http_version):
        return 400, problem
    return None


def problem_of(
    request: http.Request, response: http.Response, *, validate: bool
) -> str | None:
    """Why this head of an answer cannot be passed on; None: it can.

    validate: look at names and lengths, too. What nobody could be sent is a problem in any
    case: a status that is none, a body in a coding that only the next hop may undo.
    """
    status = response.status_code
    if not 200 <= status <= _LAST_STATUS:
        if status != 101:
            return f"status {status} is not an answer"
        if not upgrades(table(request.data.headers)):
            return "status 101 switches to a protocol that was not asked for"
    coding = table(response.data.headers).get(b"transfer-encoding")
    if coding is not None and coding.strip().lower() != b"chunked":
        said = coding[:40].decode("ascii", "replace")
        return f"its body comes in the transfer-encoding {said!r}"
    if validate:
        try:
            checks.validate_headers(response)
        except ValueError as error:
            return f"invalid headers: {error}"
    return None


def mend(response: http.Response) -> None:
    """Take control characters, folded lines too, out of a head: strict clients refuse it.

    A field that holds one goes. A content type ends before it, since an answer without
    one cannot be read.
    """
    data = response.data
    fields = data.headers.fields
    text = b"".join([value for _, value in fields]) + data.reason
    if len(text.translate(None, _CONTROL)) == len(text):
        return
    if _first_control(data.reason):
        data.reason = b""
    kept = []
    for name, value in fields:
        if (found := _first_control(value)) is None:
            kept.append((name, value))
        elif name.lower() == b"content-type":
            kept.append((name, value[: found.start()].rstrip(b"; \t")))
    data.headers.fields = tuple(kept)


def for_client(response: http.Response) -> http.Response:
    """The head as the client shall see it: without what is between us and the upstream.

    A new object: the upstream's connection decides by the old one how its body ends and
    whether it can be used again, whatever is done to this one.
    """
    data = response.data
    if data.http_version == b"HTTP/2.0" or data.status_code == 101:
        return response
    shown = _twin(response)
    shown.data = _twin(data)
    shown.data.headers = http.Headers(
        [field for field in data.headers.fields if field[0].lower() not in _HOP_BY_HOP]
    )
    if data.http_version == b"HTTP/1.0":
        shown.data.http_version = b"HTTP/1.1"
    return shown


def _twin(value: T) -> T:
    """A shallow copy. `http.Response(…)` checks each argument, `copy` asks for protocols:
    either takes longer than all the rest of a head's way."""
    made = object.__new__(type(value))
    made.__dict__.update(value.__dict__)
    return made


def is_old(request: http.Request) -> bool:
    """HTTP/1.0, whose clients know no chunks."""
    return request.data.http_version < b"HTTP/1.1"


def for_old_client(response: http.Response, content: bytes | None) -> http.Response:
    """The same answer without chunks. content: the whole body; None: it is streamed, and
    ends where the connection does unless its length is known."""
    shown = _twin(response)
    shown.data = _twin(response.data)
    fields = response.data.headers.fields
    shown.data.headers = http.Headers(
        [field for field in fields if field[0].lower() != b"transfer-encoding"]
    )
    if content is not None:
        shown.headers["content-length"] = str(len(content))
    elif b"content-length" not in table(shown.data.headers):
        shown.headers["connection"] = "close"
    return shown


def head_only(response: http.Response) -> None:
    """The answer to HEAD: its length is said, its body is not sent (RFC 9110, 9.3.2)."""
    if content := response.raw_content:
        response.headers.pop("transfer-encoding", None)
        response.headers["content-length"] = str(len(content))
        response.data.content = b""


def needs_framing(request: http.Request, response: http.Response) -> bool:
    """An HTTP/1.1 answer without a length ends by closing: spare the client that."""
    return (
        request.is_http11
        and request.method != "HEAD"
        and response.status_code >= 200
        and not any(name in table(response.headers) for name in _LENGTHS)
    )
