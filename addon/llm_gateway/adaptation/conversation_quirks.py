"""Quirks of one conversation: what was learned of its history alone, bounded, kept over a restart.

A block that is bound to another history, reasoning of another issuer, an orphan among calls:
refusals of these say nothing of the provider's other requests. Of a conversation nothing is
kept but a hash of who asks, how it begins and whom it asks.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from llm_gateway.adaptation.learned import KEPT
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

    @property
    def hash(self) -> str:
        """32 hexadecimal digits, the same in every run."""
        said = "\0".join(self).encode("utf-8", "surrogatepass")
        return blake2b(said, digest_size=16).hexdigest()


Row = tuple[str, str, float]
"""(hash of a talk, its quirks apart by spaces, when they were learned: unix seconds)"""


class ConversationQuirks:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: OrderedDict[str, Quirks] = OrderedDict()
        self._changed: OrderedDict[str, float] = OrderedDict()
        """Not written down yet, and when they were learned."""

    def __bool__(self) -> bool:
        return bool(self._of)

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Those of an earlier run, the oldest first. What is no quirk here, or too old, is
        left out."""
        for digest, texts, at in rows:
            quirks = Quirks(_of_conversation(texts))
            if quirks and now - at <= KEPT:
                self._put(digest, quirks)

    def of(self, talk: Talk) -> Quirks:
        digest = talk.hash
        found = self._of.get(digest)
        if found is None:
            return NO_QUIRKS
        self._of.move_to_end(digest)
        return found

    def remember(self, talk: Talk, quirk: Quirk, now: float) -> bool:
        """False: it is known already."""
        digest = talk.hash
        known = self._of.get(digest, NO_QUIRKS)
        if known.value(quirk.kind, quirk.name, quirk.sign) == quirk.value:
            return False
        self._put(digest, known | Quirks([quirk]))
        self._note(digest, now)
        return True

    def forget(self, talk: Talk, quirk: Quirk, now: float) -> None:
        known = self.of(talk)
        left = Quirks(each for each in known if each != quirk)
        if len(left) == len(known):
            return
        if left:
            self._of[talk.hash] = left
        else:
            self._of.pop(talk.hash, None)
        self._note(talk.hash, now)

    def take_changed(self) -> tuple[Row, ...]:
        """Rows to write down: those that changed since this was last asked. Without quirks,
        where they were taken back."""
        rows = tuple(
            (digest, " ".join(map(str, self._of.get(digest, NO_QUIRKS))), at)
            for digest, at in self._changed.items()
        )
        self._changed.clear()
        return rows

    def _put(self, digest: str, quirks: Quirks) -> None:
        self._of[digest] = quirks
        self._of.move_to_end(digest)
        while len(self._of) > self._most:
            self._of.popitem(last=False)

    def _note(self, digest: str, now: float) -> None:
        self._changed[digest] = now
        self._changed.move_to_end(digest)
        while len(self._changed) > self._most:
            self._changed.popitem(last=False)


def _of_conversation(texts: str) -> Iterable[Quirk]:
    for text in texts.split():
        try:
            quirk = Quirk.parse(text)
        except ValueError:
            continue
        if quirk.is_of_conversation:
            yield quirk
