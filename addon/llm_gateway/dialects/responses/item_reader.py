"""Reads `instructions` and `input` of Responses as turns.

What the assistant made in one answer (reasoning, messages, calls) is one turn, and so are the
outputs of calls that follow each other; every other message is a turn of its own.
"""

import json
from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import Json, objects, text_of
from llm_gateway.dialects.responses.compaction import ASKED, PAST, TRIGGER
from llm_gateway.dialects.responses.content_reader import read_content
from llm_gateway.dialects.responses.sealed_thoughts import opened
from llm_gateway.dialects.tool_names import flat_name
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Turn,
)
from llm_gateway.translation.opaque_text import with_call_states

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
CARRIERS = frozenset({"additional_tools", "tool_search_output"})
"""Items that declare tools."""
SEARCH = "tool_search"
"""The tool by which a model finds others; a client that runs it is called like a function."""
SETTINGS = "configuration_update"
"""An item that changes settings of the request."""
_SILENT = frozenset({*CARRIERS, SETTINGS, "ghost_snapshot"})
"""Items that say nothing in the conversation; ghost snapshots are the app's own notes."""
_RESULTS = ("function_call_output", "custom_tool_call_output")


def read_turns(body: Json) -> tuple[Turn, ...]:
    turns = _Turns()
    if instructions := text_of(body.get("instructions")):
        turns.add("system", (Text(instructions),))
    given = body.get("input")
    if isinstance(given, str):
        turns.add("user", (Text(given),) if given else ())
    for item in objects(given):
        turns.read(item)
    return tuple(turns)


class _Turns:
    def __init__(self) -> None:
        self._made: list[tuple[Role, list[Part]]] = []

    def __iter__(self) -> Iterator[Turn]:
        return (
            Turn(role, tuple(with_call_states(parts))) for role, parts in self._made
        )

    def add(self, role: Role, parts: tuple[Part, ...]) -> None:
        if self._made and self._joins(role, parts):
            self._made[-1][1].extend(parts)
        else:
            self._made.append((role, list(parts)))

    def _joins(self, role: Role, parts: tuple[Part, ...]) -> bool:
        last, before = self._made[-1]
        if role != last or role not in ("assistant", "user"):
            return False
        return role == "assistant" or (
            bool(before and parts)
            and all(isinstance(part, ToolResult) for part in (*before, *parts))
        )

    def read(self, item: Json) -> None:
        kind = text_of(item.get("type")) or ("message" if "role" in item else "")
        if kind == f"{SEARCH}_output" and is_clients(item):
            self.add("user", (_found_tools(item),))
        if kind in _SILENT or is_lost_thought(item, kind):
            return
        if kind == TRIGGER:
            self.add("user", (Text(ASKED),))
        elif kind == "message":
            role = _ROLES.get(text_of(item.get("role")), "user")
            parts = read_content(item.get("content"))
            if parts or role != "assistant":
                self.add(role, parts)
        elif kind == "agent_message":  # of another agent of the app's
            self.add("user", read_content(item.get("content")))
        elif kind in _RESULTS:
            self.add("user", (_result(item, kind),))
        elif (part := _made(item, kind)) is not None:
            self.add("assistant", (part,))


def is_lost_thought(item: Json, kind: str) -> bool:
    """A reference to reasoning that is not here: the answer is as right without it."""
    return kind == "item_reference" and text_of(item.get("id")).startswith("rs_")


def is_clients(item: Json) -> bool:
    """A search for tools that the client has run, or its call."""
    return item.get("execution") == "client" and bool(text_of(item.get("call_id")))


def _found_tools(item: Json) -> ToolResult:
    """By their names: they are declared with the others."""
    names = [
        flat_name(text_of(tool.get("name")), text_of(inner.get("name")))
        if inner is not tool
        else text_of(tool.get("name"))
        for tool in objects(item.get("tools"))
        for inner in objects(tool.get("tools")) or [tool]
    ]
    said = ", ".join(filter(None, names))
    text = f"These tools can be called now: {said}." if said else "No tools were found."
    return ToolResult(text_of(item.get("call_id")), (Text(text),))


def _made(item: Json, kind: str) -> Part | None:
    """What the assistant made, or a part that only this dialect knows."""
    if kind == f"{SEARCH}_call" and is_clients(item):
        return ToolCall(_call_id(item), SEARCH, _arguments(item.get("arguments")))
    match kind:
        case "reasoning":
            return _thought(item)
        case "function_call":
            return ToolCall(
                _call_id(item),
                text_of(item.get("name")),
                _arguments(item.get("arguments")),
                namespace=text_of(item.get("namespace")),
            )
        case "custom_tool_call":
            return ToolCall(
                _call_id(item),
                text_of(item.get("name")),
                text_of(item.get("input")),
                freeform=True,
                namespace=text_of(item.get("namespace")),
            )
    return Foreign("compaction" if kind in PAST else kind, item)


def _thought(item: Json) -> Thought | None:
    kept = opened(text_of(item.get("encrypted_content")), text_of(item.get("id")))
    text = kept.text
    for member in ("content", "summary"):
        if text:
            break
        texts = (text_of(part.get("text")) for part in objects(item.get(member)))
        text = "\n\n".join(filter(None, texts))
    return Thought(text, kept.state) if text or kept.state else None


def _call_id(item: Json) -> str:
    return text_of(item.get("call_id")) or text_of(item.get("id"))


def _arguments(value: object) -> str:
    if isinstance(value, str):
        return value
    return "{}" if value is None else json.dumps(value, ensure_ascii=False)


def _result(item: Json, kind: str) -> ToolResult:
    output = item.get("output")
    parts = read_content(output)
    if not parts and output is not None and not isinstance(output, str | list):
        parts = (Text(json.dumps(output, ensure_ascii=False)),)
    return ToolResult(
        _call_id(item),
        tuple(
            part
            for part in parts
            if isinstance(part, Text | Image | Document | Audio | Foreign)
        ),
        freeform=kind == "custom_tool_call_output",
    )
