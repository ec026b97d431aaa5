"""Declared tools of a Messages request, and which the model has to call."""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.messages.system_roles import add_to_last_turn
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.tool_schemas import fitted_schema, schema_words

CORE = frozenset({"name", "description", "input_schema", "type", "cache_control"})
"""Members of a declared tool that everybody knows."""

NO_PARAMETERS: dict[str, object] = {"type": "object", "properties": {}}


def adapt_tools(draft: Draft, quirks: Quirks) -> None:
    tools = draft.get("tools")
    if not isinstance(tools, list) or not tools:
        return
    kept = _of_known_types(draft, quirks, tools)
    members = quirks.names("tool")
    if members:
        kept = [_without(tool, members, draft) for tool in kept]
    if quirks.value("tools", "parameters") is not None:
        kept = [_with_schema(tool) for tool in kept]
    words = schema_words(quirks)
    properties = quirks.value("tools", "properties") is not None
    if words or properties:
        kept = [_fitted(tool, words, properties, draft) for tool in kept]
    most = quirks.value("limit", "tools", "<=")
    if most is not None and most.isdecimal() and len(kept) > int(most):
        draft.cannot(f"takes {most} tools at most")
    if len(kept) == len(tools) and all(
        a is b for a, b in zip(kept, tools, strict=True)
    ):
        return
    if kept:
        draft.put("tools", kept, "tools")
    else:
        draft.drop("tools")
        draft.drop("tool_choice")


def adapt_choice(draft: Draft, quirks: Quirks) -> None:
    """A forced tool as `auto` and an instruction; `none` by leaving the tools out."""
    kind = choice_of(draft)
    if kind == "none" and quirks.value("tool_choice", "none") == "no_tools":
        draft.drop("tools", "tool_choice")
        draft.drop("tool_choice")
    if kind not in ("any", "tool"):
        return
    how = quirks.value("tool_choice", "forced")
    if how not in ("auto", "out"):
        return
    choice = draft.get("tool_choice")
    assert isinstance(choice, dict)
    parallel = choice.get("disable_parallel_tool_use")
    auto: dict[str, object] = {"type": "auto"}
    if parallel is not None:
        auto["disable_parallel_tool_use"] = parallel
    name = choice.get("name")
    text = "Call one of the tools now; do not answer with text alone."
    if isinstance(name, str) and name:
        text = f"Call the tool `{name}` now; do not answer with text alone."
    if how == "out":
        draft.drop("tool_choice")
    else:
        draft.put("tool_choice", auto, "tool_choice", "auto and an instruction")
    messages = add_to_last_turn(as_list(draft.get("messages")), text)
    draft.put("messages", messages, "tool_choice", "auto and an instruction")


def choice_of(draft: Draft) -> str:
    choice = draft.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    return kind if isinstance(kind, str) else ""


def _of_known_types(draft: Draft, quirks: Quirks, tools: list[object]) -> list[object]:
    """Without tools that the provider does not know; one that is needed is unfit."""
    refused = quirks.names("tool_type")
    if not refused:
        return tools
    kept: list[object] = []
    gone: list[object] = []
    for tool in tools:
        kind = type_of(tool)
        is_out = kind and ("server" in refused or one_of(kind, refused))
        (gone if is_out else kept).append(tool)
    choice = draft.get("tool_choice")
    forced = choice.get("name") if isinstance(choice, dict) else None
    for tool in gone:
        assert isinstance(tool, dict)
        if not kept or (forced is not None and tool.get("name") == forced):
            draft.cannot(f"has no tool {type_of(tool)}")
        draft.note("tools", f"without {type_of(tool)}")
    return kept


def type_of(tool: object) -> str:
    """Type of a tool that the API defines; "" for the client's own."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if isinstance(kind, str) and kind not in ("custom", "function") else ""


def _without(tool: object, members: frozenset[str], draft: Draft) -> object:
    if not isinstance(tool, dict) or type_of(tool):
        return tool
    out = {m for m in tool if m in members or ("*" in members and m not in CORE)}
    if not out:
        return tool
    for member in sorted(out):
        draft.note(member)
    return {name: value for name, value in tool.items() if name not in out}


def _with_schema(tool: object) -> object:
    if not isinstance(tool, dict) or type_of(tool) or tool.get("input_schema"):
        return tool
    return {**tool, "input_schema": NO_PARAMETERS}


def _fitted(
    tool: object, words: dict[str, str], properties: bool, draft: Draft
) -> object:
    """Its schema in the words that are taken."""
    schema = tool.get("input_schema") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or not isinstance(schema, dict):
        return tool
    changed: list[str] = []
    fitted = fitted_schema(schema, words, properties, changed)
    for word in changed:
        draft.note(word, "of the tools' schemas")
    return tool if fitted is schema else {**tool, "input_schema": fitted}
