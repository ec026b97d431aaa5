"""What a body asks for beyond an answer: other models, server tools, tariffs.

What lives here: the members that some provider documents as changing who answers or
what it costs, and one reader that turns those of a body into `Extra`s. What each of
them means is a column of the provider's row (`providers/paid_extras.py`).

What this file does not know: any provider, any price.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from llm_gateway.dialects.prompt_size import PromptSize
from llm_gateway.dialects.server_tools import WORD, server_tools
from llm_gateway.domain import Extra

Values = Mapping[str, object]

MEMBERS = frozenset(
    {
        "models",
        "fallbacks",
        "route",
        "preset",
        "plugins",
        "tools",
        "web_search_options",
        "search_parameters",
        "search_settings",
        "enable_search",
        "enable_code_interpreter",
        "web_search",
        "connectors",
        "compound_custom",
        "mcp_servers",
        "prompt",
        "service_tier",
        "speed",
        "inference_geo",
        "modalities",
        "serviceTier",
    }
)
"""Top-level members that are looked at, whatever the dialect."""
MOST = 64
"""Extras of one body that are told apart."""
TOO_MANY = Extra("(more)")
"""Stands for those beyond MOST: whatever they are, they are not known to be free."""
NO_TEXT = "that is no text"
"""Stands for a tariff that is no word: whatever it is, it is none of the usual ones."""
_IN_TABLES = {"serviceTier": "service_tier"}
"""Names of members that the tables have under another one."""
_TARIFFS = frozenset({"service_tier", "speed", "inference_geo"})
_LISTS = frozenset(
    {
        "models",
        "fallbacks",
        "plugins",
        "tools",
        "connectors",
        "mcp_servers",
        "modalities",
    }
)
"""Members that hold several things: an empty list holds none. Elsewhere an empty value
switches something on: `"web_search_options": {}`."""


class PlacedExtras(NamedTuple):
    """Where a dialect has extras in places of its own."""

    members: frozenset[str]
    """Top-level members that are looked at besides MEMBERS."""
    read: Callable[[Values], Iterator[tuple[str, object]]]
    """Each value, with its name among MEMBERS: `("modalities", ["IMAGE"])`."""


def extras(
    values: Values,
    weight: PromptSize,
    *,
    cached: str = "",
    placed: PlacedExtras | None = None,
) -> tuple[Extra, ...]:
    """The extras of a body; empty for most.

    `weight` is that of its messages; `cached` how long what is written to the cache is
    to be kept (`5m`, `1h`), "" when nothing asks for that; `placed` the dialect's own.
    """
    named = [(_IN_TABLES.get(n, n), values[n]) for n in values.keys() & MEMBERS]
    if placed is not None and not placed.members.isdisjoint(values):
        named += placed.read(values)
    later = _later_tools(values.get("input"))
    if not (named or later or cached or weight.audio or weight.files):
        return ()
    found: dict[tuple[str, str], Extra] = {}
    for extra in _extras(named, later, weight, cached):
        if len(found) > MOST:
            break
        found.setdefault((extra.member, extra.word), extra)
    kept = tuple(found.values())
    return kept if len(kept) <= MOST else (*kept[:MOST], TOO_MANY)


def _extras(
    named: list[tuple[str, object]],
    later: list[object],
    weight: PromptSize,
    cached: str,
) -> Iterator[Extra]:
    if weight.audio:
        yield Extra("content", "audio", weight.audio)
    if weight.files:
        yield Extra("content", "file", weight.files)
    if cached:
        yield Extra("cache_control", cached)
    # What is long comes last: it must not crowd out who answers.
    for member, value in sorted(named, key=lambda one: (one[0] in _LISTS, one[0])):
        for word, times in _words(member, value):
            yield Extra(member, word, times)
    for word, times in server_tools(later):
        yield Extra("tools", word, times)


def _later_tools(items: object) -> list[object]:
    """Tools that come with the turns of a conversation, as `additional_tools` do."""
    found: list[object] = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and (tools := item.get("tools")):
            found += tools if isinstance(tools, list) else [tools]
    return found


def _words(member: str, value: object) -> Iterator[tuple[str, int]]:
    if value is None or (member in _LISTS and value == []):
        return
    if member in _TARIFFS:
        yield (value[:WORD].lower() if isinstance(value, str) else NO_TEXT), 1
    elif value is False or (member == "prompt" and not isinstance(value, dict)):
        return  # switched off; a completion's own text, and no stored one
    elif member == "tools":
        yield from server_tools(value)
    elif isinstance(value, str):
        yield value[:WORD].lower(), 1
    elif member in ("plugins", "modalities"):
        for item in value if isinstance(value, list) else [value]:
            name = item.get("id") if isinstance(item, dict) else item
            if isinstance(item, dict) and item.get("enabled") is False:
                continue
            yield (name[:WORD].lower() if isinstance(name, str) else ""), 1
    else:
        yield "", 1


_BUDGETS = frozenset({"thinking", "reasoning", "thinking_config", "thinking_budget"})
"""Top-level members that one stands in."""


def thinking_budget(values: Values) -> int:
    """Tokens of the answer that the body sets aside for thinking; 0: none."""
    if _BUDGETS.isdisjoint(values):
        return 0
    for member, name in (
        ("thinking", "budget_tokens"),
        ("reasoning", "max_tokens"),
        ("thinking_config", "thinking_budget"),
    ):
        inner = values.get(member)
        if isinstance(inner, dict):
            budget = inner.get(name)
            if type(budget) is int and budget > 0:
                return budget
    budget = values.get("thinking_budget")
    return budget if type(budget) is int and budget > 0 else 0
