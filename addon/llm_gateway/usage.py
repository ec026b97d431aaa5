"""What an answer says it took -> Usage, in disjoint classes.

Every dialect counts in its own way; its row finds and reads its usage objects. A number
that is no count (negative, fractional, NaN, true, text) is not guessed at: the usage then
is not `reported`. Nothing here raises on what a provider sent. Streams are read by
meter.py, which hands the usage objects it finds to `Tally`.
"""

import json
from dataclasses import replace

from llm_gateway.dialects.prompt_size import BYTES_PER_TOKEN, weigh
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.token_counts import Counts, count_of
from llm_gateway.exchange import Usage


def read_answer(
    dialect: DialectSpec,
    body: bytes,
    *,
    reasoning_excluded: bool = False,
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
        prompt_estimate=prompt_estimate,
    )


def usage_of(
    dialect: DialectSpec,
    answer: Counts,
    *,
    reasoning_excluded: bool = False,
    prompt_estimate: int,
) -> Usage:
    """The same for an answer that has been parsed already."""
    tally = Tally(dialect, reasoning_excluded=reasoning_excluded)
    tally.add(answer)
    tally.final = True
    text = 0 if tally.reported else weigh(_content(dialect, answer)).text
    return tally.usage(prompt_estimate=prompt_estimate, text_bytes=text)


_FRAME = frozenset({"index", "finish_reason", "logprobs", "stop_reason"})


def _content(dialect: DialectSpec, answer: Counts) -> object:
    content = answer.get(dialect.content_member)
    if not isinstance(content, list):
        return None
    return [
        {k: v for k, v in item.items() if k not in _FRAME}
        for item in content
        if isinstance(item, dict)
    ]


class Tally:
    """Collects the usage objects of one answer; the last word wins."""

    def __init__(
        self, dialect: DialectSpec, *, reasoning_excluded: bool = False
    ) -> None:
        self.model: str | None = None
        """The model that the provider names."""
        self.final = dialect.usage_whole is None
        """What was reported is the whole, not the first of several parts."""
        self._dialect = dialect
        self._reasoning_excluded = reasoning_excluded
        self._usage: Usage | None = None
        self._seen: dict[str, object] = {}

    @property
    def reported(self) -> bool:
        return self._usage is not None and self.final

    def add(self, value: Counts) -> None:
        """Look at a plain answer or at one event of a stream."""
        dialect = self._dialect
        nested = value.get(dialect.model_holder) if dialect.model_holder else None
        holder = nested if isinstance(nested, dict) else value
        if isinstance(model := holder.get(dialect.model_member), str) and model:
            self.model = model
        usage = dialect.find_usage(value, holder)
        if usage is None:
            return
        if dialect.usage_whole is not None:
            # All parts count from the start, and any may leave fields out.
            for name, count in usage.items():
                before = count_of(self._seen.get(name))
                if before is None or (count_of(count) or 0) >= before:
                    self._seen[name] = count
            usage = self._seen
            self.final |= dialect.usage_whole(value)
        read = dialect.read_usage(usage, self._reasoning_excluded)
        if read is not None and read.total:  # all zeros: a placeholder
            self._usage = read

    def usage(self, *, prompt_estimate: int, text_bytes: int) -> Usage:
        """What is known: reported, else estimated from the prompt and the text seen."""
        if self._usage is not None and self.final:
            found = self._usage
            # Not `dataclasses.replace`: it is five times as slow, and this runs per request.
            return Usage(
                found.input_tokens,
                found.cached_tokens,
                found.cache_write_tokens,
                found.output_tokens,
                found.reasoning_tokens,
                "reported",
                self.model,
            )
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
