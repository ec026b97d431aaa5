"""The models themselves: strict kinds, exact money, accounts and addresses."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from llm_gateway.config.fields import FromEnvironment, nano
from llm_gateway.config.models import Config, Limits, Model, Pricing, Provider
from llm_gateway.domain import Metric, Origin, Price, Reset, Window


def provider(**more: Any) -> Provider:
    return Provider.model_validate({"id": "a", "type": "groq", **more})


@pytest.mark.parametrize(
    ("dollars", "amount"),
    [
        ("0", 0),
        ("1", 1_000_000_000),
        ("0.1", 100_000_000),
        ("0.30", 300_000_000),
        ("0.000000001", 1),
        ("0.0000000001", 1),
        ("1e-30", 1),
        ("1000000000", 10**18),
    ],
)
def test_money_is_exact_and_rounds_up(dollars: str, amount: int) -> None:
    assert nano(Decimal(dollars)) == amount


@given(st.integers(0, 10**18))
def test_every_nano_dollar_survives(amount: int) -> None:
    assert nano(Decimal(amount) / 10**9) == amount


def test_floats_count_as_they_are_written() -> None:
    # JSON that came over the wire holds floats: 0.1 means 0.1
    assert list(Limits.model_validate({"costPerDay": 0.1}).amounts()) == [
        (Metric.COST, Window.DAY, 100_000_000)
    ]


def test_limits_come_in_one_order() -> None:
    every = {
        f"{metric}Per{window}": 1
        for metric in ("cost", "tokens", "requests")
        for window in ("Month", "Day", "Hour", "Minute")
    }
    amounts = list(Limits.model_validate(every).amounts())
    assert [(metric, window) for metric, window, _ in amounts] == [
        (metric, window) for metric in Metric for window in Window
    ]


@pytest.mark.parametrize(
    ("pricing", "price"),
    [
        ({}, None),
        ({"costPerRequest": None}, None),
        ({"costPerRequest": 0}, Price()),
        ({"inputCostPerMillionTokens": 0}, Price()),
        (
            {"inputCostPerMillionTokens": 1, "cacheWriteCostPerMillionTokens": 1.25},
            Price(input=10**9, cache_write=1_250_000_000),
        ),
        (
            {"cachedInputCostPerMillionTokens": 0, "outputCostPerMillionTokens": 2},
            Price(output=2 * 10**9, cached_input=0),
        ),
    ],
)
def test_prices(pricing: dict[str, Any], price: Price | None) -> None:
    found = Pricing.model_validate(pricing).as_price()
    assert found == price
    if price == Price():
        assert found is not None
        assert found.is_zero


@pytest.mark.parametrize(
    ("keys", "accounts"),
    [
        ({}, [("", None)]),
        ({"apiKey": "k"}, [("", "k")]),
        ({"apiKeys": ["k"]}, [("", "k")]),
        ({"apiKeys": ["k", "l"]}, [("1", "k"), ("2", "l")]),
        ({"apiKey": None, "apiKeys": []}, [("", None)]),
    ],
)
def test_accounts(keys: dict[str, Any], accounts: list[tuple[str, str | None]]) -> None:
    found = provider(**keys).accounts
    assert [(name, key and key.get_secret_value()) for name, key in found] == accounts


def test_origins() -> None:
    assert provider().origin is None
    assert provider(baseURL="https://a.example:1/v1").origin == Origin(
        "https", "a.example", 1, "/v1"
    )
    local = Provider.model_validate(
        {"id": "a", "type": "ollama", "baseURL": "http://nas:11434/v1"}
    )
    assert local.origin == Origin("http", "nas", 11434, "/v1")


def test_ids_and_names_may_hold_any_character() -> None:
    name = "a/b \"c\" 😀\n<img src=x onerror='1'>"
    found = Provider.model_validate(
        {"id": name[:32], "type": "groq", "models": [{"name": name}]}
    )
    assert found.id == name[:32]
    assert found.models[0].client_name == name


def test_a_skipped_provider_is_a_copy() -> None:
    whole = provider(apiKey="k")
    skipped = whole.with_missing_env(("KEY",))
    assert skipped.missing_env == ("KEY",)
    assert whole.missing_env == ()
    assert skipped.api_key == SecretStr("k")


def test_models_are_frozen_and_known_by_alias_only() -> None:
    found = provider()
    with pytest.raises(ValidationError):
        found.id = "b"
    with pytest.raises(ValidationError):
        Provider.model_validate({"id": "a", "type": "groq", "api_key": "k"})
    with pytest.raises(ValidationError):
        Provider.model_validate({"id": "a", "type": "groq", "missingEnv": []})


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (5, True),
        (Decimal("5"), True),
        (5.0, True),
        (Decimal("5e2"), True),
        (FromEnvironment("5"), True),
        (FromEnvironment(" 5 "), True),
        (FromEnvironment("five"), False),
        (FromEnvironment("NaN"), False),
        (FromEnvironment("Infinity"), False),
        ("5", False),
        (5.5, False),
        (float("nan"), False),
        (float("inf"), False),
        (2**53 + 1, False),
        (True, False),
        (None, True),
        ([], False),
    ],
)
def test_counts(value: object, good: bool) -> None:
    try:
        Limits.model_validate({"requestsPerDay": value})
    except ValidationError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (2, 2.0),
        (Decimal("0.25"), 0.25),
        (FromEnvironment("3"), 3.0),
        ("3", None),
        (0, None),
        (-1, None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_seconds(value: object, seconds: float | None) -> None:
    try:
        config = Config.model_validate({"routing": {"deadlineSeconds": value}})
    except ValidationError:
        assert seconds is None
    else:
        assert config.routing.deadline_seconds == seconds


def test_values_that_are_parsed_already_stay() -> None:
    found = provider(apiKey=SecretStr("k"), resets={"day": Reset(1, 2, "UTC")})
    assert found.api_key == SecretStr("k")
    assert found.resets.day == Reset(1, 2, "UTC")


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"X-Empty": ""}, True),
        ({"X": "a b"}, True),
        ({"X": "ü"}, False),
        ({"X": "a\r\nB: c"}, False),
        ({"X:": "a"}, False),
        ({"": "a"}, False),
        ({"Transfer-Encoding": "chunked"}, False),
        ({"Proxy-Authorization": "x"}, False),
    ],
)
def test_headers(headers: dict[str, str], good: bool) -> None:
    try:
        provider(headers=headers)
    except ValidationError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize(
    ("section", "key", "given", "kept"),
    [
        ("server", "allowedHosts", "GW.lan:443", "gw.lan:443"),
        ("server", "allowedHosts", "[::1]:80", "[::1]:80"),
        ("server", "allowedHosts", "[fd00::1]", "[fd00::1]"),
        ("server", "allowedOrigins", "http://LocalHost:3000/", "http://localhost:3000"),
        ("server", "allowedOrigins", "http://a:80", "http://a"),
        ("server", "allowedOrigins", "chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("intercept", "hosts", "*.Example.com", "*.example.com"),
    ],
)  # fmt: skip
def test_places_are_kept_in_one_spelling(
    section: str, key: str, given: str, kept: str
) -> None:
    config = Config.model_validate({section: {key: [given]}})
    dumped = config.model_dump(by_alias=True)
    assert dumped[section][key] == (kept,)


def test_a_model_is_known_by_its_name_unless_mapped() -> None:
    assert Model.model_validate({"name": "m"}).client_name == "m"
    mapped = Model.model_validate({"name": "m", "mappedName": "n"})
    assert mapped.client_name == "n"


@pytest.mark.parametrize(
    ("models", "wanted", "own"),
    [
        ("free", ("free",), []),
        ("all", ("all",), []),
        ([], (), []),
        ([{"name": "m"}], (), [(0, "m")]),
        (["a*", {"name": "m"}, "free"], ("a*", "free"), [(1, "m")]),
    ],
)
def test_models_are_written_out_or_taken_from_the_list(
    models: Any, wanted: tuple[str, ...], own: list[tuple[int, str]]
) -> None:
    found = provider(models=models, exclude=["b*"])
    assert found.wanted == wanted
    assert [(n, model.name) for n, model in found.own_models] == own
    assert found.exclude == ("b*",)
