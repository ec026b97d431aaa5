"""Builds a plain chat completions answer from the events of an answer."""

from llm_gateway.dialects.chat.answer_parts import (
    finish_reason,
    opaque_detail,
    signed_call,
    usage_object,
)
from llm_gateway.dialects.tool_names import unwrapped
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallStarted,
    Ended,
    Event,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.made_ids import made_id

Object = dict[str, object]


class AnswerBuilder:
    """`add` each event, which come in order as for a stream; then take the `answer`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._started = Started()
        self._usage: Usage | None = None
        self._ended = Ended("stop")
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._signed = 0
        """Pieces of thoughts that have their state."""
        self._refusals: list[str] = []
        self._details: list[Object] = []
        self._calls: dict[int, tuple[CallStarted, list[str]]] = {}

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._texts.append(text)
            case ThoughtDelta(text):
                if self._context.shows_thoughts:
                    self._thoughts.append(text)
            case ThoughtSigned(state):
                text = "".join(self._thoughts[self._signed :])
                self._signed = len(self._thoughts)
                if self._context.keeps_state:
                    detail = opaque_detail(text, state, self._context)
                    self._details.append({"index": len(self._details), **detail})
            case RefusalDelta(text):
                self._refusals.append(text)
            case CallStarted(call):
                self._calls[call] = event, []
            case ArgumentsDelta(call, text):
                if call in self._calls:
                    self._calls[call][1].append(text)
            case Started():
                self._started = event
            case Usage():
                self._usage = event
            case Ended():
                self._ended = event
            case _:
                pass

    def answer(self) -> Object:
        context, started = self._context, self._started
        reason = finish_reason(self._ended.reason, is_refusal_text=bool(self._refusals))
        choice = {"index": 0, "message": self._message(), "finish_reason": reason}
        answer: Object = {
            "id": made_id("chatcmpl-", started.id or context.seed),
            "object": "chat.completion",
            "created": started.created or context.created,
            "model": context.model,
            "choices": [choice],
        }
        if self._usage is not None:
            answer["usage"] = usage_object(self._usage)
        return answer

    def _message(self) -> Object:
        text = "".join(self._texts)
        message: Object = {
            "role": "assistant",
            "content": text or (None if self._calls or self._refusals else ""),
            "refusal": "".join(self._refusals) or None,
        }
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._details:
            message["reasoning_details"] = self._details
        if self._calls:
            message["tool_calls"] = [
                _call(call, "".join(pieces), self._context)
                for call, pieces in self._calls.values()
            ]
        return message


def _call(call: CallStarted, arguments: str, context: AnswerContext) -> Object:
    origin = context.tools.get(call.name)
    name = origin.name if origin is not None else call.name
    if origin is not None and origin.freeform:
        custom = {"name": name, "input": unwrapped(arguments)}
        written: Object = {"id": call.id, "type": "custom", "custom": custom}
    else:
        function = {"name": name, "arguments": arguments or "{}"}
        written = {"id": call.id, "type": "function", "function": function}
    return signed_call(written, call.state, context)
