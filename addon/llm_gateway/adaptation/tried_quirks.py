"""Tried quirks: what one asker's refusals taught, until a resend with it was answered.

A refusal may be about one request's own value. So its lesson holds for its asker alone, in
memory and for a while; an answer to a request that was adapted with it makes it everybody's
(`learned.py`). What keeps a request from being sent at all is never answered: it stays here.

What this file does not know: clocks, the ledger, refusals.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from llm_gateway.adaptation.learned import LearnedQuirk, Place
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirk, Quirks

TRIED_FOR = 600.0
"""Seconds after which it is forgotten, and the provider asked again."""
MOST_PLACES = 1_000
"""Pairs of asker and place; the one that learned longest ago is forgotten first."""

_Lessons = dict[tuple[str, str, str], LearnedQuirk]


class TriedQuirks:
    def __init__(self) -> None:
        self._of: OrderedDict[tuple[str, Place], _Lessons] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of)

    def of(self, asker: str, place: Place, now: float) -> Quirks:
        found = self._of.get((asker, place))
        if found is None:
            return NO_QUIRKS
        quirks = [one.quirk for one in found.values() if now - one.at <= TRIED_FOR]
        return Quirks(quirks) if quirks else NO_QUIRKS

    def remember(self, asker: str, lesson: LearnedQuirk) -> bool:
        """False: it is known already, or there are too many."""
        self._drop(lambda one: lesson.at - one.at > TRIED_FOR)
        found = self._of.setdefault((asker, lesson.place), {})
        quirk = lesson.quirk
        key = quirk.kind, quirk.name, quirk.sign
        old = found.get(key)
        if (old is not None and old.quirk == quirk) or len(found) >= MOST:
            return False
        found[key] = lesson
        self._of.move_to_end((asker, lesson.place))
        while len(self._of) > MOST_PLACES:
            self._of.popitem(last=False)
        return True

    def take(
        self, asker: str, place: Place, quirks: Iterable[Quirk]
    ) -> list[LearnedQuirk]:
        """Those of these that are tried, out of here, with what the same refusal taught
        besides."""
        found = self._of.get((asker, place), {})
        wanted = frozenset(quirks)
        told = {(o.at, o.wording) for o in found.values() if o.quirk in wanted}
        taken = [one for one in found.values() if (one.at, one.wording) in told]
        for one in taken:
            del found[one.quirk.kind, one.quirk.name, one.quirk.sign]
        if not found:
            self._of.pop((asker, place), None)
        return taken

    def forget(self, provider: str, model: str | None = None) -> None:
        self._drop(lambda one: one.provider == provider and model in (None, one.model))

    def _drop(self, gone: Callable[[LearnedQuirk], bool]) -> None:
        for where, found in list(self._of.items()):
            for key in [key for key, one in found.items() if gone(one)]:
                del found[key]
            if not found:
                del self._of[where]
