"""Writes a conversation in neutral form as an Anthropic Messages request."""

from llm_gateway.dialects.declared_tools import (
    NO_PARAMETERS,
    DeclaredTools,
    OwnTool,
    description_of,
)
from llm_gateway.dialects.messages.settings_writer import write_settings
from llm_gateway.dialects.messages.turn_writer import TurnWriter, cache_control
from llm_gateway.dialects.tool_names import INPUT_SCHEMA
from llm_gateway.translation.carried import Notes
from llm_gateway.translation.codec import Target, Written
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.foreign import note_members
from llm_gateway.translation.tools import FreeformTool

_CHOICES = {"auto": "auto", "none": "none", "required": "any", "one": "tool"}


def write_request(conversation: Conversation, target: Target, notes: Notes) -> Written:
    """The canonical form. What turns 1 to n become is a function of these turns and the
    target alone."""
    tools = DeclaredTools(conversation, notes)
    turns = TurnWriter(target, notes, tools.names)
    system, messages = turns.write(conversation.turns)
    body: dict[str, object] = {}
    if system:
        body["system"] = system
    body["messages"] = messages
    _write_tools(body, tools, conversation.settings.parallel)
    write_settings(body, conversation, target, notes)
    note_members(conversation, notes)
    return Written(body, tools.origins())


def _write_tools(
    body: dict[str, object], tools: DeclaredTools, parallel: bool | None
) -> None:
    written = [_tool(name, tool) for name, tool in tools.written()]
    if not written:
        return
    body["tools"] = written
    choice: dict[str, object] = {"type": "auto"}
    if tools.choice is not None:
        choice["type"] = _CHOICES[tools.choice.mode]
        if tools.choice.mode == "one":
            choice["name"] = tools.chosen_name()
    if parallel is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if tools.choice is not None or len(choice) > 1:
        body["tool_choice"] = choice


def _tool(name: str, tool: OwnTool) -> dict[str, object]:
    written: dict[str, object] = {"name": name}
    if description := description_of(tool):
        written["description"] = description
    if isinstance(tool, FreeformTool):
        written["input_schema"] = INPUT_SCHEMA
        return written
    schema = tool.parameters or NO_PARAMETERS
    if "type" not in schema:
        schema = {"type": "object", **schema}
    written["input_schema"] = schema
    if tool.cache:
        written["cache_control"] = cache_control(tool.cache)
    return written
