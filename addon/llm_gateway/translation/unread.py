"""Members inside of a request that the neutral form has no place for, by their names.

A dialect says which members its objects have that are read, or that say nothing to anybody
else (`Members`); whatever else a request holds there is told of in the decision, as
`messages[].annotations`, so that nothing is left out in silence.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from llm_gateway.translation.carried import PartName

MOST_NAMES, LONGEST_NAME = 16, 64
"""Of members that are told of."""

Json = Mapping[str, object]
Unread = tuple[tuple[str, PartName], ...]


class Members(NamedTuple):
    """What an object may hold. Members without a value say nothing, and need not stand here."""

    known: frozenset[str] = frozenset()
    inside: "Mapping[str, Members | ByType]" = MappingProxyType({})
    """Members that hold an object, or a list of them."""
    named: Mapping[str, PartName] = MappingProxyType({})
    """Members that are a part of their own in the tables."""
    others_told: bool = False
    """Of its other members somebody else tells."""


class ByType(NamedTuple):
    """Objects told apart by a member; of others, somebody else tells."""

    types: Mapping[str, Members]
    member: str = "type"
    otherwise: str = ""
    """What an object without the member is."""


def members(
    *names: str,
    named: Mapping[str, PartName] | None = None,
    **inside: "Members | ByType",
) -> Members:
    return Members(frozenset(names), inside, named or {})


def unread(body: Json, shape: Members, spell: Callable[[str], str] = str) -> Unread:
    """Each name once, and what it is in the tables. Top-level members are not looked at
    but for what is inside of them. spell: a member's name as the shape has it."""
    found: dict[tuple[str, PartName], None] = {}
    for name, value in body.items():
        if (inner := shape.inside.get(spell(name))) is not None:
            _into(value, inner, spell(name), found, spell)
    return tuple(found)


def _into(
    value: object,
    shape: Members | ByType,
    path: str,
    found: dict[tuple[str, PartName], None],
    spell: Callable[[str], str],
) -> None:
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                _object(each, shape, f"{path}[]", found, spell)
    elif isinstance(value, dict):
        _object(value, shape, path, found, spell)


def _object(
    value: Json,
    shape: Members | ByType,
    path: str,
    found: dict[tuple[str, PartName], None],
    spell: Callable[[str], str],
) -> None:
    if isinstance(shape, ByType):
        kind = value.get(shape.member) or shape.otherwise
        of_type = shape.types.get(kind) if isinstance(kind, str) else None
        if of_type is None:
            return
        shape = of_type
    known = shape.known
    for raw in [raw for raw in value if raw not in known]:
        if not (given := value[raw]):
            continue
        name = spell(raw)
        if (inner := shape.inside.get(name)) is not None:
            _into(given, inner, f"{path}.{name}", found, spell)
        elif name in known or shape.others_told:
            continue
        elif len(found) < MOST_NAMES:
            part = shape.named.get(name, PartName.UNKNOWN_MEMBER)
            found[f"{path}.{name}"[:LONGEST_NAME], part] = None
