"""Writes answers as generateContent, plain or as a stream of events.

Each event is an answer with the next part; a call goes out whole. Google's SDKs read lines
that begin with `data:` and nothing else, so that a ping becomes nothing. An array of the
events is the transport's affair.
"""

import json
from collections.abc import Iterable

from llm_gateway.dialects.generate_content.errors import error_body, stream_error
from llm_gateway.dialects.generate_content.part_writer import args_of
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
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
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.made_ids import made_id
from llm_gateway.translation.opaque_text import write_opaque

FINISH_REASONS: dict[EndReason, str] = {
    "length": "MAX_TOKENS",
    "refusal": "SAFETY",
    "filtered": "SAFETY",
}
"""Every other end is a `STOP`."""

Object = dict[str, object]
_written = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class GenerateContentAnswerWriter:
    """See `AnswerWriter`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._id = ""
        self._usage: Usage | None = None
        self._size = 0
        self._call: CallStarted | None = None
        self._arguments: list[str] = []
        self._thinks = False
        """A thought with text is open."""

    def plain(self, events: Iterable[Event]) -> bytes:
        parts: list[Object] = []
        reason = "STOP"
        for event in events:
            if isinstance(event, Failed):
                return error_body(502, event.kind, event.message)
            if isinstance(event, Ended):
                reason = FINISH_REASONS.get(event.reason, "STOP")
            elif (part := self._part(event)) is not None:
                _append(parts, part)
        return _bytes(self._answer(parts, reason))

    def write(self, event: Event) -> bytes:
        match event:
            case Failed(message, kind):
                return stream_error(kind, message)
            case Ended(reason):
                last: list[Object] = [{"text": ""}]
                return self._event(last, FINISH_REASONS.get(reason, "STOP"))
        part = self._part(event)
        return b"" if part is None else self._event([part])

    def _part(self, event: Event) -> Object | None:
        """What this event adds; None: nothing yet."""
        match event:
            case TextDelta(text) | RefusalDelta(text):
                self._thinks = False
                self._size += len(text)
                return {"text": text} if text else None
            case ThoughtDelta(text):
                if not self._context.shows_thoughts or not text:
                    return None
                self._thinks = True
                return {"text": text, "thought": True}
            case ThoughtSigned(state):
                shown, self._thinks = self._thinks, False
                if not shown and state.form != "redacted":
                    return None  # it is bound to a text that the client has not got
                signature = write_opaque(state, self._context)
                return {"text": "", "thought": True, "thoughtSignature": signature}
            case CallStarted():
                self._thinks = False
                self._call, self._arguments = event, []
            case ArgumentsDelta(_, text):
                self._arguments.append(text)
            case CallEnded():
                return self._called()
            case Started(id):
                self._id = self._id or id
            case Usage():
                self._usage = event
            case _:
                pass
        return None

    def _called(self) -> Object | None:
        call, arguments = self._call, "".join(self._arguments)
        self._call = None
        if call is None:
            return None
        self._size += len(arguments)
        origin = self._context.tools.get(call.name)
        made: Object = {
            "functionCall": {
                "id": call.id,
                "name": origin.name if origin is not None else call.name,
                "args": args_of(arguments),
            }
        }
        if call.state is not None:
            made["thoughtSignature"] = write_opaque(call.state, self._context)
        return made

    def _event(self, parts: list[Object], reason: str = "") -> bytes:
        return b"data: " + _bytes(self._answer(parts, reason)) + b"\n\n"

    def _answer(self, parts: list[Object], reason: str) -> Object:
        candidate: Object = {"content": {"role": "model", "parts": parts}, "index": 0}
        answer: Object = {"candidates": [candidate]}
        if reason:
            candidate["finishReason"] = reason
            answer["usageMetadata"] = self._usage_object()
        answer["modelVersion"] = self._context.model
        answer["responseId"] = made_id("", self._id or self._context.seed)
        return answer

    def _usage_object(self) -> Object:
        usage = self._usage or Usage(
            input_tokens=self._context.input_estimate, output_tokens=-(-self._size // 4)
        )
        written: Object = {
            "promptTokenCount": usage.prompt,
            "candidatesTokenCount": usage.output_tokens,
            "totalTokenCount": usage.total,
        }
        if usage.cached_tokens:
            written["cachedContentTokenCount"] = usage.cached_tokens
        if usage.reasoning_tokens:
            written["thoughtsTokenCount"] = usage.reasoning_tokens
        return written


def _append(parts: list[Object], part: Object) -> None:
    """Pieces of a text, or of a thought and its signature, are one part."""
    last = parts[-1] if parts else {}
    alike = (
        last.get("thought") == part.get("thought") and "thoughtSignature" not in last
    )
    if "text" in part and "text" in last and alike:
        parts[-1] = {**last, **part, "text": f"{last['text']}{part['text']}"}
    else:
        parts.append(part)


def _bytes(value: Object) -> bytes:
    return _written(value).encode("utf-8", "replace")
