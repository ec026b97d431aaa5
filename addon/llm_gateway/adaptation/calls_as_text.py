"""What an answer teaches that writes its calls as text: the form of the tools was not read.

Where tools were declared in forms that few read (freeform, namespaces, lists in the input),
they go as functions from then on. Where they were functions already, this conversation goes
elsewhere; and everybody's, once it was so in several and never otherwise. Pure but for
`TextCalls`, which counts.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from llm_gateway.adaptation.responses_lessons import FORMS
from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.adaptation.wording import Lesson
from llm_gateway.adaptation.wordings import differs
from llm_gateway.domain import Dialect

NUMBER = 800
"""Of the lesson, among the numbers of wordings."""
WORDS = "its answer wrote a call as text"
SEVERAL = 2
"""Conversations after which it is the model's way."""
MOST = 5_000
"""Models and dialects that are counted."""

Place = tuple[str, str, str]
"""Provider, model, dialect."""


def lesson(
    dialect: Dialect, sent: Mapping[str, object], known: Quirks, *, always: bool
) -> Lesson:
    """always: it was so in several conversations, and never otherwise."""
    forms = Quirks(
        quirk
        for quirk in map(Quirk.parse, FORMS)
        if known.value(quirk.kind, quirk.name) != quirk.value
    )
    if forms and differs(dialect, sent, known, known | forms):
        return Lesson(tuple(forms), NUMBER, WORDS)
    here = Quirk("state", "tools", "unfit")
    if not always:
        return Lesson((here,), NUMBER, WORDS)
    return Lesson((here, Quirk("endpoint", "tools")), NUMBER, WORDS)


class TextCalls:
    """Conversations in which a model wrote calls as text, since it last made a real one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: OrderedDict[Place, set[str]] = OrderedDict()
        self._calls: OrderedDict[Place, None] = OrderedDict()

    def wrote(self, place: Place, opening: str) -> bool:
        """True: in several conversations, and it was never seen to make a call."""
        if place in self._calls:
            return False
        seen = self._of.setdefault(place, set())
        if len(seen) < SEVERAL:
            seen.add(opening)
        _bound(self._of, place, self._most)
        return len(seen) >= SEVERAL

    def called(self, place: Place) -> None:
        """A real call."""
        self._of.pop(place, None)
        self._calls[place] = None
        _bound(self._calls, place, self._most)


def _bound(kept: OrderedDict[Place, Any], place: Place, most: int) -> None:
    kept.move_to_end(place)
    while len(kept) > most:
        kept.popitem(last=False)
