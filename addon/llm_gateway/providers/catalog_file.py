"""The catalogue as JSON: from its text to `Published`, or to every mistake in it. Pure.

    {"format": 1, "as_of": "2026-11-29",
     "free_tiers": [{"id", "provider", "models", "limits", "per", "as_of", "source", …}],
     "models":     [{"id", "provider", "models", "context_window", "max_output", "pricing", …}],
     "accounts":   [{"id", "provider", "counted_by", …}]}

Limits and prices are called as in the config (`requestsPerDay`, `inputCostPerMillionTokens`).
There is no address in it: a catalogue of somebody else's can send no key anywhere.

What this file does not know: where the text came from, which catalogue is in force.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from llm_gateway.config.strict_json import no_constant, unique_members
from llm_gateway.config.suggestions import nearest
from llm_gateway.domain import NANO, Metric, Price, Window
from llm_gateway.providers.published import (
    AccountFact,
    FreePreset,
    ModelFact,
    Published,
)

FORMAT = 1
LONGEST_TEXT = 600
MOST_ENTRIES = 5_000
MOST_NAMES = 200
MOST = 10**15

T = TypeVar("T", FreePreset, ModelFact, AccountFact)


class CatalogFileError(ValueError):
    """A catalogue that cannot be used, with every mistake in it, a line each:
    `catalog.json: free_tiers[3].as_of: "soon" is no date; write YYYY-MM-DD`."""

    def __init__(self, name: str, *problems: str) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.problems = problems


class _Wrong(ValueError):
    """A clause that follows the value, and what to write instead."""


Reader = Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("is no text; write some")
    if len(value) > LONGEST_TEXT:
        raise _Wrong(f"is too long; write at most {LONGEST_TEXT} characters")
    if not value.isprintable():
        raise _Wrong("has control characters in it; leave them out")
    return value


def _words(value: Any) -> str:
    return "" if value == "" else _text(value)


def _date(value: Any) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    raise _Wrong("is no date; write YYYY-MM-DD")


def _later(value: Any) -> str:
    return "" if value == "" else _date(value)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_NAMES:
        raise _Wrong(f'is no list of 1 to {MOST_NAMES} names; write ["NAME", …]')
    return tuple(_text(item) for item in value)


def _examples(value: Any) -> tuple[str, ...]:
    return () if value == [] else _names(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST:
        raise _Wrong("is no count; write a whole number from 1")
    return value


def _yes_no_unknown(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _Wrong("is neither true nor false; write one of them, or null for unknown")


def _one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            near = nearest(value, words) if isinstance(value, str) else None
            known = ", ".join(f'"{word}"' for word in words)
            raise _Wrong(
                f'is not one of {known}; did you mean "{near}"?'
                if near
                else f"is not known here; write one of {known}"
            )
        return value

    return read


LIMIT_KEYS: Mapping[str, tuple[Metric, Window]] = {
    f"{metric}Per{window.capitalize()}": (metric, window)
    for metric in (Metric.REQUESTS, Metric.TOKENS)
    for window in Window
}


def _limits(value: Any) -> dict[tuple[Metric, Window], int]:
    if not isinstance(value, dict):
        raise _Wrong('is no object; write {"requestsPerDay": 20}, or {} for no numbers')
    found = {}
    for key, amount in value.items():
        if key not in LIMIT_KEYS:
            raise _Wrong(f"has {_unknown(key, LIMIT_KEYS)}")
        try:
            found[LIMIT_KEYS[key]] = _count(amount)
        except _Wrong as wrong:
            raise _Wrong(f'has "{key}": {_shown(amount)}, which {wrong}') from None
    return found


PRICE_KEYS = {
    "inputCostPerMillionTokens": "input",
    "outputCostPerMillionTokens": "output",
    "cachedInputCostPerMillionTokens": "cached_input",
    "cacheWriteCostPerMillionTokens": "cache_write",
    "costPerRequest": "request",
}


def _pricing(value: Any) -> Price:
    if not isinstance(value, dict) or not value:
        raise _Wrong('is no object; write {"inputCostPerMillionTokens": 0.5, …}')
    found: dict[str, int] = {}
    for key, dollars in value.items():
        if key not in PRICE_KEYS:
            raise _Wrong(f"has {_unknown(key, PRICE_KEYS)}")
        is_number = isinstance(dollars, int | Decimal) and not isinstance(dollars, bool)
        if not is_number or not 0 <= dollars <= 1_000_000:
            raise _Wrong(
                f'has "{key}": {_shown(dollars)}, which is no price; write dollars'
            )
        found[PRICE_KEYS[key]] = int(
            (Decimal(dollars) * NANO).to_integral_value(ROUND_HALF_UP)
        )
    if not any(found.values()):
        raise _Wrong("costs nothing at all; what is free stands in free_tiers")
    return Price(
        input=found.get("input", 0),
        output=found.get("output", 0),
        cached_input=found.get("cached_input"),
        cache_write=found.get("cache_write"),
        request=found.get("request", 0),
        source="catalog",
    )


def _unknown(key: str, known: Mapping[str, object]) -> str:
    near = nearest(key, known)
    rest = f'did you mean "{near}"?' if near else f"known: {', '.join(known)}"
    return f'the unknown key "{_cut(key)}"; {rest}'


_COMMON: Mapping[str, Reader] = {
    "id": _text,
    "provider": _text,
    "models": _names,
    "as_of": _date,
    "source": _text,
    "note": _words,
    "uncertain": _words,
    "since": _later,
}
_READERS: Mapping[str, Mapping[str, Reader]] = {
    "free_tiers": {
        **_COMMON,
        "limits": _limits,
        "per": _one_of("model", "account", "tier"),
        "status": _one_of("free", "ended", "candidate"),
        "hard_stop": _yes_no_unknown,
        "trains_on_prompts": _one_of("yes", "no", "varies", "unknown"),
        "terms": _words,
        "examples": _examples,
    },
    "models": {
        **_COMMON,
        "context_window": _count,
        "max_output": _count,
        "pricing": _pricing,
    },
    "accounts": {
        **{k: _COMMON[k] for k in ("id", "provider", "as_of", "source", "note")},
        "counted_by": _one_of("project", "organization", "account", "address"),
    },
}
_FIELDS: dict[str, str] = {"pricing": "price"}
"""Keys of the file that a value calls otherwise."""
_ALWAYS = {
    "free_tiers": ("id", "provider", "hard_stop", "trains_on_prompts"),
    "models": (),
    "accounts": (),
}
"""Keys that have to be there though the value has a default."""
_TOP = ("format", "as_of", "free_tiers", "models", "accounts")


def parse(text: str, name: str = "catalog.json") -> Published:
    """The catalogue that a text says. `name`: what messages call it. Raises
    CatalogFileError with every mistake."""
    data = _object(text, name)
    format_ = data.get("format")
    if format_ != FORMAT or isinstance(format_, bool):
        newer = isinstance(format_, int) and format_ > FORMAT
        instead = "it is for a newer gateway; update that first" if newer else f"write {FORMAT}"  # fmt: skip
        raise CatalogFileError(name, f"format: {_shown(format_)} is not {FORMAT}; {instead}")  # fmt: skip
    problems = [
        f"has {_unknown(key, dict.fromkeys(_TOP))}" for key in data if key not in _TOP
    ]
    as_of = ""
    try:
        as_of = _date(data.get("as_of"))
    except _Wrong as wrong:
        problems.append(f"as_of: {_shown(data.get('as_of'))} {wrong}")
    found = Published(
        as_of,
        _section(FreePreset, "free_tiers", data, problems),
        _section(ModelFact, "models", data, problems),
        _section(AccountFact, "accounts", data, problems),
    )
    problems += _of_several(found)
    if problems:
        raise CatalogFileError(name, *problems)
    return found


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        data = json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=Decimal,
            parse_constant=no_constant,
        )
    except json.JSONDecodeError as e:
        raise CatalogFileError(
            name, f"line {e.lineno}, column {e.colno}: is no JSON: {e.msg}"
        ) from None
    except (ValueError, RecursionError, ArithmeticError) as e:
        raise CatalogFileError(name, f"is no JSON: {e}"[:200]) from None
    if not isinstance(data, dict):
        raise CatalogFileError(name, 'is no object; write {"format": 1, …}')
    return data


def _section(
    kind: type[T], section: str, data: Mapping[str, Any], problems: list[str]
) -> tuple[T, ...]:
    given = data.get(section, [])
    if not isinstance(given, list) or len(given) > MOST_ENTRIES:
        problems.append(f"{section}: is no list of entries; write [{{…}}]")
        return ()
    found = []
    for index, item in enumerate(given):
        said = _entry(kind, section, item)
        if isinstance(said, list):
            problems += [f"{section}[{index}]{problem}" for problem in said]
        else:
            found.append(said)
    return tuple(found)


def _entry(kind: type[T], section: str, item: Any) -> T | list[str]:
    """The value, or what is wrong with it, as `.key: …` or `: …`."""
    if not isinstance(item, dict):
        return [": is no object; write {…}"]
    readers = _READERS[section]
    problems = [f": has {_unknown(k, readers)}" for k in item if k not in readers]
    wanted = {f.name for f in fields(kind) if f.default is MISSING}
    keys = [k for k in readers if _FIELDS.get(k, k) in wanted or k in _ALWAYS[section]]
    problems += [f': "{key}" is missing; write it' for key in keys if key not in item]
    values: dict[str, Any] = {}
    for key, read in readers.items():
        if key in item:
            value = item[key]
            try:
                values[_FIELDS.get(key, key)] = read(value)
            except _Wrong as wrong:
                problems.append(f".{key}: {_shown(value)} {wrong}")
    if problems:
        who = item.get("id")
        named = f" ({_cut(who)})" if isinstance(who, str) and who.isprintable() else ""
        return [f"{named}{problem}" for problem in problems]
    return kind(**values)


def _of_several(found: Published) -> list[str]:
    """What only shows when entries are seen together."""
    problems = []
    for section in (found.free_tiers, found.models, found.accounts):
        ids = [entry.id for entry in section]
        problems += [
            f"{id_}: is there twice; an id names one entry"
            for id_ in dict.fromkeys(ids)
            if ids.count(id_) > 1
        ]
    for entry in found.entries():
        if found.as_of and entry.as_of > found.as_of:
            problems.append(
                f"{entry.id}: is of {entry.as_of}, the catalogue of {found.as_of}; "
                "its as_of is that of its youngest entry"
            )
    return problems


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return unique_members(pairs, lambda key: f'"{_cut(key)}"')


def _cut(text: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return shown + "…" * (len(text) > 60)


def _shown(value: Any) -> str:
    """What was found, short."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return f'"{_cut(value)}"'
        case None | True | False:
            return json.dumps(value)
        case _:
            return str(value)[:40]


# -- and back


def dump(found: Published) -> str:
    """The text of a catalogue; `parse` reads the same values from it."""
    data: dict[str, Any] = {"format": FORMAT, "as_of": found.as_of}
    for section in ("free_tiers", "models", "accounts"):
        data[section] = [plain(entry) for entry in getattr(found, section)]
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def plain(entry: FreePreset | ModelFact | AccountFact) -> dict[str, Any]:
    """One entry as the file has it, without what is left at its default."""
    section = _SECTIONS[type(entry)]
    back: dict[str, str] = {_FIELDS.get(key, key): key for key in _READERS[section]}
    found: dict[str, Any] = {}
    for field in fields(entry):
        value = getattr(entry, field.name)
        key = back[field.name]
        if value == field.default and key not in _ALWAYS[section]:
            continue
        match value:
            case Price():
                found[key] = {
                    k: _dollars(amount)
                    for k, name in PRICE_KEYS.items()
                    if (amount := getattr(value, name)) is not None
                }
            case Mapping():
                found[key] = {k: value[m] for k, m in LIMIT_KEYS.items() if m in value}
            case tuple():
                found[key] = list(value)
            case _:
                found[key] = value
    return {key: found[key] for key in back.values() if key in found}


def _dollars(nano: int) -> float | int:
    return nano // NANO if nano % NANO == 0 else nano / NANO


_SECTIONS: Mapping[type, str] = {
    FreePreset: "free_tiers",
    ModelFact: "models",
    AccountFact: "accounts",
}
