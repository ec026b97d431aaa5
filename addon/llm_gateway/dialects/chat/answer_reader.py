"""Reads chat completions answers, plain or streamed, as generously as providers write them.

Calls are recognised by index and id together, usage is found wherever it stands, reasoning
under any of its names, several choices are one. An answer with calls ended for them,
whatever the provider called it.
"""

import json

from llm_gateway.dialects import openai_usage
from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.broken_ends import words_of_end
from llm_gateway.dialects.chat.call_fragments import CallFragments
from llm_gateway.dialects.chat.reasoning import (
    NAMES,
    details_of,
    named_thoughts,
    signature_of,
    thoughts_of,
    visible_text,
)
from llm_gateway.dialects.chat.thought_tags import Piece, ThoughtTag
from llm_gateway.dialects.choices import broken_end, event_failed
from llm_gateway.dialects.failed_answer import failure_of
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallStarted,
    Ended,
    EndReason,
    Event,
    Failed,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.answer_parts import AnswerPart, Asides
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.made_ids import made_id

REASONS: dict[str, EndReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filtered",
    "safety": "filtered",
    "refusal": "refusal",
    "stop_sequence": "stop_sequence",
}
"""Of all others an answer with calls waits for their results, and one without is done."""
_READ = frozenset(
    {
        *("role", "content", "refusal", "tool_calls", "function_call", "extra_content"),
        *("reasoning_details", "tool_call_id", "name", *NAMES),
    }
)
"""Members of messages and deltas that are read, or say nothing to a client."""
_SPOKEN = ("", "text", "output_text", "thinking")
"""Types of chunks that are read."""
_BESIDE = frozenset({"citations", "search_results", "related_questions", "images"})
"""Members beside the choices that belong to the answer."""
_GATHERED = 1 << 18
"""Characters of a call's arguments by which it is told from the next one."""


class ChatAnswerReader:
    """See `AnswerReader`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._started = False
        self._said = False
        self._refused = False
        self._reason = ""
        self._broken = ""
        self.asides = Asides()
        self._done = False
        self._fragments = CallFragments(self._make_id)
        self._begun: set[int] = set()
        self._sizes: dict[int, int] = {}
        self._thought_apart = False
        """Thoughts came under a name of their own."""
        tag = context.thought_tag
        self._tag = ThoughtTag(tag) if tag else None
        self._details: list[Json] = []
        """Messages with reasoning details, until the thought is over."""

    def plain(self, answer: Json) -> list[Event]:
        if event_failed(answer):
            return [failure_of(answer)]
        if not objects(answer.get("choices")):
            return [Failed("The provider's answer holds no choices.")]
        self._done = True
        return [*self._read(answer), *self.end()]

    def event(self, name: str, data: bytes) -> list[Event]:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            if data.strip() == b"[DONE]":
                return self._end()
            return [Failed("The provider's stream holds an event that is no JSON.")]
        if event_failed(event):
            return [failure_of(event)]
        return self._read(event)

    def end(self) -> list[Event]:
        if self._done or self._reason:
            return self._end()
        return [Failed("The provider's stream ended before its answer did.")]

    def _end(self) -> list[Event]:
        out: list[Event] = [] if self._started else [Started()]
        if self._tag is not None:
            out += map(_said, self._tag.finish())
        self._sign(out)
        if self._broken and not self._begun:
            words = words_of_end(self._broken)
            return [*out, Failed(words, self._broken.rpartition(" ")[2].lower())]
        return [*out, Ended(self._end_reason())]

    def _sign(self, out: list[Event]) -> None:
        """The thought is over: its details are state, where they hold more than text."""
        if not self._details:
            return
        details = details_of(self._details)
        self._details = []
        if any(one.get("signature") or one.get("data") for one in details):
            said = json.dumps(details, separators=(",", ":"))
            out.append(ThoughtSigned(Opaque(said, self._context.maker, "details")))

    def _end_reason(self) -> EndReason:
        if (reason := REASONS.get(self._reason.lower())) is not None:
            return reason
        if self._begun:
            return "tools"
        return "refusal" if self._refused else "stop"

    def _read(self, value: Json) -> list[Event]:
        out: list[Event] = []
        if not self._started:
            self._started = True
            created = value.get("created")
            date = int(created) if isinstance(created, int | float) else 0
            out.append(
                Started(text_of(value.get("id")), text_of(value.get("model")), date)
            )
        if not _BESIDE.isdisjoint(value):
            self.asides.members(value, frozenset(value.keys() - _BESIDE))
        for choice in objects(value.get("choices")):
            if choice.get("logprobs"):
                self.asides.add(AnswerPart.LOGPROBS)
            delta = choice.get("delta")
            if isinstance(delta, dict) and delta:
                self._message(delta, out)
            elif isinstance(message := choice.get("message"), dict) and not self._said:
                self._message(message, out, is_whole=True)
            if reason := text_of(choice.get("finish_reason")):
                self._reason = reason
                self._broken = broken_end(choice)
        if (usage := self._usage(value)) is not None:
            out.append(usage)
        return out

    def _usage(self, value: Json) -> Usage | None:
        found = openai_usage.find_usage(value, value)
        if found is None:
            return None
        return openai_usage.read_usage(found, self._context.reasoning_excluded)

    def _message(
        self, message: Json, out: list[Event], *, is_whole: bool = False
    ) -> None:
        before = len(out)
        content = message.get("content")
        if len(message) > 1 or not isinstance(content, str):
            self.asides.members(message, _READ)
            details = message.get("reasoning_details")
            if not (details and self._thought_apart and not named_thoughts(message)):
                # Some say thoughts twice: under a name, and at the end in details.
                self._thought_apart = self._thought_apart or named_thoughts(message)
                if thought := thoughts_of(message):
                    out.append(ThoughtDelta(thought))
            if details:
                self._details.append(message)
            if isinstance(content, list):
                for one in objects(content):
                    if (kind := text_of(one.get("type"))) not in _SPOKEN:
                        self.asides.block(kind)
                content = visible_text(content)
        if isinstance(content, str) and content:
            self._text(content, out)
        if refusal := text_of(message.get("refusal")):
            self._refused = True
            out.append(RefusalDelta(refusal))
        if self._details and message.get("tool_calls"):
            self._sign(out)
        for position, call in enumerate(objects(message.get("tool_calls"))):
            self._call({"index": position, **call} if is_whole else call, out)
        if function := object_of(message.get("function_call")):
            self._call({"index": 0, "function": function}, out)
        self._said = self._said or len(out) > before

    def _text(self, content: str, out: list[Event]) -> None:
        if self._tag is None:
            self._sign(out)
            out.append(TextDelta(content))
        else:
            out += map(_said, self._tag.feed(content))

    def _call(self, call: Json, out: list[Event]) -> None:
        call = self._fragments.take(call)
        index = call["index"]
        assert isinstance(index, int)
        function = object_of(call.get("function"))
        if index not in self._begun:
            self._begun.add(index)
            signature = signature_of(call)
            out.append(
                CallStarted(
                    index,
                    text_of(call.get("id")),
                    text_of(function.get("name")),
                    state=Opaque(signature, self._context.maker) if signature else None,
                )
            )
        if arguments := text_of(function.get("arguments")):
            out.append(ArgumentsDelta(index, arguments))
            self._forget(index, len(arguments))

    def _forget(self, index: int, size: int) -> None:
        """Long arguments are not gathered: they are nobody's but the client's."""
        self._sizes[index] = self._sizes.get(index, 0) + size
        if self._sizes[index] > _GATHERED:
            self._sizes[index] = 0
            self._fragments.calls[index].pieces = ["{"]

    def _make_id(self, position: int, name: str) -> str:
        return made_id("call_", self._context.seed, position, name)


def _said(piece: Piece) -> Event:
    if piece.kind == "thought":
        return ThoughtDelta(piece.text)
    return TextDelta(piece.text)
