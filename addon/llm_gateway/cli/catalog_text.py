"""The catalogue of free tiers as text for a terminal: what holds, and what would change."""

from collections.abc import Iterable, Iterator

from llm_gateway.domain import NANO
from llm_gateway.providers.catalog_update import Change
from llm_gateway.providers.free_tiers import describe
from llm_gateway.providers.published import (
    AccountFact,
    FreePreset,
    ModelFact,
    Published,
)
from llm_gateway.providers.registry import TYPES

WHOSE = {
    "model": "for each model",
    "account": "for all models together",
    "tier": "for all :free models together",
}
END = {True: "stops at its end", False: "bills beyond its end", None: "end unknown"}
STATUS = {"free": "free", "ended": "no longer free", "candidate": "not checked"}


def shown(found: Published, provider: str = "") -> Iterator[str]:
    """What is published, provider by provider; of one alone where it is named."""
    names = dict.fromkeys(entry.provider for entry in found.entries())
    for name in names:
        if provider in ("", name):
            yield from ("", name)
            for entry in found.entries():
                if entry.provider == name:
                    yield from (f"  {line}" for line in _entry(entry))


def _entry(entry: FreePreset | ModelFact | AccountFact) -> Iterator[str]:
    match entry:
        case FreePreset():
            yield f"{', '.join(entry.models)}: {_tier(entry)}"
            if entry.terms:
                yield f"  terms: {entry.terms}"
        case ModelFact():
            yield f"{', '.join(entry.models)}: {', '.join(_facts(entry))}"
        case AccountFact():
            yield f"keys of one {entry.counted_by} share its limits"
    if not isinstance(entry, AccountFact):
        if entry.since:
            yield f"  from {entry.since} on"
        if entry.uncertain:
            yield f"  uncertain: {entry.uncertain}"
    if entry.note:
        yield f"  {entry.note}"
    yield f"  as of {entry.as_of}: {entry.source}"


def _tier(entry: FreePreset) -> str:
    if entry.status != "free":
        says = f", {describe(entry.limits)}" if entry.limits else ""
        return f"{STATUS[entry.status]}{says}"
    return (
        f"free, {describe(entry.limits)}, {WHOSE[entry.per]}; {END[entry.hard_stop]}; "
        f"trains on prompts: {entry.trains_on_prompts}"
    )


def _facts(entry: ModelFact) -> Iterator[str]:
    if entry.context_window is not None:
        yield f"window {entry.context_window:,}"
    if entry.max_output is not None:
        yield f"answers of at most {entry.max_output:,}"
    if entry.price is not None:
        dollars = (entry.price.input / NANO, entry.price.output / NANO)
        yield "${:g} in, ${:g} out per million tokens".format(*dollars)


def differences(changes: Iterable[Change]) -> Iterator[str]:
    """A diff: `+` new, `~` another, with each key before and after."""
    for change in changes:
        yield f"{'+' if change.is_new else '~'} {change.id} ({change.provider})"
        for key, (before, after) in change.fields.items():
            yield f"    {key}: {_side(after) if change.is_new else f'{_side(before)} -> {_side(after)}'}"
        if change.provider not in TYPES:
            yield "    fills in nothing: no type here"
        elif change.frees:
            yield "    ! models count as free by it that did not before"


def _side(text: str) -> str:
    return text or "nothing"
