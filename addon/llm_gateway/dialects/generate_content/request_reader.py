"""Reads a generateContent request into neutral form."""

from collections.abc import Iterator

from llm_gateway.dialects.generate_content.members import (
    Json,
    camel,
    member,
    object_in,
    objects_in,
    role_in,
    snake,
    text_in,
    texts_in,
)
from llm_gateway.dialects.generate_content.part_reader import PartReader
from llm_gateway.dialects.generate_content.read_members import MEMBERS
from llm_gateway.dialects.generate_content.schema_words import read_schema
from llm_gateway.dialects.generate_content.settings_reader import (
    other_settings,
    read_settings,
)
from llm_gateway.translation.conversation import Conversation, Part, Text, Turn
from llm_gateway.translation.tools import (
    FunctionTool,
    Mode,
    ServerTool,
    Tool,
    ToolChoice,
)
from llm_gateway.translation.unread import unread

_READ = ("model", "stream", "contents", "systemInstruction", "tools", "toolConfig")
READ = frozenset({*_READ, "generationConfig"})
READ = READ | {snake(name) for name in READ}
"""Top-level members that the neutral form has a place for."""
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_MODES: dict[str, Mode] = {
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}


def read_request(body: Json) -> Conversation:
    """Top-level values, with the `model` and `stream` of the path. Never raises on any JSON."""
    extras = {
        camel(name): value
        for name, value in body.items()
        if name not in READ and value not in (None, [], {})
    }
    return Conversation(
        turns=tuple(_turns(body)),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(object_in(body, "toolConfig")),
        settings=read_settings(body),
        unread=unread(body, MEMBERS, camel),
        extras={**extras, **other_settings(object_in(body, "generationConfig"))},
    )


def _turns(body: Json) -> Iterator[Turn]:
    reader = PartReader()
    system = member(body, "systemInstruction")
    if isinstance(system, str) and system:
        yield Turn("system", (Text(system),))
    elif said := reader.read(object_in(body, "systemInstruction")):
        yield Turn("system", said)
    parts: list[Part] = []
    if isinstance(question := body.get("contents"), str) and question:
        yield Turn("user", (Text(question),))
    for content in objects_in(body, "contents"):
        said = reader.read(content)
        if role_in(content) in ("model", "assistant"):
            # SDKs keep each event of a stream as a content of its own: it is one turn.
            parts += said
            continue
        if parts:
            yield Turn("assistant", tuple(parts))
            parts = []
        if said:
            yield Turn("user", said)
    if parts:
        yield Turn("assistant", tuple(parts))


def _tools(body: Json) -> Iterator[Tool]:
    for tool in objects_in(body, "tools"):
        for declared in objects_in(tool, "functionDeclarations"):
            if name := text_in(declared, "name"):
                yield FunctionTool(
                    name, text_in(declared, "description"), _parameters(declared)
                )
        for kind, value in tool.items():
            if kind not in _DECLARATIONS and value is not None:
                yield ServerTool(camel(kind), kind, {kind: value})


def _parameters(declared: Json) -> Json:
    """A function without any takes an object of nothing."""
    if schema := object_in(declared, "parametersJsonSchema"):
        return schema
    schema = object_in(declared, "parameters")
    return read_schema(schema) if schema else {"type": "object"}


def _tool_choice(config: Json) -> ToolChoice | None:
    calling = object_in(config, "functionCallingConfig")
    mode = _MODES.get(text_in(calling, "mode").upper())
    if mode is None:
        return None
    allowed = tuple(texts_in(calling, "allowedFunctionNames"))
    if mode == "required" and len(allowed) == 1:
        return ToolChoice("one", allowed[0])
    return ToolChoice(mode, allowed=allowed if mode != "none" else ())
