"""What the form proposes makes a configuration that the gateway takes."""

import json
from typing import Any

import pytest

from llm_gateway.config.load import parse_config
from llm_gateway.dashboard.starters import (
    OTHERS,
    STARTERS,
    Starter,
    configuration,
    configuration_of_list,
)
from llm_gateway.domain import Price
from llm_gateway.providers.catalog import build
from llm_gateway.providers.free_tiers import preset_for
from llm_gateway.providers.listed_models import ListedModel, ModelList
from llm_gateway.providers.outbound_request import address_of
from llm_gateway.providers.registry import TYPES

from .conftest import NOW, Serve
from .fake_gateway import FakeGateway
from .ledgers import Ledger


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.type)
def test_a_key_is_all_that_is_missing(one: Starter) -> None:
    text = json.dumps({"providers": [configuration(one, "a-key-of-somebody")]})
    catalog = build(parse_config(text, {}).config, "r", now=NOW)
    assert {offer.model for offer in catalog.offers} == set(one.models)
    assert all(offer.enabled for offer in catalog.offers)
    assert all(offer.zero_cost for offer in catalog.offers) is one.free_tier
    assert one.keys.startswith("https://")


@pytest.mark.parametrize("one", OTHERS, ids=lambda one: one.type)
def test_what_needs_no_key_is_taken_as_the_form_writes_it(one: Starter) -> None:
    """With the address that it usually has, and every model of its list; those of this
    machine and a subscription cost nothing, of another service nobody knows."""
    made = (configuration if one.address is None else configuration_of_list)(one, "key")
    if one.address == "":
        made["baseURL"] = "https://llm.example/v1"
    loaded = parse_config(json.dumps({"providers": [made]}), {})
    assert loaded.warnings == ()
    lists = {}
    if one.address is not None:
        [upstream] = build(loaded.config, "r", now=NOW).upstreams.values()
        listed = ModelList((ListedModel("m"),), address_of(upstream.origin))
        lists = {(one.type, ""): listed}
    signed_in = [one.type]
    catalog = build(loaded.config, "r", now=NOW, lists=lists, signed_in=signed_in)
    assert {offer.model for offer in catalog.offers} == set(one.models or ("m",))
    assert all(offer.enabled for offer in catalog.offers)
    assert all(offer.zero_cost for offer in catalog.offers) is (one.address != "")
    assert (one.key == "needed") is bool(one.env)
    if one.address:
        assert TYPES[one.type].base_url == one.address


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.type)
def test_where_it_is_free_every_free_model_can_be_taken(one: Starter) -> None:
    """A list with the models that the form names: none of them is missing, and no other."""
    if not one.free_tier:
        return
    text = json.dumps({"providers": [configuration_of_list(one, "a-key-of-somebody")]})
    config = parse_config(text, {}).config
    address = address_of(build(config, "r", now=NOW).upstreams[one.type, ""].origin)
    prices = {name: Price() for name in one.models} if one.type == "openrouter" else {}
    models = [ListedModel(name, prices.get(name)) for name in one.models]
    listed = ModelList((*models, ListedModel("another", Price(input=1))), address)
    catalog = build(config, "r", now=NOW, lists={(one.type, ""): listed})
    assert {offer.model for offer in catalog.offers} == set(one.models)
    assert all(offer.free for offer in catalog.offers)


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.type)
def test_what_is_called_free_is_known_to_be(one: Starter) -> None:
    presets = TYPES[one.type].free_presets
    known = [preset_for(presets, model) is not None for model in one.models]
    assert all(known) is one.free_tier


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.type)
def test_its_variable_is_the_usual_one(one: Starter) -> None:
    assert one.env == TYPES[one.type].key_variables[0]


async def test_a_test_call_asks_that_model_alone(
    serve: Serve, gateway: FakeGateway
) -> None:
    client = serve()
    answer = await client.post("/-/gateway/test", {"provider": "groq", "model": "a/b"})
    assert answer.status_code == 200
    found = answer.json()
    assert found["ok"] is False  # this gateway has management routes only
    assert found["message"]
    method, path, headers, body = gateway.calls[-1]
    assert (method, path) == ("POST", "/v1/chat/completions")
    assert json.loads(body)["model"] == "groq/a/b"
    assert "authorization" not in headers


async def test_a_test_of_a_key_asks_a_free_model_that_is_ready(
    serve: Serve, gateway: FakeGateway, ledger: Ledger
) -> None:
    ledger.provider("groq", "groq")
    for model, more in {
        "a-paid": {"free": 0},
        "b-off": {"enabled": 0},
        "c-resting": {},
        "d-ready": {},
    }.items():
        ledger.model("groq", model, **more)
        ledger.offer("groq", model, "cooling" if model == "c-resting" else "ready")
    client = serve(ledger.path)
    answer = await client.post("/-/gateway/test", {"provider": "groq", "any": True})
    assert answer.json()["model"] == "d-ready"
    assert json.loads(gateway.calls[-1][3])["model"] == "groq/d-ready"
    calls = len(gateway.calls)
    answer = await client.post("/-/gateway/test", {"provider": "new", "any": True})
    assert answer.json()["ok"] is False
    assert "no model of its list is known yet" in answer.json()["message"]
    assert len(gateway.calls) == calls


async def test_what_a_free_tier_gives_is_the_gateways_word(
    serve: Serve, gateway: FakeGateway
) -> None:
    gateway.free_tiers = {"groq": ["7 requests/day for each of m"]}
    found = (await serve().get("/-/gateway/starters.json", root=True)).json()
    gives = {one["type"]: one["gives"] for one in found["starters"]}
    assert gives.pop("groq") == ["7 requests/day for each of m"]
    assert not any(gives.values())


@pytest.mark.parametrize(
    "body",
    [{"provider": 1, "any": True}, {"any": True}, {"provider": "a", "any": "yes"}],
)
async def test_a_test_call_of_anybody(
    serve: Serve, gateway: FakeGateway, body: dict[str, Any]
) -> None:
    assert (await serve().post("/-/gateway/test", body)).status_code == 400


@pytest.mark.parametrize("body", [{}, {"provider": "a"}, {"provider": 1, "model": "m"}])
async def test_a_test_call_of_nothing(
    serve: Serve, gateway: FakeGateway, body: dict[str, Any]
) -> None:
    assert (await serve().post("/-/gateway/test", body)).status_code == 400


async def test_only_who_is_signed_in_may_ask(
    serve: Serve, gateway: FakeGateway
) -> None:
    body = {"provider": "groq", "model": "m"}
    answer = await serve().post("/-/gateway/test", body, root=False)
    assert answer.status_code == 403
    assert gateway.calls == []
