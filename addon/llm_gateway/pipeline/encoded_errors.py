"""Error bodies that come compressed, although nothing but identity was asked for.

A client gets a provider's error without its Content-Encoding, and without keys in it; so
it has to be read first. What would be larger than MOST, is cut off, or is in an encoding
that cannot be undone within bounds, is left out.
"""

import zlib

MOST = 256 << 10
"""Bytes of an error body once it is decoded."""

_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


def decoded(body: bytes, encoding: str) -> bytes | None:
    """The body without its encoding; None when it cannot be read. At most 64 KB go in,
    so that this takes no time worth a thread."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    for window in _WINDOWS.get(encoding, ()):
        inflater = zlib.decompressobj(window)
        try:
            found = inflater.decompress(body, MOST)
        except zlib.error:
            continue
        return found if inflater.eof else None
    return None
