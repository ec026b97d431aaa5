"""Reads a chat completions request into neutral form."""

from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.chat.members import MEMBERS
from llm_gateway.dialects.chat.message_reader import read_turns
from llm_gateway.dialects.chat.settings_reader import READ, read_settings
from llm_gateway.translation.cache_marks import cache_mark
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.tools import (
    FreeformTool,
    FunctionTool,
    Mode,
    ServerTool,
    Tool,
    ToolChoice,
)
from llm_gateway.translation.unread import unread

_MODES: dict[object, Mode] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",
}


def read_request(body: Json) -> Conversation:
    """Top-level values of the body -> neutral form. Never raises on any JSON."""
    return Conversation(
        turns=read_turns(body.get("messages")),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        settings=read_settings(body),
        extras={
            name: value
            for name, value in body.items()
            if name not in READ and value is not None and not _is_default(name, value)
        },
        unread=unread(body, MEMBERS),
    )


def _is_default(name: str, value: object) -> bool:
    return name == "modalities" and value == ["text"]


def _tools(body: Json) -> Iterator[Tool]:
    for tool in objects(body.get("tools")):
        match text_of(tool.get("type")):
            case "function" | "":
                inner = object_of(tool.get("function")) or tool
                yield from _function(inner, cache_mark(tool))
            case "custom":
                custom = object_of(tool.get("custom"))
                format = custom.get("format")
                yield FreeformTool(
                    text_of(custom.get("name")),
                    text_of(custom.get("description")),
                    _grammar(format) if isinstance(format, dict) else None,
                )
            case kind:
                yield ServerTool(kind, text_of(tool.get("name")), tool)
    for function in objects(body.get("functions")):
        yield from _function(function)
    if isinstance(search := body.get("web_search_options"), dict):
        yield ServerTool("web_search_options", "", search)


def _function(function: Json, cache: str = "") -> Iterator[Tool]:
    name = text_of(function.get("name"))
    if not name:
        return
    schema, strict = function.get("parameters"), function.get("strict")
    yield FunctionTool(
        name,
        text_of(function.get("description")),
        schema if isinstance(schema, dict) else None,
        strict if isinstance(strict, bool) else None,
        cache=cache_mark(function) or cache,
    )


def _grammar(format: Json) -> Json:
    """Chat nests what Responses has flat."""
    return {**object_of(format.get("grammar")), "type": format.get("type")}


def _tool_choice(body: Json) -> ToolChoice | None:
    choice = body.get("tool_choice", body.get("function_call"))
    if isinstance(choice, str):
        mode = _MODES.get(choice)
        return ToolChoice(mode) if mode else None
    given = object_of(choice)
    if given.get("type") == "allowed_tools":
        allowed = object_of(given.get("allowed_tools"))
        names = (_name(tool) for tool in objects(allowed.get("tools")))
        mode = "required" if allowed.get("mode") == "required" else "auto"
        return ToolChoice(mode, allowed=tuple(name for name in names if name))
    name = _name(given)
    return ToolChoice("one", name) if name else None


def _name(choice: Json) -> str:
    for member in ("function", "custom"):
        if name := text_of(object_of(choice.get(member)).get("name")):
            return name
    return text_of(choice.get("name"))
