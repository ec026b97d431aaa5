"""Learned quirks: what refusals taught, per provider, model and dialect; bounded and forgetful.

What lives here: `LearnedQuirks`. A lesson is kept for `KEPT` seconds, as long as the
provider's address is the one that it was learned at; at most `vocabulary.MOST` of one
provider. A request reads one entry of a dictionary; everything else is for lessons,
reloads and pages.

What this file does not know: clocks, disks, refusals.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.adaptation.uses import has_changed
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirk, Quirks

KEPT = 30 * 86_400.0
"""Seconds after which a lesson is forgotten: providers mend their ways."""
LONGEST_WORDS = 160
"""Characters of a refusal that are kept."""

Place = tuple[str, str, str]
"""(provider, model, dialect)"""


@dataclass(slots=True, eq=False)
class LearnedQuirk:
    """One lesson, with where it came from."""

    provider: str
    model: str
    dialect: str
    quirk: Quirk
    at: float
    wording: int
    """Number of the wording that taught it."""
    words: str = ""
    """The refusal, short and masked. A stranger's text: escape it."""
    address: str = ""
    """Where the provider was when it said so."""
    uses: int = 0
    """Answered requests that were adapted with it."""

    @property
    def place(self) -> Place:
        return self.provider, self.model, self.dialect


class LearnedQuirks:
    def __init__(self) -> None:
        self._of: dict[Place, Quirks] = {}
        self._all: dict[Place, dict[tuple[str, str, str], LearnedQuirk]] = {}

    def __iter__(self) -> Iterator[LearnedQuirk]:
        for found in self._all.values():
            yield from found.values()

    def of(self, provider: str, model: str, dialect: str) -> Quirks:
        return self._of.get((provider, model, dialect), NO_QUIRKS)

    def remember(self, lesson: LearnedQuirk) -> bool:
        """False: it is known already. What it said before about the same thing is replaced;
        of a provider that has taught too much, what helped least is forgotten."""
        known = self._all.get(lesson.place, {})
        key = lesson.quirk.kind, lesson.quirk.name, lesson.quirk.sign
        old = known.get(key)
        if old is not None and old.quirk == lesson.quirk:
            return False
        if old is None and self._count(lesson.provider) >= MOST:
            self._forget_least_used(lesson)
        lessons = self._all.setdefault(lesson.place, {})
        if lesson.quirk.kind == "rename":
            lessons.pop(("rename", lesson.quirk.value, lesson.quirk.sign), None)
        lessons[key] = lesson
        self._rebuild(lesson.place)
        return True

    def used(self, place: Place, adapted: Adapted) -> bool:
        """An adapted request was answered: those of its quirks that changed it, or may
        have, have helped. True: there were some."""
        found = [
            lesson
            for lesson in self._all.get(place, {}).values()
            if has_changed(lesson.quirk, adapted)
        ]
        for lesson in found:
            lesson.uses += 1
        return bool(found)

    def take_back(self, place: Place, quirks: Iterable[Quirk]) -> list[LearnedQuirk]:
        """Forget those of these that have never helped; they are given back."""
        wanted = frozenset(quirks)
        return self._drop(
            lambda lesson: (
                lesson.place == place and lesson.quirk in wanted and not lesson.uses
            )
        )

    def forget(self, provider: str, model: str | None = None) -> list[LearnedQuirk]:
        """All of a provider, or of one of its models; what is forgotten is given back."""
        return self._drop(
            lambda lesson: lesson.provider == provider and model in (None, lesson.model)
        )

    def forget_old(self, now: float) -> list[LearnedQuirk]:
        return self._drop(lambda lesson: now - lesson.at > KEPT)

    def forget_moved(self, addresses: Mapping[str, str]) -> list[LearnedQuirk]:
        """What was learned at another address than the provider has now. One that is not
        in `addresses` may come back: its lessons stay."""
        return self._drop(
            lambda lesson: (
                addresses.get(lesson.provider, lesson.address) != lesson.address
            )
        )

    def _count(self, provider: str) -> int:
        return sum(lesson.provider == provider for lesson in self)

    def _forget_least_used(self, newer: LearnedQuirk) -> None:
        """But none that the same refusal taught."""
        found = (
            one for one in self if one.provider == newer.provider and one.at != newer.at
        )
        least = min(found, key=lambda one: (one.uses, one.at), default=None)
        self._drop(lambda one: one is least)

    def _drop(self, gone: Callable[[LearnedQuirk], bool]) -> list[LearnedQuirk]:
        found = [lesson for lesson in self if gone(lesson)]
        for lesson in found:
            quirk = lesson.quirk
            del self._all[lesson.place][quirk.kind, quirk.name, quirk.sign]
        for place in {lesson.place for lesson in found}:
            self._rebuild(place)
        return found

    def _rebuild(self, place: Place) -> None:
        lessons = self._all[place].values()
        if not lessons:
            del self._all[place]
            self._of.pop(place, None)
            return
        self._of[place] = Quirks(lesson.quirk for lesson in lessons)
