"""Usage x price -> nano-dollars, and the prices that are publicly known.

Money is integers from end to end: prices are nano-dollars per million tokens, costs
are nano-dollars. A cost is rounded once, half up, on the sum of its classes, so it is
at most half a nano-dollar off. Cached tokens are a class of their own and are billed
in no other; without a cached price they cost what input costs.

An unknown price is None and never 0. genai-prices lists models at nothing for several
reasons (subscriptions, delisted models, really free ones), so its 0 is unknown too:
what is free is said in the config. The library is imported when first asked (about
half a second), and asked for its own data only, offline.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from llm_gateway.exchange import NANO, Price, Usage

_MILLION = 1_000_000
_MOST = 2**53
"""A cost above nine million dollars is a mistake, and still has to fit into SQLite."""


def cost(usage: Usage, price: Price) -> int:
    """Nano-dollars for one request of this usage."""
    prompt = usage.prompt
    for above, tier in price.tiers:
        if prompt > above:
            price = tier
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    reasoning = price.output if price.reasoning is None else price.reasoning
    total = (
        usage.input_tokens * price.input
        + usage.cached_tokens * cached
        + usage.cache_write_tokens * written
        + usage.output_tokens * price.output
        + usage.reasoning_tokens * reasoning
    )
    return min((total + _MILLION // 2) // _MILLION + price.request, _MOST)


def known_price(genai_provider: str | None, model: str, now: float) -> Price | None:
    """What genai-prices says that `model` costs at `now` (unix seconds).

    None when it does not know, or knows no price above 0. Some prices change with the
    date and a few with the time of day: who keeps one for long should ask again. The
    first call imports the library; later ones are answered from a cache of a quarter of
    an hour. Not in it: audio, pictures, searches, and the dearer one-hour cache.
    """
    if genai_provider is None:
        return None
    return _known_price(genai_provider, model, int(now // 900))


def context_window(genai_provider: str | None, model: str) -> int | None:
    """The most input tokens that genai-prices knows `model` to take."""
    if genai_provider is None:
        return None
    return _context_window(genai_provider, model)


@lru_cache(maxsize=4096)
def _known_price(provider: str, model: str, quarter: int) -> Price | None:
    found = _look_up(provider, model, quarter * 900.0)
    return None if found is None else _flattened(found.model_price)


@lru_cache(maxsize=4096)
def _context_window(provider: str, model: str) -> int | None:
    found = _look_up(provider, model, None)
    window = None if found is None else found.model.context_window
    return window if isinstance(window, int) and window > 0 else None


def _look_up(provider: str, model: str, now: float | None) -> Any:
    """genai-prices' own answer for an empty request, or None."""
    try:
        from genai_prices import Usage as NoUsage
        from genai_prices import calc_price
    except ImportError:  # config prices alone will do
        return None
    when = None if now is None else datetime.fromtimestamp(now, UTC)
    try:
        return calc_price(
            NoUsage(), model, provider_id=provider, genai_request_timestamp=when
        )
    except (LookupError, ValueError):
        return None


def _flattened(prices: Any) -> Price | None:
    """A genai-prices ModelPrice as a Price; its tiers become whole prices."""
    fields = {
        "input": getattr(prices, "input_mtok", None),
        "output": getattr(prices, "output_mtok", None),
        "cached_input": getattr(prices, "cache_read_mtok", None),
        "cache_write": getattr(prices, "cache_write_mtok", None),
        "reasoning": getattr(prices, "output_reasoning_mtok", None),
    }
    starts = sorted(
        {
            tier.start
            for field in fields.values()
            for tier in getattr(field, "tiers", ())
        }
    )
    per_thousand = getattr(prices, "requests_kcount", None)
    request = None if per_thousand is None else _nano(per_thousand / 1000)

    def at(start: int, tiers: Iterable[tuple[int, Price]] = ()) -> Price:
        nano = {name: _nano(_at(field, start)) for name, field in fields.items()}
        return Price(
            input=nano["input"] or 0,
            output=nano["output"] or 0,
            cached_input=nano["cached_input"],
            cache_write=nano["cache_write"],
            reasoning=nano["reasoning"],
            request=request or 0,
            source="genai-prices",
            tiers=tuple(tiers),
        )

    price = at(0, [(start, at(start)) for start in starts])
    return None if price.is_zero else price


def _at(field: Any, start: int) -> Decimal | None:
    """A price, or a tiered one at the tier that starts there."""
    if field is None or isinstance(field, Decimal):
        return field
    price: Decimal = field.base
    for tier in field.tiers:
        if tier.start <= start and start > 0:
            price = tier.price
    return price


def _nano(dollars: Decimal | None) -> int | None:
    if dollars is None:
        return None
    return int((Decimal(dollars) * NANO).to_integral_value(ROUND_HALF_UP))
