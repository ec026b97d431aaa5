"""Declared tools of a conversation, for dialects that know functions alone: which go, under
which names, and what is said of those that do not."""

import json
from collections.abc import Iterator, Mapping

from llm_gateway.dialects.tool_names import ToolNames
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import ToolOrigin
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.tools import FreeformTool, FunctionTool, ServerTool

NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}

OwnTool = FunctionTool | FreeformTool


class DeclaredTools:
    """The tools of one request; `names` gives the name that each call goes under."""

    def __init__(self, conversation: Conversation, notes: Notes) -> None:
        self.names = ToolNames()
        self.choice = conversation.tool_choice
        self._own: list[OwnTool] = [
            t for t in conversation.tools if not isinstance(t, ServerTool)
        ]
        self._server = [t for t in conversation.tools if isinstance(t, ServerTool)]
        self._notes = notes
        plain_first = sorted(self._own, key=lambda t: bool(t.namespace))
        self._flat = {
            (tool.namespace, tool.name): self._name(tool) for tool in plain_first
        }

    def _name(self, tool: OwnTool) -> str:
        if isinstance(tool, FreeformTool):
            return self.names.declare(tool.namespace, tool.name, is_custom=True)
        return self.names.declare(
            tool.namespace, tool.name, is_custom=False, kind=tool.kind
        )

    def origins(self) -> dict[str, ToolOrigin]:
        """Tools that go under another name, or as another kind."""
        return {
            flat: ToolOrigin(*origin)
            for flat in self._flat.values()
            if (origin := self.names.origin(flat)) is not None
        }

    def written(self) -> Iterator[tuple[str, OwnTool]]:
        """Those that go, with their names; the notes are told of the others."""
        chosen = self.choice.type if self.choice is not None else ""
        for server in self._server:
            needed = not self._own or chosen == server.type
            part = PartName.SERVER_TOOL_NEEDED if needed else PartName.SERVER_TOOL
            self._notes.use(part, f"server tool {server.type}")
        allowed = self.choice.allowed if self.choice is not None else ()
        if allowed:
            self._notes.use(PartName.ALLOWED_TOOLS)
        told: set[tuple[str, str]] = set()
        for tool in self._own:
            if (tool.namespace, tool.name) in told:
                self._notes.drop(PartName.TOOL, "its name stands twice")
                continue
            told.add((tool.namespace, tool.name))
            if allowed and tool.name not in allowed:
                continue
            if tool.namespace:
                self._notes.use(PartName.NAMESPACE)
            if isinstance(tool, FreeformTool):
                self._notes.use(PartName.FREEFORM_TOOL)
            else:
                if tool.strict:
                    self._notes.use(PartName.STRICT)
                if tool.kind:
                    self._notes.use(PartName.SEARCH_TOOL)
            yield self._flat[tool.namespace, tool.name], tool

    def chosen_name(self) -> str:
        """Of the tool that has to be called."""
        assert self.choice is not None
        return self.names.flat(self.choice.namespace, self.choice.name)


def description_of(tool: OwnTool) -> str:
    """A grammar stands in it: it is all that tells the model how to write the input."""
    if isinstance(tool, FunctionTool):
        return tool.description
    return "\n\n".join(filter(None, (tool.description, _form(tool.grammar))))


def _form(grammar: Mapping[str, object] | None) -> str:
    if not grammar or grammar.get("type") == "text":
        return ""
    syntax, definition = grammar.get("syntax"), grammar.get("definition")
    if isinstance(definition, str):
        word = syntax if isinstance(syntax, str) else "grammar"
        return f"The input has to follow this grammar ({word}):\n{definition}"
    return f"The input has to follow this format: {json.dumps(dict(grammar))}"
