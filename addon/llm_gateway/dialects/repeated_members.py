"""Members that a JSON body gives twice: which of the two counts differs between readers.

RFC 8259 leaves that open, so what is judged here may not be what a provider reads. Where a
member decides who answers or what it costs, a body that gives it twice is refused, also
where one of the two is spelled with escapes (`"mod\\u0065ls"`).

Where a dialect has several spellings of a member, they are one member.

What lives here: `given_twice` for the outermost members, `given_twice_within` for what
stands inside those that may add a fee.
"""

import json
import re
from collections.abc import Sequence

from llm_gateway.dialects.extras import MEMBERS
from llm_gateway.dialects.json_splice import Member
from llm_gateway.dialects.spec import DialectSpec

_READ = frozenset(
    {"model", "stream", "stream_options"}
    | {"messages", "input", "system", "instructions"}
    | {"provider", "cache_control", "max_price", "store", "background"}
)
"""Read by everybody, or routed by, besides a dialect's columns and `extras.MEMBERS`."""
_DECIDES = frozenset({"type", "id", "enabled", "tools", "max_uses", "model", "models"})
"""Members inside those of `extras.MEMBERS` by which these are judged, besides a dialect's
`PlacedExtras` and bounds of the output."""
_other_kind = re.compile(
    rb'"type"\s*:(?!\s*(?:[\[{]|"(?:function|custom|ephemeral|(?i:object|string|array'
    rb'|number|integer|boolean|null))"))'
).search
"""In `tools`: nearly all of them hold client tools and JSON Schema only. These hide no other
kind, and are large, so that they are not read a second time. It begins with what is searched
for as it stands; what is spelled with escapes is looked for apart."""


def given_twice(dialect: DialectSpec, members: Sequence[Member]) -> str | None:
    """The first of the outermost members that must not be given twice, and is."""
    seen: set[str] = set()
    for m in members:
        name = dialect.one_name(m.key)
        if name in seen and any(_counts(dialect, one) for one in (name, m.key)):
            return m.key
        seen.add(name)
    return None


def _counts(dialect: DialectSpec, name: str) -> bool:
    return (
        name in _READ
        or name in MEMBERS
        or name in dialect.counts
        or name in dialect.given_once
        or name == dialect.history_member
        or any(limit.startswith(f"{name}.") for limit in dialect.output_limits)
    )


def given_twice_within(
    dialect: DialectSpec, body: bytes, members: Sequence[Member]
) -> tuple[str, str] | None:
    """(outermost member, what is given twice in one of its objects)."""
    placed = dialect.placed_extras
    own = placed.members if placed is not None else frozenset()
    for m in members:
        if m.key == "tools":
            looked_at = (
                body.find(b"\\u00", m.start, m.end) >= 0
                or _other_kind(body, m.start, m.end) is not None
            )
        elif m.key == "input":
            looked_at = b'"additional_tools"' in body
        else:
            looked_at = m.key in MEMBERS or m.key in own
        if looked_at and body[m.start] in b"[{":
            name = _repeated(body[m.start : m.end], dialect)
            if name is not None:
                return m.key, name
    return None


def _repeated(value: bytes, dialect: DialectSpec) -> str | None:
    found: list[str] = []
    decides = _DECIDES | dialect.given_once
    one_name = dialect.one_name

    def look(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for given, _ in pairs:
            name = one_name(given)
            if name in seen and (name in decides or given in decides):
                found.append(given)
            seen.add(name)

    # Numbers do not matter, and may be longer than Python reads.
    json.loads(value, object_pairs_hook=look, parse_int=len, parse_float=len)
    return found[0] if found else None
