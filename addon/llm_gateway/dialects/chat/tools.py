"""Declared tools and the choice among them, as a provider takes them.

    tool:strict             members of functions that are left out
    tools:parameters        each has them; `tools:properties`: and no object without properties
    tools:one_strict        `strict` goes where not all have the same
    schema:$schema          a word of JSON schema is left out; `type=beside_anyOf`: only there
    tool_choice:forced      `string`, `auto` with an instruction, `out`: never sent
    tool_choice:none=no_tools    the tools are left out in its stead

A forced choice that is not taken becomes an instruction, the last thing in the request.
"""

from collections.abc import Mapping

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.turns import (
    Message,
    Messages,
    Notes,
    function_of,
    note,
    role_of,
)
from llm_gateway.dialects.tool_schemas import PROPERTIES, fitted_schema, schema_words

_NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}


def is_forced(choice: object) -> bool:
    return choice in ("required", "any") or isinstance(choice, dict)


def adapt_tools(tools: object, quirks: Quirks, notes: Notes) -> object:
    """The same list where nothing is changed."""
    if not isinstance(tools, list):
        return tools
    out = quirks.names("tool")
    words = schema_words(quirks)
    properties = quirks.value("tools", "properties") is not None
    parameters = properties or quirks.value("tools", "parameters") is not None
    if quirks.value("tools", "one_strict") is not None and _is_mixed(tools):
        out |= {"strict"}
    adapted = []
    for tool in tools:
        if isinstance(tool, dict):
            if out:
                tool = _without(tool, out, notes)
            function = tool.get("function")
            if isinstance(function, dict):
                fitted = _fitted(function, words, parameters, properties, notes)
                if fitted is not function:
                    tool = {**tool, "function": fitted}
        adapted.append(tool)
    same = all(a is b for a, b in zip(tools, adapted, strict=True))
    return tools if same else adapted


def _is_mixed(tools: list[object]) -> bool:
    strict = [
        function_of(tool).get("strict") is True
        for tool in tools
        if isinstance(tool, dict)
    ]
    return any(strict) and not all(strict)


def _without(tool: Message, out: frozenset[str], notes: Notes) -> Message:
    out = out - {"type", "function", "name", "parameters", "description"}
    for holder in (tool, function_of(tool)):
        for name in sorted(out & holder.keys()):
            note(notes, name)
    bare = {k: v for k, v in tool.items() if k not in out}
    if isinstance(function := bare.get("function"), dict):
        bare["function"] = {k: v for k, v in function.items() if k not in out}
    return tool if bare == tool else bare


def _fitted(
    function: Message,
    words: Mapping[str, str],
    parameters: bool,
    properties: bool,
    notes: Notes,
) -> Message:
    schema = function.get("parameters")
    if parameters and (not isinstance(schema, dict) or not schema):
        note(notes, "tools", "with parameters")
        return {**function, "parameters": dict(_NO_PARAMETERS)}
    if not isinstance(schema, dict) or not (words or properties):
        return function

    changed: list[str] = []
    fitted = fitted_schema(schema, words, properties, changed)
    for word in changed:
        if word == PROPERTIES:
            note(notes, "tools", "with properties")
        else:
            note(notes, word, "of the tools' schemas")
    return function if fitted is schema else {**function, "parameters": fitted}


def adapt_choice(
    values: dict[str, object], tools: object, quirks: Quirks, notes: Notes
) -> str:
    """Changes `tool_choice` in the values; the instruction that has to follow, or ""."""
    choice = values.get("tool_choice")
    forced = quirks.value("tool_choice", "forced")
    none = forced == "out" or quirks.value("tool_choice", "none") == "no_tools"
    if choice == "none" and none:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            values.pop(name, None)
        note(notes, "tool_choice", "no tools instead of none")
        return ""
    if forced == "out" and "tool_choice" in values:
        del values["tool_choice"]
        note(notes, "tool_choice", "an instruction" if is_forced(choice) else "")
    elif not is_forced(choice):
        return ""
    elif forced == "auto":
        values["tool_choice"] = "auto"
        note(notes, "tool_choice", "auto and an instruction")
    elif forced == "string" and isinstance(choice, dict):
        values["tool_choice"] = "required"
        note(notes, "tool_choice", "required")
        if isinstance(tools, list) and len(tools) == 1:
            return ""
    else:
        return ""
    return instruction(choice) if is_forced(choice) else ""


def instruction(choice: object) -> str:
    name = function_of(choice).get("name") if isinstance(choice, dict) else None
    if isinstance(name, str) and name:
        return f'Answer with a call of the tool "{name}".'
    return "Answer with a call of one of the tools."


def with_instruction(messages: Messages, text: str) -> Messages:
    """In the last user's text, or behind results and whatever else stands last."""
    last = messages[-1] if messages else None
    if role_of(last) == "user" and isinstance(last, dict):
        content = last.get("content")
        if isinstance(content, str):
            said: object = f"{content}\n\n{text}" if content else text
        elif isinstance(content, list):
            said = [*content, {"type": "text", "text": text}]
        else:
            said = text
        return [*messages[:-1], {**last, "content": said}]
    return [*messages, {"role": "user", "content": text}]
