"""Error bodies that come compressed, although nothing but identity was asked for.

A client gets a provider's error without its Content-Encoding, and without keys in it; so
it has to be read first. What would be larger than MOST, is cut off, or is in an encoding
that cannot be undone within bounds, is left out.
"""

from llm_gateway.streaming.content_coding import BadCoding, decoder

MOST = 256 << 10
"""Bytes of an error body once it is decoded."""


def decoded(body: bytes, encoding: str) -> bytes | None:
    """The body without its encoding; None when it cannot be read. At most 64 KB go in,
    so that this takes no time worth a thread."""
    try:
        undone = decoder(encoding, most=MOST)
        if undone is None:
            return body
        found = undone.feed(body)
    except BadCoding:
        return None
    return None if undone.full or not undone.is_over else found
