"""What is published of providers' free tiers, models and accounts: dated facts, as values.

What lives here: one entry of each section of `catalog.json`, the whole of it (`Published`),
the look-up of a model by globs, and how a newer catalogue is laid over an older one.

    FreePreset    free tier of some models: limits, whether it stops or bills, what it costs
                  in privacy
    ModelFact     context window, largest output, price of some models
    AccountFact   by what a provider counts: several keys may be one account

What this file does not know: JSON, files, the clock, the config, what a row is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

from llm_gateway.domain import Metric, Price, Window


class Entry(Protocol):
    """What entries of all sections have in common."""

    @property
    def id(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def as_of(self) -> str: ...


class Named(Protocol):
    """An entry for the models that it names."""

    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def since(self) -> str: ...


E = TypeVar("E", bound=Entry)
N = TypeVar("N", bound=Named)

Status = Literal["free", "ended", "candidate"]
Trains = Literal["yes", "no", "varies", "unknown"]
Per = Literal["model", "account", "tier"]


@dataclass(frozen=True, slots=True)
class FreePreset:
    """What a provider's free tier allows for some of its models, as of a day."""

    models: tuple[str, ...]
    """Names, `*` is a wildcard. Of several presets that match a model, the one that says
    most of its name holds."""
    limits: Mapping[tuple[Metric, Window], int]
    """May be empty: free, but in a unit that cannot be counted here, or not published."""
    as_of: str
    """ISO date at which the source said so."""
    source: str
    per: Per = "model"
    """Whose limits: each model's own; all models of the account together; all models
    of the account whose name ends in `:free` together."""
    note: str = ""
    id: str = ""
    """Its name in the catalogue: an update replaces the entry with the same."""
    provider: str = ""
    """The type; or a word for who is no type here."""
    status: Status = "free"
    """`ended`: it was free once, and is no longer. `candidate`: others say that it is free;
    no type here, or not checked."""
    hard_stop: bool | None = None
    """True: it stops where the tier ends. False: it goes on and sends a bill. None: unknown."""
    trains_on_prompts: Trains = "unknown"
    terms: str = ""
    """What its terms ask of those who use it free."""
    uncertain: str = ""
    """Where sources disagree, or numbers were inferred: which; "": they do not."""
    since: str = ""
    """ISO date from which it holds; "": it holds already."""
    examples: tuple[str, ...] = ()
    """Whole names among `models`, good ones to begin with."""


@dataclass(frozen=True, slots=True)
class ModelFact:
    """What is known of some models of a provider, where the public price list is wrong or
    silent."""

    id: str
    provider: str
    models: tuple[str, ...]
    as_of: str
    source: str
    context_window: int | None = None
    max_output: int | None = None
    """The most tokens that an answer may be asked for: more is an error, and is lowered."""
    price: Price | None = None
    uncertain: str = ""
    since: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class AccountFact:
    """By what a provider counts what is used."""

    id: str
    provider: str
    counted_by: str
    """`project`, `organization`, `account`, `address`: all keys of one share its limits."""
    as_of: str
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A whole catalogue."""

    as_of: str
    """ISO date of the catalogue; no entry is younger."""
    free_tiers: tuple[FreePreset, ...] = ()
    models: tuple[ModelFact, ...] = ()
    accounts: tuple[AccountFact, ...] = ()

    def entries(self) -> tuple[FreePreset | ModelFact | AccountFact, ...]:
        return (*self.free_tiers, *self.models, *self.accounts)


def overlaid(base: Published, update: Published) -> Published:
    """`base` with every entry of `update` that is younger than its own.

    An entry that `base` does not have is new only in a younger catalogue: in an older one
    it may be what was taken out since.
    """
    newer = update.as_of > base.as_of
    return Published(
        max(base.as_of, update.as_of),
        _overlaid(base.free_tiers, update.free_tiers, newer),
        _overlaid(base.models, update.models, newer),
        _overlaid(base.accounts, update.accounts, newer),
    )


def _overlaid(base: tuple[E, ...], update: tuple[E, ...], newer: bool) -> tuple[E, ...]:
    found = {entry.id: entry for entry in base}
    for entry in update:
        old = found.get(entry.id)
        if newer if old is None else entry.as_of > old.as_of:
            found[entry.id] = entry
    return tuple(found.values())


def beyond(whole: Published, base: Published) -> Published:
    """What has to be laid over `base` to get `whole`, which was made from it so."""
    return Published(
        whole.as_of,
        _beyond(whole.free_tiers, base.free_tiers),
        _beyond(whole.models, base.models),
        _beyond(whole.accounts, base.accounts),
    )


def _beyond(whole: tuple[E, ...], base: tuple[E, ...]) -> tuple[E, ...]:
    known = {entry.id: entry for entry in base}
    return tuple(entry for entry in whole if known.get(entry.id) != entry)


def most_telling(entries: Iterable[N], model: str) -> N | None:
    """The entry whose pattern says most of a model's name; of two that say as much, the one
    that holds since later, then the first. None: no entry is about the model."""
    best, best_rank = None, (-1, "")
    for entry in entries:
        said = [len(p.replace("*", "")) for p in entry.models if matches(p, model)]
        rank = (max(said, default=-1), entry.since)
        if said and rank > best_rank:
            best, best_rank = entry, rank
    return best


def matches(pattern: str, model: str) -> bool:
    """Whatever the case; `*` stands for any characters, everything else for itself."""
    return _pattern(pattern).fullmatch(model.lower()) is not None


@lru_cache(maxsize=1024)
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.lower().split("*"))), re.DOTALL)
