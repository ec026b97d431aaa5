"""Usage x price -> nano-dollars, and the prices that are publicly known.

Money is integers from end to end: prices are nano-dollars per million, costs are
nano-dollars. A cost is rounded once, half up, on the sum of its classes, so it is at
most half a nano-dollar off. Cached tokens are a class of their own and are billed in no
other; without a cached price they cost what input costs.

An unknown price is None and never 0, and so is the cost of an answer that reports
something which its price does not cover (`CLASSES`): a number is right or not there.
genai-prices lists models at nothing for several reasons (subscriptions, delisted
models, really free ones), so its 0 is unknown too: what is free is said in the config.
The library is imported when first asked (about half a second), and asked for its own
data only, offline.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from llm_gateway.accounting.price_rules import fee, multiple
from llm_gateway.dialects.billed import STANDARD
from llm_gateway.domain import NANO, Price, Usage
from llm_gateway.frozen import frozen

_MILLION = 1_000_000
_MOST = 2**53
"""A cost above nine million dollars is a mistake, and still has to fit into SQLite."""

Tariff = tuple[tuple[str, str], ...]


@frozen
class BilledClass:
    """Something that an answer reports and that has a price of its own somewhere."""

    genai: str
    """Its name in genai-prices."""
    within: str = ""
    """The price of the tokens that it is part of; "": it is counted beside them."""
    per: int = _MILLION
    """How many of them genai-prices' number is for."""
    covered: bool = False
    """Where a published price lists none apart, it costs what `within` costs."""


CLASSES: Mapping[str, BilledClass] = {
    "input_audio": BilledClass("input_audio_mtok", "input", covered=True),
    "cached_audio": BilledClass("cache_audio_read_mtok", "cached_input", covered=True),
    "output_audio": BilledClass("output_audio_mtok", "output"),
    "input_image": BilledClass("input_image_mtok", "input", covered=True),
    "output_image": BilledClass("output_image_mtok", "output"),
    "input_video": BilledClass("input_video_mtok", "input", covered=True),
    "cache_write_1h": BilledClass("cache_write_1h_mtok", "cache_write"),
    "citation": BilledClass("output_citation_mtok", "input", covered=True),
    "web_search": BilledClass("web_searches_kcount", per=1000),
    "file_search": BilledClass("storage_searches_kcount", per=1000),
    # Known to be billed by those who report them, and listed nowhere.
    "code_execution": BilledClass(""),
    "server_tool": BilledClass(""),
}
"""What is billed apart. A class that no price covers makes the cost unknown."""


def cost(usage: Usage, price: Price) -> int | None:
    """Nano-dollars for one request of this usage; None: `price` does not cover it all."""
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
    if usage.classes:
        plain = {
            "": 0,
            "input": price.input,
            "cached_input": cached,
            "cache_write": written,
            "output": price.output,
        }
        rates = dict(price.classes)
        for name, count in usage.classes:
            kind = CLASSES[name]
            rate = rates.get(name)
            if rate is not None:
                total += count * (rate - plain[kind.within])
            elif not (kind.covered and price.source == "genai-prices"):
                return None
    return min((total + _MILLION // 2) // _MILLION + price.request, _MOST)


@frozen
class Charge:
    """What one answer cost, and who says so."""

    amount: int | None
    """Nano-dollars; None: unknown."""
    source: str | None
    """`provider` (its own bill), `config`, `genai-prices`; None with an unknown cost."""


UNKNOWN = Charge(None, None)


def charge(
    usage: Usage, price: Price | None, *, vendor: str | None, model: str, now: float
) -> Charge:
    """What an answer cost: by the provider's own bill, else by its usage.

    `price` is that of the model that was asked, as the config or the public list has
    it; `vendor` is whose public prices hold (genai-prices' id), `model` what was asked.
    A public price is that of the model that answered, under the tariff that it was
    served under. A price out of the config is taken as it stands.
    """
    if usage.bill is not None:
        return Charge(usage.bill, "provider")
    if not usage.parts:
        found = _price_of(usage, price, vendor, model, now, usage.tariff)
        amount = None if found is None else cost(usage, found)
        return (
            UNKNOWN if found is None or amount is None else Charge(amount, found.source)
        )
    total = 0
    source = ""
    beside = Usage(classes=usage.classes, model=usage.model)
    for part in (*usage.parts, *((beside,) if usage.classes else ())):
        found = _price_of(part, price, vendor, model, now, usage.tariff)
        amount = None if found is None else cost(part, found)
        if found is None or amount is None:
            return UNKNOWN
        total += amount - (found.request if source else 0)
        source = source or found.source
    return Charge(min(total, _MOST), source)


def _price_of(
    usage: Usage,
    price: Price | None,
    vendor: str | None,
    model: str,
    now: float,
    tariff: Tariff,
) -> Price | None:
    """The price of one call: of the model that answered, at its tariff."""
    answered = usage.model
    if price is not None and price.is_zero:
        return price
    if price is not None and price.source != "genai-prices":
        if any(value not in STANDARD for _, value in tariff):
            return None
        return price
    if answered is not None and answered != model:
        found = find_price(vendor, answered, now, tariff)
        if found is not None:
            return found
    elif not tariff:
        return price
    return find_price(vendor, model, now, tariff)


def find_price(
    vendor: str | None, model: str, now: float, tariff: Tariff = ()
) -> Price | None:
    """As `known_price`, also where a publisher stands before the model's name."""
    found = known_price(vendor, model, now, tariff)
    if found is None and "/" in model:
        found = known_price(vendor, model.rpartition("/")[2], now, tariff)
    return found


def known_price(
    genai_provider: str | None, model: str, now: float, tariff: Tariff = ()
) -> Price | None:
    """What genai-prices says that `model` costs at `now` (unix seconds).

    None when it does not know, knows no price above 0, or none for this tariff
    (("service_tier", "flex"), …). Some prices change with the date and a few with the
    time of day: who keeps one for long should ask again. The first call imports the
    library; later ones are answered from a cache of a quarter of an hour.
    """
    if genai_provider is None:
        return None
    return _known_price(genai_provider, model, int(now // 900), tariff)


def context_window(genai_provider: str | None, model: str) -> int | None:
    """The most input tokens that genai-prices knows `model` to take."""
    if genai_provider is None:
        return None
    return _context_window(genai_provider, model)


@lru_cache(maxsize=4096)
def _known_price(
    provider: str, model: str, quarter: int, tariff: Tariff
) -> Price | None:
    now = quarter * 900.0
    found = _look_up(provider, model, now)
    if found is None:
        return None
    listed, ruled = _tariff(found, tariff)
    prices = found.model_price
    if listed:
        when = datetime.fromtimestamp(now, UTC)
        prices = found.model.get_prices(when, listed)
    price = _flattened(prices)
    if price is None:
        return None
    price = _with_fees(price, provider, model)
    for key, value in ruled:
        times = multiple(provider, model, f"{key}:{value}")
        if times is None:
            return None
        price = _times(price, times)
    return price


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


def _tariff(found: Any, tariff: Tariff) -> tuple[dict[str, str], Tariff]:
    """What of a tariff genai-prices lists for this model, and what is left to a rule."""
    own = any(found.model is m for m in found.provider.models)
    variants = (getattr(found.model, "price_variants", None) or ()) if own else ()
    listed: dict[str, str] = {}
    ruled = []
    for key, value in tariff:
        if any(variant.when.get(key) == value for variant in variants):
            listed[key] = value
        elif value not in STANDARD:
            ruled.append((key, value))
    return listed, tuple(ruled)


def _with_fees(price: Price, provider: str, model: str) -> Price:
    """The price with what the vendor's rules add to it, tier by tier."""
    have = dict(price.classes)
    for name, kind in CLASSES.items():
        # A sound that is listed at the price of text is not listed apart.
        if name in have and not (kind.covered and have[name] == price.input):
            continue
        rate = fee(provider, model, name)
        if rate is None and kind.within:
            times = multiple(provider, model, name)
            rate = None if times is None else int(price.input * times)
        if rate is not None:
            have[name] = rate
    tiers = tuple((at, _with_fees(tier, provider, model)) for at, tier in price.tiers)
    return _changed(price, classes=tuple(have.items()), tiers=tiers)


def _times(price: Price, times: Any) -> Price:
    """All token prices at a multiple; fees beside tokens stay."""

    def at(rate: int | None) -> int | None:
        return None if rate is None else int(rate * times)

    return _changed(
        price,
        input=at(price.input),
        output=at(price.output),
        cached_input=at(price.cached_input),
        cache_write=at(price.cache_write),
        reasoning=at(price.reasoning),
        classes=tuple(
            (name, int(rate * times) if CLASSES[name].within else rate)
            for name, rate in price.classes
        ),
        tiers=tuple((start, _times(tier, times)) for start, tier in price.tiers),
    )


def _changed(price: Price, **fields: Any) -> Price:
    return Price(
        **{n: fields.get(n, getattr(price, n)) for n in Price.__dataclass_fields__}
    )


def _flattened(prices: Any) -> Price | None:
    """A genai-prices ModelPrice as a Price; its tiers become whole prices."""
    fields = {
        "input": getattr(prices, "input_mtok", None),
        "output": getattr(prices, "output_mtok", None),
        "cached_input": getattr(prices, "cache_read_mtok", None),
        "cache_write": getattr(prices, "cache_write_mtok", None),
        "reasoning": getattr(prices, "output_reasoning_mtok", None),
    }
    classes = {
        name: getattr(prices, kind.genai, None)
        for name, kind in CLASSES.items()
        if kind.genai
    }
    starts = sorted(
        {
            tier.start
            for field in (*fields.values(), *classes.values())
            for tier in getattr(field, "tiers", ())
        }
    )
    per_thousand = getattr(prices, "requests_kcount", None)
    request = None if per_thousand is None else _nano(per_thousand / 1000)

    def at(start: int, tiers: Iterable[tuple[int, Price]] = ()) -> Price:
        nano = {name: _nano(_at(field, start)) for name, field in fields.items()}
        apart = {
            name: rate * (_MILLION // CLASSES[name].per)
            for name, field in classes.items()
            if (rate := _nano(_at(field, start))) is not None
        }
        return Price(
            input=nano["input"] or 0,
            output=nano["output"] or 0,
            cached_input=nano["cached_input"],
            cache_write=nano["cache_write"],
            reasoning=nano["reasoning"],
            request=request or 0,
            source="genai-prices",
            tiers=tuple(tiers),
            classes=tuple(apart.items()),
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
