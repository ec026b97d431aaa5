"""Reads Anthropic Messages answers, plain or streamed, as generously as providers write them.

Blocks are told apart by index; deltas of a block that was never begun begin it, and one that
is begun twice goes on. Usage is put together from all events.
"""

import json

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.failed_answer import failure_of
from llm_gateway.dialects.messages.content_reader import json_text
from llm_gateway.dialects.messages.usage import read_usage
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
    Ping,
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
    "end_turn": "stop",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "pause_turn": "pause",
}


class MessagesAnswerReader:
    """See `AnswerReader`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self.asides = Asides()
        self._started = False
        self._usage: dict[str, object] = {}
        self._reason = ""
        self._sequence = ""
        self._ended = False
        self._calls: dict[int, int] = {}
        """Index of an open block -> number of its call."""
        self._count = 0
        self._whole: dict[int, object] = {}
        """Index of a call -> its input, where it came with its beginning."""

    def plain(self, answer: Json) -> list[Event]:
        if is_error(answer) or answer.get("type") == "error":
            return [failure_of(answer)]
        if not isinstance(answer.get("content"), list) and not answer.get(
            "stop_reason"
        ):
            return [Failed("The provider's answer holds no content.")]
        out = self._start(answer)
        for index, block in enumerate(objects(answer.get("content"))):
            self._block(index, block, out)
            self._stop(index, out)
        self._delta(answer, answer)
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
        index = event.get("index")
        index = index if type(index) is int else 0
        match event.get("type") or name:
            case "content_block_delta":
                out: list[Event] = [] if self._started else self._start({})
                self._piece(index, object_of(event.get("delta")), out)
                return out
            case "content_block_start":
                out = [] if self._started else self._start({})
                self._block(index, object_of(event.get("content_block")), out)
                return out
            case "content_block_stop":
                out = []
                self._stop(index, out)
                return out
            case "message_start":
                return self._start(object_of(event.get("message")))
            case "message_delta":
                self._delta(object_of(event.get("delta")), event)
                return []
            case "message_stop":
                return self._end()
            case "ping":
                return [Ping()]
        return [failure_of(event)] if is_error(event) else []

    def end(self) -> list[Event]:
        if self._ended:
            return []
        if self._reason:
            return self._end()
        return [Failed("The provider's stream ended before its answer did.")]

    def _start(self, message: Json) -> list[Event]:
        self._count_usage(message)
        if self._started:
            return []
        self._started = True
        return [Started(text_of(message.get("id")), text_of(message.get("model")))]

    def _end(self) -> list[Event]:
        if self._ended:
            return []
        self._ended = True
        out: list[Event] = [] if self._started else self._start({})
        if (usage := self._read_usage()) is not None:
            out.append(usage)
        reason = REASONS.get(self._reason, "stop")
        if reason in ("stop", "tools"):
            reason = "tools" if self._count else "stop"
        return [*out, Ended(reason, self._sequence)]

    def _delta(self, delta: Json, event: Json) -> None:
        self._reason = text_of(delta.get("stop_reason")) or self._reason
        self._sequence = text_of(delta.get("stop_sequence")) or self._sequence
        self._count_usage(event)

    def _count_usage(self, holder: Json) -> None:
        for name, value in object_of(holder.get("usage")).items():
            if value is not None:
                self._usage[name] = value

    def _read_usage(self) -> Usage | None:
        found = read_usage(self._usage, self._context.reasoning_excluded)
        # Zeros alone are what providers write that do not count.
        return found if found is not None and found.total else None

    def _block(self, index: int, block: Json, out: list[Event]) -> None:
        match block.get("type"):
            case "text":
                if text := text_of(block.get("text")):
                    out.append(TextDelta(text))
                if block.get("citations"):
                    self.asides.add(AnswerPart.CITATION)
            case "thinking":
                if text := text_of(block.get("thinking")):
                    out.append(ThoughtDelta(text))
                self._sign(text_of(block.get("signature")), out)
            case "redacted_thinking":
                if data := text_of(block.get("data")):
                    state = Opaque(data, self._context.maker, "redacted")
                    out.append(ThoughtSigned(state))
            case "tool_use":
                if index in self._calls:
                    return  # begun twice
                call = self._calls[index] = self._count
                self._count += 1
                name = text_of(block.get("name"))
                id = text_of(block.get("id")) or made_id(
                    "toolu_", self._context.seed, call, name
                )
                out.append(CallStarted(call, id, name))
                if block.get("input"):
                    self._whole[index] = block.get("input")
            case kind:
                self.asides.block(text_of(kind))

    def _piece(self, index: int, delta: Json, out: list[Event]) -> None:
        if text := text_of(delta.get("text")):
            out.append(TextDelta(text))
        elif text := text_of(delta.get("partial_json")):
            if (call := self._calls.get(index)) is not None:
                self._whole.pop(index, None)
                out.append(ArgumentsDelta(call, text))
        elif text := text_of(delta.get("thinking")):
            out.append(ThoughtDelta(text))
        elif delta.get("type") == "citations_delta":
            self.asides.add(AnswerPart.CITATION)
        else:
            self._sign(text_of(delta.get("signature")), out)

    def _sign(self, signature: str, out: list[Event]) -> None:
        if signature:
            out.append(ThoughtSigned(Opaque(signature, self._context.maker)))

    def _stop(self, index: int, out: list[Event]) -> None:
        if (call := self._calls.pop(index, None)) is None:
            return
        if index in self._whole:
            out.append(ArgumentsDelta(call, json_text(self._whole.pop(index))))
        out.append(CallEnded(call))
