"""What an answer says it took -> Usage, in disjoint classes.

Providers count in three ways, and each is turned into the same five numbers here:

    OpenAI's    prompt_tokens includes what was cached; completion_tokens includes reasoning
    xAI's       the same, but completion_tokens excludes reasoning
    Anthropic's input_tokens excludes what was read from or written to a cache

A number that is no count (negative, fractional, NaN, true, text) is not guessed at: the
usage then is not `reported`. Nothing here raises on what a provider sent. Streams are
read by meter.py, which hands the usage objects it finds to `Tally`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llm_gateway.billed import (
    Bill,
    billed,
    iterations,
    messages_classes,
    openai_classes,
    tariff,
)
from llm_gateway.dialects.weigh import BYTES_PER_TOKEN, weigh
from llm_gateway.exchange import Dialect, Usage

MOST = 2**53
"""Counts above this are cut to it: no window adds up to that many."""

Counts = Mapping[str, object]


def read_answer(
    dialect: Dialect,
    body: bytes,
    *,
    reasoning_excluded: bool = False,
    bills: Sequence[Bill] = (),
    prompt_estimate: int,
) -> Usage:
    """The usage of a plain answer: reported, else estimated from its text.

    `unknown` when the body is no JSON object at all.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Usage()
    if not isinstance(answer, dict):
        return Usage()
    return usage_of(
        dialect,
        answer,
        reasoning_excluded=reasoning_excluded,
        bills=bills,
        prompt_estimate=prompt_estimate,
    )


def usage_of(
    dialect: Dialect,
    answer: Counts,
    *,
    reasoning_excluded: bool = False,
    bills: Sequence[Bill] = (),
    prompt_estimate: int,
) -> Usage:
    """The same for an answer that has been parsed already."""
    tally = Tally(dialect, reasoning_excluded=reasoning_excluded, bills=bills)
    tally.add(answer)
    if tally.pending:
        return Usage(model=tally.model)
    if dialect is Dialect.MESSAGES:
        tally.final = True
    text = 0 if tally.reported else weigh(_content(dialect, answer)).text
    return tally.usage(prompt_estimate=prompt_estimate, text_bytes=text)


_CONTENT: Mapping[Dialect, str] = {
    Dialect.CHAT: "choices",
    Dialect.COMPLETIONS: "choices",
    Dialect.RESPONSES: "output",
    Dialect.MESSAGES: "content",
}
_FRAME = frozenset({"index", "finish_reason", "logprobs", "stop_reason"})


def _content(dialect: Dialect, answer: Counts) -> object:
    content = answer.get(_CONTENT.get(dialect, ""))
    if not isinstance(content, list):
        return None
    return [
        {k: v for k, v in item.items() if k not in _FRAME}
        for item in content
        if isinstance(item, dict)
    ]


_EXCLUDING = frozenset({Dialect.CHAT, Dialect.COMPLETIONS})
"""Who counts reasoning apart in these dialects counts as all others do in Responses."""


class Tally:
    """Collects the usage objects of one answer; the last word wins."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        reasoning_excluded: bool = False,
        bills: Sequence[Bill] = (),
    ) -> None:
        self.model: str | None = None
        """The model that the provider names."""
        self.pending = False
        """It is no answer yet: one in the background, whose usage comes when it is
        fetched."""
        self.final = dialect is not Dialect.MESSAGES
        """What was reported is the whole: Anthropic's first word is only the prompt."""
        self._dialect = dialect
        self._reasoning_excluded = reasoning_excluded and dialect in _EXCLUDING
        self._bills = bills
        self._usage: Usage | None = None
        self._said: tuple[Counts, Counts] = ({}, {})
        """The usage object that `_usage` was read from, and the answer around it."""
        self._seen: dict[str, object] = {}

    @property
    def reported(self) -> bool:
        return self._usage is not None and self.final

    def add(self, value: Counts) -> None:
        """Look at a plain answer or at one event of a stream."""
        nested = value.get("response", value.get("message"))
        holder = nested if isinstance(nested, dict) else value
        if isinstance(model := holder.get("model"), str) and model:
            self.model = model
        self.pending = holder.get("status") in _PENDING and "output" in holder
        usage = self._find(value, holder)
        if usage is None:
            return
        if self._dialect is Dialect.MESSAGES:
            # Both events count from the start, and either may leave fields out.
            for name, count in usage.items():
                before = _count(self._seen.get(name))
                if before is None or (_count(count) or 0) >= before:
                    self._seen[name] = count
            read = _anthropic(self._seen)
            self.final |= value.get("type") in ("message_delta", "message")
        else:
            read = _openai(usage, reasoning_excluded=self._reasoning_excluded)
            if read is None and self._dialect is Dialect.EMBEDDINGS:
                read = _total_only(usage)
        # All zeros are a placeholder, but in the answer's own last word.
        if read is not None and (
            read.total or (self._usage is None and _is_over(value))
        ):
            self._usage = read
            self._said = (
                self._seen if self._dialect is Dialect.MESSAGES else usage,
                holder,
            )

    def usage(self, *, prompt_estimate: int, text_bytes: int) -> Usage:
        """What is known: reported, else estimated from the prompt and the text seen."""
        if self._usage is not None and self.final:
            return self._reported(self._usage)
        output = -(-text_bytes // BYTES_PER_TOKEN)
        if self._usage is not None:
            output = max(output, self._usage.output_tokens)
            return replace(
                self._usage, output_tokens=output, source="estimated", model=self.model
            )
        return Usage(
            input_tokens=prompt_estimate,
            output_tokens=output,
            source="estimated",
            model=self.model,
        )

    def _reported(self, found: Usage) -> Usage:
        """With what is billed apart, and by whom."""
        usage, holder = self._said
        parts: tuple[Usage, ...] = ()
        if self._dialect is not Dialect.MESSAGES:
            classes = openai_classes(usage, holder, found)
        else:
            classes = messages_classes(usage, found)
            if several := iterations(usage):
                found, parts = _sum_of(several, found, self.model)
                classes = messages_classes(usage, Usage())
        # Not `dataclasses.replace`: it is five times as slow, and this runs per request.
        return Usage(
            found.input_tokens,
            found.cached_tokens,
            found.cache_write_tokens,
            found.output_tokens,
            found.reasoning_tokens,
            "reported",
            self.model,
            classes,
            tariff(usage, holder),
            parts,
            billed(usage, self._bills) if self._bills else None,
        )

    def _find(self, value: Counts, holder: Counts) -> Counts | None:
        """Where the usage stands: at the top, in the nested object, or where two
        vendors put it (Groq: `x_groq.usage`, Moonshot: `choices[0].usage`)."""
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        for place in (value, holder, value.get("x_groq"), choice):
            if isinstance(place, dict):
                usage = place.get("usage")
                if isinstance(usage, dict) and usage:
                    return usage
        return None


_PENDING = frozenset({"queued", "in_progress"})
"""States of an answer that is made in the background."""


def _is_over(value: Counts) -> bool:
    """It is a plain answer, or an event that ends a choice."""
    choices = value.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def _total_only(usage: Counts) -> Usage | None:
    """Embeddings of those who count nothing apart (Voyage)."""
    total = _count(usage.get("total_tokens"))
    return None if total is None else Usage(input_tokens=total)


def _sum_of(
    several: Sequence[Counts], whole: Usage, model: str | None
) -> tuple[Usage, tuple[Usage, ...]]:
    """The calls of one message, each with its model, and what they add up to."""
    parts = []
    for one in several:
        read = _anthropic(one)
        if read is not None:
            named = one.get("model")
            name = named if isinstance(named, str) and named else model
            classes = messages_classes(one, read)
            parts.append(replace(read, model=name, classes=classes))
    if sum(part.total for part in parts) < whole.total:
        # It lists only what its own counts leave out.
        parts.append(replace(whole, model=model))
    return _added(parts), tuple(parts)


def _added(parts: Sequence[Usage]) -> Usage:
    return Usage(
        sum(part.input_tokens for part in parts),
        sum(part.cached_tokens for part in parts),
        sum(part.cache_write_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        sum(part.reasoning_tokens for part in parts),
    )


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        return None
    return min(value, MOST)


def _first(*values: object) -> int | None:
    """The first of these that is a count."""
    return next((c for c in map(_count, values) if c is not None), None)


def _inside(usage: Counts, *names: str) -> Counts:
    """The first of these members that is an object."""
    for name in names:
        if isinstance(inner := usage.get(name), dict):
            return inner
    return {}


def _openai(usage: Counts, *, reasoning_excluded: bool) -> Usage | None:
    get = usage.get
    prompt = _first(get("prompt_tokens"), get("input_tokens"))
    completion = _first(get("completion_tokens"), get("output_tokens"))
    total = _count(get("total_tokens"))
    if prompt is None and (total is None or completion is None):
        return None
    if prompt is None:
        prompt = max(0, (total or 0) - (completion or 0))
    if completion is None:  # embeddings have none
        completion = max(0, total - prompt) if total is not None else 0
    cached, written = _cache(usage, prompt)
    output, reasoning = _reasoning(usage, prompt, completion, total, reasoning_excluded)
    # What Perplexity's research has read; billed at the input price, in no other count.
    read = _count(get("citation_tokens")) or 0
    return Usage(
        input_tokens=prompt - cached - written + read,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )


def _cache(usage: Counts, prompt: int) -> tuple[int, int]:
    """Of the prompt: (read from a cache, written to one)."""
    details = _inside(usage, "prompt_tokens_details", "input_tokens_details")
    cached = _first(
        details.get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),  # DeepSeek
        usage.get("num_cached_tokens"),  # Mistral
        usage.get("cached_tokens"),  # Moonshot, Anthropic's OpenAI endpoint
        details.get("cache_read_input_tokens"),  # Perplexity's responses
    )
    written = _first(
        details.get("cache_write_tokens"),
        details.get("cache_creation_input_tokens"),  # DashScope
    )
    cached = min(cached or 0, prompt)
    return cached, min(written or 0, prompt - cached)


def _reasoning(
    usage: Counts, prompt: int, completion: int, total: int | None, excluded: bool
) -> tuple[int, int]:
    """(visible output, reasoning), whether or not `completion` includes reasoning."""
    details = _inside(usage, "completion_tokens_details", "output_tokens_details")
    inside = _count(details.get("reasoning_tokens"))
    # Perplexity, and once xAI: not in the details, and not in the completion either.
    beside = _count(usage.get("reasoning_tokens")) if inside is None else None
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


def _anthropic(usage: Counts) -> Usage | None:
    fresh = _count(usage.get("input_tokens"))
    output = _count(usage.get("output_tokens"))
    if fresh is None and output is None:
        return None
    details = _inside(usage, "output_tokens_details")
    output = output or 0
    reasoning = min(_count(details.get("thinking_tokens")) or 0, output)
    return Usage(
        input_tokens=fresh or 0,
        cached_tokens=_count(usage.get("cache_read_input_tokens")) or 0,
        cache_write_tokens=_count(usage.get("cache_creation_input_tokens")) or 0,
        output_tokens=output - reasoning,
        reasoning_tokens=reasoning,
    )
