"""Which offers a client's model name means.

What lives here: the look-up by name, alias, wildcard and `provider/name`. It depends
on the config alone and is made once per revision.

    rank 0   the client-facing name, or `provider/` and any name of the model
    rank 1   an alias
    rank 2   an alias with a wildcard

What this file does not know: limits, health, prices, what routing does with it.
"""

import re
from collections.abc import Iterable, Sequence
from heapq import nlargest

from llm_gateway.config.suggestions import nearest
from llm_gateway.dialects import translations
from llm_gateway.domain import Dialect, Offer

REMEMBERED = 1_000
"""Names whose answer is kept: clients can invent any number of them."""

COMPARED_LETTERS, COMPARED_NAMES = 80, 50
"""A name that nobody has is compared, letter by letter, with so many names."""

Ranks = tuple[tuple[Offer, ...], ...]


def unknown_model(name: str, names: Sequence[str]) -> str:
    """The sentence for a name that nobody has, with the one that was probably meant.

    Comparing letter by letter takes time, on the event loop: of long lists only those
    names are looked at that have words in common with it, or begin as it does.
    """
    said = f"The model {name!r} does not exist here."
    if len(name) > COMPARED_LETTERS:
        return said
    if len(names) > COMPARED_NAMES:
        likeness = _words(name)
        likely = [(len(likeness & _words(other)), other) for other in names]
        likely = [pair for pair in likely if pair[0]]
        names = [other for _, other in nlargest(COMPARED_NAMES, likely)]
    longer = (other for other in names if other.lower().startswith(name.lower()))
    near = nearest(name, names) or (
        min(longer, key=len, default=None) if name else None
    )
    return f"{said} Did you mean {near!r}?" if near else said


def _words(name: str) -> set[str]:
    parts = re.split(r"[^a-z0-9]+", name.lower())
    return {*parts, *(part[:3] for part in parts if len(part) > 3)} - {""}


class ModelIndex:
    """Offers by what clients ask for. Case matters; only `*` is special, in aliases."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._exact: dict[str, list[Offer]] = {}
        self._alias: dict[str, list[Offer]] = {}
        self._wild: list[tuple[re.Pattern[str], Offer]] = []
        self._found: dict[str, Ranks] = {}
        self._able: dict[tuple[str, Dialect, bool], Ranks] = {}
        for offer in offers:
            names = {offer.name}
            names |= {f"{offer.provider}/{n}" for n in (offer.name, offer.model)}
            for name in names:
                self._exact.setdefault(name, []).append(offer)
            for alias in dict.fromkeys(offer.aliases):
                if "*" in alias:
                    self._wild.append((_wildcard(alias), offer))
                else:
                    self._alias.setdefault(alias, []).append(offer)

    def match_tiers(self, name: str) -> Ranks:
        """The offers of each rank, best first; each offer once, where it ranks best."""
        found = self._found.get(name)
        if found is None:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            found = self._found[name] = self._look_up(name)
        return found

    def able(self, name: str, dialect: Dialect, *, translate: bool = True) -> Ranks:
        """The same, without those that cannot be asked what a client asks in `dialect`:
        they do not speak it, nor, with `translate`, one that it is translated to."""
        asked = name, dialect, translate
        found = self._able.get(asked)
        if found is None:
            if len(self._able) >= REMEMBERED:
                self._able.clear()
            spoken = {dialect, *(translations(dialect) if translate else ())}
            found = self._able[asked] = tuple(
                tuple(offer for offer in rank if not spoken.isdisjoint(offer.dialects))
                for rank in self.match_tiers(name)
            )
        return found

    def dialects(self, name: str) -> frozenset[Dialect]:
        """Every dialect in which an enabled offer has this name."""
        spoken = [
            o.dialects for rank in self.match_tiers(name) for o in rank if o.enabled
        ]
        return frozenset().union(*spoken)

    def _look_up(self, name: str) -> Ranks:
        wild: Sequence[Offer] = [o for p, o in self._wild if p.fullmatch(name)]
        seen: set[tuple[tuple[str, str, str], str]] = set()
        ranks = []
        for found in (self._exact.get(name, ()), self._alias.get(name, ()), wild):
            rank = []
            for offer in found:
                if (who := (offer.key, offer.name)) not in seen:
                    seen.add(who)
                    rank.append(offer)
            ranks.append(tuple(rank))
        return tuple(ranks)


def _wildcard(alias: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, alias.split("*"))), re.DOTALL)
