"""What a body asks for beyond an answer: other models, server tools, tariffs.

What lives here: the members that some provider documents as changing who answers or
what it costs, and one reader that turns those of a body into `Extra`s. What each of
them means is a column of the provider's row (`providers/paid_extras.py`).

What this file does not know: any provider, any price.
"""

import re
from collections.abc import Iterator, Mapping

from llm_gateway.dialects.prompt_size import PromptSize
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
WORD = 60
"""Characters of a value that are kept."""
MOST = 64
"""Extras of one body that are told apart."""
_CLIENT_TOOLS = frozenset({"function", "custom"})
"""Run by the client, everywhere: nobody bills them."""
_DECLARATIONS = frozenset({"functionDeclarations", "function_declarations"})
"""The same, where a tool has its kinds for names of members."""
_humps = re.compile("(?<=[a-z])(?=[A-Z])")


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
    for times, word in ((weight.audio, "audio"), (weight.files, "file")):
        if times:
            found["content", word] = Extra("content", word, times)
    if cached:
        found["cache_control", cached] = Extra("cache_control", cached)
    for member in sorted(named):
        for name, word, times in _said(member, values[member]):
            found.setdefault((name, word), Extra(name, word, times))
            if len(found) >= MOST:
                return tuple(found.values())
    for word, times in _tools(later):
        found.setdefault(("tools", word), Extra("tools", word, times))
    return tuple(found.values())[:MOST]


def _later_tools(items: object) -> list[object]:
    """Tools that come with the turns of a conversation, as `additional_tools` do."""
    found: list[object] = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(tools := item.get("tools"), list):
            found += tools
    return found


def _said(member: str, value: object) -> Iterator[tuple[str, str, int]]:
    """(member as the tables name it, word, times)."""
    if member == "serviceTier":
        member = "service_tier"
    elif member in ("generationConfig", "generation_config"):
        if not isinstance(value, dict):
            return
        value = value.get("responseModalities", value.get("response_modalities"))
        member = "modalities"
    for word, times in _words(member, value):
        yield member, word, times


def _words(member: str, value: object) -> Iterator[tuple[str, int]]:
    if value is None or value is False or value in ([], {}):
        return
    if member == "prompt" and not isinstance(value, dict):
        return  # a completion's own text, and no stored one
    if member == "tools":
        yield from _tools(value)
    elif isinstance(value, str):
        yield value[:WORD].lower(), 1
    elif isinstance(value, list) and member in ("plugins", "modalities"):
        for item in value:
            name = item.get("id") if isinstance(item, dict) else item
            if isinstance(item, dict) and item.get("enabled") is False:
                continue
            yield (name[:WORD].lower() if isinstance(name, str) else ""), 1
    else:
        yield "", 1


def _tools(value: object) -> Iterator[tuple[str, int]]:
    """Types of tools that are not the client's own to run."""
    todo = list(value) if isinstance(value, list) else []
    for tool in todo:  # grows while it is walked
        if not isinstance(tool, dict):
            continue
        if isinstance(inner := tool.get("tools"), list):
            todo.extend(inner)  # a namespace of tools
        kind = tool.get("type")
        if kind is None:
            # Anthropic's client tools have no type; Gemini's have their kinds for names.
            if "name" in tool or "function" in tool:
                continue
            kinds = [k for k in tool if k not in _DECLARATIONS]
            if kinds or not tool:
                for name in kinds or [""]:
                    yield _humps.sub("_", str(name))[:WORD].lower(), 1
            continue
        if not isinstance(kind, str) or kind in _CLIENT_TOOLS:
            continue
        most = tool.get("max_uses")
        yield kind[:WORD].lower(), most if type(most) is int and most > 0 else 1


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
