"""OpenAI's usage objects, and what others made of them -> Usage, in disjoint classes.

OpenAI's    prompt_tokens includes what was cached; completion_tokens includes reasoning
xAI's       the same, but completion_tokens excludes reasoning
"""

from llm_gateway.dialects.token_counts import Counts, count_of, first_count, object_in
from llm_gateway.domain import Usage


def find_usage(value: Counts, holder: Counts) -> Counts | None:
    """Where the usage stands in a plain answer or an event: at the top, or where two
    vendors put it (Groq: `x_groq.usage`, Moonshot: `choices[0].usage`)."""
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    for place in (value, value.get("x_groq"), choice):
        if isinstance(place, dict):
            usage = place.get("usage")
            if isinstance(usage, dict) and usage:
                return usage
    return None


def read_usage(usage: Counts, reasoning_excluded: bool) -> Usage | None:
    """Tokens of a usage object; None when it counts nothing.

    `reasoning_excluded`: the provider's `completion_tokens` leave reasoning out.
    """
    get = usage.get
    prompt = first_count(get("prompt_tokens"), get("input_tokens"))
    completion = first_count(get("completion_tokens"), get("output_tokens"))
    total = count_of(get("total_tokens"))
    if prompt is None and (total is None or completion is None):
        return None
    if prompt is None:
        prompt = max(0, (total or 0) - (completion or 0))
    if completion is None:  # embeddings have none
        completion = max(0, total - prompt) if total is not None else 0
    cached, written = _cache(usage, prompt)
    output, reasoning = _reasoning(usage, prompt, completion, total, reasoning_excluded)
    # What Perplexity's research has read; billed at the input price, in no other count.
    read = count_of(get("citation_tokens")) or 0
    return Usage(
        input_tokens=prompt - cached - written + read,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )


def _cache(usage: Counts, prompt: int) -> tuple[int, int]:
    """Of the prompt: (read from a cache, written to one)."""
    details = object_in(usage, "prompt_tokens_details", "input_tokens_details")
    cached = first_count(
        details.get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),  # DeepSeek
        usage.get("num_cached_tokens"),  # Mistral
        usage.get("cached_tokens"),  # Moonshot, Anthropic's OpenAI endpoint
        details.get("cache_read_input_tokens"),  # Perplexity's responses
    )
    written = first_count(
        details.get("cache_write_tokens"),
        details.get("cache_creation_input_tokens"),  # DashScope
    )
    cached = min(cached or 0, prompt)
    return cached, min(written or 0, prompt - cached)


def _reasoning(
    usage: Counts, prompt: int, completion: int, total: int | None, excluded: bool
) -> tuple[int, int]:
    """(visible output, reasoning), whether or not `completion` includes reasoning."""
    details = object_in(usage, "completion_tokens_details", "output_tokens_details")
    inside = count_of(details.get("reasoning_tokens"))
    # Perplexity, and once xAI: not in the details, and not in the completion either.
    beside = count_of(usage.get("reasoning_tokens")) if inside is None else None
    reasoning = inside or beside or 0
    counted = prompt + completion
    if (
        excluded
        or beside is not None
        or reasoning > completion
        or total == counted + reasoning
    ):
        return completion, reasoning
    if not reasoning and total is not None and total > counted:
        # Gemini's OpenAI endpoint: thoughts are in the total and nowhere else.
        return completion, total - counted
    return completion - reasoning, reasoning


def read_usage_whole(usage: Counts, reasoning_excluded: bool) -> Usage | None:
    """The same in dialects in which everybody's output tokens include reasoning."""
    return read_usage(usage, False)


def read_usage_or_total(usage: Counts, reasoning_excluded: bool) -> Usage | None:
    """The same for embeddings: some count nothing apart (Voyage)."""
    if (found := read_usage(usage, False)) is not None:
        return found
    total = count_of(usage.get("total_tokens"))
    return None if total is None else Usage(input_tokens=total)
