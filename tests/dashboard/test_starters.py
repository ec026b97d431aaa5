"""What the form proposes makes a configuration that the gateway takes."""

import json
from typing import Any

import pytest

from llm_gateway.config.load import parse_config
from llm_gateway.dashboard.starters import STARTERS, Starter, configuration
from llm_gateway.providers.catalog import build
from llm_gateway.providers.free_tiers import preset_for
from llm_gateway.providers.registry import TYPES

from .conftest import NOW, Serve
from .fake_gateway import FakeGateway


@pytest.mark.parametrize("one", STARTERS, ids=lambda one: one.type)
def test_a_key_is_all_that_is_missing(one: Starter) -> None:
    text = json.dumps({"providers": [configuration(one, "a-key-of-somebody")]})
    catalog = build(parse_config(text, {}).config, "r", now=NOW)
    assert {offer.model for offer in catalog.offers} == set(one.models)
    assert all(offer.enabled for offer in catalog.offers)
    assert all(offer.zero_cost for offer in catalog.offers) is one.free_tier
    assert one.keys.startswith("https://")


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
