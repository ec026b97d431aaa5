"""Anthropic Messages answers: has an event content, where a stream ends, is it an answer."""

import re
from collections.abc import Mapping

from llm_gateway.dialects.spec import StreamEnd


def _is_last(event: Mapping[str, object]) -> bool:
    return event.get("type") == "message_stop"


STREAM_END = StreamEnd(re.compile(rb"message_stop").search, _is_last)


def has_content(event: Mapping[str, object]) -> bool:
    kind = event.get("type")
    if kind == "content_block_start":
        block = event.get("content_block")
        # A text or thinking block starts empty; a tool's has its name.
        return isinstance(block, dict) and any(
            v for k, v in block.items() if k not in ("type", "signature")
        )
    if kind == "content_block_delta":
        delta = event.get("delta")
        return isinstance(delta, dict) and any(
            v for k, v in delta.items() if k != "type"
        )
    return kind not in ("message_start", "ping", "content_block_stop")


def holds_answer(answer: Mapping[str, object]) -> bool:
    content = answer.get("content")
    return bool(isinstance(content, list) and content) or bool(
        answer.get("stop_reason")
    )
