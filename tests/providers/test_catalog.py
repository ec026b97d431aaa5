"""From a config to offers: limits, prices, states, accounts, clients, names."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.config.models import Config
from llm_gateway.domain import (
    Dialect,
    Limit,
    Metric,
    Offer,
    Policy,
    Price,
    Reset,
    Window,
)
from llm_gateway.providers import catalog
from llm_gateway.providers.catalog import Catalog, CatalogError
from llm_gateway.providers.model_index import ModelIndex

from .sending import NOW, catalog_of, only_offer

LIST = Price(input=300_000_000, output=2_500_000_000, source="genai-prices")
FREE = Price(source="config")
PACIFIC = Reset(0, 0, "America/Los_Angeles")
REQUESTS, TOKENS, COST = Metric.REQUESTS, Metric.TOKENS, Metric.COST
MINUTE, HOUR, DAY, MONTH = Window


def provider(type_: str = "groq", **more: Any) -> dict[str, Any]:
    return {"id": "p", "type": type_, "apiKey": "K", "models": [{"name": "m"}], **more}


def model(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "m", **more}]


def priced(config: dict[str, Any], known: Price | None = LIST) -> Offer:
    built = catalog.build(
        Config.model_validate({"providers": [config]}),
        "r1",
        price=lambda *_: known,
        window=lambda *_: None,
        now=NOW,
    )
    return only_offer(built)


# -- prices


@pytest.mark.parametrize(
    ("more", "free", "flat", "price", "list_price"),
    [
        # nothing said: what genai-prices knows
        ({}, False, False, LIST, LIST),
        # free: nothing is charged, the list price is what others pay
        ({"free": True}, True, False, FREE, LIST),
        (
            {"free": True, "models": model(pricing={"inputCostPerMillionTokens": 1})},
            True,
            False,
            FREE,
            Price(input=1_000_000_000),
        ),
        # a subscription
        ({"flatRate": {"costPerMonth": 10}}, False, True, FREE, LIST),
        # own price
        (
            {"models": model(pricing={"inputCostPerMillionTokens": 0.1})},
            False,
            False,
            Price(input=100_000_000),
            LIST,
        ),
        # own price of nothing: zero-cost, without the flag
        (
            {"models": model(pricing={"inputCostPerMillionTokens": 0})},
            False,
            False,
            Price(),
            LIST,
        ),
        # an empty object says nothing
        ({"models": model(pricing={})}, False, False, LIST, LIST),
    ],
)
def test_prices(
    more: dict[str, Any],
    free: bool,
    flat: bool,
    price: Price,
    list_price: Price,
) -> None:
    offer = priced(provider(**more))
    assert (offer.free, offer.flat_rate) == (free, flat)
    assert (offer.price, offer.list_price) == (price, list_price)


def test_unknown_price_is_none_and_no_saving_is_claimed() -> None:
    offer = priced(provider(), known=None)
    assert offer.price is None
    assert offer.list_price is None
    assert not offer.zero_cost
    offer = priced(provider(free=True), known=None)
    assert offer.zero_cost
    assert offer.list_price is None


@pytest.mark.parametrize(
    ("config", "zero_cost"),
    [
        (provider("ollama"), True),
        (provider("vllm", baseURL="http://127.0.0.1:8000/v1"), True),
        (provider("simulator"), True),
        # its own servers behind the local address
        (provider("ollama", models=[{"name": "gpt-oss:120b-cloud"}]), False),
        # other machines may be somebody else's
        (provider("ollama", baseURL="https://ollama.com/v1"), False),
        (provider("vllm", baseURL="http://10.0.0.5:8000/v1"), False),
        # a proxy to anything
        (provider("openai-compatible", baseURL="http://127.0.0.1:4000/v1"), False),
    ],
)
def test_what_runs_on_this_machine_costs_nothing(
    config: dict[str, Any], zero_cost: bool
) -> None:
    offer = priced(config, known=None)
    assert offer.zero_cost == zero_cost
    assert not offer.free


def test_a_price_of_its_own_holds_on_this_machine_too() -> None:
    pricing = {"inputCostPerMillionTokens": 2}
    offer = priced(provider("ollama", models=model(pricing=pricing)))
    assert offer.price == Price(input=2_000_000_000)


def test_prices_are_asked_for_by_the_id_of_the_provider() -> None:
    asked: list[tuple[str | None, str]] = []

    def price(genai: str | None, name: str, _: float) -> Price | None:
        asked.append((genai, name))
        return None

    def ask(config: dict[str, Any]) -> list[tuple[str | None, str]]:
        asked.clear()
        catalog.build(
            Config.model_validate({"providers": [config]}),
            "r",
            price=price,
            window=lambda *_: None,
            now=NOW,
        )
        return asked

    assert ask(provider("xai")) == [("x-ai", "m")]
    # a publisher before the name is left out when nothing is found with it
    vertex = provider(
        "google-vertex", project="p", location="l", models=[{"name": "google/gemini"}]
    )
    assert ask(vertex) == [("google", "google/gemini"), ("google", "gemini")]
    # a type of no company is known by whose host it is
    groq = provider("openai-compatible", baseURL="https://api.groq.com/openai/v1")
    assert ask(groq) == [("groq", "m")]
    other = provider("openai-compatible", baseURL="https://llm.example.com/v1")
    assert ask(other) == []


def test_real_prices_and_windows() -> None:
    built = catalog.build(
        Config.model_validate(
            {"providers": [provider("google", models=[{"name": "gemini-2.5-flash"}])]}
        ),
        "r",
        now=NOW,
    )
    offer = only_offer(built)
    assert offer.price is not None
    assert (offer.price.input, offer.price.output) == (300_000_000, 2_500_000_000)
    # older versions of genai-prices, as on Python 3.11, know no windows
    assert offer.context_window in (1_048_576, None)


def test_context_window_of_the_config_wins() -> None:
    def build(**more: Any) -> int | None:
        built = catalog.build(
            Config.model_validate({"providers": [provider(models=model(**more))]}),
            "r",
            price=lambda *_: None,
            window=lambda *_: 128_000,
            now=NOW,
        )
        return only_offer(built).context_window

    assert build() == 128_000
    assert build(contextWindow=8_192) == 8_192


# -- limits


def test_limits_of_provider_and_model_with_their_scopes_and_resets() -> None:
    found = catalog_of(
        provider(
            "google",
            limits={"requestsPerDay": 1500, "costPerMonth": 2.5},
            models=model(limits={"tokensPerMinute": 250_000, "requestsPerHour": 60}),
        )
    )
    account, its_model = ("provider", "p", ""), ("model", "p", "", "m")
    assert only_offer(found).limits == (
        Limit(account, REQUESTS, DAY, 1500, reset=PACIFIC),
        Limit(account, COST, MONTH, 2_500_000_000),
        Limit(its_model, REQUESTS, HOUR, 60),
        Limit(its_model, TOKENS, MINUTE, 250_000),
    )


def test_resets_of_the_config_win() -> None:
    resets = {"day": "07:30 Europe/Berlin", "month": "00:00 Asia/Tokyo"}
    limits = {"requestsPerDay": 1, "requestsPerMonth": 2, "requestsPerHour": 3}
    found = catalog_of(provider("google", limits=limits, resets=resets))
    assert {limit.window: limit.reset for limit in only_offer(found).limits} == {
        HOUR: None,
        DAY: Reset(7, 30, "Europe/Berlin"),
        MONTH: Reset(0, 0, "Asia/Tokyo"),
    }


def test_every_account_has_limits_of_its_own() -> None:
    config = provider(limits={"requestsPerDay": 10})
    del config["apiKey"]
    found = catalog_of({**config, "apiKeys": ["A", "B"]})
    assert [(o.account, o.limits[0].scope) for o in found.offers] == [
        ("1", ("provider", "p", "1")),
        ("2", ("provider", "p", "2")),
    ]
    assert list(found.upstreams) == [("p", "1"), ("p", "2")]


def test_budget_and_clients() -> None:
    found = catalog_of(
        provider(),
        budget={"costPerDay": 1, "costPerMonth": 10},
        clients=[
            {
                "name": "cursor",
                "key": "CLIENT-KEY",
                "policy": "free-only",
                "limits": {"requestsPerDay": 5},
            },
            {"name": "other", "key": "ANOTHER-KEY"},
        ],
    )
    assert found.budget == (
        Limit(("budget",), COST, DAY, 1_000_000_000),
        Limit(("budget",), COST, MONTH, 10_000_000_000),
    )
    cursor = found.client_of("CLIENT-KEY")
    assert cursor is not None
    assert (cursor.name, cursor.policy) == ("cursor", Policy.FREE_ONLY)
    assert cursor.limits == (Limit(("client", "cursor"), REQUESTS, DAY, 5),)
    other = found.client_of("ANOTHER-KEY")
    assert other is not None
    assert (other.policy, other.limits) == (None, ())
    for stranger in ("", "client-key", "CLIENT-KE", "\ud800"):
        assert found.client_of(stranger) is None
    assert "CLIENT-KEY" not in repr(found.clients)


def test_every_limit_once() -> None:
    found = catalog_of(
        provider(
            limits={"requestsPerDay": 1},
            models=[
                {"name": "a", "limits": {"requestsPerDay": 2}},
                {"name": "b"},
            ],
        ),
        budget={"costPerDay": 1},
        clients=[{"name": "c", "key": "KEY-OF-C", "limits": {"requestsPerDay": 3}}],
    )
    assert [limit.key for limit in found.limits()] == [
        ("provider", "p", "", "requests", "day"),
        ("model", "p", "", "a", "requests", "day"),
        ("client", "c", "requests", "day"),
        ("budget", "cost", "day"),
    ]


# -- states


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (provider(), ""),
        (provider(enabled=False), "disabled"),
        (provider(models=model(enabled=False)), "disabled"),
        (
            {"id": "p", "type": "groq", "models": model()},
            "not configured: apiKey is missing",
        ),
        (
            {"id": "p", "type": "copilot", "models": model()},
            "not configured: not signed in, run `llm-gateway login copilot`",
        ),
        (
            {
                "id": "p",
                "type": "google-vertex",
                "project": "a",
                "location": "b",
                "models": model(),
            },
            "not configured: accessToken and accessTokenFile are missing",
        ),
        (provider("bedrock"), "not configured: region is missing"),
        (provider("azure"), "not configured: resourceName is missing"),
        (provider("openai-compatible"), "not configured: baseURL is missing"),
        (
            provider("bedrock", region="eu.example.com/"),
            "not configured: region has a character that no address has",
        ),
        (
            provider("azure", resourceName="evil.example#"),
            "not configured: resourceName has a character that no address has",
        ),
        ({"id": "p", "type": "ollama", "models": model()}, ""),
    ],
)
def test_who_can_be_used_and_why_not(config: dict[str, Any], reason: str) -> None:
    found = catalog_of(config)
    offer = only_offer(found)
    assert (offer.enabled, offer.disabled_reason) == (reason == "", reason)
    assert ("p", "") in found.upstreams or reason.startswith("not configured")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("GROQ_API_KEY",), "not configured: GROQ_API_KEY is not set"),
        (("A", "B"), "not configured: A and B are not set"),
    ],
)
def test_an_unset_variable_is_named(names: tuple[str, ...], reason: str) -> None:
    config = Config.model_validate({"providers": [provider()]})
    config = config.model_copy(
        update={"providers": (config.providers[0].with_missing_env(names),)}
    )
    found = catalog.build(
        config, "r", price=lambda *_: None, window=lambda *_: None, now=NOW
    )
    assert only_offer(found).disabled_reason == reason
    assert found.upstreams == {}


def test_a_stored_login_makes_copilot_usable() -> None:
    config = {"id": "p", "type": "copilot", "models": model()}
    offer = only_offer(catalog_of(config, known={"signed_in": {"p"}}))
    assert offer.enabled


def test_dialects_of_type_and_config() -> None:
    def spoken(**more: Any) -> frozenset[Dialect]:
        return only_offer(catalog_of(provider(**more))).dialects

    assert spoken(type_="mistral") == {"chat", "embeddings"}
    assert spoken(dialects=["chat"]) == {"chat"}
    # also while it is not configured
    found = catalog_of({"id": "p", "type": "mistral", "models": model()})
    assert only_offer(found).dialects == {"chat", "embeddings"}


def test_order_is_that_of_the_config() -> None:
    found = catalog_of(
        provider(id="a", models=[{"name": "x"}, {"name": "y"}]),
        provider(id="b"),
    )
    assert [(o.order, o.provider, o.model) for o in found.offers] == [
        (0, "a", "x"),
        (1, "a", "y"),
        (2, "b", "m"),
    ]


def test_the_simulator_listens_where_it_says() -> None:
    found = catalog_of(
        provider("simulator", id="sim/1"), known={"simulator_port": 4321}
    )
    origin = found.upstreams["sim/1", ""].origin
    assert (origin.scheme, origin.host, origin.port, origin.path) == (
        "http",
        "127.0.0.1",
        4321,
        "/sim%2F1",
    )


# -- free tiers


def test_a_free_tier_fills_in_what_the_config_leaves() -> None:
    found = catalog_of(
        provider(
            "google",
            tier="free",
            models=[{"name": "gemini-2.5-flash", "limits": {"requestsPerDay": 250}}],
        )
    )
    offer = only_offer(found)
    scope = ("model", "p", "", "gemini-2.5-flash")
    assert offer.free
    assert offer.limits == (
        Limit(scope, REQUESTS, DAY, 250, reset=PACIFIC),
        Limit(scope, REQUESTS, MINUTE, 5, source="preset", as_of="2026-07-18"),
        Limit(scope, TOKENS, MINUTE, 250_000, source="preset", as_of="2026-07-18"),
    )


def test_a_limit_of_the_provider_overrides_too() -> None:
    config = provider(
        "groq",
        tier="free",
        limits={"requestsPerDay": 500},
        models=[{"name": "openai/gpt-oss-120b"}],
    )
    limits = only_offer(catalog_of(config)).limits
    assert [(x.scope[0], x.metric, x.window, x.amount) for x in limits] == [
        ("provider", REQUESTS, DAY, 500),
        ("model", REQUESTS, MINUTE, 30),
        ("model", TOKENS, MINUTE, 8_000),
        ("model", TOKENS, DAY, 200_000),
    ]


def test_free_models_of_openrouter_share_their_tier() -> None:
    found = catalog_of(
        provider(
            "openrouter",
            tier="free",
            models=[{"name": "a/b:free"}, {"name": "c/d:free"}],
        )
    )
    tier = ("tier", "p", "", ":free")
    expected = (
        Limit(tier, REQUESTS, MINUTE, 20, source="preset", as_of="2026-10-17"),
        Limit(
            tier,
            REQUESTS,
            DAY,
            50,
            reset=Reset(0, 0, "UTC"),
            source="preset",
            as_of="2026-10-17",
        ),
    )
    assert [offer.limits for offer in found.offers] == [expected, expected]


def test_a_tier_that_is_not_known_is_refused() -> None:
    with pytest.raises(CatalogError) as refused:
        catalog_of(provider(id="x"), provider("cerebras", tier="free"))
    assert str(refused.value) == (
        'providers[1].tier: "free" is not known for Cerebras: no lasting free tier is '
        'published; leave tier out, and write "free": true with limits of your own if '
        "your account has one"
    )


def test_a_model_outside_of_the_tier_is_refused() -> None:
    models = [{"name": "a/b:free"}, {"name": "openai/gpt-4o"}]
    with pytest.raises(CatalogError) as refused:
        catalog_of(provider("openrouter", tier="free", models=models))
    (complaint,) = refused.value.complaints
    assert complaint.path == ("providers", 0, "models", 1, "name")
    assert complaint.message == (
        '"openai/gpt-4o" is not known to be on the free tier of OpenRouter (it has '
        "*:free); move the model to a provider without tier"
    )


# -- names


def ranks(found: Catalog, name: str) -> list[list[str]]:
    """Who has the name: as a name, as an alias, by a wildcard."""
    return [
        [f"{o.provider}/{o.model}" for o in rank]
        for rank in found.names.match_tiers(name)
    ]


FLASH = {
    "name": "gemini-2.5-flash",
    "mappedName": "flash",
    "aliases": ["gpt-4o-mini", "gpt-4*"],
}


def test_an_exact_name_ranks_before_an_alias_and_an_alias_before_a_wildcard() -> None:
    found = catalog_of(
        provider("google", id="g", models=[FLASH]),
        provider("openai", id="o", models=[{"name": "gpt-4o"}]),
        provider(id="q", models=[{"name": "llama", "aliases": ["gpt-4-turbo"]}]),
    )
    flash = ["g/gemini-2.5-flash"]
    assert ranks(found, "flash") == [flash, [], []]
    assert ranks(found, "gpt-4o") == [["o/gpt-4o"], [], flash]
    # once, where it ranks best
    assert ranks(found, "gpt-4o-mini") == [[], flash, []]
    assert ranks(found, "gpt-4-turbo") == [[], ["q/llama"], flash]
    assert ranks(found, "gpt-4.1") == [[], [], flash]
    assert ranks(found, "gpt-3.5") == [[], [], []]


def test_a_mapped_name_replaces_the_name_but_not_behind_the_provider() -> None:
    found = catalog_of(provider("google", id="g", models=[FLASH]))
    assert ranks(found, "gemini-2.5-flash") == [[], [], []]
    assert ranks(found, "g/gemini-2.5-flash") == [["g/gemini-2.5-flash"], [], []]
    assert ranks(found, "g/flash") == [["g/gemini-2.5-flash"], [], []]
    assert only_offer(found).mapped


def test_names_with_slashes_and_stars_are_names() -> None:
    found = catalog_of(
        provider("openrouter", id="or", models=[{"name": "openai/gpt-4o"}]),
        provider("openai", id="openai", models=[{"name": "gpt-4o"}]),
        provider(id="q", models=[{"name": "a*b"}]),
    )
    assert ranks(found, "openai/gpt-4o")[0] == ["or/openai/gpt-4o", "openai/gpt-4o"]
    assert ranks(found, "a*b")[0] == ["q/a*b"]
    assert ranks(found, "axb") == [[], [], []]


def test_case_matters() -> None:
    found = catalog_of(provider(models=[{"name": "M", "aliases": ["Alias", "W*"]}]))
    for name in ("m", "alias", "w1"):
        assert ranks(found, name) == [[], [], []]
    assert ranks(found, "M") == [["p/M"], [], []]
    assert ranks(found, "Alias") == [[], ["p/M"], []]
    assert ranks(found, "W1") == [[], [], ["p/M"]]


def test_those_that_cannot_be_used_have_names_too() -> None:
    found = catalog_of(
        {"id": "o", "type": "openai", "models": [{"name": "gpt-4o-mini"}]},
        provider("google", id="g", models=[FLASH]),
    )
    assert ranks(found, "gpt-4o-mini") == [
        ["o/gpt-4o-mini"],
        ["g/gemini-2.5-flash"],
        [],
    ]


def test_in_which_dialects_a_name_can_be_had() -> None:
    found = catalog_of(
        provider("anthropic", id="a", models=[{"name": "claude", "aliases": ["best"]}]),
        provider("groq", id="q", models=[{"name": "best"}]),
        provider("mistral", id="m", enabled=False, models=[{"name": "best"}]),
    )
    assert found.names.dialects("best") == {
        "chat",
        "messages",
        "responses",
    }
    assert found.names.dialects("nobody") == frozenset()


def test_model_names() -> None:
    found = catalog_of(
        provider("google", id="g", models=[FLASH]),
        provider("groq", id="q", models=[{"name": "flash"}, {"name": "llama"}]),
        {"id": "o", "type": "openai", "models": [{"name": "gpt-5"}]},
    )
    assert found.model_names() == ("flash", "gpt-4o-mini", "llama")


NAME = st.text("ab*/", min_size=1, max_size=4)


@given(st.lists(st.tuples(NAME, st.lists(NAME, max_size=3)), max_size=5), NAME)
def test_lookup_agrees_with_the_rule(
    models: list[tuple[str, list[str]]], asked: str
) -> None:
    offers = [
        Offer("p", "", f"m{n}", "groq", name, aliases=tuple(aliases))
        for n, (name, aliases) in enumerate(models)
    ]

    def fits(alias: str) -> bool:
        parts = alias.split("*")
        if len(parts) == 1:
            return False
        rest = asked
        if not rest.startswith(parts[0]):
            return False
        rest = rest[len(parts[0]) :]
        for part in parts[1:-1]:
            found = rest.find(part)
            if found < 0:
                return False
            rest = rest[found + len(part) :]
        return rest.endswith(parts[-1])

    exact = [o for o in offers if asked in (o.name, f"p/{o.name}", f"p/{o.model}")]
    alias = [o for o in offers if asked in o.aliases and "*" not in asked]
    wild = [o for o in offers if any(fits(a) for a in o.aliases)]
    found = [list(rank) for rank in ModelIndex(offers).match_tiers(asked)]
    assert found[0] == exact
    assert found[1] == [o for o in alias if o not in exact]
    assert found[2] == [o for o in wild if o not in exact and o not in alias]


EXAMPLE = Path(__file__).parents[2] / "config.example.jsonc"
LARGE, SMALL = "smart", "small"


@pytest.mark.parametrize(
    ("app", "asked", "met"),
    [
        ("Codex", "gpt-5.5-codex", LARGE),
        ("Codex", "gpt-6.2-sol", LARGE),
        ("Claude Code", "claude-opus-4-8[1m]", LARGE),
        ("Claude Code", "claude-opus-5-5", LARGE),
        ("Claude Code", "claude-sonnet-4-5-20250929", LARGE),
        ("Claude Code", "claude-3-7-sonnet-latest", LARGE),
        ("Claude Code", "claude-haiku-4-5-20251001", SMALL),
        ("Claude Code", "claude-3-5-haiku-20241022", SMALL),
        ("Gemini CLI", "gemini-3.1-pro-preview", LARGE),
        ("Gemini CLI", "gemini-2.5-flash", LARGE),
    ],
)
def test_the_examples_line_for_an_app_meets_the_names_that_it_insists_on(
    app: str, asked: str, met: str
) -> None:
    [line] = re.findall(rf"// +{app} +(.*)", EXAMPLE.read_text("utf-8"))
    models = [
        {"name": name, "aliases": json.loads(aliases)}
        for name, aliases in re.findall(r'(\w+): "aliases": (\[.*?\])', line)
    ]
    found = catalog_of(provider(models=models))
    assert ranks(found, asked) == [[], [], [f"p/{met}"]]


def test_what_is_remembered_of_strange_names_is_bounded() -> None:
    found = catalog_of(provider())
    for n in range(2_500):
        assert ranks(found, f"stranger-{n}") == [[], [], []]
    assert len(found.names._found) <= 1_000
    assert ranks(found, "m")[0] == ["p/m"]
