"""Keys that were copied with too much around them: quotes, `Bearer `, a variable's name.

What lives here: `is_key`, and `surplus`, from a configured key to a clause that says what does not
belong to it. Such a key is sent as it stands, since nobody can be sure, but the provider
will refuse it, and its "invalid API key" does not say why. No clause repeats the key.

What this file does not know: where a key stands, whose it is.
"""

import re
from collections.abc import Sequence

_QUOTES = "\"'`"
"""Curly ones are refused before: a key is visible ASCII."""
_SIGNS: Sequence[tuple[re.Pattern[str], str]] = (
    (
        re.compile(rf"[{_QUOTES}].*|.*[{_QUOTES}]", re.DOTALL),
        "begins or ends with a quote; leave the quotes out",
    ),
    (
        re.compile(r"(?:bearer|basic|token)(?:\s.*|:.*)", re.DOTALL | re.IGNORECASE),
        "begins with the word for an Authorization header; write the key alone",
    ),
    (
        re.compile(r"(?:proxy-)?authorization\s*:.*|(?:[a-z]+-)*api-key\s*:.*", re.DOTALL | re.IGNORECASE),
        "begins with the name of a header; write the key alone",
    ),
    (
        re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]*_[A-Z0-9_]*=.*", re.DOTALL),
        "begins with the name of a variable; write what stands behind the =",
    ),
    (
        re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%"),
        "is the name of a variable; write ${NAME} for its value",
    ),
    (
        re.compile(r"<.*>", re.DOTALL),
        "stands in angle brackets; put a key in the place of the whole",
    ),
    (
        re.compile(r".*\s.*", re.DOTALL),
        "has white space inside; write the key without it",
    ),
)  # fmt: skip
"""What a key never looks like, and the clause; the first that matches is told."""


def is_key(text: str) -> bool:
    """It can be one: visible ASCII, white space around it aside."""
    text = text.strip()
    return bool(text) and all(" " <= letter <= "~" for letter in text)


def surplus(key: str) -> str:
    """A clause about what does not belong to this key; "" for one that looks right.

    White space around it is not told: it is taken off when the configuration is read.
    """
    text = key.strip()
    return next((clause for sign, clause in _SIGNS if sign.fullmatch(text)), "")
