"""OpenAI Responses stream: has an event content, and where the stream ends."""

import re
from collections.abc import Mapping

STREAM_END = re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete|cancelled)"')

_SILENT = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
    }
)


def has_content(event: Mapping[str, object]) -> bool:
    kind = event.get("type")
    if not isinstance(kind, str) or kind in _SILENT:
        return False
    if kind.endswith(".delta"):
        return bool(event.get("delta"))
    if kind in ("response.output_item.added", "response.output_item.done"):
        item = event.get("item")
        kind = item.get("type") if isinstance(item, dict) else None
        return kind not in ("message", "reasoning")
    return True


_PENDING = frozenset({"queued", "in_progress"})
"""States of an answer that is made in the background."""


def is_pending(answer: Mapping[str, object]) -> bool:
    return answer.get("status") in _PENDING and "output" in answer
