"""Reads generateContent answers, plain or streamed, as generously as providers write them.

Each event is an answer of its own that holds the next parts; calls come whole. An answer
with calls ended for them: Google calls that `STOP`.
"""

import json

from llm_gateway.dialects.answer_observer import Json
from llm_gateway.dialects.broken_ends import words_of_end
from llm_gateway.dialects.failed_answer import failure_of
from llm_gateway.dialects.generate_content.answer import FILTERED, UNSAID, is_blocked
from llm_gateway.dialects.generate_content.members import (
    camel,
    member,
    object_in,
    objects_in,
    text_in,
)
from llm_gateway.dialects.generate_content.part_reader import json_text
from llm_gateway.dialects.generate_content.usage import find_usage, read_usage
from llm_gateway.dialects.provider_errors import is_error
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    EndReason,
    Event,
    Failed,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.answer_parts import Asides
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.made_ids import made_id

REASONS: dict[str, EndReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(FILTERED, "filtered"),
}
"""Every other end broke the answer off, whatever was said: an error, unless whole calls came."""


_BESIDE = (
    *("citationMetadata", "groundingMetadata", "groundingAttributions"),
    *("urlContextMetadata", "logprobsResult"),
)
"""Members of a candidate that belong to its answer."""
_READ = frozenset(
    {
        *("text", "thought", "thoughtSignature", "functionCall", "partMetadata"),
        *("videoMetadata", "mediaResolution"),
    }
)
"""Members of a part that are read, or only speak of another one."""


class GenerateContentAnswerReader:
    """See `AnswerReader`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self.asides = Asides()
        self._started = False
        self._calls = 0
        self._reason = ""
        self._ended = False
        """It said that it ended, and not why: more may come."""
        self._words = ""
        self._blocked = False
        self._over = False

    def plain(self, answer: Json) -> list[Event]:
        if is_error(answer):
            return [failure_of(answer)]
        if not objects_in(answer, "candidates") and not is_blocked(answer):
            return [Failed("The provider's answer holds no candidates.")]
        out = self._read(answer)
        # It is whole, whether or not it says why it ended.
        self._reason = self._reason or "STOP"
        return [*out, *self._end()]

    def event(self, name: str, data: bytes) -> list[Event]:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            if data.strip() == b"[DONE]":
                return []
            return [Failed("The provider's stream holds an event that is no JSON.")]
        if is_error(event):
            return [failure_of(event)]
        out = self._read(event)
        if self._reason and find_usage(event, event) is not None:
            out += self._end()
        return out

    def end(self) -> list[Event]:
        if self._ended:
            self._reason = self._reason or "STOP"
        if self._reason or self._blocked:
            return self._end()
        if self._over:
            return []
        return [Failed("The provider's stream ended before its answer did.")]

    def _end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        if self._blocked:
            return [Ended("filtered")]
        reason = REASONS.get(self._reason)
        if self._calls and reason in (None, "stop"):
            return [Ended("tools")]
        if reason is None:
            words = words_of_end(self._reason, self._words)
            return [Failed(words, self._reason.lower())]
        return [Ended(reason)]

    def _read(self, value: Json) -> list[Event]:
        out: list[Event] = []
        if not self._started:
            self._started = True
            out.append(
                Started(text_in(value, "responseId"), text_in(value, "modelVersion"))
            )
        self._blocked = self._blocked or is_blocked(value)
        for candidate in objects_in(value, "candidates"):
            if candidate.get("index") not in (None, 0):
                continue
            for part in objects_in(object_in(candidate, "content"), "parts"):
                self._part(part, out)
            for name in _BESIDE:
                if member(candidate, name):
                    self.asides.members({name: True}, frozenset())
            reason = text_in(candidate, "finishReason")
            if reason == UNSAID:
                self._ended = True
            elif reason:
                self._reason = reason
            self._words = text_in(candidate, "finishMessage") or self._words
        usage = find_usage(value, value)
        if usage is not None and (read := self._usage(usage)) is not None:
            out.append(read)
        return out

    def _usage(self, usage: Json) -> Usage | None:
        return read_usage(usage, self._context.reasoning_excluded)

    def _part(self, part: Json, out: list[Event]) -> None:
        signature = text_in(part, "thoughtSignature")
        state = Opaque(signature, self._context.maker) if signature else None
        if call := object_in(part, "functionCall"):
            self._call(call, state, out)
        elif member(part, "thought") is True:
            if text := text_in(part, "text"):
                out.append(ThoughtDelta(text))
            if state is not None:
                out.append(ThoughtSigned(state))
        elif text := text_in(part, "text"):
            # A signature on a text is a hint that may be left out.
            out.append(TextDelta(text))
        else:
            self._aside(part)

    def _aside(self, part: Json) -> None:
        for name, value in part.items():
            name = camel(name)
            if name in _READ or not value:
                continue
            if name in ("inlineData", "fileData"):
                kind = text_in(value, "mimeType").partition("/")[0]
                self.asides.block(kind or "image")
            else:
                self.asides.block(name)

    def _call(self, call: Json, state: Opaque | None, out: list[Event]) -> None:
        number, name = self._calls, text_in(call, "name")
        self._calls += 1
        id = text_in(call, "id") or made_id("call_", self._context.seed, number, name)
        arguments = json_text(member(call, "args"))
        out += (
            CallStarted(number, id, name, state=state),
            ArgumentsDelta(number, arguments),
            CallEnded(number),
        )
