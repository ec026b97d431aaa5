"""How a secret is shown: `***` and a short fingerprint of it.

The fingerprint lets a masked secret find its value again after its provider was
renamed or moved. It is 32 bits of a hash: enough to tell a few keys apart, useless to
recover one. What this file does not know: where secrets stand.
"""

import re
from hashlib import sha256

_MASK = re.compile(r"\*\*\*([0-9a-f]{8})?")


def fingerprint(value: str) -> str:
    """Eight hex digits."""
    said = b"llm-gateway secret\0" + value.encode("utf-8", "surrogatepass")
    return sha256(said).hexdigest()[:8]


def mask_of(value: str) -> str:
    return f"***{fingerprint(value)}"


def is_mask(text: str) -> bool:
    """`***` with or without a fingerprint."""
    return _MASK.fullmatch(text) is not None
