"""Declared tools of a Responses request, in the forms that a provider reads.

Codex declares freeform tools, namespaces and, in an item of the input, additional tools;
most others know functions alone, and some drop in silence what they do not know.
"""

from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.tool_names import INPUT_SCHEMA, ToolNames
from llm_gateway.dialects.tool_schemas import fitted_schema, schema_words

CORE = frozenset({"type", "name", "description", "parameters", "strict"})
"""Members of a function that everybody knows."""
CARRIERS = frozenset({"additional_tools", "tool_search_output"})
"""Items that declare tools."""
NO_PARAMETERS: dict[str, object] = {"type": "object", "properties": {}}

Tool = dict[str, object]


class Forms(NamedTuple):
    """Which forms of tools are read."""

    custom: bool = True
    namespace: bool = True
    additional: bool = True
    out: tuple[str, ...] = ()
    """Types that are left out; names or patterns."""
    known: tuple[str, ...] | None = None
    """None: any type."""
    server_out: bool = False

    @property
    def is_plain(self) -> bool:
        return self == _ALL

    def reads(self, kind: str) -> bool:
        if kind == "function":
            return True
        if one_of(kind, self.out) or (self.server_out and kind not in _OWN):
            return False
        return self.known is None or one_of(kind, self.known)


_ALL = Forms()
_OWN = frozenset({"function", "custom", "namespace"})


def forms_of(quirks: Quirks) -> Forms:
    names = quirks.names("tool_type")
    if not names:
        return _ALL
    value = quirks.value("tool_type", "*")
    known = None if value is None else tuple(value.split(","))

    def stays(kind: str) -> bool:
        return kind not in names and (known is None or one_of(kind, known))

    special = {"custom", "namespace", "additional_tools", "server", "*"}
    out = {name for name in names if quirks.value("tool_type", name) in ("", "out")}
    return Forms(
        custom=stays("custom"),
        namespace=stays("namespace"),
        additional=stays("additional_tools"),
        out=tuple(sorted(out - special)),
        known=known,
        server_out="server" in names,
    )


def adapt_tools(draft: Draft, quirks: Quirks, forms: Forms) -> ToolNames:
    """Writes `tools` and `tool_choice`; gives the names by which calls go and come back."""
    names = ToolNames()
    declared = as_list(draft.get("tools"))
    lifted: list[object] = []
    if not forms.additional:
        for item in as_list(draft.get("input")):
            if isinstance(item, dict) and item.get("type") in CARRIERS:
                lifted += as_list(item.get("tools"))
    given = [*declared, *lifted]
    if not given:
        return names
    allowed = None if forms.is_plain else _allowed(draft)
    for tool in given:
        if isinstance(tool, dict) and tool.get("type") == "function":
            names.keep(_name(tool))
        if isinstance(tool, dict) and tool.get("type") == "namespace":
            for inner in as_list(tool.get("tools")):
                if isinstance(inner, dict):
                    space = names.namespaces.setdefault(_name(inner), _name(tool))
                    if space != _name(tool):
                        names.namespaces[_name(inner)] = ""  # it may be either's
    made = [
        new for tool in given for new in _in_form(draft, forms, names, tool, "", "")
    ]
    if allowed is not None:
        flat = {names.flat(*each) for each in allowed}
        made = [t for t in made if isinstance(t, dict) and _name(t) in flat]
        draft.note("tool_choice", "allowed tools alone")
    made = [_mended(draft, quirks, tool) for tool in _once(made)]
    most = quirks.value("limit", "tools", "<=")
    if most is not None and most.isdecimal() and len(made) > int(most):
        draft.cannot(f"takes {most} tools at most")
    if len(made) != len(declared) or any(
        a is not b for a, b in zip(made, declared, strict=True)
    ):
        if made:
            draft.put("tools", made, "tools")
        else:
            draft.drop("tools")
            draft.drop("tool_choice")
    if not forms.is_plain:
        _adapt_choice(draft, names, allowed is not None)
    return names


def _name(tool: Tool) -> str:
    name = tool.get("name")
    return name if isinstance(name, str) else ""


def _once(tools: list[object]) -> list[object]:
    """A function that is declared again, by an item, is declared once."""
    seen: set[str] = set()
    kept = []
    for tool in tools:
        name = _name(tool) if isinstance(tool, dict) else ""
        if not name or name not in seen:
            kept.append(tool)
        seen.add(name)
    return kept


def _in_form(
    draft: Draft,
    forms: Forms,
    names: ToolNames,
    tool: object,
    namespace: str,
    about: str,
) -> list[object]:
    """A tool as those that are read; none: it is left out."""
    if not isinstance(tool, dict):
        return [tool]
    kind, name = tool.get("type"), _name(tool)
    if kind == "namespace" and not forms.namespace:
        draft.note("tools", "namespaces as part of the name")
        about = str(tool.get("description") or "")
        return [
            new
            for inner in as_list(tool.get("tools"))
            for new in _in_form(draft, forms, names, inner, name, about)
        ]
    if kind == "custom" and not forms.custom:
        draft.note("tools", "custom tools as functions")
        flat = names.declare(namespace, name, is_custom=True)
        said = _description(tool)
        return [
            {
                "type": "function",
                "name": flat,
                "description": said,
                "parameters": INPUT_SCHEMA,
                "strict": False,
            }
        ]
    if kind == "function" and namespace:
        flat = names.declare(namespace, name, is_custom=False)
        rest = {k: v for k, v in tool.items() if k != "defer_loading"}
        return [{**rest, "name": flat}]
    if isinstance(kind, str) and not forms.reads(kind):
        if _is_forced(draft, kind) or len(as_list(draft.get("tools"))) == 1:
            draft.cannot(f"has no tool {kind}")
        draft.note("tools", f"without {kind}")
        return []
    return [tool]


def _description(tool: Tool) -> str:
    """Of a freeform tool, with the grammar that its input follows."""
    said = str(tool.get("description") or "")
    format_ = tool.get("format")
    if isinstance(format_, dict) and isinstance(format_.get("definition"), str):
        syntax = format_.get("syntax") or "lark"
        said += f"\n\nThe input follows this {syntax} grammar:\n{format_['definition']}"
    return said.strip()


def _mended(draft: Draft, quirks: Quirks, tool: object) -> object:
    if not isinstance(tool, dict):
        return tool
    out = quirks.names("tool")
    if tool.get("type") != "function":
        out -= {"*"}
    gone = {m for m in tool if m in out or ("*" in out and m not in CORE)} - {"type"}
    if gone:
        for member in sorted(gone):
            draft.note(member)
        tool = {k: v for k, v in tool.items() if k not in gone}
    if tool.get("type") != "function":
        return tool
    if quirks.value("tools", "parameters") is not None and not tool.get("parameters"):
        tool = {**tool, "parameters": NO_PARAMETERS}
    words = schema_words(quirks)
    properties = quirks.value("tools", "properties") is not None
    schema = tool.get("parameters")
    if (words or properties) and isinstance(schema, dict):
        changed: list[str] = []
        fitted = fitted_schema(schema, words, properties, changed)
        for word in changed:
            draft.note(word, "of the tools' schemas")
        if fitted is not schema:
            tool = {**tool, "parameters": fitted}
    if quirks.value("tools", "strict") == "false" and tool.get("strict") is not False:
        tool = {**tool, "strict": False}
        draft.note("strict", "false")
    return tool


def _choice(draft: Draft) -> dict[str, object]:
    choice = draft.get("tool_choice")
    return choice if isinstance(choice, dict) else {}


def _is_forced(draft: Draft, kind: str) -> bool:
    return _choice(draft).get("type") == kind


def _allowed(draft: Draft) -> list[tuple[str, str]] | None:
    """(namespace, name) of `allowed_tools`; None: the choice is another one."""
    choice = _choice(draft)
    if choice.get("type") != "allowed_tools":
        return None
    return [
        (str(tool.get("namespace") or ""), _name(tool))
        for tool in as_list(choice.get("tools"))
        if isinstance(tool, dict)
    ]


def _adapt_choice(draft: Draft, names: ToolNames, filtered: bool) -> None:
    choice = _choice(draft)
    kind = choice.get("type")
    if filtered:
        mode = choice.get("mode")
        draft.put(
            "tool_choice",
            mode if mode in ("auto", "required") else "auto",
            "tool_choice",
        )
    elif kind in ("custom", "function"):
        flat = names.flat(str(choice.get("namespace") or ""), _name(choice))
        new = {"type": "function", "name": flat}
        if names.origin(flat) is not None and new != choice:
            draft.put("tool_choice", new, "tool_choice", "function")
