"""Names that clients ask for, each with the offers behind it in the router's order.

A name is what a model is called or an alias of one; a provider may offer it as either, so
the list is built from the resolved names. Names with the same offers are one entry.

What this file does not know: SQLite, clocks, HTML.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llm_gateway.dashboard.availability import OFF, Availability

Json = dict[str, Any]
USABLE = ("ready", "near limit")


@dataclass(frozen=True, slots=True)
class NamedOffer:
    """A model of a provider, under the name that clients ask for, with its aliases."""

    provider: str
    model: str
    name: str
    aliases: tuple[str, ...]
    free: bool
    input_price: float | None
    """US$ per million tokens; None: unknown."""
    output_price: float | None
    standing: Availability
    headroom: float
    order: int
    """Position in the configuration's list."""


def names(offers: Sequence[NamedOffer], policy: str | None) -> list[Json]:
    """[{name, aliases, offers: [{provider, model, word, free, returns}]}].

    Those who can answer stand first, in the order in which the router would try them;
    then who comes back, the soonest first; then what is not in use.
    """
    found: dict[tuple[NamedOffer, ...], list[str]] = {}
    for name in _all_names(offers):
        key = tuple(_resolved(name, offers, policy))
        found.setdefault(key, []).append(name)
    entries = [
        {
            "name": listed[0],
            "aliases": listed[1:],
            "offers": [_json(offer) for offer in behind],
        }
        for behind, listed in found.items()
    ]
    return sorted(entries, key=lambda entry: str(entry["name"]))


def _all_names(offers: Iterable[NamedOffer]) -> list[str]:
    """Names before aliases, each once."""
    listed = list(offers)
    own = dict.fromkeys(offer.name for offer in listed)
    return list(own | dict.fromkeys(a for offer in listed for a in offer.aliases))


def _resolved(
    name: str, offers: Sequence[NamedOffer], policy: str | None
) -> list[NamedOffer]:
    """Who has the name: as its own first, then by alias."""
    ranked: dict[tuple[str, str], tuple[int, NamedOffer]] = {}
    for rank, has in ((0, lambda o: o.name == name), (1, lambda o: name in o.aliases)):
        for offer in filter(has, offers):
            ranked.setdefault((offer.provider, offer.model), (rank, offer))
    ordered = sorted(
        ranked.values(), key=lambda found: _order(found[0], found[1], policy)
    )
    return [offer for _, offer in ordered]


def _order(rank: int, offer: NamedOffer, policy: str | None) -> tuple[float, ...]:
    """As `routing.selection` sorts what is ready; what is not, by its return."""
    standing = offer.standing
    if standing.state in OFF:
        return (4.0, rank, offer.order)
    if standing.state not in USABLE:
        returns = math.inf if standing.returns_at is None else standing.returns_at
        return (3.0, returns, rank, offer.order)
    if policy == "any" or offer.free:
        return (0.0, rank, -offer.headroom, offer.order)
    if offer.input_price is None:
        return (2.0, rank, offer.order)
    return (1.0, rank, offer.input_price + (offer.output_price or 0), offer.order)


def _json(offer: NamedOffer) -> Json:
    return {
        "provider": offer.provider,
        "model": offer.model,
        "word": offer.standing.state,
        "free": offer.free,
        "returns": offer.standing.returns_at,
    }
