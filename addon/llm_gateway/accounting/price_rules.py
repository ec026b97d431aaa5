"""Prices that vendors publish as a rule for many models: fees, tiers, one-hour caches.

What lives here: dated facts, used where genai-prices lists none (its last version for
Python 3.11 knows no service tiers, searches or one-hour cache writes). Where it lists
one, that wins; a test compares the two.

What this file does not know: usage, arithmetic on costs.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from llm_gateway.frozen import frozen

_THOUSANDTH = 10**9 * 10**6 // 1000
"""A dollar per thousand, in nano-dollars per million."""


@frozen
class Fee:
    """What is billed beside tokens, per million of it."""

    name: str
    """A row of `prices.CLASSES`."""
    amount: int
    """Nano-dollars per million."""
    models: tuple[str, ...]
    """Names of models, `*` is a wildcard."""
    as_of: str
    source: str


@frozen
class Multiple:
    """A class of tokens, or a whole tariff, at a multiple of a price that is known."""

    of: str
    """A row of `prices.CLASSES` (a multiple of the input price), or `service_tier:flex`
    (a multiple of every price)."""
    times: Fraction
    models: tuple[str, ...]
    as_of: str
    source: str


_ANTHROPIC = "platform.claude.com, pricing"
_OPENAI = "OpenAI's pricing page"

FEES: Mapping[str, tuple[Fee, ...]] = {
    "anthropic": (
        Fee("web_search", 10 * _THOUSANDTH, ("claude-*",), "2026-10-07", _ANTHROPIC),
    ),
    "openai": (
        Fee(
            "web_search",
            10 * _THOUSANDTH,
            ("gpt-5*", "gpt-6*", "o3*", "o4*"),
            "2026-10-17",
            _OPENAI,
        ),
        Fee(
            "file_search",
            5 * _THOUSANDTH // 2,
            ("gpt-4*", "gpt-5*", "gpt-6*", "o3*", "o4*"),
            "2026-10-17",
            _OPENAI,
        ),
    ),
}

_FLEX = ("gpt-5", "gpt-5-*", "gpt-5.*", "gpt-6*", "o3", "o4-mini")
MULTIPLES: Mapping[str, tuple[Multiple, ...]] = {
    "anthropic": (
        Multiple(
            "cache_write_1h", Fraction(2), ("claude-*",), "2026-10-07", _ANTHROPIC
        ),
    ),
    "openai": (
        # Sound is $40 in and $80 out where text is $2.50; $10 and $20 where it is $0.15.
        Multiple(
            "input_audio", Fraction(16), ("gpt-4o-audio-*",), "2026-10-17", _OPENAI
        ),
        Multiple(
            "output_audio", Fraction(32), ("gpt-4o-audio-*",), "2026-10-17", _OPENAI
        ),
        Multiple(
            "input_audio",
            Fraction(200, 3),
            ("gpt-4o-mini-audio-*",),
            "2026-10-17",
            _OPENAI,
        ),
        Multiple(
            "output_audio",
            Fraction(400, 3),
            ("gpt-4o-mini-audio-*",),
            "2026-10-17",
            _OPENAI,
        ),
        Multiple("service_tier:flex", Fraction(1, 2), _FLEX, "2026-10-17", _OPENAI),
        *(
            Multiple("service_tier:priority", times, models, "2026-10-17", _OPENAI)
            for times, models in (
                (
                    Fraction(17, 10),
                    ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
                ),
                (Fraction(5, 3), ("gpt-4o-mini*",)),
                (Fraction(7, 4), ("gpt-4.1", "gpt-4.1-mini*", "gpt-4.1-2*", "o3")),
                (Fraction(2), ("gpt-4.1-nano*",)),
                (Fraction(9, 5), ("gpt-5-mini*",)),
                (Fraction(20, 11), ("o4-mini*",)),
                (Fraction(2), ("gpt-5", "gpt-5-2*", "gpt-5.1", "gpt-5.2", "gpt-5.4")),
            )
        ),
    ),
}


def fee(vendor: str, model: str, name: str) -> int | None:
    """Nano-dollars per million, by the vendor's rule; None: it has none."""
    return next(
        (
            f.amount
            for f in FEES.get(vendor, ())
            if f.name == name and _any(f.models, model)
        ),
        None,
    )


def multiple(vendor: str, model: str, of: str) -> Fraction | None:
    """By what a known price is multiplied; None: there is no such rule."""
    return next(
        (
            m.times
            for m in MULTIPLES.get(vendor, ())
            if m.of == of and _any(m.models, model)
        ),
        None,
    )


def _any(names: tuple[str, ...], model: str) -> bool:
    return any(_pattern(name).fullmatch(model.lower()) for name in names)


@lru_cache(maxsize=256)
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
