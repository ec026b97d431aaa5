"""Writes answers as chat completions, plain or as a stream of chunks.

Calls are numbered from 0, and say their id, type and name once. Usage stands in a chunk of
its own behind the last choice, where the client asked for it; `[DONE]` ends a stream.
"""

import json
from collections.abc import Iterable, Mapping

from llm_gateway.dialects.chat.answer_builder import AnswerBuilder
from llm_gateway.dialects.chat.answer_parts import (
    finish_reason,
    opaque_detail,
    signed_call,
    usage_object,
)
from llm_gateway.dialects.openai_errors import error_body, stream_error
from llm_gateway.dialects.tool_names import unwrapped
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
from llm_gateway.translation.made_ids import made_id

_DONE = b"data: [DONE]\n\n"
_TAIL = b',"finish_reason":null}]}\n\n'

_written = json.JSONEncoder(separators=(",", ":")).encode

Object = dict[str, object]


class ChatAnswerWriter:
    """See `AnswerWriter`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._head = b""
        """Of every chunk, up to its delta; b"": nothing was written yet."""
        self._members: Object = {}
        self._calls: dict[int, int] = {}
        """Number of a call here, by its number in the events."""
        self._inputs: dict[int, list[str]] = {}
        """Arguments of a freeform tool, until they are whole."""
        self._usage: Usage | None = None
        self._refused = False
        self._thought: list[str] = []
        self._details = 0

    def plain(self, events: Iterable[Event]) -> bytes:
        builder = AnswerBuilder(self._context)
        for event in events:
            if isinstance(event, Failed):
                return error_body(502, event.kind, event.message)
            builder.add(event)
        return _written(builder.answer()).encode()

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                return self._said(b"content", text)
            case ArgumentsDelta(call, text):
                return self._arguments(call, text)
            case ThoughtDelta(text):
                if not self._context.shows_thoughts:
                    return b""
                self._thought.append(text)
                return self._said(b"reasoning_content", text)
            case ThoughtSigned(state):
                text = "".join(self._thought)
                self._thought = []
                if not self._context.keeps_state:
                    return b""
                detail = opaque_detail(text, state, self._context)
                # Stream helpers join lists by the index of their entries.
                detail = {"index": self._details, **detail}
                self._details += 1
                return self._delta({"reasoning_details": [detail]})
            case RefusalDelta(text):
                self._refused = True
                return self._said(b"refusal", text)
            case CallStarted():
                return self._call(event)
            case CallEnded(call):
                return self._call_ended(call)
            case Started():
                return self._begin(event)
            case Usage():
                self._usage = event
                return b""
            case Ping():
                return b": ping\n\n"
            case Failed(message, kind):
                return stream_error(kind, message)
            case Ended():
                return self._end(event)

    def more_text(self, escaped: bytes) -> bytes:
        return b'%b{"content":"%b"}%b' % (self._head, escaped, _TAIL)

    def _begin(self, started: Started) -> bytes:
        if self._head:
            return b""
        context = self._context
        self._members = {
            "id": made_id("chatcmpl-", started.id or context.seed),
            "object": "chat.completion.chunk",
            "created": started.created or context.created,
            "model": context.model,
        }
        head = _written(self._members)[:-1]
        self._head = f'data: {head},"choices":[{{"index":0,"delta":'.encode()
        return self._delta({"role": "assistant", "content": ""})

    def _delta(self, delta: Mapping[str, object]) -> bytes:
        begun = b"" if self._head else self._begin(Started())
        return begun + self._head + _written(delta).encode() + _TAIL

    def _said(self, member: bytes, text: str) -> bytes:
        if not text:
            return b""
        begun = b"" if self._head else self._begin(Started())
        said = _written(text).encode()
        return begun + b'%b{"%b":%b}%b' % (self._head, member, said, _TAIL)

    def _call(self, event: CallStarted) -> bytes:
        index = self._calls[event.call] = len(self._calls)
        origin = self._context.tools.get(event.name)
        name = origin.name if origin is not None else event.name
        if origin is not None and origin.freeform:
            self._inputs[event.call] = []
            kind, inner = "custom", {"name": name, "input": ""}
        else:
            kind, inner = "function", {"name": name, "arguments": ""}
        call = {"index": index, "id": event.id, "type": kind, kind: inner}
        signed = signed_call(call, event.state, self._context)
        return self._delta({"tool_calls": [signed]})

    def _arguments(self, call: int, text: str) -> bytes:
        if (index := self._calls.get(call)) is None or not text:
            return b""
        if (pieces := self._inputs.get(call)) is not None:
            pieces.append(text)
            return b""
        said = _written(text).encode()
        return b'%b{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}%b' % (
            self._head,
            index,
            said,
            _TAIL,
        )

    def _call_ended(self, call: int) -> bytes:
        if (pieces := self._inputs.pop(call, None)) is None:
            return b""
        custom = {"input": unwrapped("".join(pieces))}
        return self._delta(
            {"tool_calls": [{"index": self._calls[call], "custom": custom}]}
        )

    def _end(self, ended: Ended) -> bytes:
        out = b"" if self._head else self._begin(Started())
        reason = finish_reason(ended.reason, is_refusal_text=self._refused)
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        out += self._chunk({"choices": [choice]})
        if self._context.wants_usage and self._usage is not None:
            out += self._chunk({"choices": [], "usage": usage_object(self._usage)})
        return out + _DONE

    def _chunk(self, members: Mapping[str, object]) -> bytes:
        return f"data: {_written({**self._members, **members})}\n\n".encode()
