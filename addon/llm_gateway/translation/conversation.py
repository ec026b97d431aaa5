"""Neutral form of a request: a conversation of turns and parts, its tools and its settings.

Frozen values that every dialect's request reader makes and every request writer takes. What
no other dialect could say is kept as it came (`Foreign`, `extras`), so that a writer's table
can say what becomes of it.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from llm_gateway.frozen import frozen
from llm_gateway.translation.settings import Settings
from llm_gateway.translation.tools import Tool, ToolChoice
from llm_gateway.translation.unread import Unread

Role = Literal["system", "developer", "user", "assistant"]


@frozen
class Opaque:
    """State that means something to its maker alone: a signature, encrypted reasoning."""

    data: str
    maker: str = ""
    """As `adaptation.makers` names them; "": nobody said, it came unmarked."""
    form: str = "signature"
    """`signature` of readable text; `redacted`: the thought itself, unreadable; `plain`:
    nothing but the maker's name; `details`: a chat provider's own, as JSON; `call`: a signature
    of the next call, in the field of the thought before it."""
    id: str = ""
    """Of the item that it came in, where its maker knows it by one."""


@frozen
class Text:
    text: str
    cache: str = ""
    """A cache mark stands behind it: `5m`, `1h`; "": none."""


@frozen
class Refusal:
    """The model's words of refusal."""

    text: str


@frozen
class Image:
    """One of data, url and file is set."""

    data: str = ""
    """Base64 in the standard alphabet."""
    media_type: str = ""
    url: str = ""
    file: str = ""
    """Id of an upload."""
    detail: str = ""
    """`low`, `high`, `auto`; "": not said."""
    cache: str = ""


@frozen
class Document:
    """One of data, text, url and file is set."""

    data: str = ""
    """Base64 in the standard alphabet."""
    media_type: str = ""
    text: str = ""
    url: str = ""
    file: str = ""
    name: str = ""
    """Title or file name."""
    context: str = ""
    """What the client says about it, beside its title."""
    citations: bool = False
    """The answer is to cite it."""
    cache: str = ""


@frozen
class Audio:
    data: str = ""
    """Base64 in the standard alphabet."""
    format: str = ""
    """`wav`, `mp3`."""


@frozen
class Thought:
    """Reasoning of an earlier turn."""

    text: str = ""
    state: Opaque | None = None


@frozen
class ToolCall:
    id: str
    name: str
    arguments: str
    """JSON text of a function's arguments; the input itself of a freeform tool."""
    freeform: bool = False
    namespace: str = ""
    state: Opaque | None = None
    """A signature on the call itself."""
    cache: str = ""


@frozen
class ToolResult:
    call_id: str
    parts: tuple["Text | Image | Document | Audio | Foreign", ...] = ()
    is_error: bool = False
    freeform: bool = False
    cache: str = ""


@frozen
class Foreign:
    """A part that only its own dialect knows, by its type there."""

    type: str
    value: Mapping[str, object]


Part: TypeAlias = (
    Text
    | Refusal
    | Image
    | Document
    | Audio
    | Thought
    | ToolCall
    | ToolResult
    | Foreign
)


@frozen
class Turn:
    """Results of tools stand in a user's turn, as parts."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    """Of a participant, where several speak in one role."""


@frozen
class Conversation:
    """A whole request."""

    turns: tuple[Turn, ...]
    """Instructions are turns of role system (or developer), the first ones and any later."""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    settings: Settings = Settings()
    extras: Mapping[str, object] = field(default_factory=dict)
    """Top-level members that the form has no place for, as they came."""
    unread: Unread = ()
    """Members further inside that it has no place for: (name, what it is in the tables)."""
