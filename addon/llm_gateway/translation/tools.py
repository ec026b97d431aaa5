"""Tools that a request declares, and the choice among them, in neutral form."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from llm_gateway.frozen import frozen


@frozen
class FunctionTool:
    """A function of the client's, called with JSON."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] | None = None
    """JSON schema; None: it was not given."""
    strict: bool | None = None
    namespace: str = ""
    """The group of tools that it was declared in; names are told apart by it."""
    cache: str = ""
    kind: str = ""
    """Of a function whose calls have a form of their own in its dialect: `tool_search`."""


@frozen
class FreeformTool:
    """A tool of the client's that is called with plain text, perhaps under a grammar."""

    name: str
    description: str = ""
    grammar: Mapping[str, object] | None = None
    """`{"type": "grammar", "syntax": "lark", "definition": …}`; None: any text."""
    namespace: str = ""


@frozen
class ServerTool:
    """A tool that the provider runs itself: web search, code, files, MCP, computer."""

    type: str
    name: str
    value: Mapping[str, object]
    """The declaration, in its own dialect."""


Tool: TypeAlias = FunctionTool | FreeformTool | ServerTool

Mode = Literal["auto", "none", "required", "one"]


@frozen
class ToolChoice:
    mode: Mode
    name: str = ""
    """Of the one that has to be called."""
    namespace: str = ""
    allowed: tuple[str, ...] = ()
    """Only these may be called, under `mode`; empty: all."""
    type: str = ""
    """Type of the server tool that is named; "": the client's own."""
