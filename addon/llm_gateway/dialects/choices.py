"""Answers made of `choices`: OpenAI's chat and legacy completions, streamed or plain."""

import re
from collections.abc import Mapping

from llm_gateway.dialects.broken_ends import is_broken_end
from llm_gateway.dialects.provider_errors import is_error
from llm_gateway.dialects.spec import StreamEnd, UsageEvent

Event = Mapping[str, object]

_DONE = re.compile(rb"^data:[ ]*\[DONE\]\s*$", re.M)
"""A line of its own: in JSON, no text can hold the line break before it."""
_finished = re.compile(rb'"finish_reason"\s*:\s*"(?!error"|network_error")')
_BROKEN = frozenset({"error", "network_error"})
"""Ends of a choice that its upstream left: OpenRouter's, Z.ai's."""


def _choices(event: Event) -> list[Event]:
    choices = event.get("choices")
    if not isinstance(choices, list):
        return []
    return [choice for choice in choices if isinstance(choice, dict)]


def _may_end(data: bytes) -> bool:
    return b"[DONE]" in data or _finished.search(data) is not None


def _is_last(event: Event) -> bool:
    return any(bool(choice.get("finish_reason")) for choice in _choices(event))


STREAM_END = StreamEnd(_may_end, _is_last, _DONE, _finished)


def has_content(event: Event) -> bool:
    for choice in _choices(event):
        if choice.get("finish_reason") or choice.get("text") or choice.get("message"):
            return True
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(v for k, v in delta.items() if k != "role"):
            return True
    return False


def event_failed(event: Event) -> bool:
    """An error, or a choice that ended because something broke."""
    return is_error(event) or any(
        isinstance(reason := choice.get("finish_reason"), str) and reason in _BROKEN
        for choice in _choices(event)
    )


def broke_off(event: Event) -> bool:
    """It ended without a word or a call, because its call could not be read."""
    choices = _choices(event)
    return any(map(broken_end, choices)) and not any(map(_says, choices))


def broken_end(choice: Event) -> str:
    """Why the choice broke off; "": it did not."""
    for name in ("finish_reason", "native_finish_reason"):
        reason = choice.get(name)
        if isinstance(reason, str) and is_broken_end(reason):
            return reason
    return ""


def _says(choice: Event) -> bool:
    said = choice.get("delta") or choice.get("message") or {}
    if not isinstance(said, dict):
        return bool(said)
    return any(said.get(name) for name in ("content", "tool_calls", "refusal"))


def holds_answer(answer: Event) -> bool:
    return any(
        choice.get("finish_reason")
        or isinstance(choice.get("message"), dict)
        or isinstance(choice.get("text"), str)
        for choice in _choices(answer)
    )


def _only_usage(event: Event) -> bool:
    """The event that we asked for. OpenRouter's last one holds a choice as well, and
    Azure's first one holds neither."""
    usage = event.get("usage")
    return bool(
        isinstance(usage, dict)
        and usage
        and not event.get("choices")
        and not event.get("error")
    )


USAGE_EVENT = UsageEvent(
    has_begun_otherwise=re.compile(rb'"choices"\s*:\s*\[\s*[^\]\s]').search,
    is_alone=_only_usage,
)
