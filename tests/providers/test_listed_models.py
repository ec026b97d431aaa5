"""Which models of a provider's list are offered, and as what."""

from typing import Any

import pytest

from llm_gateway.config.models import Config
from llm_gateway.domain import Metric, Offer, Price, Window
from llm_gateway.providers.catalog import Catalog, CatalogError, build
from llm_gateway.providers.listed_models import ListedModel, ModelList
from llm_gateway.providers.outbound_request import address_of

ZERO = Price(source="list")
PAID = Price(input=2, output=4, source="list")
LIST = (
    ListedModel("a/one:free", ZERO, 32_768, 4_096),
    ListedModel("a/one", PAID, 32_768),
    ListedModel("b/two", PAID),
    ListedModel("c/cloaked", ZERO),
    ListedModel("d/guard:free", ZERO),
    ListedModel("e/embed", ZERO, converses=False),
    ListedModel("openrouter/auto", None),
)
PLAIN = (
    ListedModel("gemini-3.5-flash", None, 1_000_000, 65_536),
    ListedModel("gemini-3.5-pro", None, 1_000_000),
    ListedModel("embedding-1", converses=False),
)


def catalog(
    models: Any,
    listed: tuple[ListedModel, ...] = LIST,
    *,
    retired: tuple[str, ...] = (),
    address: str = "",
    **more: Any,
) -> Catalog:
    entry = {"id": "p", "type": "openrouter", "apiKey": "K", "models": models, **more}
    config = Config.model_validate({"providers": [entry]})
    asked: dict[str, Any] = {"price": lambda *_: None, "window": lambda *_: None}
    plain = build(config, "r", now=0.0, **asked)
    lists = {
        key: ModelList(listed, address or address_of(up.origin))
        for key, up in plain.upstreams.items()
    }
    gone = [("p", account, name) for _, account in lists for name in retired]
    return build(config, "r", now=0.0, lists=lists, retired=gone, **asked)


def names(found: Catalog) -> list[str]:
    return [offer.model for offer in found.offers]


def offer(found: Catalog, name: str) -> Offer:
    return next(o for o in found.offers if o.model == name)


FREE = ["a/one:free", "c/cloaked", "d/guard:free"]
EVERY = ["a/one:free", "a/one", "b/two", "c/cloaked", "d/guard:free", "openrouter/auto"]


@pytest.mark.parametrize(
    ("models", "more", "expected"),
    [
        ("free", {}, FREE),
        ("all", {}, EVERY),
        (["free"], {}, FREE),
        (["a/*"], {}, ["a/one:free", "a/one"]),
        (["A/*"], {}, []),
        (["*:free", "b*"], {}, ["a/one:free", "b/two", "d/guard:free"]),
        (["a.*"], {}, []),
        ("free", {"exclude": ["*guard*"]}, FREE[:2]),
        ("all", {"exclude": ["*"]}, []),
        ("all", {"tier": "free"}, FREE),
        (["free", {"name": "a/one:free"}], {}, ["a/one:free", *FREE[1:]]),
        ([{"name": "unlisted"}, "c*"], {}, ["unlisted", "c/cloaked"]),
        ([{"name": "d/guard:free"}], {"exclude": ["*guard*"]}, ["d/guard:free"]),
    ],
)
def test_what_is_meant(models: Any, more: dict[str, Any], expected: list[str]) -> None:
    assert names(catalog(models, **more)) == expected


def test_what_the_list_says_holds_unless_the_configuration_says_otherwise() -> None:
    own = {
        "name": "b/two",
        "pricing": {"inputCostPerMillionTokens": 9},
        "contextWindow": 5,
    }
    found = catalog(["a/*", own])
    one, free, two = (offer(found, n) for n in ("a/one", "a/one:free", "b/two"))
    assert (one.price, one.context_window, one.zero_cost) == (PAID, 32_768, False)
    assert (free.zero_cost, free.max_output) == (True, 4_096)
    assert two.price is not None
    assert (two.price.source, two.context_window) == ("config", 5)


def test_what_is_saved_is_the_price_without_the_tier() -> None:
    assert offer(catalog("free"), "a/one:free").list_price == PAID
    assert offer(catalog("free"), "d/guard:free").list_price is None


def test_a_free_model_has_the_limits_of_its_tier() -> None:
    limits = {x.key[0]: x for x in offer(catalog("free"), "a/one:free").limits}
    assert limits["tier"].source == "preset"
    assert not offer(catalog("free"), "c/cloaked").limits
    assert not offer(catalog("all"), "a/one:free").limits


def test_without_prices_in_the_list_the_free_tier_says_what_is_free() -> None:
    found = catalog("free", PLAIN, type="google")
    assert names(found) == ["gemini-3.5-flash"]
    [free] = found.offers
    assert free.free
    assert (Metric.REQUESTS, Window.DAY) in {(x.metric, x.window) for x in free.limits}
    paid = catalog("all", PLAIN, type="google")
    assert names(paid) == ["gemini-3.5-flash", "gemini-3.5-pro"]
    assert not any(o.zero_cost for o in paid.offers)


@pytest.mark.parametrize(
    "more", [{"free": True}, {"flatRate": {"costPerMonth": 10}}, {"type": "ollama"}]
)
def test_what_else_makes_a_list_free(more: dict[str, Any]) -> None:
    found = catalog("free", PLAIN, **{"type": "openai", **more})
    assert names(found) == ["gemini-3.5-flash", "gemini-3.5-pro"]
    assert all(o.zero_cost for o in found.offers)


def test_what_runs_elsewhere_is_not_free_for_running_ollama() -> None:
    cloud = {"type": "ollama", "baseURL": "https://ollama.com/v1"}
    assert names(catalog("free", PLAIN, **cloud)) == []
    assert len(names(catalog("all", PLAIN, **cloud))) == 2


@pytest.mark.parametrize(
    ("models", "type_", "clause"),
    [
        ("free", "openai", '"free" is not known for OpenAI'),
        ("free", "anthropic", '"free" is not known'),
        ("all", "perplexity", "has no list of models"),
        (["x*"], "azure", "has no list of models"),
    ],
)
def test_a_list_that_cannot_be_used_is_said(
    models: Any, type_: str, clause: str
) -> None:
    more = {"resourceName": "r"} if type_ == "azure" else {}
    with pytest.raises(CatalogError, match=clause) as caught:
        catalog(models, type=type_, **more)
    assert str(caught.value).startswith("providers[0].models: ")


def test_a_list_of_another_address_is_not_its() -> None:
    found = catalog("all", address="https://elsewhere.example/v1")
    assert names(found) == []
    assert found.without_models == {"p": "its list was not read yet"}


def test_retired_models_are_there_and_not_asked() -> None:
    found = catalog("free", retired=("c/cloaked",))
    gone = offer(found, "c/cloaked")
    assert not gone.enabled
    assert gone.disabled_reason.startswith("retired")
    assert "c/cloaked" not in found.model_names()


def test_each_account_has_its_own_list() -> None:
    entry = {"id": "p", "type": "openrouter", "apiKeys": ["K", "L"], "models": "free"}
    config = Config.model_validate({"providers": [entry]})
    plain = build(config, "r", now=0.0)
    address = address_of(plain.upstreams["p", "1"].origin)
    lists = {
        ("p", "1"): ModelList(LIST[:1], address),
        ("p", "2"): ModelList(LIST[3:4], address),
    }
    found = build(config, "r", now=0.0, lists=lists)
    assert [o.label for o in found.offers] == ["p#1/a/one:free", "p#2/c/cloaked"]
