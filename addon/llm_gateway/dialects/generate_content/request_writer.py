"""Writes a conversation in neutral form as a generateContent request."""

from llm_gateway.dialects.declared_tools import (
    DeclaredTools,
    OwnTool,
    description_of,
)
from llm_gateway.dialects.generate_content.content_writer import ContentWriter
from llm_gateway.dialects.generate_content.schema_words import write_schema
from llm_gateway.dialects.generate_content.settings_writer import write_settings
from llm_gateway.dialects.tool_names import INPUT_SCHEMA
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target, Written
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.foreign import note_members
from llm_gateway.translation.tools import FreeformTool

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "one": "ANY"}


def write_request(conversation: Conversation, target: Target, notes: Notes) -> Written:
    """The canonical form. What turns 1 to n become is a function of these turns and the
    target alone. Whether it streams stands in the path."""
    tools = DeclaredTools(conversation, notes)
    contents = ContentWriter(target, notes, tools.names)
    system, said = contents.write(conversation.turns)
    body: dict[str, object] = {}
    if system:
        body["systemInstruction"] = {"parts": system}
    body["contents"] = said
    _write_tools(body, tools, notes)
    if conversation.settings.parallel is False and conversation.tools:
        notes.use(PartName.PARALLEL_OFF)
    write_settings(body, conversation, target, notes)
    note_members(conversation, notes)
    return Written(body, tools.origins())


def _write_tools(body: dict[str, object], tools: DeclaredTools, notes: Notes) -> None:
    left_out: set[str] = set()
    declared = [_declared(name, tool, left_out) for name, tool in tools.written()]
    if left_out:
        words = ", ".join(sorted(left_out))
        notes.approximate(PartName.TOOL, f"schemas without {words[:200]}")
    if not declared:
        return
    body["tools"] = [{"functionDeclarations": declared}]
    if tools.choice is None:
        return
    calling: dict[str, object] = {"mode": _MODES[tools.choice.mode]}
    if tools.choice.mode == "one":
        calling["allowedFunctionNames"] = [tools.chosen_name()]
    body["toolConfig"] = {"functionCallingConfig": calling}


def _declared(name: str, tool: OwnTool, left_out: set[str]) -> dict[str, object]:
    written: dict[str, object] = {"name": name}
    if description := description_of(tool):
        written["description"] = description
    if isinstance(tool, FreeformTool):
        written["parametersJsonSchema"] = write_schema(INPUT_SCHEMA, left_out)
    elif tool.parameters and tool.parameters.get("properties"):
        # An object without properties is refused, and says as much as none.
        schema = write_schema(tool.parameters, left_out)
        written["parametersJsonSchema"] = {"type": "object", **schema}
    return written
