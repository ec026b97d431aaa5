"""Anthropic Messages stream: has an event content, and where the stream ends."""

import re
from collections.abc import Mapping

STREAM_END = re.compile(rb'"type"\s*:\s*"message_stop"')


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
