"""Served members: which top-level members requests were answered with a moment ago.

A refusal that would take a member from everybody is doubted while others are served with
it, or were a moment ago: then it was about one request's value, about what stood beside it,
or about nothing, as of servers of which one is newer than the rest.

What this file does not know: clocks, refusals, what a member means.
"""

from collections.abc import Iterable

from llm_gateway.adaptation.learned import Place
from llm_gateway.adaptation.vocabulary import Quirk

SHORTLY = 60.0
"""Seconds for which an answer is evidence."""
MOST_ASKERS = 8
"""Of one place; who was answered longest ago is forgotten first."""
MOST_SHAPES = 32
"""Sets of members of one asker; which was answered longest ago is forgotten first."""
MOST_MEMBERS = 64
"""Of one request: it may have as many as it likes."""


class ServedMembers:
    def __init__(self) -> None:
        self._of: dict[Place, dict[str, dict[frozenset[str], float]]] = {}
        """Place -> asker -> members of a request -> when one with them was answered."""

    def record(
        self, place: Place, asker: str, members: frozenset[str], now: float
    ) -> None:
        """A request with these was answered well. Runs per request."""
        askers = self._of.get(place)
        if askers is None:
            askers = self._of[place] = {}
        seen = askers.pop(asker, None)
        if seen is None:
            seen = {}
        askers[asker] = seen
        if len(members) <= MOST_MEMBERS:
            seen.pop(members, None)
            seen[members] = now
            if len(seen) > MOST_SHAPES:
                del seen[next(iter(seen))]
        if len(askers) > MOST_ASKERS:
            del askers[next(iter(askers))]

    def by_others(self, place: Place, asker: str, member: str, now: float) -> bool:
        """Somebody but `asker` ("": anybody) was answered with it within the minute before
        `now`."""
        return any(
            member in members and abs(now - at) <= SHORTLY
            for other, seen in self._of.get(place, {}).items()
            if other != asker
            for members, at in seen.items()
        )

    def contradict(
        self, place: Place, asker: str, quirks: Iterable[Quirk], now: float
    ) -> bool:
        """One of these would take away what others are served with."""
        return any(
            (member := _taken(quirk)) and self.by_others(place, asker, member, now)
            for quirk in quirks
        )

    def forget(self, provider: str) -> None:
        for place in [place for place in self._of if place[0] == provider]:
            del self._of[place]


def _taken(quirk: Quirk) -> str:
    """The top-level member that no request has with it; "" where it is none."""
    if quirk.kind == "endpoint" and quirk.name == "tools":
        return "tools"
    if quirk.kind == "rename" or (
        quirk.kind in ("member", "sampling") and quirk.value in ("", "unfit")
    ):
        return quirk.name
    return ""
