"""Numbers as providers write them in JSON: whole, with a fraction, or as text.

A number that is of another kind (true, a list), not finite or beyond anything that could be
meant is taken as not said, so that whoever reckons with it meets no overflow.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

LONGEST = 40
"""Characters of a number that is written as text."""
ORDERS = 30
"""Powers of ten, up and down, within which a number is meant."""


def number(value: Any) -> Decimal | None:
    """None: it says no number. Floats are none: read JSON with `parse_float=Decimal`."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str) and not _plain(value):
        return None
    try:
        found = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    if not found.is_finite() or (found and abs(found.adjusted()) > ORDERS):
        return None
    return found


def _plain(text: str) -> bool:
    """Decimal takes digits of every script, and 1_000."""
    return len(text) <= LONGEST and text.isascii() and "_" not in text
