"""What a new list of models changed, as events: new, gone, back, another price.

What lives here: `changes`, the comparison, and `tell_changes`. What this file does not
know: how lists are fetched, where events go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llm_gateway.app.state import AppState
from llm_gateway.domain import NANO, Offer, Price, offer_label
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.listed_models import ModelList

MOST = 20
"""Changes of one kind that are told one by one."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    kind: str
    model: str
    message: str


def changes(
    before: Mapping[str, Offer],
    after: Mapping[str, Offer],
    listed: frozenset[str],
    back: frozenset[str],
) -> Iterator[ModelChange]:
    """Offers of one account by model, before and after; `listed`: names of the new list,
    `back`: those that were retired."""
    for name in after:
        if name in back:
            yield ModelChange("model.back", name, "is listed again and offered again")
        elif name not in before:
            yield ModelChange(
                "model.new", name, f"is listed and offered{_at(after[name])}"
            )
    for name in before:
        if name not in after:
            gone = "" if name in listed else "is not listed any more"
            message = gone or "is listed, but not among those that are meant any more"
            yield ModelChange("model.gone", name, message)
        elif _told(before[name].price) != _told(after[name].price):
            old, new = _told(before[name].price), _told(after[name].price)
            yield ModelChange("model.price", name, f"costs {new}, it was {old}")


def tell_changes(
    state: AppState,
    key: tuple[str, str],
    before: Catalog,
    old: ModelList | None,
    new: ModelList,
    back: frozenset[str],
) -> None:
    """Events for what the list changed in the catalog that is in force now."""
    was, now = _offers(before, key), _offers(state.catalog, key)
    names = frozenset(model.name for model in new.models)
    label = key[0] + (f"#{key[1]}" if key[1] else "")
    if old is None:
        message = f"{len(names)} models listed, {len(now)} of the account offered"
        state.event("models", label, message)
        return
    written = {m.name for p in state.catalog.config.providers if p.id == key[0] for _, m in p.own_models}  # fmt: skip
    for model in old.models:
        if model.name in written and model.name not in names:
            was, now = {**was}, {k: v for k, v in now.items() if k != model.name}
    by_kind: dict[str, list[ModelChange]] = {}
    for change in changes(was, now, names, back):
        by_kind.setdefault(change.kind, []).append(change)
    for kind, found in by_kind.items():
        for change in found[:MOST]:
            state.event(kind, offer_label(*key, change.model), change.message)
        if len(found) > MOST:
            state.event(kind, label, f"and {len(found) - MOST} more models")


def _offers(catalog: Catalog, key: tuple[str, str]) -> dict[str, Offer]:
    return {o.model: o for o in catalog.offers if o.key[:2] == key}


def _at(offer: Offer) -> str:
    return f" at {_told(offer.price)}" if offer.price is not None else ""


def _told(price: Price | None) -> str:
    if price is None:
        return "an unknown price"
    if price.is_zero:
        return "nothing"
    return f"${price.input / NANO:g} and ${price.output / NANO:g} per million tokens"
