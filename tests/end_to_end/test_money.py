"""What is billed is booked and free stays free, seen from outside: one gateway for all."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import brotli
import pytest
import zstandard
from fakes import FakeProvider, answers
from fakes.answers import JSON, SSE, event
from fakes.steps import Answer

from gateway import GatewayProcess, provider
from llm_gateway.cli import doctor_machine

from .conftest import Start

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
PRICE = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


class House(NamedTuple):
    gateway: GatewayProcess
    fakes: dict[str, FakeProvider]


def openrouter(
    fake: FakeProvider, id: str, *models: str, **more: Any
) -> dict[str, Any]:
    return provider(fake, id, *models, type="openrouter", **more)


def model(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


@pytest.fixture(scope="module")
def house(start_shared: Start) -> Iterator[House]:
    names = ("free", "fallback", "paid", "dear", "small", "stale")
    fakes = {name: FakeProvider() for name in names}
    for fake in fakes.values():
        fake.start()
    small = provider(fakes["small"], "small", free=True)
    small["models"] = [model("s", limits={"tokensPerMinute": 2000})]
    dear = provider(fakes["dear"], "dear")
    dear["models"] = [
        model(
            "d",
            pricing={"inputCostPerMillionTokens": 3, "outputCostPerMillionTokens": 15},
        )
    ]
    dear["limits"] = {"costPerDay": 0.1}
    paid = provider(fakes["paid"], "paid")
    paid["models"] = [model("p", pricing=PRICE)]
    stale = provider(fakes["stale"], "stale", free=True, limits={"requestsPerHour": 4})
    stale["models"] = [model("k")]
    config = {
        "providers": [
            openrouter(fakes["free"], "or", "x:free", "y:free", free=True),
            provider(fakes["fallback"], "other", "y:free", free=True),
            paid, dear, small, stale,
        ],
    }  # fmt: skip
    yield House(start_shared(config), fakes)
    for fake in fakes.values():
        fake.stop()


def answer(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    return json.loads(answers.chat_body("hi")) | {"usage": usage} | more


def plain(body: dict[str, Any]) -> Answer:
    return Answer(headers=(JSON,), body=(json.dumps(body).encode(),))


def row(gateway: GatewayProcess, headers: dict[str, str]) -> dict[str, Any]:
    [found] = gateway.ended_one(headers["x-gateway-request-id"])
    return found


def test_a_free_model_asks_nobody_else(house: House) -> None:
    gateway, fakes = house
    body = {"models": ["openai/gpt-5.4"], "route": "fallback", "seed": 7}
    status, headers, _ = gateway.chat("x:free", **body)
    assert status == 200
    sent = json.loads(fakes["free"].posted[-1].body)
    assert {"models", "route"} & sent.keys() == set()
    assert sent["seed"] == 7
    [why] = gateway.wait_rows(
        "select * from decisions where request = ?",
        bool,
        headers["x-gateway-request-id"],
    )
    assert "without models, route" in why["candidates"]


def test_a_paid_extra_is_not_free(house: House) -> None:
    gateway, fakes = house
    before = len(fakes["free"].posted)
    policy = {"x-gateway-policy": "free-only"}
    status, _, body = gateway.chat("x:free", policy, plugins=[{"id": "web"}])
    assert status in (429, 503)
    assert "asks for a paid extra: web search" in body["error"]["message"]
    assert len(fakes["free"].posted) == before


def test_without_free_only_its_cost_is_the_providers_or_unknown(house: House) -> None:
    gateway, fakes = house
    for usage, cost in ((USAGE, None), (USAGE | {"cost": 0.02}, 0.02)):
        fakes["free"].then(plain(answer(usage)))
        status, headers, _ = gateway.chat("x:free", plugins=[{"id": "web"}])
        assert status == 200
        found = row(gateway, headers)
        assert found["cost_usd"] == cost
        assert found["price_source"] == ("provider" if cost else None)


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_answers_are_booked(house: House, coding: str) -> None:
    gateway, fakes = house
    squeezed = CODINGS[coding](json.dumps(answer(USAGE)).encode())
    header = ("content-encoding", coding)
    fakes["paid"].then(Answer(headers=(JSON, header), body=(squeezed,)))
    status, headers, body = gateway.chat("p")
    assert (status, body, headers["content-encoding"]) == (200, squeezed, coding)
    pieces = [answers.chat_chunk({"content": "hi"}), answers.chat_chunk({}, "stop")]
    text = b"".join([*pieces, event({"choices": [], "usage": USAGE})])
    squeezed = CODINGS[coding](text + event("[DONE]"))
    fakes["paid"].then(Answer(headers=(SSE, header), body=(squeezed,)))
    status, again, body = gateway.chat("p", stream=True)
    assert (status, body) == (200, squeezed)
    for seen in (headers, again):
        found = row(gateway, seen)
        assert (found["outcome"], found["usage_source"]) == ("ok", "reported")
        assert (found["input_tokens"], found["output_tokens"]) == (11, 7)
        assert found["cost_nano"] == 25_000


def test_max_tokens_comes_down_to_what_fits(house: House) -> None:
    gateway, fakes = house
    status, headers, _ = gateway.chat("d", max_tokens=64_000)
    assert status == 200
    sent = json.loads(fakes["dear"].requests[-1].body)["max_tokens"]
    assert 6000 < sent < 6667  # a tenth of a dollar, less the prompt
    [why] = gateway.wait_rows(
        "select * from decisions where request = ?",
        bool,
        headers["x-gateway-request-id"],
    )
    assert f"max_tokens lowered to {sent}" in why["candidates"]
    # what would all be for thinking is not asked
    more = {"thinking": {"type": "enabled", "budget_tokens": 32_000}}
    status, _, body = gateway.chat("d", max_tokens=64_000, **more)
    assert status == 413, body


def test_too_large_for_a_window_has_no_return(house: House) -> None:
    gateway, _ = house
    big = [{"role": "user", "content": "word " * 5000}]
    status, headers, body = gateway.post(
        "/v1/chat/completions", {"model": "s", "messages": big}
    )
    assert (status, body["error"]["code"]) == (413, "request_too_large")
    assert "retry-after" not in headers
    assert "needed, 2000 allowed" in body["error"]["message"]


def test_sent_again_is_an_attempt_like_any_other(house: House) -> None:
    """Kept connections that close as the next request comes."""
    gateway, fakes = house
    fake = fakes["stale"]
    for turn in range(4):
        if turn % 2:
            fake.then(answers.close())
        gateway.chat("k")
    gateway.chat("k")
    assert len(fake.requests) <= 4
    rows = gateway.wait_rows(
        "select * from attempts where provider = 'stale'",
        lambda found: len(found) >= len(fake.requests),
    )
    repaired = [r for r in rows if r["reason"] == "repaired: stale connection"]
    assert all((r["counted"], r["outcome"]) == (1, "repaired") for r in repaired)


def test_usage_is_said_where_nothing_limits_it(house: House) -> None:
    gateway, _ = house
    _, _, body = gateway.get("/usage/current")
    providers = {p["id"]: p for p in body["providers"]}
    limits = providers["paid"]["models"][0]["limits"]
    [used] = gateway.rows(
        "select count(*) n, sum(tokens) t from attempts where provider = 'paid'"
    )
    assert limits["requestsPerHour"]["consumed"] == used["n"]
    assert limits["tokensPerDay"]["consumed"] == (used["t"] or 0)
    assert limits["tokensPerDay"]["limit"] == -1


def test_billed_though_free_is_booked_and_taken_out(house: House) -> None:
    gateway, fakes = house
    fakes["free"].then(plain(answer(USAGE | {"cost": 0.0033})))
    fakes["fallback"].then(plain(answer(USAGE)))
    seen = [gateway.chat(name) for name in ("or/y:free", "y:free", "y:free")]
    assert [status for status, _, _ in seen] == [200] * 3
    billed = gateway.wait_rows("select * from requests where cost_nano = 3300000")
    assert [(r["price_source"], r["saved_usd"] or 0) for r in billed] == [
        ("provider", 0)
    ]
    [said] = gateway.wait_rows("select * from events where kind = 'billed'")
    assert "billed though free ($0.003300)" in said["message"]
    _, _, route = gateway.get("/route?model=y:free")
    [out] = [c for c in route["candidates"] if c["provider"] == "or"]
    assert (out["verdict"], out["state"]) == ("skipped", "disabled")
    assert "billed though free" in out["reason"]


def test_what_was_billed_stays_out_over_a_restart_until_the_configuration_changes(
    start: Start,
) -> None:
    with FakeProvider() as free, FakeProvider() as other:
        free.then(plain(answer(USAGE | {"cost": 0.0033})))
        either = [openrouter(free, "or", "y:free", free=True)]
        either.append(provider(other, "other", "y:free", free=True))
        gateway = start({"providers": either, "routing": {"policy": "free-only"}})
        gateway.chat("or/y:free")
        gateway.wait_rows("select * from billed_offers")
        assert gateway.process is not None
        gateway.process.kill()
        gateway.process.wait()
        with GatewayProcess(gateway.folder, None, confdir=gateway.confdir) as again:
            assert {
                again.chat("y:free")[1]["x-gateway-provider"] for _ in range(3)
            } == {"other"}
            status, _, refused = again.chat("or/y:free")
            assert status == 503
            assert "billed though free" in json.dumps(refused)
            [shown] = again.wait_rows(
                "select * from offer_state where provider = 'or' and state = 'disabled'"
            )
            assert "billed though free" in shown["reason"]
            found = doctor_machine.ledger(again.database)
            [(mark, said)] = [(f.mark, f.said) for f in found if f.what == "billed"]
            assert mark == "fix"
            assert said.startswith("or/y:free counts as free and was billed for")
            again.write_config({"providers": either})
            again.wait_rows("select 1 from events where message like 'revision%'")
            assert again.chat("or/y:free")[0] == 200
            assert again.wait_rows("select * from billed_offers", lambda r: not r) == []
        assert [r.method for r in free.requests].count("POST") == 2


def test_an_agent_lives_within_a_budget(house: House) -> None:
    """It always sends a `max_tokens` that does not fit; the limit still holds."""
    gateway, fakes = house
    served = 0
    for _ in range(4):
        fakes["dear"].then(
            plain(answer({"prompt_tokens": 9, "completion_tokens": 1500}))
        )
        status, _, _ = gateway.chat("d", max_tokens=64_000)
        served += status == 200
    assert served >= 2
    [spent] = gateway.rows(
        "select sum(cost_usd) c from requests where provider = 'dear'"
    )
    assert spent["c"] <= 0.1


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
def test_upgrades_are_told_to_post(house: House, path: str) -> None:
    upgrade = {"upgrade": "websocket", "connection": "Upgrade"}
    status, headers, body = house.gateway.get(path, upgrade)
    assert status == 426
    assert "upgrade" in headers
    assert body["error"]["code"] == "upgrade_required"
