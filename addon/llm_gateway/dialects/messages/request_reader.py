"""Reads an Anthropic Messages request into neutral form."""

from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.messages.content_reader import read_content
from llm_gateway.dialects.messages.members import MEMBERS
from llm_gateway.dialects.messages.settings_reader import READ, read_settings
from llm_gateway.translation.cache_marks import cache_mark
from llm_gateway.translation.conversation import Conversation, Role, Turn
from llm_gateway.translation.tools import (
    FunctionTool,
    Mode,
    ServerTool,
    Tool,
    ToolChoice,
)
from llm_gateway.translation.unread import unread

_ROLES: dict[object, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
_OWN_TOOLS = ("", "custom", "function")
_MODES: dict[str, Mode] = {
    "auto": "auto",
    "any": "required",
    "tool": "one",
    "none": "none",
}


def read_request(body: Json) -> Conversation:
    """Top-level values of the body -> neutral form. Never raises on any JSON."""
    tools = tuple(_tools(body))
    return Conversation(
        turns=tuple(_turns(body)),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        settings=read_settings(body),
        extras={
            name: value
            for name, value in body.items()
            if name not in READ and value is not None
        },
        unread=unread(body, MEMBERS),
    )


def _turns(body: Json) -> Iterator[Turn]:
    system = read_content(body.get("system"))
    if system:
        yield Turn("system", system)
    for message in objects(body.get("messages")):
        role = _ROLES.get(message.get("role"), "user")
        yield Turn(role, read_content(message.get("content"), role))


def _tools(body: Json) -> Iterator[Tool]:
    for tool in objects(body.get("tools")):
        kind, name = text_of(tool.get("type")), text_of(tool.get("name"))
        if kind not in _OWN_TOOLS:
            yield ServerTool(kind, name, tool)
        elif name:
            schema, strict = tool.get("input_schema"), tool.get("strict")
            yield FunctionTool(
                name,
                text_of(tool.get("description")),
                schema if isinstance(schema, dict) else None,
                strict if isinstance(strict, bool) else None,
                cache=cache_mark(tool),
            )
    for server in objects(body.get("mcp_servers")):
        yield ServerTool("mcp_servers", text_of(server.get("name")), server)


def _tool_choice(value: object, tools: tuple[Tool, ...]) -> ToolChoice | None:
    choice = object_of(value)
    mode = _MODES.get(text_of(choice.get("type")))
    if mode is None:
        return None
    name = text_of(choice.get("name")) if mode == "one" else ""
    types = (t.type for t in tools if isinstance(t, ServerTool) and t.name == name)
    return ToolChoice(mode, name, type=next(types, "") if name else "")
