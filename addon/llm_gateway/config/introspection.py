"""The models, asked about themselves: which keys exist, which of them hold secrets.

What lives here: walks over the models' fields, so that redaction, suggestions, the
reference and the schema can never disagree with what is accepted. What this file does
not know: any key by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from llm_gateway.config.fields import OneOf, SecretWith
from llm_gateway.config.jsonc import Path
from llm_gateway.config.models import Config
from llm_gateway.config.provider import Section

Pattern = tuple[str, ...]
"""A path in which "*" stands for any position or name: ("providers", "*", "apiKey")."""


def _leaves(annotation: Any) -> Iterator[Any]:
    parts = get_args(annotation)
    if get_origin(annotation) is None or not parts:
        yield annotation
    for part in parts:
        yield from _leaves(part)


def section_of(info: FieldInfo) -> type[Section] | None:
    """The section that a key holds, one or many of them."""
    for leaf in _leaves(info.annotation):
        if isinstance(leaf, type) and issubclass(leaf, Section):
            return leaf
    return None


def _is_many(info: FieldInfo) -> bool:
    return any(get_origin(part) in (tuple, dict) for part in _wrapped(info.annotation))


def _wrapped(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _wrapped(part)


def choices(info: FieldInfo) -> tuple[str, ...]:
    """The words that a key takes, if it takes only some."""
    for part in _wrapped(info.annotation):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return tuple(member.value for member in part)
        if isinstance(part, OneOf):
            return tuple(part.words)
    return tuple(leaf for leaf in _leaves(info.annotation) if isinstance(leaf, str))


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the config, wherever it may stand."""

    pattern: Pattern
    info: FieldInfo
    many: bool
    """A list, or an object with names of the user's own."""
    section: type[Section] | None
    secret: bool


def keys_of(section: type[Section]) -> dict[str, FieldInfo]:
    """Key in the file → field, in the order in which the model has them."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def walk(section: type[Section] = Config, above: Pattern = ()) -> Iterator[Key]:
    """Every key of a section and of those below it."""
    for name, info in keys_of(section).items():
        many = _is_many(info)
        inner = section_of(info)
        secret = any(leaf is SecretStr for leaf in _leaves(info.annotation))
        key = Key((*above, name), info, many, inner, secret)
        yield key
        if inner:
            yield from walk(inner, (*key.pattern, "*") if many else key.pattern)


@cache
def secret_patterns() -> frozenset[Pattern]:
    """Where secrets stand, by the models' own word (`SecretStr`)."""
    return frozenset(
        (*key.pattern, "*") if key.many else key.pattern for key in walk() if key.secret
    )


@cache
def _marks() -> dict[Pattern, str]:
    """Patterns of texts that are secret only with this in them."""
    return {
        key.pattern: part.mark
        for key in walk()
        for part in (*key.info.metadata, *_wrapped_metadata(key.info.annotation))
        if isinstance(part, SecretWith)
    }


def _wrapped_metadata(annotation: Any) -> Iterator[Any]:
    for part in _wrapped(annotation):
        yield from getattr(part, "__metadata__", ())


def is_secret(path: Path) -> bool:
    """Whether a value at this path is one, or part of one."""
    return _pattern(path) is not None


def holds_secret(path: Path, text: str) -> bool:
    """Whether this text at this path tells one."""
    pattern = _pattern(path)
    return pattern is not None and _marks().get(pattern, "") in text


@cache
def _steps() -> dict[Any, Any]:
    """The patterns of secrets as a tree of their steps; at None stands what ends there."""
    tree: dict[Any, Any] = {}
    for pattern in secret_patterns():
        place = tree
        for step in pattern:
            place = place.setdefault(step, {})
        place[None] = pattern
    return tree


def _pattern(path: Path) -> Pattern | None:
    # Each of thousands of values is asked about; nearly all leave at their last step.
    places = [_steps()]
    for step in path:
        places = [place[key] for place in places for key in ("*", step) if key in place]
        for place in places:
            if None in place:
                found: Pattern = place[None]
                return found
        if not places:
            return None
    return None


def section_at(path: Path) -> type[Section] | None:
    """The section in whose object a path ends; None where there is none."""
    section: type[Section] | None = Config
    for step in path:
        if section is None:
            return None
        if isinstance(step, str):
            info = keys_of(section).get(step)
            section = section_of(info) if info else None
    return section
