"""Writes declared tools, and the choice among them, as functions of chat completions."""

from llm_gateway.dialects.declared_tools import (
    NO_PARAMETERS,
    DeclaredTools,
    OwnTool,
    description_of,
)
from llm_gateway.dialects.tool_names import INPUT_SCHEMA
from llm_gateway.translation.tools import FreeformTool


def write_tools(tools: DeclaredTools, parallel: bool | None) -> dict[str, object]:
    """`tools`, `tool_choice` and `parallel_tool_calls`, those that are needed."""
    written = [_function(name, tool) for name, tool in tools.written()]
    if not written:
        return {}
    members: dict[str, object] = {"tools": written}
    if tools.choice is not None:
        members["tool_choice"] = tools.choice.mode
        if tools.choice.mode == "one":
            function = {"name": tools.chosen_name()}
            members["tool_choice"] = {"type": "function", "function": function}
    if parallel is False:
        members["parallel_tool_calls"] = False
    return members


def _function(name: str, tool: OwnTool) -> dict[str, object]:
    function: dict[str, object] = {"name": name}
    if description := description_of(tool):
        function["description"] = description
    if isinstance(tool, FreeformTool):
        function["parameters"] = INPUT_SCHEMA
    else:
        function["parameters"] = tool.parameters or NO_PARAMETERS
        if tool.strict:
            function["strict"] = True
    return {"type": "function", "function": function}
