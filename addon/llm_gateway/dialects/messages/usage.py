"""Anthropic's usage objects -> Usage: input_tokens excludes what a cache gave or took."""

from llm_gateway.dialects.token_counts import Counts, count_of, object_in
from llm_gateway.domain import Usage


def read_usage(usage: Counts, reasoning_excluded: bool) -> Usage | None:
    """Tokens of a usage object; None when it counts nothing."""
    fresh = count_of(usage.get("input_tokens"))
    output = count_of(usage.get("output_tokens"))
    if fresh is None and output is None:
        return None
    details = object_in(usage, "output_tokens_details")
    output = output or 0
    reasoning = min(count_of(details.get("thinking_tokens")) or 0, output)
    return Usage(
        input_tokens=fresh or 0,
        cached_tokens=count_of(usage.get("cache_read_input_tokens")) or 0,
        cache_write_tokens=count_of(usage.get("cache_creation_input_tokens")) or 0,
        output_tokens=output - reasoning,
        reasoning_tokens=reasoning,
    )


def usage_whole(event: Counts) -> bool:
    """A stream's first event counts the prompt only."""
    return event.get("type") in ("message_delta", "message")
