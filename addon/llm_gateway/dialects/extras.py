"""What a body asks for beyond an answer: other models, server tools, tariffs.

What lives here: the members that some provider documents as changing who answers or
what it costs, and one reader that turns those of a body into `Extra`s. What each of
them means is a column of the provider's row (`providers/paid_extras.py`).

What this file does not know: any provider, any price.
"""

from collections.abc import Iterator, Mapping, Set

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
        "generationConfig",
        "generation_config",
    }
)
"""Top-level members that are looked at."""
MOST = 64
"""Extras of one body that are told apart."""
TOO_MANY = Extra("(more)")
"""Stands for those beyond MOST: whatever they are, they are not known to be free."""
NO_TEXT = "that is no text"
"""Stands for a tariff that is no word: whatever it is, it is none of the usual ones."""
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
_CONFIGS = frozenset({"generationConfig", "generation_config"})
_MODALITIES = ("responseModalities", "response_modalities")


def extras(
    values: Values, weight: PromptSize, *, cached: str = ""
) -> tuple[Extra, ...]:
    """The extras of a body; empty for most.

    `weight` is that of its messages; `cached` how long what is written to the cache is
    to be kept (`5m`, `1h`), "" when nothing asks for that.
    """
    named = values.keys() & MEMBERS
    later = _later_tools(values.get("input"))
    if not (named or later or cached or weight.audio or weight.files):
        return ()
    found: dict[tuple[str, str], Extra] = {}
    for extra in _extras(values, named, later, weight, cached):
        if len(found) > MOST:
            break
        found.setdefault((extra.member, extra.word), extra)
    kept = tuple(found.values())
    return kept if len(kept) <= MOST else (*kept[:MOST], TOO_MANY)


def _extras(
    values: Values,
    named: Set[str],
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
    for member in sorted(named, key=lambda name: (name in _LISTS, name)):
        for name, word, times in _said(member, values[member]):
            yield Extra(name, word, times)
    for word, times in server_tools(later):
        yield Extra("tools", word, times)


def _later_tools(items: object) -> list[object]:
    """Tools that come with the turns of a conversation, as `additional_tools` do."""
    found: list[object] = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and (tools := item.get("tools")):
            found += tools if isinstance(tools, list) else [tools]
    return found


def _said(member: str, value: object) -> Iterator[tuple[str, str, int]]:
    """(member as the tables name it, word, times)."""
    if member in _CONFIGS:
        if isinstance(value, dict):
            for name in _MODALITIES:
                for word, times in _words("modalities", value.get(name)):
                    yield "modalities", word, times
        return
    if member == "serviceTier":
        member = "service_tier"
    for word, times in _words(member, value):
        yield member, word, times


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


_BUDGETS = frozenset(
    {"thinking", "reasoning", "thinking_config", "thinking_budget"}
    | {"generationConfig", "generation_config"}
)
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
    for member, inner, name in (
        ("generationConfig", "thinkingConfig", "thinkingBudget"),
        ("generation_config", "thinking_config", "thinking_budget"),
    ):
        outer = values.get(member)
        config = outer.get(inner) if isinstance(outer, dict) else None
        budget = config.get(name) if isinstance(config, dict) else None
        if type(budget) is int and budget > 0:
            return budget
    budget = values.get("thinking_budget")
    return budget if type(budget) is int and budget > 0 else 0
