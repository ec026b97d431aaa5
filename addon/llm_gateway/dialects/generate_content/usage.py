"""Google's `usageMetadata` -> Usage, in disjoint classes, and what has prices of its own.

`promptTokenCount` includes what a cache gave and leaves out what tools have read;
`candidatesTokenCount` leaves the thoughts out.
"""

from llm_gateway.dialects.billed import Classes, count
from llm_gateway.dialects.generate_content.members import (
    Json,
    member,
    object_in,
    objects_in,
    text_in,
)
from llm_gateway.dialects.token_counts import count_of
from llm_gateway.domain import Usage


def find_usage(value: Json, holder: Json) -> Json | None:
    return object_in(value, "usageMetadata") or None


def read_usage(usage: Json, reasoning_excluded: bool) -> Usage | None:
    """Tokens of a usage object; None when it counts nothing."""
    prompt = count_of(member(usage, "promptTokenCount"))
    output = count_of(member(usage, "candidatesTokenCount"))
    total = count_of(member(usage, "totalTokenCount"))
    if prompt is None and output is None and total is None:
        return None
    thoughts = _count(usage, "thoughtsTokenCount")
    tools = _count(usage, "toolUsePromptTokenCount")
    if prompt is None:
        prompt = max(0, (total or 0) - (output or 0) - thoughts - tools)
    if output is None:
        output = max(0, (total or 0) - prompt - thoughts - tools)
    cached = min(_count(usage, "cachedContentTokenCount"), prompt)
    return Usage(
        input_tokens=prompt - cached + tools,
        cached_tokens=cached,
        output_tokens=output,
        reasoning_tokens=thoughts,
    )


def read_classes(usage: Json, answer: Json, counted: Usage) -> Classes:
    """Sound and pictures among the tokens, and searches, which have a fee."""
    cached_audio = min(_of(usage, "cacheTokensDetails", "AUDIO"), counted.cached_tokens)
    audio = _of(usage, "promptTokensDetails", "AUDIO") - cached_audio
    outputs = counted.output_tokens
    sound = min(_of(usage, "candidatesTokensDetails", "AUDIO"), outputs)
    pictures = min(_of(usage, "candidatesTokensDetails", "IMAGE"), outputs - sound)
    found = (
        ("cached_audio", cached_audio),
        ("input_audio", min(max(0, audio), counted.input_tokens)),
        ("output_audio", sound),
        ("output_image", pictures),
        # Searches are billed per prompt or per query, as the model's price list has it.
        ("server_tool", _searches(answer)),
    )
    return tuple((name, number) for name, number in found if number)


def _count(usage: Json, name: str) -> int:
    return count_of(member(usage, name)) or 0


def _of(usage: Json, details: str, modality: str) -> int:
    return sum(
        count(member(one, "tokenCount"))
        for one in objects_in(usage, details)
        if text_in(one, "modality") == modality
    )


def _searches(answer: Json) -> int:
    found = 0
    for one in objects_in(answer, "candidates"):
        queries = member(object_in(one, "groundingMetadata"), "webSearchQueries")
        found += len(queries) if isinstance(queries, list) else 0
    return found
