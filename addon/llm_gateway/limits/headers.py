"""What providers say about limits in the headers of their answers.

What lives here: one parser per convention, as tables of header names. A provider's row
names its parser in the column `limit_headers`. What it does not know: what is done with
a `Word`; bodies (see `refusals`).

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
from llm_gateway.limits.values import Word

__all__ = ["PARSERS", "Word", "read_headers"]

Headers = Mapping[str, str]
Parser = Callable[[Headers, float], Iterable[Word]]


@frozen
class Names:
    """The headers that speak about one limit; "" for one that does not exist."""

    metric: Metric
    window: Window
    limit: str = ""
    remaining: str = ""
    reset: str = ""
    per: str = "model"
    refills: bool = False
    """The bucket fills bit by bit; the reset is when it is full."""
    part: bool = False
    """It counts a part of what the metric means: it only binds when nothing is left."""
    foreign: bool = False
    lasts: float | None = None
    """Seconds for which `remaining` holds where there is no reset."""


def read_headers(parser: str, headers: Headers, now: float) -> tuple[Word, ...]:
    """The words in an answer's headers (lower-case names), one per limit.

    An unknown parser reads nothing.
    """
    read = PARSERS.get(parser)
    if read is None:
        return ()
    found: dict[tuple[str, Metric, Window], Word] = {}
    for word in read(headers, now):
        key = (word.per, word.metric, word.window)
        known = found.get(key)
        found[key] = word if known is None else min(known, word, key=_leaves)
    return tuple(found.values())


def count(text: str | None) -> int | None:
    """A whole number; None for anything else, -1 included."""
    if text is not None and len(text) < 16 and text.isascii() and text.isdigit():
        return int(text)
    value = number(text)
    return None if value is None else int(value)


def _leaves(word: Word) -> tuple[float, float]:
    """How little a word leaves: of two about the same limit, the tighter one counts."""
    remaining = inf if word.remaining is None else word.remaining
    return remaining, inf if word.limit is None else word.limit


def _table(*rows: Names) -> Parser:
    def read(headers: Headers, now: float) -> Iterable[Word]:
        for names in rows:
            word = _word(names, headers, now)
            if word is not None:
                yield word

    return read


def _word(names: Names, headers: Headers, now: float) -> Word | None:
    limit = count(headers.get(names.limit)) if names.limit else None
    remaining = count(headers.get(names.remaining)) if names.remaining else None
    if names.limit in headers and not limit:
        return None
    if limit is None and remaining is None:
        return None
    if names.part and remaining != 0:
        return None
    resets_at = moment(headers[names.reset], now) if names.reset in headers else None
    if resets_at is None and names.lasts is not None:
        resets_at = now + names.lasts
    return Word(
        metric=names.metric,
        window=names.window,
        at=now,
        limit=limit,
        remaining=remaining,
        resets_at=resets_at,
        per=names.per,
        refills=names.refills,
        foreign=names.foreign or names.part,
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


def _openrouter(headers: Headers, now: float) -> Iterable[Word]:
    """Only on its own 429s, about `:free` models; the reset tells minute from day."""
    reset = moment(headers.get("x-ratelimit-reset", ""), now)
    if reset is None:
        return
    window = Window.MINUTE if reset - now <= 120 else Window.DAY
    names = Names(Metric.REQUESTS, window, *_x("", sep=""), per="tier")
    word = _word(names, headers, now)
    if word is not None:
        yield word


def _fireworks(headers: Headers, now: float) -> Iterable[Word]:
    """Prompt and generated tokens apart: together they bound the total."""
    parts = [
        count(headers.get(f"x-ratelimit-limit-tokens-{kind}"))
        for kind in ("prompt", "generated")
    ]
    if parts[0] and parts[1]:
        yield Word(Metric.TOKENS, Window.MINUTE, now, limit=parts[0] + parts[1])
    for kind in ("prompt", "generated"):
        names = Names(
            Metric.TOKENS,
            Window.MINUTE,
            remaining=f"x-ratelimit-remaining-tokens-{kind}",
            part=True,
            lasts=10.0,
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
        "none": _table(),
        # Buckets that fill up continuously. Requests and tokens per minute.
        "openai": _table(
            Names(Metric.REQUESTS, Window.MINUTE, *_x("requests"), refills=True),
            Names(Metric.TOKENS, Window.MINUTE, *_x("tokens"), refills=True),
            Names(Metric.TOKENS, Window.MINUTE, *_x("project-tokens"), refills=True),
        ),
        "anthropic": _table(
            Names(
                Metric.REQUESTS, Window.MINUTE, *_anthropic("requests"), refills=True
            ),
            Names(Metric.TOKENS, Window.MINUTE, *_anthropic("tokens"), refills=True),
            *(
                Names(
                    Metric.TOKENS,
                    Window.MINUTE,
                    *_anthropic(kind),
                    refills=True,
                    part=True,
                )
                for kind in ("input-tokens", "output-tokens")
            ),
        ),
        # The header says `requests` and means a day; `tokens` is a minute.
        "groq": _table(
            Names(Metric.REQUESTS, Window.DAY, *_x("requests"), refills=True),
            Names(Metric.TOKENS, Window.MINUTE, *_x("tokens"), refills=True),
        ),
        "cerebras": _table(
            *(
                Names(metric, window, *_x(name), refills=True)
                for metric, window, name in _MINUTES
            )
        ),
        # No reset is told. Limits hold per organisation and model.
        "mistral": _table(
            Names(
                Metric.REQUESTS,
                Window.MINUTE,
                "x-ratelimit-limit-req-minute",
                "x-ratelimit-remaining-req-minute",
            ),
            Names(Metric.TOKENS, Window.MINUTE, *_x("tokens-minute")),
            Names(Metric.TOKENS, Window.MONTH, *_x("tokens-month")),
            Names(
                Metric.TOKENS,
                Window.MINUTE,
                "x-ratelimitbysize-limit-minute",
                "x-ratelimitbysize-remaining-minute",
                "ratelimitbysize-reset",
            ),
            Names(
                Metric.TOKENS,
                Window.MONTH,
                "x-ratelimitbysize-limit-month",
                "x-ratelimitbysize-remaining-month",
            ),
        ),
        "azure": _table(
            Names(Metric.REQUESTS, Window.MINUTE, *_x("requests")),
            Names(Metric.TOKENS, Window.MINUTE, *_x("tokens")),
        ),
        # Per second: what is left binds for that second, the rate is no minute's limit.
        "together": _table(
            Names(
                Metric.REQUESTS,
                Window.MINUTE,
                remaining="x-ratelimit-remaining",
                reset="x-ratelimit-reset",
                foreign=True,
                lasts=1.0,
            ),
            Names(
                Metric.TOKENS,
                Window.MINUTE,
                remaining="x-tokenlimit-remaining",
                reset="x-ratelimit-reset",
                foreign=True,
                lasts=1.0,
            ),
        ),
        "fireworks": _fireworks,
        "openrouter": _openrouter,
        "copilot": read_snapshots,
        "cohere": _table(
            Names(
                Metric.REQUESTS,
                Window.MINUTE,
                "x-trial-endpoint-call-limit",
                "x-trial-endpoint-call-remaining",
            ),
            Names(
                Metric.REQUESTS,
                Window.MONTH,
                "x-endpoint-monthly-call-limit",
                per="provider",
            ),
        ),
        "sambanova": _table(
            Names(Metric.REQUESTS, Window.MINUTE, *_x("requests")),
            Names(Metric.REQUESTS, Window.DAY, *_x("requests-day")),
            Names(Metric.TOKENS, Window.DAY, *_x("tokens-day")),
        ),
        # These speak in bodies only (see `refusals`).
        "google": _table(),
        "bedrock": _table(),
        "nvidia": _table(),
    }
)
"""By the name in a provider's column `limit_headers`."""
