"""Quirks of one conversation: what was learned of its history alone, in bounded memory.

A block that is bound to another history, reasoning of another issuer, an orphan among calls:
refusals of these say nothing of the provider's other requests.
"""

from collections import OrderedDict
from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirk, Quirks

MOST = 10_000
"""Conversations; the one that was not heard of longest is forgotten first."""


class Talk(NamedTuple):
    """One conversation with one model."""

    asker: str
    opening: str
    """Hash of how it begins."""
    provider: str
    model: str
    dialect: str


class ConversationQuirks:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: OrderedDict[Talk, Quirks] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of)

    def of(self, talk: Talk) -> Quirks:
        found = self._of.get(talk)
        if found is None:
            return NO_QUIRKS
        self._of.move_to_end(talk)
        return found

    def remember(self, talk: Talk, quirk: Quirk) -> bool:
        """False: it is known already."""
        known = self._of.get(talk, NO_QUIRKS)
        if known.value(quirk.kind, quirk.name, quirk.sign) == quirk.value:
            return False
        self._of[talk] = known | Quirks([quirk])
        self._of.move_to_end(talk)
        while len(self._of) > self._most:
            self._of.popitem(last=False)
        return True

    def forget(self, talk: Talk, quirk: Quirk) -> None:
        left = Quirks(each for each in self.of(talk) if each != quirk)
        if left:
            self._of[talk] = left
        else:
            self._of.pop(talk, None)
