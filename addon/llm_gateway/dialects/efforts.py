"""Reasoning effort: the levels of all vendors in one order, and the nearest that a model takes."""

from collections.abc import Collection

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From the least to the most."""


def nearest_effort(asked: str, allowed: Collection[str]) -> str:
    """`asked` where it is allowed, or no level at all; of two as near the lower one, which
    costs less. "none" is given only to who asked for none: it is another thing than little.
    """
    if asked in allowed or asked not in LEVELS:
        return asked
    at = LEVELS.index(asked)
    places = [LEVELS.index(level) for level in allowed if level in LEVELS]
    thinking = [place for place in places if place > 0]
    if not (places := thinking or places):
        return asked
    return LEVELS[min(places, key=lambda place: (abs(place - at), place))]


def efforts_below(level: str) -> tuple[str, ...]:
    """All that think, and less than this one."""
    return LEVELS[1 : LEVELS.index(level)] if level in LEVELS else ()
