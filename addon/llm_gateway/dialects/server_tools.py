"""Server tools of a request: the kinds in `tools` that are not the client's own to run.

Three ways to name a kind are read: `type` (OpenAI, Anthropic, most others), a member of that
name (Gemini: `{"googleSearch": {}}`), and bare text. An object stands for a list of one, and
a namespace holds further tools. What has no form that is known here is of the kind "", which
nobody lists as free.
"""

import re
from collections.abc import Iterator, Mapping

WORD = 60
"""Characters of a kind that are kept."""

_CLIENT_TOOLS = frozenset({"function", "custom"})
"""Run by the client, everywhere: nobody bills them."""
_DECLARATIONS = frozenset({"functionDeclarations", "function_declarations"})
"""The same, where a tool has its kinds for names of members."""
_DECLARED = _DECLARATIONS | frozenset(
    {"type", "name", "title", "description", "function", "custom", "tools"}
    | {"parameters", "parametersJsonSchema", "parameters_json_schema"}
    | {"input_schema", "inputSchema", "output_schema", "outputSchema"}
    | {"response", "responseJsonSchema", "response_json_schema", "returns"}
    | {"strict", "format", "behavior", "examples", "input_examples", "annotations"}
    | {"cache_control", "cacheControl", "defer_loading", "allowed_callers"}
    | {"eager_input_streaming", "metadata", "_meta", "id", "icons", "execution"}
)
"""Members that describe a client's own tool."""
_KINDS = frozenset(
    {"google_search", "google_search_retrieval", "google_maps"}
    | {"enterprise_web_search", "url_context", "code_execution", "file_search"}
)
"""Kinds that are named by a member, whatever `type` stands beside it."""
_humps = re.compile("(?<=[a-z])(?=[A-Z])")


def server_tools(value: object) -> Iterator[tuple[str, int]]:
    """(kind, how often it may be used) of each; those of the client are left out."""
    todo = _listed(value)
    for tool in todo:  # grows while it is walked
        if isinstance(tool, str):
            yield tool[:WORD].lower(), 1
        elif isinstance(tool, list):
            todo += tool
        elif isinstance(tool, dict):
            todo += _listed(tool.get("tools"))  # a namespace of tools
            yield from _kinds(tool)
        elif tool is not None:
            yield "", 1


def _listed(value: object) -> list[object]:
    if isinstance(value, list):
        return list(value)
    return [] if value is None or value is False else [value]


def _kinds(tool: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    kind = tool.get("type")
    named: list[str] = []
    if kind is None and not ("name" in tool or "function" in tool):
        # Gemini's: its kinds are names of members. Of one with none of them nothing is
        # known; but declarations alone, or none, are the client's.
        named = [name for name in tool if name not in _DECLARATIONS and name != "type"]
        if not named and _DECLARATIONS.isdisjoint(tool):
            named = [""]
    elif kind is None or (isinstance(kind, str) and kind in _CLIENT_TOOLS):
        # Its members describe it; another one that holds something is a kind.
        if _DECLARED.issuperset(tool):
            return
        named = [
            name
            for name, held in tool.items()
            if name not in _DECLARED
            and (
                held is True or isinstance(held, dict | list) or _snake(name) in _KINDS
            )
        ]
    else:
        most = tool.get("max_uses")
        times = most if type(most) is int and most > 0 else 1
        yield (kind[:WORD].lower() if isinstance(kind, str) else ""), times
        named = [name for name in tool if name != kind and _snake(name) in _KINDS]
    for name in named:
        yield _snake(name)[:WORD], 1


def _snake(name: str) -> str:
    return _humps.sub("_", name).lower()
