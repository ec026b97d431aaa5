"""Turns of a chat history, as an adapter walks them: messages, their calls and results.

Whatever is not what it should be is left as it is: the provider will say so better.
"""

import json
from collections.abc import Iterator
from typing import Any

from llm_gateway.adaptation.adapted import Change

Message = dict[str, Any]
Messages = list[Any]
"""As the client sent them: what is no object stays where it is."""
Notes = dict[Change, None]
"""What was changed, each once, in order."""


def note(notes: Notes, part: str, how: str = "") -> None:
    notes[Change(part, how)] = None


def role_of(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def calls_of(message: object) -> list[Message]:
    """The calls of an assistant's turn."""
    if role_of(message) != "assistant" or not isinstance(message, dict):
        return []
    calls = message.get("tool_calls")
    return [c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []


def id_of(holder: Message, member: str = "id") -> str:
    value = holder.get(member)
    return value if isinstance(value, str) else ""


def function_of(call: Message) -> Message:
    function = call.get("function")
    return function if isinstance(function, dict) else {}


def text_parts(content: object) -> list[Message] | None:
    """The parts of a content that is a list of texts and thoughts only; None: it is not."""
    if not isinstance(content, list):
        return None
    parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in content]
    if all(isinstance(p, dict) and _holds_text(p) for p in parts):
        return parts
    return None


def _holds_text(part: Message) -> bool:
    kind = part.get("type")
    if kind in ("thinking", "reasoning"):
        return True
    return kind in (
        "text",
        "refusal",
        "output_text",
        "input_text",
        None,
    ) and isinstance(part.get("text", part.get("refusal")), str)


def joined(texts: Iterator[str] | list[str]) -> str:
    """One text of several; a line's end between two words that would become one."""
    whole = ""
    for text in texts:
        apart = whole and text and not (whole[-1].isspace() or text[0].isspace())
        whole += f"\n{text}" if apart else text
    return whole


def texts_of(parts: list[Message]) -> list[str]:
    return [
        str(part.get("text", part.get("refusal")))
        for part in parts
        if part.get("type") not in ("thinking", "reasoning")
    ]


def thoughts_in(content: object) -> str:
    """What was thought, where it stands in a list beside the text (Mistral)."""
    said = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            inner = part.get("thinking", part.get("text"))
            if isinstance(inner, str):
                said.append(inner)
            for one in inner if isinstance(inner, list) else ():
                if isinstance(one, dict) and isinstance(one.get("text"), str):
                    said.append(one["text"])
    return "".join(said)


def same_arguments(arguments: object) -> str:
    """Arguments as parsed JSON: spaces and the order of members do not matter."""
    if not isinstance(arguments, str):
        return ""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
