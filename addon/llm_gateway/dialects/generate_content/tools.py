"""Declared tools of a native generateContent request as a provider takes them.

endpoint:tools_with_json      functions beside an answer in JSON make the request unfit
tool_type:server=alone        Google's own tools go where functions are declared
tool_type:url_context=out     such a tool is left out; unfit where it is the only one
tool:behavior                 a member of declared functions is left out
schema:$schema                a word of their schemas
tools:properties              functions whose parameters have no properties go without

Pure.
"""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.generate_content.config import Notes, config_of, fit_schema
from llm_gateway.dialects.generate_content.members import (
    member,
    object_in,
    objects_in,
    snake,
    spelled,
)
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.tool_schemas import schema_words

FUNCTIONS = "functionDeclarations"
NEVER_OUT = frozenset({"name", "description", "parameters", "parametersjsonschema"})
"""Of a function, in lower case and without `_`."""
_KINDS = frozenset({"tool_type", "tool", "tools", "schema", "endpoint"})
_SCHEMAS = ("parameters", "parametersJsonSchema")

Tool = dict[str, object]


def adapt_tools(draft: Draft, quirks: Quirks) -> None:
    tools = objects_in({"tools": draft.get("tools")}, "tools")
    if not tools or not any(quirk.kind in _KINDS for quirk in quirks):
        return
    has_functions = any(objects_in(tool, FUNCTIONS) for tool in tools)
    if has_functions and quirks.value("endpoint", "tools_with_json") is not None:
        config = config_of({"generationConfig": draft.get("generationConfig")})
        config |= config_of({"generation_config": draft.get("generation_config")})
        if config.get("response_mime_type") == "application/json":
            draft.cannot("takes no tools beside JSON mode")
    gone: list[str] = []
    kept = [_served(tool, quirks, has_functions, gone) for tool in tools]
    notes: Notes = {("tools", f"without {name}"): None for name in gone}
    made = [_fitted(tool, quirks, notes) for tool in kept if tool]
    if not made:
        draft.cannot(f"takes no {' or '.join(gone)}")
    for part, how in notes:
        draft.put("tools", made, part, how)


def _served(tool: Tool, quirks: Quirks, functions: bool, gone: list[str]) -> Tool:
    """Without those of Google's own tools that are not taken; empty: nothing is left."""
    out = {name for name in quirks.names("tool_type") if name != "server"}
    alone = functions and quirks.value("tool_type", "server") == "alone"
    left = {
        key: value
        for key, value in tool.items()
        if snake(key) == snake(FUNCTIONS) or not (alone or snake(key) in out)
    }
    gone += [key for key in tool if key not in left]
    return left if len(left) != len(tool) else tool


def _fitted(tool: Tool, quirks: Quirks, notes: Notes) -> Tool:
    key = spelled(tool, FUNCTIONS)
    names, words = quirks.names("tool"), schema_words(quirks)
    bare = quirks.value("tools", "properties") is not None
    if key is None or not (names or words or bare):
        return tool
    given = objects_in(tool, FUNCTIONS)
    made = []
    for declared in given:
        new = {k: v for k, v in declared.items() if not _is_out(k, names)}
        notes |= dict.fromkeys((snake(k), "") for k in declared if k not in new)
        for name in _SCHEMAS:
            own = fit_schema(new, name, words, notes)
            if own is not None and bare and is_bare(declared[own]):
                del new[own]
                notes["tools", "without empty parameters"] = None
        made.append(new)
    return {**tool, key: made} if made != given else tool


def _is_out(key: str, names: frozenset[str]) -> bool:
    plain = key.replace("_", "").lower()
    return plain not in NEVER_OUT and (key in names or snake(key) in names)


def is_bare(schema: object) -> bool:
    """An object without properties."""
    return str(member(schema, "type")).lower() == "object" and not object_in(
        schema, "properties"
    )
