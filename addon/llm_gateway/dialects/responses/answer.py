"""OpenAI Responses: has an event content, where a stream ends, is it an answer."""

import re
from collections.abc import Mapping

from llm_gateway.dialects.spec import Stored, StreamEnd

_LAST = frozenset({"response.completed", "response.incomplete", "response.cancelled"})
_UNFINISHED = frozenset({"incomplete", "in_progress", "queued", "cancelled"})


def _is_last(event: Mapping[str, object]) -> bool:
    return event.get("type") in _LAST


STREAM_END = StreamEnd(
    re.compile(rb"response\.(?:completed|incomplete|cancelled)").search, _is_last
)

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


def holds_answer(answer: Mapping[str, object]) -> bool:
    if answer.get("status") == "failed":
        return False
    output = answer.get("output")
    return bool(isinstance(output, list) and output) or (
        answer.get("status") in _UNFINISHED
    )


_PENDING = frozenset({"queued", "in_progress"})
"""States of an answer that is made in the background."""


def is_pending(answer: Mapping[str, object]) -> bool:
    return answer.get("status") in _PENDING and "output" in answer


LONGEST_ID = 256


def _stored_id(value: Mapping[str, object]) -> str | None:
    nested = value.get("response")
    answer = nested if isinstance(nested, dict) else value
    name = answer.get("id")
    kept = answer.get("store") is not False and "output" in answer
    return name if kept and isinstance(name, str) and len(name) <= LONGEST_ID else None


STORED = Stored(
    _stored_id,
    (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")),
    frozenset({"", "/cancel"}),
    frozenset(
        {"stream", "starting_after", "include", "include[]", "after", "limit", "order"}
    ),
)
