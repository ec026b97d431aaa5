"""Codecs of a dialect: request reader and writer, answer reader and writer, as protocols.

What a writer knows of the provider is `Target`: columns of its row, nothing else. What the
answer's writer needs of the request is `AnswerContext`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import NamedTuple, Protocol, runtime_checkable

from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.domain import Dialect
from llm_gateway.frozen import frozen
from llm_gateway.translation.answer_events import Event
from llm_gateway.translation.answer_parts import AnswerFates, AnswerPart, Asides
from llm_gateway.translation.carried import CannotCarry, Fates, Notes, PartName
from llm_gateway.translation.conversation import Conversation

Json = Mapping[str, object]


@frozen
class Target:
    """Who the request is written for: columns of a row and quirks, never a provider."""

    model: str = ""
    """As it is sent."""
    maker: str = ""
    """Whose opaque state is read there (`adaptation.makers`)."""
    quirks: Quirks = NO_QUIRKS
    """The dialect's own adapter applies them afterwards; a writer looks at those that
    decide whether and how something can be written at all."""
    max_output: int | None = None
    """Its largest answer in tokens; None: not known."""
    takes: frozenset[str] = frozenset()
    """Columns with which a part that is else needed is carried: `documents`, `audio`."""


@frozen
class ToolOrigin:
    """What a tool was in the client's request, by the name under which it was written."""

    name: str
    namespace: str = ""
    freeform: bool = False
    kind: str = ""
    """See `FunctionTool.kind`."""


@frozen
class AnswerContext:
    """What an answer's writer needs to know of the request."""

    model: str = ""
    """As the client wrote it: the answer names it so."""
    stream: bool = False
    """The client asked for a stream."""
    wants_usage: bool = True
    shows_thoughts: bool = True
    keeps_state: bool = True
    """The client takes opaque state for a later turn, whether or not it reads thoughts."""
    input_estimate: int = 0
    """Tokens of the prompt, for dialects that say so before the upstream does."""
    tools: Mapping[str, ToolOrigin] = field(default_factory=dict)
    """Only those that are written otherwise than they were declared."""
    seed: str = ""
    """Ids that are missing are a function of it: the same when an answer is made again."""
    maker: str = ""
    """Of the upstream: opaque state of its answer is marked with it."""
    thought_tag: str = ""
    """Of the upstream: thoughts stand in front of its text in this tag (`think`)."""
    wants_object: str = ""
    """Structured output that the target gives as something else: name of the tool that
    stands for it; "": none."""
    reasoning_excluded: bool = False
    """The upstream's count of output tokens leaves reasoning out."""
    framing: str = "sse"
    """Of the client's stream: `sse`, or `array` (one JSON array)."""
    created: int = 0
    """Unix seconds, for dialects whose answers have a date."""
    echo: Mapping[str, object] = field(default_factory=dict)
    """Members of the request that an answer of its dialect repeats."""
    refers: bool = False
    """Later requests may name items of the answer by their ids."""
    keep: Callable[[str, Json], None] | None = None
    """Told of each such item when it is done: (id, item)."""


class RequestReader(Protocol):
    def __call__(self, body: Json) -> Conversation | CannotCarry:
        """Top-level values of a body -> neutral form. Never raises on any JSON: what is
        not what it should be is read as absent. CannotCarry: nobody else could read it."""


class RequestWriter(Protocol):
    def __call__(
        self, conversation: Conversation, target: Target, notes: Notes
    ) -> "Written":
        """Neutral form -> body in the canonical form of the dialect, without model; what was done otherwise goes to `notes`."""


class Written(NamedTuple):
    """What a request writer made."""

    body: dict[str, object]
    tools: Mapping[str, ToolOrigin] = {}
    """Tools that are written otherwise: name there -> what they are."""
    wants_object: str = ""


class AnswerReader(Protocol):
    """Reads one answer of the upstream."""

    asides: Asides
    """What it holds besides, and no event tells of."""

    def plain(self, answer: Json) -> list[Event]:
        """A whole answer, with its end."""

    def event(self, name: str, data: bytes) -> list[Event]:
        """One server-sent event of a stream. Never raises."""

    def end(self) -> list[Event]:
        """No more events come: the end of the answer, or Failed where it is missing."""


class AnswerWriter(Protocol):
    """Writes one answer for the client; events come in order, one block at a time."""

    def plain(self, events: Iterable[Event]) -> bytes:
        """A whole answer as a JSON body; an error body where it failed."""

    def write(self, event: Event) -> bytes:
        """What of the stream this event becomes; b"" for nothing yet."""


@runtime_checkable
class WritesText(Protocol):
    """An answer writer that goes on with an open text without its being read."""

    def more_text(self, escaped: bytes) -> bytes:
        """escaped: as it stands between the quotes of JSON. The last event was a TextDelta."""


class References(NamedTuple):
    """How requests of a dialect name parts of earlier answers instead of repeating them."""

    may_refer: Callable[[Json], bool]
    """A later request may name parts of this one's answer."""
    with_items: Callable[[Json, Recall], Json]
    """The body with those that we made in full."""


@frozen
class Codecs:
    """The four of a dialect, with its tables."""

    dialect: Dialect
    read_request: RequestReader
    write_request: RequestWriter
    answer_reader: Callable[[AnswerContext], AnswerReader]
    answer_writer: Callable[[AnswerContext], AnswerWriter]
    says: frozenset[PartName]
    """Parts that a request of it can hold."""
    fates: Fates
    """What becomes of each part of any dialect when it is written in this one."""
    gives: frozenset[AnswerPart]
    """Parts that an answer of it can hold."""
    answer_fates: AnswerFates
    """What becomes of each part of any dialect's answer for its clients."""
    references: References | None = None
    """None: there are none."""
    repeated: Callable[[Json], Json] | None = None
    """Top-level values of a request -> what its answer repeats of them (`AnswerContext.echo`).
    None: nothing."""
    calls_are_objects: bool = False
    """Clients parse arguments of calls while they come, and break on what is no object."""
