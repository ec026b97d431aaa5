"""Ingress: how a request reached us; bounds and decoding of its head and body.

What lives here: the few questions about a flow that only its edge can answer: was it
addressed to the gateway itself, through which way, is its head acceptable, what does
its body hold once it is decoded.

What this file does not know: providers, limits, the ledger.
"""

import asyncio
import zlib
from enum import Enum

from mitmproxy import http

from llm_gateway.dialects import DialectSpec, RequestBody, RequestError, read
from llm_gateway.transport import request_grammar as grammar
from llm_gateway.transport.header_lookup import table

HEAD_BYTES = 64 * 1024
HEAD_FIELDS = 200
BODY_BYTES = 32 * 1024 * 1024
SMALL_BODY = 64 * 1024
"""Bytes that are read before anybody asks who sends them: a refusal then leaves the
connection in step. Of a larger body, or one of unknown length, nothing is read for those
who may not come in."""
RATIO = 200
"""A body that grows by more than this when it is decoded is a bomb."""
INLINE_BYTES = 64 * 1024
"""Bodies up to this size are decoded and read at once, larger ones in a thread."""
MOST_VALUES = 1_000_000
"""Commas and colons that a body may hold, in its texts too. JSON made of nothing else
takes Python's parser, which lets nobody else go on, a tenth of a second for this many."""


class Ingress(Enum):
    BASE_URL = "base_url"
    """Origin-form, to our own port."""
    FORWARD_PROXY = "absolute"
    """`GET http://host/path`, as HTTP_PROXY clients send."""
    TUNNEL = "tunnel"
    """Inside CONNECT, or captured."""


def refused_head(request: http.Request) -> tuple[int, str] | None:
    """Status and sentence for a head that goes nowhere."""
    data = request.data
    if len(data.path) > HEAD_BYTES:
        return 414, f"The request's path is longer than {HEAD_BYTES} bytes."
    if problem := grammar.line_problem(data.method, data.path, data.authority):
        return 400, problem
    fields = request.headers.fields
    names, values = (
        (b"".join(part) for part in zip(*fields, strict=True)) if fields else (b"", b"")
    )
    if problem := grammar.fields_problem(names, values):
        return 400, problem
    size = len(names) + len(values) + 4 * len(fields)
    if size > HEAD_BYTES or len(fields) > HEAD_FIELDS:
        return (
            431,
            f"The headers are larger than {HEAD_BYTES} bytes or {HEAD_FIELDS} fields.",
        )
    if problem := grammar.framing_problem(table(request.headers)):
        return 400, problem
    return None


def announced(request: http.Request) -> int | None:
    """Bytes of body that the head says will follow; None: it does not say.

    For heads that `refused_head` has seen.
    """
    headers = request.headers
    if length := headers.get("content-length", ""):
        return int(length[:LONGEST_NUMBER])
    return None if "transfer-encoding" in headers or request.is_http2 else 0


LONGEST_NUMBER = 18
"""Digits of a length; those of longer ones are cut: it is too large in any case."""


class BadBody(ValueError):
    """A body that cannot be read; carries the status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


async def decoded(request: http.Request) -> bytes:
    """The body without its content-encoding, bounded. Raises BadBody."""
    raw = request.raw_content or b""
    if len(raw) > BODY_BYTES:
        raise BadBody(413, f"The request body is larger than {BODY_BYTES} bytes.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadBody(
            415,
            f"content-encoding {encoding[:40]!r} is not understood; send gzip or none.",
        )
    if len(raw) <= INLINE_BYTES:
        return _inflate(raw, encoding)
    return await asyncio.to_thread(_inflate, raw, encoding)


async def understood(
    dialect: DialectSpec, raw: bytes, path: str
) -> RequestBody | RequestError:
    """What the body asks for. Raises BadBody when it is too much to read."""
    if len(raw) <= INLINE_BYTES:
        return read(dialect, raw, path=path)
    if len(raw) > MOST_VALUES and raw.count(b",") + raw.count(b":") > MOST_VALUES:
        raise BadBody(413, f"The request body holds more than {MOST_VALUES} values.")
    return await asyncio.to_thread(read, dialect, raw, path=path)


def _inflate(raw: bytes, encoding: str) -> bytes:
    most = min(BODY_BYTES, max(len(raw) * RATIO, INLINE_BYTES))
    kinds = (31,) if encoding.endswith("gzip") else (15, -15)
    for wbits in kinds:
        inflater = zlib.decompressobj(wbits)
        try:
            found = inflater.decompress(raw, most)
        except zlib.error:
            continue
        if inflater.unconsumed_tail or len(found) >= most:
            raise BadBody(413, "The request body is too large once it is decoded.")
        if not inflater.eof or inflater.unused_data:
            break
        return found
    raise BadBody(400, f"The request body is not valid {encoding}.")
