"""Writes answers as Anthropic Messages, plain or as a stream of events.

One content block is open at a time, its index counting up; a thought ends with a signature
that names its maker. How a stream ended and what it used stand in `message_delta`.
"""

import json
from collections.abc import Iterable, Mapping

from llm_gateway.dialects.messages.answer_blocks import (
    STOP_REASONS,
    BlockBuilder,
    call_block,
    message_id,
    usage_object,
)
from llm_gateway.dialects.messages.errors import error_body, stream_error
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Event,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.opaque_text import write_call_state, write_opaque

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"%b","%b":%b}}\n\n'
)
_TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'

_written = json.JSONEncoder(separators=(",", ":")).encode


class MessagesAnswerWriter:
    """See `AnswerWriter`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._begun = False
        self._open = ""
        """Type of the open block."""
        self._index = -1
        self._usage: Usage | None = None
        self._size = 0

    def plain(self, events: Iterable[Event]) -> bytes:
        blocks = BlockBuilder(self._context)
        for event in events:
            if isinstance(event, Failed):
                return error_body(502, event.kind, event.message)
            blocks.add(event)
        return _written(blocks.message()).encode()

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                return self._delta("text", "text_delta", "text", text)
            case ThoughtDelta(text):
                if not self._context.shows_thoughts:
                    return b""
                return self._delta("thinking", "thinking_delta", "thinking", text)
            case ArgumentsDelta(_, text):
                return self._delta("tool_use", "input_json_delta", "partial_json", text)
            case CallStarted():
                begun = self._begin(Started()) + self._close(event.state)
                block = call_block(event, self._context)
                return begun + self._block("tool_use", block)
            case CallEnded():
                return self._close()
            case ThoughtSigned():
                return self._signed(event)
            case Started():
                return self._begin(event)
            case Usage():
                self._usage = event
                return b""
            case Ping():
                return _PING if self._begun else b""
            case Failed(message, kind):
                return stream_error(kind, message)
            case Ended():
                return self._end(event)

    def more_text(self, escaped: bytes) -> bytes:
        self._size += len(escaped)
        return _TEXT % (self._index, escaped)

    def _begin(self, started: Started) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        context = self._context
        message: dict[str, object] = {
            "id": message_id(started.id, context.seed),
            "type": "message",
            "role": "assistant",
            "model": context.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(Usage(input_tokens=context.input_estimate)),
        }
        return _event("message_start", {"message": message})

    def _block(self, kind: str, block: Mapping[str, object]) -> bytes:
        out = self._begin(Started()) + self._close()
        self._open = kind
        self._index += 1
        start = {"index": self._index, "content_block": block}
        return out + _event("content_block_start", start)

    def _delta(self, kind: str, type: str, member: str, text: str) -> bytes:
        if not text:
            return b""
        out = b""
        if self._open != kind:
            if kind == "tool_use":
                return b""  # its call has ended
            out = self._block(kind, _EMPTY[kind])
        self._size += len(text)
        said = _written(text).encode()
        return out + _DELTA % (self._index, type.encode(), member.encode(), said)

    def _close(self, call: Opaque | None = None) -> bytes:
        """call: what signs the call that comes now."""
        if not self._open:
            return b""
        out = b""
        if self._open == "thinking":
            out = self._signature(write_call_state(call, self._context))
        self._open = ""
        return out + _STOP % self._index

    def _signature(self, signature: str) -> bytes:
        said = _written(signature).encode()
        return _DELTA % (self._index, b"signature_delta", b"signature", said)

    def _signed(self, event: ThoughtSigned) -> bytes:
        if not self._context.keeps_state:
            return b""
        signature = write_opaque(event.state, self._context)
        if self._open != "thinking" and event.state.form == "redacted":
            block = {"type": "redacted_thinking", "data": signature}
            return self._block("redacted_thinking", block) + self._close()
        out = b""
        if self._open != "thinking":
            out = self._block("thinking", _EMPTY["thinking"])
        out += self._signature(signature)
        self._open = ""
        return out + _STOP % self._index

    def _end(self, ended: Ended) -> bytes:
        out = self._begin(Started()) + self._close()
        usage = self._usage or Usage(
            input_tokens=self._context.input_estimate, output_tokens=-(-self._size // 4)
        )
        delta = {
            "delta": {
                "stop_reason": STOP_REASONS[ended.reason],
                "stop_sequence": ended.stop_sequence or None,
            },
            "usage": usage_object(usage),
        }
        return out + _event("message_delta", delta) + _event("message_stop", {})


_EMPTY: Mapping[str, Mapping[str, object]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


def _event(name: str, members: Mapping[str, object]) -> bytes:
    data = _written({"type": name, **members})
    return f"event: {name}\ndata: {data}\n\n".encode()
