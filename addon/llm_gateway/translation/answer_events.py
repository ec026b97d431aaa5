"""Neutral form of an answer: a sequence of events, the same for plain and streamed ones.

    Started  (ThoughtDelta* ThoughtSigned? | TextDelta* | RefusalDelta* |
              CallStarted ArgumentsDelta* CallEnded)*  Usage?  (Ended | Failed)

Readers may give calls interleaved, as their dialect does; writers get one block at a time
(`ordering.InOrder`). Usage may come anywhere; the last one holds.
"""

from typing import Literal, TypeAlias

from llm_gateway.domain import Usage
from llm_gateway.frozen import frozen
from llm_gateway.translation.conversation import Opaque

EndReason = Literal[
    "stop", "tools", "length", "stop_sequence", "refusal", "filtered", "pause"
]
"""stop: it was done. tools: calls wait for results. length: a bound of tokens, of the answer
or the context. refusal: the model would not. filtered: a filter cut it. pause: the provider
would go on if asked."""


@frozen
class Started:
    id: str = ""
    """Of the answer; "": the upstream gave none."""
    model: str = ""
    """As the upstream names it."""
    created: int = 0
    """Unix seconds; 0: not said."""


@frozen
class TextDelta:
    text: str


@frozen
class ThoughtDelta:
    text: str


@frozen
class ThoughtSigned:
    """Ends a thought with its opaque state. Without a ThoughtDelta before: a redacted one."""

    state: Opaque


@frozen
class CallStarted:
    call: int
    """Tells the calls of one answer apart; counts up from 0."""
    id: str
    name: str
    freeform: bool = False
    namespace: str = ""
    state: Opaque | None = None


@frozen
class ArgumentsDelta:
    call: int
    text: str


@frozen
class CallEnded:
    call: int


@frozen
class RefusalDelta:
    text: str


@frozen
class Ended:
    reason: EndReason
    stop_sequence: str = ""
    """The one that was met, where the upstream says so."""


@frozen
class Failed:
    """The answer ends in an error."""

    message: str
    """The upstream's words."""
    kind: str = "provider_error"
    """Its code or type."""


@frozen
class Ping:
    """The upstream is alive."""


Event: TypeAlias = (
    Started
    | TextDelta
    | ThoughtDelta
    | ThoughtSigned
    | CallStarted
    | ArgumentsDelta
    | CallEnded
    | RefusalDelta
    | Usage
    | Ended
    | Failed
    | Ping
)
