"""Base64 as others read it: the URL-safe alphabet becomes the standard one, with padding."""

import re
from base64 import b64decode

_STANDARD = str.maketrans("-_", "+/")
_READABLE = re.compile(r"text/|application/(?:json|xml|yaml|x-sh|javascript)", re.I)
"""Types of files that are text, and that some providers take as nothing else."""


def standard_base64(text: str) -> str:
    """The same text where it is standard already; never raises."""
    if "-" in text or "_" in text:
        text = text.translate(_STANDARD)
    if "\n" in text or "\r" in text:
        text = "".join(text.split())
    return text + "=" * (-len(text) % 4)


def readable_text(media_type: str, data: str) -> str | None:
    """The text of a file in standard base64; None: it is of another type, or no text."""
    if not _READABLE.match(media_type):
        return None
    try:
        return b64decode(data, validate=True).decode()
    except ValueError:
        return None
