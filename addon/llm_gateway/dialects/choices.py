"""Answers made of `choices`: OpenAI's chat and legacy completions, streamed or plain."""

import re
from collections.abc import Mapping

from llm_gateway.dialects.provider_errors import is_error
from llm_gateway.dialects.spec import UsageEvent

Event = Mapping[str, object]

STREAM_END = re.compile(rb'\[DONE\]|"finish_reason"\s*:\s*"')


def has_content(event: Event) -> bool:
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        if choice.get("finish_reason") or choice.get("text") or choice.get("message"):
            return True
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(v for k, v in delta.items() if k != "role"):
            return True
    return False


def event_failed(event: Event) -> bool:
    """An error, or OpenRouter's way to end a choice that its upstream left."""
    if is_error(event):
        return True
    choices = event.get("choices")
    return any(
        isinstance(choice, dict) and choice.get("finish_reason") == "error"
        for choice in (choices if isinstance(choices, list) else ())
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
