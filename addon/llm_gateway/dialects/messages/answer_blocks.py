"""Content blocks, usage and ids of Messages answers that are written for a client."""

import json
from collections.abc import Mapping

from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallStarted,
    Ended,
    EndReason,
    Event,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.made_ids import made_id
from llm_gateway.translation.opaque_text import write_call_state, write_opaque

STOP_REASONS: Mapping[EndReason, str] = {
    "stop": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "filtered": "refusal",
    "pause": "pause_turn",
}
CALL_ID = r"[a-zA-Z0-9_-]{1,64}"

Block = dict[str, object]


def message_id(id: str, seed: str) -> str:
    """Another one for each answer, even where a provider repeats its own: Claude Code takes
    answers with one id for pieces of one message."""
    return made_id("msg_", seed, id)


def call_block(call: CallStarted, context: AnswerContext) -> Block:
    """A call as it begins."""
    origin = context.tools.get(call.name)
    return {
        "type": "tool_use",
        "id": fitting_id(call.id, CALL_ID),
        "name": origin.name if origin is not None else call.name,
        "input": {},
    }


def thinking_block(text: str, signature: str) -> Block:
    return {"type": "thinking", "thinking": text, "signature": signature}


def usage_object(usage: Usage) -> dict[str, object]:
    written: dict[str, object] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens + usage.reasoning_tokens,
    }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return written


class BlockBuilder:
    """Events of an answer -> a whole message. They come in order, as for a stream."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._content: list[Block] = []
        self._texts: list[str] = []
        """Of the open block."""
        self._open = ""
        self._id = ""
        self._usage: Usage | None = None
        self._end = Ended("stop")
        self._size = 0

    def add(self, event: Event) -> None:
        match event:
            case Started(id):
                self._id = self._id or id
            case TextDelta(text) | RefusalDelta(text):
                self._say("text", text)
            case ThoughtDelta(text):
                if self._context.shows_thoughts:
                    self._say("thinking", text)
            case ThoughtSigned(state):
                if self._context.keeps_state:
                    self._signed(state)
            case CallStarted():
                self._close(write_call_state(event.state, self._context))
                self._content.append(call_block(event, self._context))
                self._open = "tool_use"
            case ArgumentsDelta(_, text):
                self._say("tool_use", text)
            case Usage():
                self._usage = event
            case Ended():
                self._end = event
            case _:
                pass

    def message(self) -> dict[str, object]:
        self._close()
        usage = self._usage or Usage(
            input_tokens=self._context.input_estimate, output_tokens=-(-self._size // 4)
        )
        return {
            "id": message_id(self._id, self._context.seed),
            "type": "message",
            "role": "assistant",
            "model": self._context.model,
            "content": self._content,
            "stop_reason": STOP_REASONS[self._end.reason],
            "stop_sequence": self._end.stop_sequence or None,
            "usage": usage_object(usage),
        }

    def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        if self._open != kind:
            if kind == "tool_use":
                return  # its call has ended
            self._close()
            self._open = kind
        self._texts.append(text)
        self._size += len(text)

    def _signed(self, state: Opaque) -> None:
        signature = write_opaque(state, self._context)
        if self._open == "thinking":
            self._close(signature)
            return
        self._close()
        if state.form == "redacted":
            self._content.append({"type": "redacted_thinking", "data": signature})
        else:
            self._content.append(thinking_block("", signature))

    def _close(self, signature: str = "") -> None:
        text = "".join(self._texts)
        if self._open == "text":
            self._content.append({"type": "text", "text": text})
        elif self._open == "thinking":
            signature = signature or write_opaque(None, self._context)
            self._content.append(thinking_block(text, signature))
        elif self._open == "tool_use":
            self._content[-1]["input"] = _input(text)
        self._open = ""
        self._texts = []


def _input(arguments: str) -> object:
    """An object, whatever the model wrote."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return {"input": arguments}
    return value if isinstance(value, dict) else {"input": value}
