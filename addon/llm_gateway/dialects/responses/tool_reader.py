"""Reads tools of a Responses request, wherever they are declared, and the choice among them."""

from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.responses.item_reader import CARRIERS, SEARCH
from llm_gateway.translation.tools import (
    FreeformTool,
    FunctionTool,
    Mode,
    ServerTool,
    Tool,
    ToolChoice,
)

_MODES: dict[object, Mode] = {"auto": "auto", "none": "none", "required": "required"}
_OWN = ("function", "custom")
_SEARCHES = "Finds tools that are not declared yet, by what they are for."
_QUERY: Json = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
}
"""What a search takes whose client does not say it."""


def read_tools(body: Json) -> tuple[Tool, ...]:
    """Those of `tools`, then those that items of the input add; each once, the last word
    on it counts."""
    found: dict[tuple[str, str, str], Tool] = {}
    for declared in (
        body.get("tools"),
        *(
            item.get("tools")
            for item in objects(body.get("input"))
            if text_of(item.get("type")) in CARRIERS
        ),
    ):
        for tool in objects(declared):
            for read in _read(tool, ""):
                own = not isinstance(read, ServerTool)
                space = "" if isinstance(read, ServerTool) else read.namespace
                kind = "" if own else f"{len(found)}"
                found[kind, space, read.name] = read
    return tuple(found.values())


def _read(tool: Json, namespace: str) -> Iterator[Tool]:
    kind = text_of(tool.get("type"))
    if kind == "namespace":
        for inner in objects(tool.get("tools")):
            yield from _read(inner, text_of(tool.get("name")))
        return
    if kind == SEARCH and tool.get("execution") == "client":
        schema = tool.get("parameters")
        yield FunctionTool(
            SEARCH,
            text_of(tool.get("description")) or _SEARCHES,
            schema if isinstance(schema, dict) else _QUERY,
            kind=SEARCH,
        )
        return
    if kind not in _OWN:
        name = text_of(tool.get("name")) or text_of(tool.get("server_label")) or kind
        yield ServerTool(kind, name, tool)
        return
    said = object_of(tool.get(kind)) or tool  # nested, as chat has it
    name, description = text_of(said.get("name")), text_of(said.get("description"))
    if not name:
        return
    if kind == "custom":
        format = object_of(said.get("format"))
        is_free = format.get("type") in (None, "text")
        grammar = None if is_free else format
        yield FreeformTool(name, description, grammar, namespace)
        return
    schema, strict = said.get("parameters"), said.get("strict")
    yield FunctionTool(
        name,
        description,
        schema if isinstance(schema, dict) else None,
        strict if isinstance(strict, bool) else None,
        namespace,
    )


def read_tool_choice(value: object) -> ToolChoice | None:
    if isinstance(value, str):
        mode = _MODES.get(value)
        return None if mode is None else ToolChoice(mode)
    choice = object_of(value)
    kind = text_of(choice.get("type"))
    if kind in _OWN:
        said = object_of(choice.get(kind)) or choice
        return ToolChoice(
            "one", text_of(said.get("name")), text_of(choice.get("namespace"))
        )
    if kind == "allowed_tools":
        said = object_of(choice.get(kind)) or choice
        allowed = tuple(_names(said))
        mode = _MODES.get(said.get("mode"), "auto")
        return ToolChoice(mode, allowed=allowed) if allowed else ToolChoice("none")
    if not kind:
        return None
    return ToolChoice("one", text_of(choice.get("name")) or kind, type=kind)


def _names(choice: Json) -> Iterator[str]:
    """Own tools by their names, the provider's by their types."""
    for tool in objects(choice.get("tools")):
        kind = text_of(tool.get("type"))
        said = object_of(tool.get(kind)) or tool
        yield text_of(said.get("name")) if kind in _OWN else kind
