"""Google's generateContent as strict as it is, before and after signatures are required. Pure."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .google_answers import Voice, turns_in

Body = dict[str, Any]
Refused = tuple[int, object] | None

TOP = frozenset(
    {
        *("contents", "tools", "toolConfig", "safetySettings", "systemInstruction"),
        *("generationConfig", "cachedContent", "labels", "serviceTier", "store"),
    }
)
CONTENT = frozenset({"role", "parts"})
SCHEMA = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "enum", "maxItems"),
        *("minItems", "properties", "required", "minProperties", "maxProperties"),
        *("minLength", "maxLength", "pattern", "example", "anyOf", "default", "items"),
        *("propertyOrdering", "minimum", "maximum"),
    }
)


def invalid(message: str) -> tuple[int, object]:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return 400, {"error": error}


def unknown(name: str, where: str) -> tuple[int, object]:
    return invalid(
        f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': "
        "Cannot find field."
    )


def camel(name: str) -> str:
    """Its JSON reader takes both spellings."""
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


def refuse(voice: Voice, body: Body) -> Refused:
    for name in body:
        if camel(name) not in TOP:
            return invalid(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
    for i, content in enumerate(body["contents"]):
        for name in content:
            if name not in CONTENT:
                return unknown(name, f"contents[{i}]")
        if content.get("role", "user") not in ("user", "model"):
            return invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            return invalid(
                f"* GenerateContentRequest.contents[{i}].parts: contents.parts must not be "
                "empty."
            )
    for name, where in _schema_names(body):
        if name not in SCHEMA:
            return unknown(name, where)
    return _turns(voice, body)


def _schema_names(body: Body) -> Iterator[tuple[str, str]]:
    for t, tool in enumerate(body.get("tools") or []):
        declared = tool.get("functionDeclarations") or tool.get("function_declarations")
        for d, declaration in enumerate(declared or []):
            where = f"tools[{t}].function_declarations[{d}].parameters"
            todo = [declaration.get("parameters") or {}]
            while todo:
                schema = todo.pop()
                yield from ((name, where) for name in schema)
                todo += [v for v in schema.get("properties", {}).values()]
                if isinstance(schema.get("items"), dict):
                    todo.append(schema["items"])


def _turns(voice: Voice, body: Body) -> Refused:
    contents = body["contents"]
    if contents[-1].get("role") == "model":
        return invalid("Requests ending with a model turn are not supported.")
    for calls, results in turns_in(body):
        if len(calls) != len(results):
            return invalid(
                "Please ensure that the number of function response parts is equal to the "
                "number of function call parts of the function call turn."
            )
    since = 0
    calls_at = []
    turns = groupby(contents, lambda content: content.get("role", "user"))
    for at, (role, group) in enumerate(turns):
        parts = [part for content in group for part in content["parts"]]
        if role == "user" and any("text" in part for part in parts):
            since = at
        if calls := [part for part in parts if "functionCall" in part]:
            calls_at.append((at, calls[0]))
    for at, first in calls_at:
        if voice.signed and at > since and not first.get("thoughtSignature"):
            return invalid(
                "Function call is missing a thought_signature in functionCall parts. This "
                "is required for tools to work correctly, and missing thought_signature may "
                "lead to degraded model performance. Additional data, function call "
                f"`default_api:add` , position {at}."
            )
    return None
