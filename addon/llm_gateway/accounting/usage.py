"""Token usage of an answer, from the provider's numbers, in disjoint classes.

Every dialect counts in its own way; its row finds and reads its usage objects. A number
that is no count (negative, fractional, NaN, true) is not guessed at: the usage then is not
`reported`. A bill stands even where no tokens are counted. Nothing here raises on what a provider sent. Streams are read by
streaming/stream_meter.py, which hands the usage objects it finds to `UsageCollector`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from llm_gateway.dialects.billed import Bill, billed, tariff
from llm_gateway.dialects.prompt_size import BYTES_PER_TOKEN, weigh
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.token_counts import Counts, count_of
from llm_gateway.domain import Usage


def read_answer(
    dialect: DialectSpec,
    body: bytes,
    *,
    reasoning_excluded: bool = False,
    bills: Sequence[Bill] = (),
    prompt_estimate: int,
) -> Usage:
    """The usage of a plain answer: reported, else estimated from its text.

    A list is a stream's events in one body. `unknown` when the body is neither.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Usage()
    if isinstance(answer, list):
        return _usage_of_events(
            dialect, answer, reasoning_excluded, bills, prompt_estimate
        )
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
    dialect: DialectSpec,
    answer: Counts,
    *,
    reasoning_excluded: bool = False,
    bills: Sequence[Bill] = (),
    prompt_estimate: int,
) -> Usage:
    """The same for an answer that has been parsed already."""
    tally = UsageCollector(dialect, reasoning_excluded=reasoning_excluded, bills=bills)
    tally.add(answer)
    if tally.pending:
        return Usage(model=tally.model)
    tally.final = True
    text = 0 if tally.reported else weigh(_content(dialect, answer)).text
    return tally.usage(prompt_estimate=prompt_estimate, text_bytes=text)


def _usage_of_events(
    dialect: DialectSpec,
    events: Sequence[object],
    reasoning_excluded: bool,
    bills: Sequence[Bill],
    prompt_estimate: int,
) -> Usage:
    tally = UsageCollector(dialect, reasoning_excluded=reasoning_excluded, bills=bills)
    text = 0
    found = [event for event in events if isinstance(event, dict)]
    if not found:
        return Usage()
    for event in found:
        tally.add(event)
        text += weigh(_content(dialect, event)).text
    tally.final = True
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


class UsageCollector:
    """Collects the usage objects of one answer: of tokens the last word wins, of bills the
    largest, since what was charged once is not given back by a later word."""

    def __init__(
        self,
        dialect: DialectSpec,
        *,
        reasoning_excluded: bool = False,
        bills: Sequence[Bill] = (),
    ) -> None:
        self.model: str | None = None
        """The model that the provider names."""
        self.pending = False
        """It is no answer yet: one in the background, whose usage comes when it is
        fetched."""
        self.final = dialect.usage_whole is None
        """What was reported is the whole, not the first of several parts."""
        self._dialect = dialect
        self._reasoning_excluded = reasoning_excluded
        self._bills = bills
        self._usage: Usage | None = None
        self._said: tuple[Counts, Counts] = ({}, {})
        """The usage object that `_usage` was read from, and the answer around it."""
        self._seen: dict[str, object] = {}
        self._bill: int | None = None
        """The largest bill so far, in nano-dollars."""

    @property
    def bill(self) -> int | None:
        """Nano-dollars that the provider says it charges; None: it said nothing."""
        return self._bill

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
        if dialect.is_pending is not None:
            self.pending = dialect.is_pending(holder)
        usage = dialect.find_usage(value, holder)
        if usage is None:
            return
        bill = billed(usage, self._bills) if self._bills else None
        if dialect.usage_whole is not None:
            # All parts count from the start, and any may leave fields out.
            for name, count in usage.items():
                before = count_of(self._seen.get(name))
                if before is None or (count_of(count) or 0) >= before:
                    self._seen[name] = count
            usage = self._seen
            self.final |= dialect.usage_whole(value)
        read = dialect.read_usage(usage, self._reasoning_excluded)
        # All zeros are a placeholder, but in the answer's own last word.
        counts = read is not None and (
            read.total > 0 or (self._usage is None and _is_over(value))
        )
        if counts:
            self._usage = read
            self._said = usage, holder
        # A bill of nothing beside counts of nothing is a placeholder, too.
        if bill is not None and (bill or counts):
            self._bill = max(bill, self._bill or 0)

    def usage(self, *, prompt_estimate: int, text_bytes: int) -> Usage:
        """What is known: reported, else estimated from the prompt and the text seen."""
        if self._usage is not None and self.final:
            return self._reported(self._usage)
        output = -(-text_bytes // BYTES_PER_TOKEN)
        if self._usage is not None:
            output = max(output, self._usage.output_tokens)
            return replace(
                self._usage,
                output_tokens=output,
                source="estimated",
                model=self.model,
                bill=self._bill,
            )
        return Usage(
            input_tokens=prompt_estimate,
            output_tokens=output,
            source="estimated",
            model=self.model,
            bill=self._bill,
        )

    def _reported(self, found: Usage) -> Usage:
        """With what is billed apart, and by whom."""
        usage, holder = self._said
        dialect = self._dialect
        classes = dialect.read_classes(usage, holder, found)
        parts: tuple[Usage, ...] = ()
        if dialect.usage_parts is not None and (several := dialect.usage_parts(usage)):
            found, parts = _sum_of(dialect, several, found, self.model)
            classes = dialect.read_classes(usage, holder, Usage())
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
            self._bill,
        )


def _is_over(value: Counts) -> bool:
    """It is a plain answer, or an event that ends a choice."""
    choices = value.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def _sum_of(
    dialect: DialectSpec, several: Sequence[Counts], whole: Usage, model: str | None
) -> tuple[Usage, tuple[Usage, ...]]:
    """The calls of one answer, each with its model, and what they add up to."""
    parts = []
    for one in several:
        read = dialect.read_usage(one, False)
        if read is not None:
            named = one.get("model")
            name = named if isinstance(named, str) and named else model
            classes = dialect.read_classes(one, {}, read)
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
