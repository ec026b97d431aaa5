"""Members that a JSON body gives twice: which of the two counts differs between readers.

RFC 8259 leaves that open, so what is judged here may not be what a provider reads. Where a
member decides who answers or what it costs, a body that gives it twice is refused, also
where one of the two is spelled with escapes (`"mod\\u0065ls"`).

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
    | {"messages", "input", "contents", "system", "instructions"}
    | {"provider", "cache_control", "max_price", "store", "background"}
)
"""Read by everybody, or routed by, besides a dialect's `counts` and `extras.MEMBERS`."""
_DECIDES = frozenset(
    {"type", "id", "enabled", "tools", "max_uses", "model", "models"}
    | {"responseModalities", "response_modalities"}
)
"""Members inside those of `extras.MEMBERS` by which these are judged."""
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
        if m.key in seen and (
            m.key in _READ
            or m.key in MEMBERS
            or m.key in dialect.counts
            or any(name.startswith(f"{m.key}.") for name in dialect.output_limits)
        ):
            return m.key
        seen.add(m.key)
    return None


def given_twice_within(
    body: bytes, members: Sequence[Member]
) -> tuple[str, str] | None:
    """(outermost member, what is given twice in one of its objects)."""
    for m in members:
        if m.key == "tools":
            looked_at = (
                body.find(b"\\u00", m.start, m.end) >= 0
                or _other_kind(body, m.start, m.end) is not None
            )
        elif m.key == "input":
            looked_at = b'"additional_tools"' in body
        else:
            looked_at = m.key in MEMBERS
        if looked_at and body[m.start] in b"[{":
            name = _repeated(body[m.start : m.end])
            if name is not None:
                return m.key, name
    return None


def _repeated(value: bytes) -> str | None:
    found: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen and name in _DECIDES:
                found.append(name)
            seen.add(name)

    # Numbers do not matter, and may be longer than Python reads.
    json.loads(value, object_pairs_hook=look, parse_int=len, parse_float=len)
    return found[0] if found else None
