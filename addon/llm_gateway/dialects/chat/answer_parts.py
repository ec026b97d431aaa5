"""Parts of chat answers that are written for a client: end, usage, opaque state."""

from llm_gateway.dialects.chat.thoughts import with_signature
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import EndReason
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.opaque_text import write_opaque

_REASONS: dict[EndReason, str] = {
    "stop": "stop",
    "tools": "tool_calls",
    "length": "length",
    "stop_sequence": "stop",
    "refusal": "content_filter",
    "filtered": "content_filter",
    "pause": "stop",
}


def finish_reason(reason: EndReason, *, is_refusal_text: bool) -> str:
    """A refusal in words is a message of its own kind, and no filter's cut."""
    if reason == "refusal" and is_refusal_text:
        return "stop"
    return _REASONS[reason]


def usage_object(usage: Usage) -> dict[str, object]:
    """Cached tokens are in the prompt's sum, reasoning in the completion's."""
    prompt = usage.input_tokens + usage.cached_tokens + usage.cache_write_tokens
    completion = usage.output_tokens + usage.reasoning_tokens
    details: dict[str, object] = {"cached_tokens": usage.cached_tokens}
    if usage.cache_write_tokens:
        details["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def opaque_detail(
    text: str, state: Opaque, context: AnswerContext
) -> dict[str, object]:
    """A thought with its state, in the one member in which chat clients send such back."""
    signature = write_opaque(state, context)
    if state.form == "redacted":
        return {"type": "reasoning.encrypted", "data": signature}
    return {"type": "reasoning.text", "text": text, "signature": signature}


def signed_call(
    call: dict[str, object], state: Opaque | None, context: AnswerContext
) -> dict[str, object]:
    if state is None:
        return call
    return with_signature(call, write_opaque(state, context))
