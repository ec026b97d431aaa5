"""Token counts out of usage objects: what is a count, and where it stands.

A number that is no count (negative, fractional, NaN, true) is ignored. A number may be
written as decimal text (`"1000"`): some servers quote theirs, and it is billed all the
same. Nothing here raises on what a provider sent.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

MOST = 2**53
"""Counts above this are cut to it: no window adds up to that many."""

Counts = Mapping[str, object]

_decimal = re.compile(
    r"\s*\+?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?\s*"
).fullmatch


def decimal_of(text: str) -> Decimal | None:
    """The number that a text is: `0.0123`, `1.23e-2`; None: it is none, or below 0."""
    return Decimal(text.strip()) if _decimal(text) else None


def count_of(value: object) -> int | None:
    if type(value) is int:  # asked a dozen times for each answer, so this comes first
        return None if value < 0 else value if value < MOST else MOST
    if type(value) is float and value.is_integer() and value >= 0:
        return min(int(value), MOST)
    if type(value) is str and (number := decimal_of(value)) is not None:
        if number >= MOST:
            return MOST
        return int(number) if number == int(number) else None
    return None


def first_count(*values: object) -> int | None:
    """The first of these that is a count."""
    for value in values:
        if value is not None and (count := count_of(value)) is not None:
            return count
    return None


def object_in(usage: Counts, *names: str) -> Counts:
    """The first of these members that is an object."""
    for name in names:
        if isinstance(inner := usage.get(name), dict):
            return inner
    return {}


def find_held_usage(value: Counts, holder: Counts) -> Counts | None:
    """Where the usage stands in dialects that nest it: at the top or in the holder."""
    for place in (value, holder):
        usage = place.get("usage")
        if isinstance(usage, dict) and usage:
            return usage
    return None
