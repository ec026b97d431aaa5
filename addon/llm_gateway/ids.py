"""UUIDv7: ids that sort by time, so that the newest rows of a table lie together."""

import os


def uuid7(now: float, entropy: bytes) -> str:
    """`now` in unix seconds, `entropy` ten random bytes. RFC 9562, section 5.7."""
    milliseconds = int(now * 1000) & (1 << 48) - 1
    random = int.from_bytes(entropy[:10], "big")
    value = milliseconds << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64
    value |= 2 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_ENTROPY = 10
"""Bytes that an id takes."""
_entropy: list[bytes] = []


def new_id(now: float) -> str:
    """A call to the kernel is one during which another thread takes Python's lock: there
    is one for many ids."""
    if not _entropy:
        pool = os.urandom(400 * _ENTROPY)
        _entropy.extend(
            pool[at : at + _ENTROPY] for at in range(0, len(pool), _ENTROPY)
        )
    return uuid7(now, _entropy.pop())
