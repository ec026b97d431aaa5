"""What an answer says that it is billed for, besides its plain counts of tokens.

What lives here: small readers of one usage object (and the answer around it), each for
one thing: classes of tokens with prices of their own, fees of server tools, the tariff
that was served, the calls that an answer is the sum of, and the provider's own bill.
Pure, tolerant: what is not a count is not there. Names of classes are the rows of
`prices.CLASSES`.

What this file does not know: prices, providers, and how the plain counts are read.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from llm_gateway.dialects.token_counts import MOST, count_of, decimal_of, object_in
from llm_gateway.domain import NANO, Usage
from llm_gateway.frozen import frozen

Counts = Mapping[str, object]
Classes = tuple[tuple[str, int], ...]
Tariff = tuple[tuple[str, str], ...]

STANDARD = frozenset(
    {"", "default", "standard", "auto", "on_demand", "global", "not_available"}
)
"""Words for the tariff that a plain price is for."""
_MOST_PARTS = 256
"""Calls of one answer that are told apart."""


@frozen
class Bill:
    """Where in its usage object a provider says what it charges for an answer."""

    path: tuple[str, ...]
    per_dollar: int = 1
    """How many of its units are a dollar."""
    only_if: str = ""
    """Member of the usage object that has to be true for it to count."""


def billed(usage: Counts, bills: Sequence[Bill]) -> int | None:
    """Nano-dollars that the provider says it charges: the sum of `bills` that are there."""
    found: int | None = None
    for bill in bills:
        if bill.only_if and usage.get(bill.only_if) is not True:
            continue
        value: object = usage
        for name in bill.path:
            value = value.get(name) if isinstance(value, dict) else None
        said = _number(value)
        if said is None:
            continue
        nano = said * NANO / bill.per_dollar
        whole = int(nano.to_integral_value(ROUND_HALF_UP))
        found = min((found or 0) + whole, MOST)
    return found


def _number(value: object) -> Decimal | None:
    """A sum of money, as a number or as decimal text; None: it is none."""
    said: Decimal | None = None
    if isinstance(value, str):
        said = decimal_of(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Compared first: NaN is neither, and Decimal would raise on comparing it.
        said = Decimal(repr(value)) if 0 <= value <= MOST else None
    return said if said is not None and said <= MOST else None


_TARIFF = frozenset({"service_tier", "serviceTier", "speed", "inference_geo"})
"""Members that name the tariff that was served."""


def tariff(usage: Counts, answer: Counts) -> Tariff:
    """The tariff that was served, where the answer names one that is not the usual."""
    if _TARIFF.isdisjoint(usage) and _TARIFF.isdisjoint(answer):
        return ()
    found = []
    for name, kin in (
        ("service_tier", "serviceTier"),
        ("speed", "speed"),
        ("inference_geo", "inference_geo"),
    ):
        value = usage.get(name, answer.get(name, usage.get(kin)))
        if isinstance(value, str) and (word := value[:40].lower()) not in STANDARD:
            found.append((name, word))
    return tuple(found)


_PLAIN = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "input_tokens"}
    | {"output_tokens", "cost", "queue_time", "prompt_time", "completion_time"}
    | {"total_time", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens"}
)
"""Members of a usage object that no class of its own stands in."""


def openai_classes(usage: Counts, answer: Counts, counted: Usage) -> Classes:
    """Of chat, completions and responses. `counted` bounds each class of tokens."""
    if _PLAIN.issuperset(usage) and "output" not in answer:
        return ()
    prompt = object_in(usage, "prompt_tokens_details", "input_tokens_details")
    completion = object_in(usage, "completion_tokens_details", "output_tokens_details")
    cached = object_in(prompt, "cached_tokens_details")
    cached_audio = min(count(cached.get("audio_tokens")), counted.cached_tokens)
    inputs = counted.input_tokens
    outputs = counted.output_tokens
    found = [("cached_audio", cached_audio)]
    for name, more in (("audio", cached_audio), ("image", 0), ("video", 0)):
        taken = min(max(0, count(prompt.get(f"{name}_tokens")) - more), inputs)
        found.append((f"input_{name}", taken))
        inputs -= taken
    for name in ("audio", "image"):
        taken = min(count(completion.get(f"{name}_tokens")), outputs)
        found.append((f"output_{name}", taken))
        outputs -= taken
    if not _FEES.isdisjoint(usage):
        found += _fees(usage)
    if "output" in answer:
        found += _calls(answer["output"])
    return _kept(found)


def messages_classes(usage: Counts, answer: Counts, counted: Usage) -> Classes:
    """Of Anthropic's messages."""
    writes = object_in(usage, "cache_creation")
    hour = min(
        count(writes.get("ephemeral_1h_input_tokens")), counted.cache_write_tokens
    )
    return _kept([("cache_write_1h", hour), *_fees(usage)])


def iterations(usage: Counts) -> tuple[Counts, ...]:
    """The calls that a message is the sum of, when one of them is not its own.

    Anthropic's top-level counts leave out what a compaction or an advisor took.
    """
    found = usage.get("iterations")
    if not isinstance(found, list):
        return ()
    parts = tuple(part for part in found[:_MOST_PARTS] if isinstance(part, dict))
    return parts if len(parts) > 1 or any(p.get("model") for p in parts) else ()


def count(value: object) -> int:
    """A whole number, 0 when it is none."""
    return 0 if value is None else count_of(value) or 0


_OUTPUTS: Mapping[str, str] = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_execution",
    "image_generation_call": "server_tool",
}
"""Items of a Responses answer that have a fee."""
_SEARCHES = frozenset({"search", None})
"""Actions of a web search call that are billed; opening a page is not."""


def _calls(output: object) -> Iterable[tuple[str, int]]:
    for item in output if isinstance(output, list) else ():
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            continue
        name = _OUTPUTS.get(item["type"])
        if name == "web_search":
            action = item.get("action")
            kind = action.get("type") if isinstance(action, dict) else None
            if kind not in _SEARCHES:
                continue
        if name is not None:
            yield name, 1


_SERVER_TOOLS: Mapping[str, str] = {
    "web_search_requests": "web_search",
    "web_fetch_requests": "",  # free of charge, but for its tokens
    "tool_search_requests": "",
    "code_execution_requests": "code_execution",
}


_FEES = frozenset(
    {"server_tool_use", "num_search_queries", "num_sources_used"}
    | {"server_side_tool_usage", "server_side_tool_usage_details"}
)
"""Members of a usage object in which uses of tools are counted."""


def _fees(usage: Counts) -> Iterable[tuple[str, int]]:
    """Uses of server tools, where they stand in the usage."""
    if "server_tool_use" in usage:
        for name, value in object_in(usage, "server_tool_use").items():
            kind = _SERVER_TOOLS.get(name, "server_tool")
            if kind:
                yield kind, count(value)
    if "num_search_queries" in usage:  # Perplexity
        yield "web_search", count(usage["num_search_queries"])
    if "num_sources_used" in usage:  # xAI's live search
        yield "server_tool", count(usage["num_sources_used"])
    for name in ("server_side_tool_usage", "server_side_tool_usage_details"):
        if name in usage:
            for value in object_in(usage, name).values():
                yield "server_tool", count(value)


def _kept(found: Iterable[tuple[str, int]]) -> Classes:
    sums: dict[str, int] = {}
    for name, number in found:
        if number:
            sums[name] = sums.get(name, 0) + number
    return tuple(sums.items())
