"""Use of a quirk: did it change an adapted request? Told from the parts that its adapter named.

For how often a lesson has helped. Adapters name what they changed, not why: of two quirks
that may have changed the same part both count. What changed nothing never does.
"""

from collections.abc import Iterable

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.dialects.refused_part import HISTORY

_TOP = frozenset({"member", "rename", "sampling", "limit"})
"""Kinds that are about members at the top of a body."""
_HISTORY = frozenset(HISTORY)
_NEEDED = _HISTORY | {"tools"}
"""They stay, whatever changes in them."""
_HOLDERS = {
    "message": _HISTORY,
    "call": _HISTORY,
    "part": _HISTORY,
    "block": _HISTORY,
    "item": _HISTORY,
    "tool": frozenset({"tools"}),
}
"""Kinds that are about members of something inside -> where that stands."""
_CONFIG = "generationconfig"
"""Its members are named without it."""
_LENGTHS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
_THOUGHTS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "reasoning_text"}
)
_GENERAL: dict[tuple[str, str] | str, frozenset[str]] = {
    "id": frozenset({"ids"}),
    "role": frozenset({"roles"}),
    "beta": frozenset({"anthropic-beta"}),
    "tool_type": frozenset({"tools", "tool_choice"}),
    "tools": frozenset({"tools", "strict"}),
    "reasoning": _THOUGHTS,
    ("role", "last"): frozenset({"roles", "prefix"}),
    ("sampling", "thinking"): frozenset({"temperature", "top_p", "top_k"}),
    ("tools", "single"): frozenset({"tools", "tool_calls"}),
    ("tools", "arguments"): frozenset({"arguments"}),
    ("tools", "paired"): frozenset({"tools", "tool_calls", "tool results"}),
    **{("limit", name): _LENGTHS for name in _LENGTHS},
    **{("limit", f"plain_{name}"): _LENGTHS for name in _LENGTHS},
}
"""Kinds, and some of their names -> words that adapters have for what they change."""
_WORDS = frozenset({"content", "effort", "thinking", "signature"}).union(
    *_GENERAL.values()
)
"""Parts that a wildcard of members does not stand for."""


_HOLDS = {
    "effort": frozenset(
        {"reasoning_effort", "reasoning", "output_config", "thinking_config"}
    ),
    "thinking": frozenset(
        {"thinking", "enable_thinking", "reasoning", "thinking_config"}
    ),
    "tool_choice": frozenset({"tool_choice"}),
    **dict.fromkeys(("tool", "tools", "tool_type", "schema"), frozenset({"tools"})),
}
"""Kinds of quirks -> top-level members that they change."""


def is_about(quirk: Quirk, members: frozenset[str]) -> bool:
    """It changes one of these top-level members."""
    if quirk.kind in _TOP:
        return bool({quirk.name, quirk.value} & members)
    return bool(_HOLDS.get(quirk.kind, frozenset()) & members)


def has_changed(quirk: Quirk, adapted: Adapted) -> bool:
    """It changed something of this request, or may have."""
    kind, name = quirk.kind, quirk.name
    parts = frozenset(adapted.parts)
    words = _GENERAL.get((kind, name))
    if words is not None:
        return bool(words & parts)
    top = adapted.dropped.union(adapted.replaced, adapted.renamed)
    if kind in _TOP:
        return _of_top(_plain(name), {*map(_plain, parts)}, {*map(_plain, top)})
    if (holders := _HOLDERS.get(kind)) is not None:
        if not name.endswith("*"):
            return name in parts
        inside = parts - top if name != "*" else parts - top - _WORDS
        return bool(holders & top) and _any_is(name, inside)
    if kind == "schema":
        return name in parts
    if kind == "reasoning" and quirk.value in parts:
        return True
    return bool(_GENERAL.get(kind, frozenset({kind})) & parts)


def _of_top(name: str, parts: set[str], top: set[str]) -> bool:
    """All as `_plain` writes them."""
    outer, _, inner = name.partition(".")
    if inner:
        return outer in top and name in parts
    if _CONFIG in top:
        return name in parts
    return _any_is(name, (parts & top) - _NEEDED)


def _plain(name: str) -> str:
    """Protocol buffers have two spellings of each name."""
    return name.replace("_", "").lower()


def _any_is(name: str, parts: Iterable[str]) -> bool:
    """`*` at the end of a name stands for the rest."""
    if name.endswith("*"):
        return any(part.startswith(name[:-1]) for part in parts)
    return name in parts
