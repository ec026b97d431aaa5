"""How a request reached us, and what it is worth reading.

What lives here: the few questions about a flow that only its edge can answer: was it
addressed to the gateway itself, through which way, is its head acceptable, what does
its body hold once it is decoded.

What this file does not know: providers, limits, the ledger.
"""

import asyncio
import ipaddress
import zlib
from enum import Enum
from functools import lru_cache

from mitmproxy import http

from llm_gateway.config.urls import is_loopback
from llm_gateway.dialects import Body, Problem, read
from llm_gateway.exchange import Dialect

HEAD_BYTES = 64 * 1024
HEAD_FIELDS = 200
BODY_BYTES = 32 * 1024 * 1024
RATIO = 200
"""A body that grows by more than this when it is decoded is a bomb."""
INLINE_BYTES = 64 * 1024
"""Bodies up to this size are decoded and read at once, larger ones in a thread."""
MOST_VALUES = 1_000_000
"""Commas and colons that a body may hold, in its texts too. JSON made of nothing else
takes Python's parser, which lets nobody else go on, a tenth of a second for this many."""

_CONTROL = bytes(set(range(0x20)) - {0x09}) + b"\x7f"


class Way(Enum):
    DIRECT = "base_url"
    """Origin-form, to our own port."""
    ABSOLUTE = "absolute"
    """`GET http://host/path`, as HTTP_PROXY clients send."""
    TUNNEL = "tunnel"
    """Inside CONNECT, or captured."""


def refused_head(request: http.Request) -> tuple[int, str] | None:
    """Status and sentence for a head that goes nowhere."""
    if len(request.data.path) > HEAD_BYTES:
        return 414, f"The request's path is longer than {HEAD_BYTES} bytes."
    fields = request.headers.fields
    names, values = (
        (b"".join(part) for part in zip(*fields, strict=True)) if fields else (b"", b"")
    )
    if values.translate(None, _CONTROL) != values:
        return 400, "A header holds a control character."
    size = len(names) + len(values) + 4 * len(fields)
    if size > HEAD_BYTES or len(fields) > HEAD_FIELDS:
        return (
            431,
            f"The headers are larger than {HEAD_BYTES} bytes or {HEAD_FIELDS} fields.",
        )
    length = request.headers.get("content-length", "")
    if length and not (length.isascii() and length.isdigit()):
        return 400, "content-length is not a number."
    return None


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


async def understood(dialect: Dialect, raw: bytes, path: str) -> Body | Problem:
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


def is_inside(address: str) -> bool:
    """Loopback, link-local or unspecified, in any spelling that parses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified


@lru_cache(maxsize=256)
def is_here(host: str) -> bool:
    """This machine, by name or address."""
    return is_loopback(host) or is_inside(host)


async def addresses(host: str, port: int) -> list[str]:
    """What a name resolves to; [] when it does not. Never blocks the loop."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(info[4][0]) for info in found))
