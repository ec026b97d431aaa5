"""Marks of prompt caching (`cache_control`): Anthropic's, which chat apps send as well."""

from collections.abc import Mapping


def cache_mark(block: Mapping[str, object]) -> str:
    """How long what stands up to here is to be cached; "": not at all."""
    mark = block.get("cache_control")
    if not isinstance(mark, Mapping) or not mark:
        return ""
    ttl = mark.get("ttl")
    return ttl if isinstance(ttl, str) and ttl else "5m"
