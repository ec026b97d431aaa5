"""Money: whole numbers, nothing billed twice, nothing unknown called free."""

from datetime import UTC, datetime

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.accounting.prices import context_window, cost, known_price
from llm_gateway.domain import NANO, Price, Usage

DOLLAR = NANO
"""Price of a million tokens at one dollar."""

NOW = 1_795_000_000.0  # 2026-11-18


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        # input, output
        (Usage(), Price(DOLLAR, DOLLAR), 0),
        (Usage(1_000_000), Price(DOLLAR), NANO),
        (Usage(1000, output_tokens=500), Price(150_000_000, 600_000_000), 450_000),
        # cached tokens are billed once, at their price, else at the input's
        (Usage(0, 1_000_000), Price(DOLLAR, cached_input=0), 0),
        (Usage(0, 1_000_000), Price(DOLLAR, cached_input=DOLLAR // 10), NANO // 10),
        (Usage(0, 1_000_000), Price(DOLLAR), NANO),
        (Usage(1_000_000, 1_000_000), Price(DOLLAR, cached_input=1), NANO + 1),
        # so is what was written to a cache
        (
            Usage(0, 0, 1_000_000),
            Price(DOLLAR, cache_write=DOLLAR * 5 // 4),
            1_250_000_000,
        ),
        (Usage(0, 0, 1_000_000), Price(DOLLAR), NANO),
        # reasoning is output, unless it has a price
        (Usage(output_tokens=1, reasoning_tokens=999_999), Price(0, DOLLAR), NANO),
        (Usage(reasoning_tokens=1_000_000), Price(0, 8, reasoning=3), 3),
        # per request, on top
        (Usage(), Price(request=12_000_000), 12_000_000),
        (Usage(1_000_000), Price(DOLLAR, request=5), NANO + 5),
        # rounded once, half up
        (Usage(1), Price(499_999), 0),
        (Usage(1), Price(500_000), 1),
        (Usage(1, 1), Price(300_000), 1),
        (Usage(1, output_tokens=1), Price(250_000, 249_999), 0),
        # capped
        (Usage(2**53, 0, 0, 2**53), Price(DOLLAR * 100, DOLLAR * 100), 2**53),
    ],
)
def test_cost(usage, price, nano):
    assert cost(usage, price) == nano


TIERED = Price(
    DOLLAR,
    10 * DOLLAR,
    tiers=(
        (200, Price(2 * DOLLAR, 20 * DOLLAR)),
        (400, Price(3 * DOLLAR, 30 * DOLLAR)),
    ),
)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(200), 200_000),
        (Usage(201), 402_000),
        (Usage(400), 800_000),
        (Usage(401), 1_203_000),
        # the whole prompt decides, and for output too
        (Usage(1, 200), 402_000),
        (Usage(1, 100, 100), 402_000),
        (Usage(200, output_tokens=1), 210_000),
        (Usage(201, output_tokens=1), 422_000),
        (Usage(0, output_tokens=500), 5_000_000),
    ],
)
def test_tiers_go_by_prompt_tokens(usage, nano):
    assert cost(usage, TIERED) == nano


counts = st.integers(0, 2**30)
prices = st.integers(0, 1000 * DOLLAR)
usages = st.builds(Usage, counts, counts, counts, counts, counts)
cards = st.builds(
    Price,
    prices,
    prices,
    cached_input=st.none() | prices,
    cache_write=st.none() | prices,
    reasoning=st.none() | prices,
)


def together(a: Usage, b: Usage) -> Usage:
    return Usage(
        a.input_tokens + b.input_tokens,
        a.cached_tokens + b.cached_tokens,
        a.cache_write_tokens + b.cache_write_tokens,
        a.output_tokens + b.output_tokens,
        a.reasoning_tokens + b.reasoning_tokens,
    )


@given(usages, usages, cards)
def test_cost_adds_up_but_for_rounding(a, b, price):
    whole, parts = cost(together(a, b), price), cost(a, price) + cost(b, price)
    if whole < 2**53:
        assert abs(whole - parts) <= 1


@given(usages, usages, cards)
def test_more_is_never_cheaper(a, b, price):
    assert cost(a, price) <= cost(together(a, b), price)


@given(usages, cards)
def test_costs_are_whole_and_never_negative(usage, price):
    nano = cost(usage, price)
    assert type(nano) is int
    assert 0 <= nano <= 2**53
    assert not price.is_zero or nano == 0


# --- genai-prices


def test_known_prices():
    price = known_price("openai", "gpt-4o-mini", NOW)
    assert price is not None
    assert (price.input, price.output) == (150_000_000, 600_000_000)
    assert (price.cached_input, price.source) == (75_000_000, "genai-prices")
    assert known_price("openai", "text-embedding-3-small", NOW) == Price(
        20_000_000, source="genai-prices"
    )


def test_known_tiers():
    price = known_price("google", "gemini-2.5-pro", NOW)
    assert price is not None
    assert (price.input, price.output) == (1_250_000_000, 10_000_000_000)
    ((above, tier),) = price.tiers
    assert above == 200_000
    assert (tier.input, tier.output) == (2_500_000_000, 15_000_000_000)
    assert cost(Usage(200_000), price) == 250_000_000
    assert cost(Usage(200_001), price) == 500_002_500


def test_known_price_per_request():
    price = known_price("perplexity", "sonar", NOW)
    assert price is not None
    assert price.request > 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (None, "gpt-4o-mini"),
        ("nobody", "gpt-4o-mini"),
        ("openai", "no-such-model"),
        ("openai", ""),
        # a price of nothing says nothing
        ("openrouter", "deepseek/deepseek-chat-v3.1:free"),
        ("github-copilot", "gpt-4o"),
        # priced by the hour
        ("openai", "whisper-1"),
    ],
)
def test_unknown_prices(provider, model):
    assert known_price(provider, model, NOW) is None


@pytest.mark.parametrize(
    ("provider", "model", "window"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("nobody", "gpt-4o-mini", None),
        ("openai", "no-such-model", None),
        (None, "gpt-4o-mini", None),
    ],
)
def test_context_window(provider, model, window):
    assert context_window(provider, model) == window


PLAIN = {
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "requests_kcount",
    "output_reasoning_mtok",
}


@pytest.mark.parametrize("hours", [0, 8, 16])
def test_the_book_agrees_with_its_authors(hours):
    """Each price charges what genai-prices charges, at any time of the day."""
    now = NOW + hours * 3600
    usage = Usage(1000, 2000, 0, 3000, 0)
    theirs = TheirUsage(input_tokens=3000, cache_read_tokens=2000, output_tokens=3000)
    compared = 0
    for provider in get_snapshot().providers:
        for model in provider.models[::5]:
            price = known_price(provider.id, model.id, now)
            if price is None:
                continue
            found = calc_price(
                theirs,
                model.id,
                provider_id=provider.id,
                genai_request_timestamp=datetime.fromtimestamp(now, UTC),
            )
            priced = vars(found.model_price).items()
            units = {unit for unit, value in priced if value is not None}
            # Without a cached price, early versions charge nothing for cached tokens.
            if units <= PLAIN and price.cached_input is not None:
                expected = int(found.total_price * NANO)
                assert abs(cost(usage, price) - expected) <= 1
                compared += 1
    assert compared > 15
