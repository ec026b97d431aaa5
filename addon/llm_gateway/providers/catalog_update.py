"""What an update would change in the catalogue, entry by entry. Pure.

    proposed(packaged, in_force, update, today) -> Update    what to keep, and the differences

An entry counts only if it is younger than the one in force, so that an older file changes
nothing. Refused as a whole is an update that could never be undone by a later one (dated in
the future), or that gives an entry's name to another provider.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from llm_gateway.providers.catalog_file import CatalogFileError, plain
from llm_gateway.providers.published import (
    AccountFact,
    FreePreset,
    ModelFact,
    Published,
    beyond,
    overlaid,
)

Fact = FreePreset | ModelFact | AccountFact


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is new, or another than before."""

    id: str
    provider: str
    fields: Mapping[str, tuple[str, str]]
    """Key -> what it says, before and after; "" stands for nothing."""
    is_new: bool = False
    frees: bool = False
    """Models count as free by it that did not: `"models": "free"` would offer them."""


@dataclass(frozen=True, slots=True)
class Update:
    kept: Published
    """What is to be kept: all that is otherwise than packaged, of earlier updates, too."""
    changes: tuple[Change, ...] = ()
    older: int = 0
    """Entries that are no younger than those in force, and change nothing."""


def proposed(
    packaged: Published,
    in_force: Published,
    update: Published,
    today: date,
    name: str = "catalog.json",
) -> Update:
    """Raises CatalogFileError. `name`: what messages call the update."""
    if problems := [*_too_young(update, today), *_taken(in_force, update)]:
        raise CatalogFileError(name, *problems)
    after = overlaid(in_force, update)
    changes = tuple(_changes(in_force, after))
    older = len(update.entries()) - len(changes)
    return Update(beyond(after, packaged), changes, older)


def _too_young(update: Published, today: date) -> Iterator[str]:
    """A day is allowed for: somewhere it is tomorrow already."""
    latest = (today + timedelta(days=1)).isoformat()
    if update.as_of > latest:
        yield (
            f"as_of: {update.as_of} has not come yet (today is {today}); "
            "an entry from the future would win over every later one"
        )


def _taken(in_force: Published, update: Published) -> Iterator[str]:
    for section in ("free_tiers", "models", "accounts"):
        known = {entry.id: entry.provider for entry in getattr(in_force, section)}
        for entry in getattr(update, section):
            owner = known.get(entry.id, entry.provider)
            if owner != entry.provider:
                yield (
                    f'{entry.id}: is an entry of "{owner}", not of "{entry.provider}"; '
                    "give it another id"
                )


def _changes(before: Published, after: Published) -> Iterator[Change]:
    for section in ("free_tiers", "models", "accounts"):
        known: dict[str, Fact] = {e.id: e for e in getattr(before, section)}
        for entry in getattr(after, section):
            old = known.get(entry.id)
            if entry == old:
                continue
            yield Change(
                entry.id,
                entry.provider,
                dict(_differences(plain(old) if old else {}, plain(entry))),
                is_new=old is None,
                frees=_frees(old, entry),
            )


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[str, str]]]:
    for key in dict.fromkeys((*new, *old)):
        if key not in ("id", "provider") and old.get(key) != new.get(key):
            yield key, (_said(old, key), _said(new, key))


def _said(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _frees(old: Fact | None, new: Fact) -> bool:
    """Names count as free by it that did not before, or sooner, or may do so by another
    entry, since one that had ended no longer stands in the way."""
    match old, new:
        case FreePreset(status="ended"), FreePreset():
            return new.status != "ended" or _lets_go(old, new)
        case FreePreset(status="free"), FreePreset(status="free"):
            return bool({*new.models} - {*old.models}) or new.since < old.since
        case _, FreePreset(status="free"):
            return True
    return False


def _lets_go(old: FreePreset, new: FreePreset) -> bool:
    return bool({*old.models} - {*new.models}) or new.since > old.since
