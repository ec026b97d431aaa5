"""Marked opaque state: a signature that travels through a foreign client, with its maker's name.

A client keeps opaque state in a field of its own dialect and sends it back later, perhaps
to somebody else. What we put there says that it is ours, and who made it. The whole is
standard base64, since some SDKs decode such fields.
"""

import binascii
from base64 import b64decode, b64encode
from typing import NamedTuple

_PREFIX = b"llm-gateway\0"
"""A multiple of three bytes: its base64 is the beginning of every mark."""
_BEGIN = b64encode(_PREFIX).decode()
IN_BODY = _BEGIN.encode()
"""Bytes without which a body holds no mark."""


class Mark(NamedTuple):
    maker: str
    form: str
    """`signature`, `redacted`, `plain` (no state: the thought's text is all there is), `call`
    (of the next call), or another word of the dialect that it is from."""
    id: str
    """Of the item that it came in; "": it had none."""
    data: str


def marked(maker: str, form: str, data: str, id: str = "") -> str:
    """The state as it goes to a client; of the same state always the same."""
    fields = (maker, form, id, data)
    said = "\0".join(fields).encode("utf-8", "surrogatepass")
    return b64encode(_PREFIX + said).decode()


def is_marked(text: str) -> bool:
    return text.startswith(_BEGIN)


def read_mark(text: str) -> Mark | None:
    """None: it is no state that we have marked."""
    if not is_marked(text):
        return None
    try:
        whole = b64decode(text.translate(_STANDARD), validate=True)
        maker, form, id, data = (
            whole[len(_PREFIX) :].decode("utf-8", "surrogatepass").split("\0", 3)
        )
    except (binascii.Error, ValueError):
        return None
    return Mark(maker, form, id, data)


_STANDARD = str.maketrans("-_", "+/")
