"""Numbers in the texts of providers' refusals: which limit, how much of it is used.

What lives here: the sentences in which providers tell numbers, as patterns, and the
words that follow from them. What it does not know: what a refusal means as a whole.
Texts are in lower case and bounded (see `dialects/provider_errors.py`); when to come
back is read by `reset_times`.

    Groq, OpenAI  … on tokens per minute (TPM): Limit 8000, Used 6833, Requested 1658. Please try again in 3.6825s.
    Cohere        You are using a Trial key, which is limited to 20 API calls / minute.
    OpenRouter    Rate limit exceeded: free-models-per-day.
    Google        violations: [{quotaId: GenerateRequestsPerDayPerProjectPerModel-FreeTier, quotaValue: "20"}]
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from llm_gateway.dialects.provider_errors import ProviderError, Violation
from llm_gateway.domain import Metric, Reset, Window
from llm_gateway.frozen import frozen
from llm_gateway.limits.calendar import FIRST_OF_MONTH_UTC, span
from llm_gateway.limits.headers import read_headers
from llm_gateway.limits.values import LimitObservation
from llm_gateway.limits.windows import LENGTHS

_COUNT = r"(\d(?:[\d,]{0,14}\d)?)"
_NAMED = re.compile(
    rf"\(([a-z]{{3,4}})\): limit:? {_COUNT}(?:, used:? {_COUNT})?(?:, requested:? ~?{_COUNT})?"
)
_NAMES = {
    "rpm": (Metric.REQUESTS, Window.MINUTE),
    "rph": (Metric.REQUESTS, Window.HOUR),
    "rpd": (Metric.REQUESTS, Window.DAY),
    "tpm": (Metric.TOKENS, Window.MINUTE),
    "tph": (Metric.TOKENS, Window.HOUR),
    "tpd": (Metric.TOKENS, Window.DAY),
}
"""Limits on input or output tokens alone (ITPM, OTPM) are none of ours."""
_CALLS = re.compile(r"limited to (\d{1,9}) api calls / (minute|month)")


@frozen
class QuotedLimit:
    """`(TPM): Limit 8000, Used 6833, Requested 1658`"""

    name: str
    limit: int
    used: int | None
    requested: int


def quoted_limits(text: str) -> tuple[QuotedLimit, ...]:
    return tuple(
        QuotedLimit(
            found[1],
            _count(found[2]),
            _count(found[3]) if found[3] else None,
            _count(found[4]) if found[4] else 0,
        )
        for found in _NAMED.finditer(text)
    )


def observations_in(
    said: ProviderError, now: float, *, until: float | None, days: Reset | None
) -> tuple[LimitObservation, ...]:
    """What a body says about limits."""
    found = [
        *_violated(said.violations, now, until, days),
        *_named(said.text, now),
        *_calls(said.text, now),
        *_free_models(said, now, until, days),
    ]
    return tuple(replace(word, source="body") for word in found)


def _violated(
    violations: tuple[Violation, ...],
    now: float,
    until: float | None,
    days: Reset | None,
) -> Iterator[LimitObservation]:
    for one in violations:
        day = "PerDay" in one.quota
        tokens = "Token" in one.quota
        yield LimitObservation(
            metric=Metric.TOKENS if tokens else Metric.REQUESTS,
            window=Window.DAY if day else Window.MINUTE,
            at=now,
            limit=one.value or None,
            remaining=0,
            resets_at=until,
            scope="model" if "PerModel" in one.quota else "provider",
            remaining_only=tokens,  # input tokens alone
            reset=days if day else None,
        )


def _named(text: str, now: float) -> Iterator[LimitObservation]:
    for one in quoted_limits(text):
        if one.name not in _NAMES or not one.limit:
            continue
        metric, window = _NAMES[one.name]
        word = LimitObservation(metric=metric, window=window, at=now, limit=one.limit)
        if one.used is not None:
            # Buckets that fill up continuously: this one is full when all used is back.
            share = min(1.0, one.used / one.limit)
            word = replace(
                word,
                remaining=max(0, one.limit - one.used),
                resets_at=now + share * LENGTHS[window],
                continuous_refill=True,
            )
        yield word


def _calls(text: str, now: float) -> Iterator[LimitObservation]:
    if found := _CALLS.search(text):
        month = found[2] == "month"
        end = span(Window.MONTH, FIRST_OF_MONTH_UTC, now) if month else None
        yield LimitObservation(
            metric=Metric.REQUESTS,
            window=Window.MONTH if month else Window.MINUTE,
            at=now,
            limit=int(found[1]) or None,
            remaining=0,
            resets_at=end[1] if end else None,
            scope="provider" if month else "model",
        )


def _free_models(
    said: ProviderError, now: float, until: float | None, days: Reset | None
) -> Iterator[LimitObservation]:
    day = (
        "free-models-per-day" in said.text or "openrouter_free_tier_daily" in said.codes
    )
    if not day and "free-models-per-min" not in said.text:
        return
    window = Window.DAY if day else Window.MINUTE
    repeated = read_headers("openrouter", said.headers, now)
    yield LimitObservation(
        metric=Metric.REQUESTS,
        window=window,
        at=now,
        limit=next((word.limit for word in repeated), None),
        remaining=0,
        resets_at=until,
        scope="tier",
        reset=days if day else None,
    )


def _count(text: str) -> int:
    return int(text.replace(",", ""))
