"""Translates a request into another dialect, and its answer back, plain or as a stream.

What the pipeline calls, once per attempt, from the client's untouched request. The source is
the client's dialect, the target the upstream's.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from llm_gateway.adaptation.kept_state import Recall, nothing_kept
from llm_gateway.domain import Adaptation
from llm_gateway.streaming.sse import Framer, data_of, event_of, raw_events
from llm_gateway.translation.answer_events import (
    Ended,
    Event,
    Failed,
    Ping,
    RefusalDelta,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.answer_parts import (
    NOT_SHOWN,
    AnswerPart,
    noted,
    shown_part,
)
from llm_gateway.translation.carried import CannotCarry, Kind, Notes
from llm_gateway.translation.codec import (
    AnswerContext,
    Codecs,
    Target,
    WritesText,
)
from llm_gateway.translation.conversation import (
    Conversation,
    Text,
    ToolCall,
    ToolResult,
)
from llm_gateway.translation.ordering import InOrder
from llm_gateway.translation.text_shape import TextShape, text_shape

__all__ = [
    "AnswerTranslator",
    "CannotCarry",
    "TranslatedRequest",
    "pair_name",
    "translate_request",
]

LONGEST_EVENT = 16 << 20
"""Bytes of one event of an upstream's stream; a larger one ends the answer in an error."""
MOST_COLLECTED = 64 << 20
"""Characters of a streamed answer for a client that wants it plain."""
_MOST_SHAPES = 200
"""Events whose shape is learned: beyond, too little repeats."""


class TranslatedRequest(NamedTuple):
    body: dict[str, object]
    """Canonical form of the target's dialect, with model and stream: its adapter runs on
    it as on a native one."""
    adaptation: Adaptation
    context: AnswerContext
    """What `AnswerTranslator` needs."""


def pair_name(source: Codecs, target: Codecs) -> str:
    """`messages>chat`: client's dialect, then upstream's."""
    return f"{source.dialect}>{target.dialect}"


def translate_request(
    source: Codecs,
    target: Codecs,
    body: Mapping[str, object],
    about: Target,
    recall: Recall = nothing_kept,
) -> TranslatedRequest | CannotCarry:
    """body: top-level values of the client's request. Never raises on any JSON.

    recall: finds what the request refers to of earlier translated answers.
    """
    references = source.references
    if references is not None:
        body = references.with_items(body, recall)
    conversation = source.read_request(body)
    if isinstance(conversation, CannotCarry):
        return conversation
    notes = Notes(target.fates)
    written = target.write_request(conversation, about, notes)
    if notes.unfit is not None:
        return notes.unfit
    settings = conversation.settings
    model = body.get("model")
    context = AnswerContext(
        model=model if isinstance(model, str) else about.model,
        stream=settings.stream,
        wants_usage=settings.wants_usage,
        shows_thoughts=settings.reasoning.shown is not False,
        keeps_state=settings.reasoning.shown is not False
        or settings.reasoning.mode in ("manual", "adaptive"),
        tools=written.tools,
        seed=_seed(conversation),
        maker=about.maker,
        thought_tag=about.quirks.value("reasoning", "tag") or "",
        wants_object=written.wants_object,
        refers=references is not None and references.may_refer(body),
        echo=source.repeated(body) if source.repeated is not None else {},
    )
    made = {"model": about.model or context.model, **written.body}
    adaptation = Adaptation(
        notes.drops, notes.approximations, pair_name(source, target)
    )
    return TranslatedRequest(made, adaptation, context)


def _seed(conversation: Conversation) -> str:
    """Of the last turn and its place: cheap, and the same when it is asked again."""
    digest = blake2b(digest_size=12)
    digest.update(str(len(conversation.turns)).encode())
    for part in conversation.turns[-1].parts if conversation.turns else ():
        said = ""
        if isinstance(part, Text):
            said = part.text
        elif isinstance(part, ToolCall):
            said = f"{part.id} {part.name} {part.arguments}"
        elif isinstance(part, ToolResult):
            said = part.call_id
        digest.update(f"\0{said}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class AnswerTranslator:
    """One answer on its way to the client. Memory is bounded; nothing here raises.

    A client that asked for a stream gets one, whatever the upstream does: `plain` of a plain
    upstream answer gives a whole stream then, and a streamed one for a plain client is
    collected until `end`.
    """

    def __init__(
        self,
        source: Codecs,
        target: Codecs,
        context: AnswerContext,
        now: float = 0,
        keep: Callable[[str, Mapping[str, object]], None] | None = None,
    ) -> None:
        if keep is not None and context.refers:
            context = replace(context, keep=keep)
        if now and not context.created:
            context = replace(context, created=int(now))
        self._context = context
        self._reader = target.answer_reader(context)
        self._writer = source.answer_writer(context)
        self._frames = Framer()
        self._order = InOrder(wants_objects=source.calls_are_objects)
        self._collected: list[Event] = []
        self._size = 0
        self._begun = False
        writer: object = self._writer
        self._more_text: Callable[[bytes], bytes] | None = None
        if context.stream and isinstance(writer, WritesText):
            self._more_text = writer.more_text
        self._shape: TextShape | None = None
        """Of events that may follow now."""
        self._known: TextShape | None = None
        self._learns = _MOST_SHAPES
        self.over = False
        """The client's answer has its end: nothing more is written."""
        self.failed_with: Failed | None = None
        """It ended in an error."""
        self._fates = source.answer_fates
        self._kinds: set[type] = set()
        """Of the events that were written."""
        self._met = ""
        """The stop sequence that ended it."""

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """(part, why) of the answer, as far as it has come."""
        context, kinds = self._context, self._kinds
        hidden: list[AnswerPart] = []
        if ThoughtDelta in kinds and not context.shows_thoughts:
            hidden.append(AnswerPart.THOUGHT)
        if ThoughtSigned in kinds and not context.keeps_state:
            hidden.append(AnswerPart.STATE)
        unasked = tuple((shown_part(part), NOT_SHOWN) for part in hidden)
        return unasked + noted(self._fates, self._parts(), Kind.DROPPED)

    @property
    def approximated(self) -> tuple[tuple[str, str], ...]:
        """(part, how) of the answer, as far as it has come."""
        return noted(self._fates, self._parts(), Kind.APPROXIMATED)

    def _parts(self) -> tuple[tuple[AnswerPart, str], ...]:
        told: list[AnswerPart] = []
        if ThoughtDelta in self._kinds and self._context.shows_thoughts:
            told.append(AnswerPart.THOUGHT)
        if RefusalDelta in self._kinds:
            told.append(AnswerPart.REFUSAL)
        if self._met:
            told.append(AnswerPart.STOP_SEQUENCE)
        return tuple((part, "") for part in told) + self._reader.asides.found

    def plain(self, body: bytes) -> bytes:
        """The client's answer, of a plain one of the upstream."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return self.failed("The provider's answer is not a JSON object.")
        events = self._order.feed(self._reader.plain(answer))
        return self._write(events) + self._finish()

    def feed(self, chunk: bytes) -> bytes:
        """A piece of the upstream's stream -> of the client's."""
        if self.over:
            return b""
        if self._shape is not None and self._more_text is not None:
            text = self._shape.text_in(chunk) if not self._frames.size else None
            if text is not None:
                return self._more_text(text)
        whole = self._frames.push(chunk)
        if self._frames.size > LONGEST_EVENT:
            self._frames.take()
            return self.failed("An event of the provider's stream is too large.")
        return self._read(whole) if whole else b""

    def end(self) -> bytes:
        """The upstream's stream is over: what the client's lacks to be well-formed."""
        if self.over:
            return b""
        out = self._read(self._frames.take())
        if self.over:
            return out
        out += self._write(self._order.feed(self._reader.end()))
        return out + self._finish()

    def failed(self, message: str, kind: str = "provider_error") -> bytes:
        """The answer ends here, in an error of the client's dialect; b"" if it is over."""
        if self.over:
            return b""
        out = self._write(self._order.feed([Failed(message, kind)]))
        return out + self._finish()

    def _read(self, whole: bytes) -> bytes:
        events: list[Event] = []
        if not self._begun and whole:
            self._begun = True
            whole = whole.removeprefix(b"\xef\xbb\xbf")
        read = self._reader.event
        for raw in raw_events(whole):
            if raw.startswith(b"data:") and raw.find(b"\n") == len(raw) - 2:
                events += read("", data_of(raw))
            elif (event := event_of(raw)) is not None:
                events += read(event.event, event.data.encode("utf-8", "replace"))
            elif raw.lstrip(b"\r\n").startswith(b":"):
                events.append(Ping())
        out = self._write(self._order.feed(events))
        if self._more_text is not None:
            self._learn(whole, events)
        return out

    def _learn(self, whole: bytes, events: list[Event]) -> None:
        """The shape of an event of text; it holds while nothing else comes between."""
        self._shape = None
        if len(events) != 1 or not self._order.is_in_text or not self._learns:
            return
        [event] = events
        if not isinstance(event, TextDelta):
            return
        if self._known is None or not self._known.is_around(whole):
            self._learns -= 1
            self._known = text_shape(whole, event.text)
        self._shape = self._known

    def _write(self, events: Iterable[Event]) -> bytes:
        out = b""
        for event in events:
            self._kinds.add(type(event))
            if isinstance(event, Failed):
                self.failed_with = event
            elif isinstance(event, Ended):
                self._met = event.stop_sequence
            if self._context.stream:
                out += self._writer.write(event)
            else:
                self._size += len(getattr(event, "text", ""))
                self._collected.append(event)
        if self._context.stream:
            self.over = self.over or self._order.is_over
        elif self._size > MOST_COLLECTED:
            self._collected = [Failed("The provider's answer is too large.")]
        return out

    def _finish(self) -> bytes:
        self.over = True
        if self._context.stream:
            return b""
        return self._writer.plain(self._collected)
