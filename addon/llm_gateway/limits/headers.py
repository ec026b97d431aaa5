"""What providers say about limits in the headers of their answers.

What lives here: one parser per convention, as tables of header names. A provider's row
names its parser in the column `limit_headers`. What it does not know: what is done with
a `LimitObservation`; bodies (see `refusals`).

Nothing here raises. What cannot be read, or is a sentinel (-1, or a limit of 0: both
mean "unknown"), is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from types import MappingProxyType

from llm_gateway.domain import Metric, Window
from llm_gateway.frozen import frozen
from llm_gateway.limits.copilot_headers import read_snapshots
from llm_gateway.limits.durations import moment, number
from llm_gateway.limits.values import LimitObservation

__all__ = ["PARSERS", "LimitObservation", "read_headers"]

Headers = Mapping[str, str]
Parser = Callable[[Headers, float], Iterable[LimitObservation]]


@frozen
class HeaderSet:
    """The headers that speak about one limit; "" for one that does not exist."""

    metric: Metric
    window: Window
    limit: str = ""
    remaining: str = ""
    reset: str = ""
    scope: str = "model"
    continuous_refill: bool = False
    """The bucket fills bit by bit; the reset is when it is full."""
    partial: bool = False
    """It counts a part of what the metric means: it only binds when nothing is left."""
    remaining_only: bool = False
    valid_seconds: float | None = None
    """Seconds for which `remaining` holds where there is no reset."""


def read_headers(
    parser: str, headers: Headers, now: float
) -> tuple[LimitObservation, ...]:
    """The words in an answer's headers (lower-case names), one per limit.

    An unknown parser reads nothing.
    """
    read = PARSERS.get(parser)
    if read is None:
        return ()
    found: dict[tuple[str, Metric, Window], LimitObservation] = {}
    for word in read(headers, now):
        key = (word.scope, word.metric, word.window)
        known = found.get(key)
        found[key] = word if known is None else min(known, word, key=_leaves)
    return tuple(found.values())


def count(text: str | None) -> int | None:
    """A whole number; None for anything else, -1 included."""
    if text is not None and len(text) < 16 and text.isascii() and text.isdigit():
        return int(text)
    value = number(text)
    return None if value is None else int(value)


def _leaves(word: LimitObservation) -> tuple[float, float]:
    """How little a word leaves: of two about the same limit, the tighter one counts."""
    remaining = inf if word.remaining is None else word.remaining
    return remaining, inf if word.limit is None else word.limit


class _Table:
    """A parser that reads rows of headers, and nothing else."""

    def __init__(self, *rows: HeaderSet) -> None:
        self.rows = rows
        given = (n for row in rows for n in (row.limit, row.remaining))
        self.names = frozenset(name.encode() for name in given if name)
        """Without one of these it has nothing to say."""

    def __call__(self, headers: Headers, now: float) -> Iterable[LimitObservation]:
        for names in self.rows:
            word = _word(names, headers, now)
            if word is not None:
                yield word


def may_say(parser: str, names: Iterable[bytes]) -> bool:
    """An answer with headers of these names (lower case) may speak of limits: a quick
    look, before they are read as text."""
    read = PARSERS.get(parser)
    if isinstance(read, _Table):
        return not read.names.isdisjoint(names)
    return read is not None


def _word(names: HeaderSet, headers: Headers, now: float) -> LimitObservation | None:
    limit = count(headers.get(names.limit)) if names.limit else None
    remaining = count(headers.get(names.remaining)) if names.remaining else None
    if names.limit in headers and not limit:
        return None
    if limit is None and remaining is None:
        return None
    if names.partial and remaining != 0:
        return None
    resets_at = moment(headers[names.reset], now) if names.reset in headers else None
    if resets_at is None and names.valid_seconds is not None:
        resets_at = now + names.valid_seconds
    return LimitObservation(
        metric=names.metric,
        window=names.window,
        at=now,
        limit=limit,
        remaining=remaining,
        resets_at=resets_at,
        scope=names.scope,
        continuous_refill=names.continuous_refill,
        remaining_only=names.remaining_only or names.partial,
    )


def _x(metric: str, *, sep: str = "-") -> tuple[str, str, str]:
    """`x-ratelimit-{limit,remaining,reset}-METRIC`."""
    return (
        f"x-ratelimit-limit{sep}{metric}",
        f"x-ratelimit-remaining{sep}{metric}",
        f"x-ratelimit-reset{sep}{metric}",
    )


def _anthropic(
    metric: str, prefix: str = "anthropic-ratelimit"
) -> tuple[str, str, str]:
    return (
        f"{prefix}-{metric}-limit",
        f"{prefix}-{metric}-remaining",
        f"{prefix}-{metric}-reset",
    )


def _openrouter(headers: Headers, now: float) -> Iterable[LimitObservation]:
    """Only on its own 429s, about `:free` models; the reset tells minute from day."""
    reset = moment(headers.get("x-ratelimit-reset", ""), now)
    if reset is None:
        return
    window = Window.MINUTE if reset - now <= 120 else Window.DAY
    names = HeaderSet(Metric.REQUESTS, window, *_x("", sep=""), scope="tier")
    word = _word(names, headers, now)
    if word is not None:
        yield word


def _fireworks(headers: Headers, now: float) -> Iterable[LimitObservation]:
    """Prompt and generated tokens apart: together they bound the total."""
    parts = [
        count(headers.get(f"x-ratelimit-limit-tokens-{kind}"))
        for kind in ("prompt", "generated")
    ]
    if parts[0] and parts[1]:
        yield LimitObservation(
            Metric.TOKENS, Window.MINUTE, now, limit=parts[0] + parts[1]
        )
    for kind in ("prompt", "generated"):
        names = HeaderSet(
            Metric.TOKENS,
            Window.MINUTE,
            remaining=f"x-ratelimit-remaining-tokens-{kind}",
            partial=True,
            valid_seconds=10.0,
        )
        if (word := _word(names, headers, now)) is not None:
            yield word


_MINUTES = tuple(
    (metric, window, f"{name}-{span}")
    for metric, name in ((Metric.REQUESTS, "requests"), (Metric.TOKENS, "tokens"))
    for span, window in (
        ("minute", Window.MINUTE),
        ("hour", Window.HOUR),
        ("day", Window.DAY),
    )
)

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        "none": _Table(),
        # Buckets that fill up continuously. Requests and tokens per minute.
        "openai": _Table(
            HeaderSet(
                Metric.REQUESTS, Window.MINUTE, *_x("requests"), continuous_refill=True
            ),
            HeaderSet(
                Metric.TOKENS, Window.MINUTE, *_x("tokens"), continuous_refill=True
            ),
            HeaderSet(
                Metric.TOKENS,
                Window.MINUTE,
                *_x("project-tokens"),
                continuous_refill=True,
            ),
        ),
        "anthropic": _Table(
            HeaderSet(
                Metric.REQUESTS,
                Window.MINUTE,
                *_anthropic("requests"),
                continuous_refill=True,
            ),
            HeaderSet(
                Metric.TOKENS,
                Window.MINUTE,
                *_anthropic("tokens"),
                continuous_refill=True,
            ),
            *(
                HeaderSet(
                    Metric.TOKENS,
                    Window.MINUTE,
                    *_anthropic(kind),
                    continuous_refill=True,
                    partial=True,
                )
                for kind in ("input-tokens", "output-tokens")
            ),
        ),
        # The header says `requests` and means a day; `tokens` is a minute.
        "groq": _Table(
            HeaderSet(
                Metric.REQUESTS, Window.DAY, *_x("requests"), continuous_refill=True
            ),
            HeaderSet(
                Metric.TOKENS, Window.MINUTE, *_x("tokens"), continuous_refill=True
            ),
        ),
        "cerebras": _Table(
            *(
                HeaderSet(metric, window, *_x(name), continuous_refill=True)
                for metric, window, name in _MINUTES
            )
        ),
        # No reset is told. Limits hold per organisation and model.
        "mistral": _Table(
            HeaderSet(
                Metric.REQUESTS,
                Window.MINUTE,
                "x-ratelimit-limit-req-minute",
                "x-ratelimit-remaining-req-minute",
            ),
            HeaderSet(Metric.TOKENS, Window.MINUTE, *_x("tokens-minute")),
            HeaderSet(Metric.TOKENS, Window.MONTH, *_x("tokens-month")),
            HeaderSet(
                Metric.TOKENS,
                Window.MINUTE,
                "x-ratelimitbysize-limit-minute",
                "x-ratelimitbysize-remaining-minute",
                "ratelimitbysize-reset",
            ),
            HeaderSet(
                Metric.TOKENS,
                Window.MONTH,
                "x-ratelimitbysize-limit-month",
                "x-ratelimitbysize-remaining-month",
            ),
        ),
        "azure": _Table(
            HeaderSet(Metric.REQUESTS, Window.MINUTE, *_x("requests")),
            HeaderSet(Metric.TOKENS, Window.MINUTE, *_x("tokens")),
        ),
        # Per second: what is left binds for that second, the rate is no minute's limit.
        "together": _Table(
            HeaderSet(
                Metric.REQUESTS,
                Window.MINUTE,
                remaining="x-ratelimit-remaining",
                reset="x-ratelimit-reset",
                remaining_only=True,
                valid_seconds=1.0,
            ),
            HeaderSet(
                Metric.TOKENS,
                Window.MINUTE,
                remaining="x-tokenlimit-remaining",
                reset="x-ratelimit-reset",
                remaining_only=True,
                valid_seconds=1.0,
            ),
        ),
        "fireworks": _fireworks,
        "openrouter": _openrouter,
        "copilot": read_snapshots,
        "cohere": _Table(
            HeaderSet(
                Metric.REQUESTS,
                Window.MINUTE,
                "x-trial-endpoint-call-limit",
                "x-trial-endpoint-call-remaining",
            ),
            HeaderSet(
                Metric.REQUESTS,
                Window.MONTH,
                "x-endpoint-monthly-call-limit",
                scope="provider",
            ),
        ),
        "sambanova": _Table(
            HeaderSet(Metric.REQUESTS, Window.MINUTE, *_x("requests")),
            HeaderSet(Metric.REQUESTS, Window.DAY, *_x("requests-day")),
            HeaderSet(Metric.TOKENS, Window.DAY, *_x("tokens-day")),
        ),
        # These speak in bodies only (see `refusals`).
        "google": _Table(),
        "bedrock": _Table(),
        "nvidia": _Table(),
    }
)
"""By the name in a provider's column `limit_headers`."""
