"""Answers that a provider keeps: who asks for one again reaches the account that made it."""

import asyncio
import itertools
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fakes import Authority, FakeProvider, Way, answers, reach
from fakes.answers import JSON, SSE, event
from fakes.steps import Answer, Received

from gateway import GatewayProcess, provider

from .conftest import Start

PRICE = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}
USAGE = {"input_tokens": 40, "output_tokens": 2, "total_tokens": 42}
CLIENT = {"authorization": "Bearer client-key-of-alice", "openai-beta": "x=1"}
USER = f"Basic {b64encode(b'client-key-of-alice:x').decode()}"
KEYS = ("sk-CANARY-first", "sk-CANARY-second")


class Keeper:
    """A provider of Responses that keeps answers, each account its own."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        """(key, id) -> answer."""

    def __call__(self, request: Received) -> Answer:
        key = request.header("authorization") or ""
        path = request.target.partition("?")[0]
        if request.method == "POST" and path.endswith("/responses"):
            return self._make(key, json.loads(request.body))
        name, _, below = path.partition("/responses/")[2].partition("/")
        kept = self.kept.get((key, name))
        if kept is None:
            error = {"message": f"{name} not found for {key}", "code": None}
            return answers.status(404, {"error": error})
        if request.method == "DELETE":
            return answers.status(200, {"id": name, "deleted": True})
        if below == "input_items":
            return answers.status(200, {"object": "list", "data": []})
        done = kept | {"status": "cancelled" if below else "completed"}
        return answers.status(200, done | {"usage": USAGE})

    def _make(self, key: str, asked: dict[str, Any]) -> Answer:
        name = f"resp_{next(self.ids)}"
        message = {"type": "message", "content": [{"type": "output_text", "text": "x"}]}
        answer = {
            "id": name, "object": "response", "model": asked["model"], "output": [message],
            "status": "completed", "usage": USAGE,
        }  # fmt: skip
        if asked.get("background"):
            answer |= {"status": "queued", "output": [], "usage": None}
        self.kept[key, name] = answer
        if not asked.get("stream"):
            return answers.status(200, answer)
        begun = answer | {"status": "in_progress", "output": [], "usage": None}
        text = {"type": "response.output_text.delta", "delta": "x"}
        events = (
            {"type": "response.created", "response": begun},
            text,
            {"type": "response.completed", "response": answer},
        )
        return Answer(
            headers=(SSE,), body=tuple(event(one, str(one["type"])) for one in events)
        )


class House(NamedTuple):
    gateway: GatewayProcess
    keeper: FakeProvider
    own: FakeProvider


def entry(fake: FakeProvider, id: str, *models: str, **more: Any) -> dict[str, Any]:
    prices = [{"name": name, "pricing": PRICE} for name in models]
    given = {"dialects": ["responses"], "models": prices}
    return provider(fake, id, **(given | more))


def config(keeper: FakeProvider) -> dict[str, Any]:
    two = entry(keeper, "two", "m", apiKeys=list(KEYS))
    del two["apiKey"]
    return {
        "providers": [
            two,
            entry(keeper, "free", "f", free=True),
            entry(keeper, "limited", "b", limits={"tokensPerDay": 100_000}),
        ],
        "clients": [
            {"name": "alice", "key": "client-key-of-alice"},
            {"name": "bob", "key": "client-key-of-bob"},
        ],
        "budget": {"costPerMonth": 10},
        "intercept": {"hosts": ["localhost"]},
    }


@pytest.fixture(scope="module")
def house(
    start_shared: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with (
        FakeProvider(Keeper()) as keeper,
        FakeProvider(tls=authority.server_context()) as own,
    ):
        yield House(start_shared(config(keeper), trust=authority.ca), keeper, own)


def ask(
    gateway: GatewayProcess, model: str = "m", **more: Any
) -> tuple[str, dict[str, Any]]:
    """The id of a new answer, and its row."""
    body = {"model": model, "input": "Hello!", **more}
    status, headers, answer = gateway.post("/v1/responses", body, CLIENT)
    assert status == 200, answer
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    if isinstance(answer, bytes):
        answer = json.loads(answer.split(b"data: ", 1)[1].split(b"\n")[0])["response"]
    return answer["id"], row


ABOUT = [
    ("GET", "", ""),
    ("GET", "", "?include[]=reasoning.encrypted_content&x=1"),
    ("GET", "/input_items", "?limit=5&after=a"),
    ("POST", "/cancel", ""),
    ("DELETE", "", ""),
]


@pytest.mark.parametrize("made", [{}, {"stream": True}, {"background": True}])
def test_it_reaches_the_account_that_made_it(
    house: House, made: dict[str, Any]
) -> None:
    gateway, keeper, _ = house
    for _ in range(6):  # either of the two accounts
        name, row = ask(gateway, **made)
        key = KEYS[int(row["account"]) - 1]
        for method, below, query in ABOUT:
            seen = len(keeper.requests)
            path = f"/v1/responses/{name}{below}{query}"
            status, headers, body = gateway.ask(method, path, headers=CLIENT)
            assert (status, json.loads(body).get("error")) == (200, None), path
            assert headers["x-gateway-provider"] == "two"
            [got] = keeper.requests[seen:]
            assert got.header("authorization") == f"Bearer {key}"
            expected = path.replace("&x=1", "").replace("[]", "%5B%5D")
            assert (got.method, got.target) == (method, expected)
            [about] = gateway.ended_one(headers["x-gateway-request-id"])
            assert (about["outcome"], about["attempts"]) == ("ok", 0)
            assert (about["account"], about["model"]) == (row["account"], "m")
            assert (about["total_tokens"], about["cost_nano"]) == (0, 0)
    assert b"client-key-of-alice" not in keeper.bytes_in()


@pytest.mark.parametrize("made", [{}, {"stream": True}])
def test_a_request_that_goes_on_from_it_does_so_too(
    house: House, made: dict[str, Any]
) -> None:
    """Nobody else has what was said before."""
    first, row = ask(house.gateway)
    for _ in range(4):  # either of the two accounts, by chance
        _, next_ = ask(house.gateway, previous_response_id=first, **made)
        assert next_["account"] == row["account"]
        sent = house.keeper.requests[-1]
        assert sent.json()["previous_response_id"] == first


def test_a_model_that_its_account_has_not_is_refused(house: House) -> None:
    name, _ = ask(house.gateway)
    seen = len(house.keeper.requests)
    body = {"model": "f", "input": "And now?", "previous_response_id": name}
    status, _, answer = house.gateway.post("/v1/responses", body, CLIENT)
    assert status == 400
    assert answer["error"]["code"] == "account_gone"
    assert f"The answer {name!r} was made by two#" in answer["error"]["message"]
    assert len(house.keeper.requests) == seen


def test_an_id_that_is_not_known_here_goes_anywhere(house: House) -> None:
    _, row = ask(house.gateway, previous_response_id="resp_from_before")
    assert row["outcome"] == "ok"


def test_slashes_and_prefixes_are_as_on_every_route(house: House) -> None:
    name, _ = ask(house.gateway, "f")
    for path in ("/responses/{}", "//v1//responses/{}/", "/openai/v1/responses/{}"):
        status, _, _ = house.gateway.ask("GET", path.format(name), headers=CLIENT)
        assert status == 200, path


REFUSED = [
    ("somebody else's", {"authorization": "Bearer client-key-of-bob"}, 404),
    ("without a key", {}, 404),
    ("a web page's", CLIENT | {"origin": "https://evil.example"}, 403),
]


@pytest.mark.parametrize(("headers", "expected"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])  # fmt: skip
def test_nobody_else_gets_it(
    house: House, headers: dict[str, str], expected: int
) -> None:
    name, _ = ask(house.gateway, "f")
    seen = len(house.keeper.requests)
    for method, below, _ in ABOUT:
        path = f"/v1/responses/{name}{below}"
        status, _, body = house.gateway.ask(method, path, headers=headers)
        assert status == expected
        assert json.loads(body)["error"]["message"]
    assert len(house.keeper.requests) == seen


def test_what_was_never_made_here_is_not_found(house: House) -> None:
    for name in ("resp_nowhere", "x" * 5000, "a%2fb", "%00"):
        status, _, body = house.gateway.ask(
            "GET", f"/v1/responses/{name}", headers=CLIENT
        )
        assert status == 404, body
        assert "was made through this gateway" in json.loads(body)["error"]["message"]


def test_the_providers_own_refusal_comes_without_a_key(house: House) -> None:
    name, _ = ask(house.gateway, "f")
    keeper = house.keeper.default
    assert isinstance(keeper, Keeper)
    keeper.kept.clear()
    status, _, body = house.gateway.ask("GET", f"/v1/responses/{name}", headers=CLIENT)
    assert status == 404
    assert b"not found for" in body
    assert b"CANARY" not in body


def test_a_store_that_says_no_is_not_remembered(house: House) -> None:
    unkept = {
        "id": "resp_unkept",
        "store": False,
        "status": "completed",
        "usage": USAGE,
    }
    message = {"type": "message", "content": []}
    house.keeper.then(answers.status(200, unkept | {"output": [message]}))
    name, _ = ask(house.gateway, "f")
    assert name == "resp_unkept"
    assert house.gateway.rows("select * from bound_ids where id = ?", name) == []


def test_made_in_the_background_it_is_settled_once_over_a_restart(
    start: Start,
) -> None:
    with FakeProvider(Keeper()) as keeper:
        gateway = start(config(keeper))
        name, row = ask(gateway, "b", background=True, max_output_tokens=5000)
        assert (row["usage_source"], row["cost_nano"]) == ("unknown", None)
        gateway.wait_rows("select * from bound_ids")
        before = used(gateway, row["id"])
        assert before[0] > 42
        assert before[1] > 5000 * 2000
        assert gateway.process is not None
        gateway.process.kill()
        gateway.process.wait()
        with GatewayProcess(gateway.folder, None, confdir=gateway.confdir) as again:
            assert used(again, row["id"]) == before
            for _ in range(3):
                path = f"/v1/responses/{name}"
                assert again.ask("GET", path, headers=CLIENT)[0] == 200
            # 40 tokens at $1 and 2 at $2 a million
            assert used(again, row["id"]) == (42, 44_000)
            [settled] = again.wait_rows(
                "select * from requests where usage_source = 'reported' and attempts = 1"
            )
            assert settled["id"] == row["id"]
            assert (settled["cost_nano"], settled["total_tokens"]) == (44_000, 42)
            assert (settled["outcome"], settled["ts"]) == ("ok", row["ts"])
            [sums] = again.rows(
                "select sum(total_tokens) t, sum(cost_nano) c, sum(unknown_cost) u "
                "from usage_day"
            )
            assert (sums["t"], sums["c"], sums["u"]) == (42, 44_000, 0)
        with GatewayProcess(gateway.folder, None, confdir=gateway.confdir) as third:
            assert used(third, row["id"]) == (42, 44_000)


def used(gateway: GatewayProcess, request: str) -> tuple[int, int]:
    """(tokens, nano-dollars) that stand against the limits, and in the attempt's row."""
    rows = gateway.wait_rows(
        "select * from limit_state where metric in ('tokens', 'cost')",
        lambda rows: (
            len(rows) == 2 and all(r["updated_at"] > stamp(gateway) for r in rows)
        ),
    )
    held = {r["metric"]: r["used"] + r["reserved"] for r in rows}
    [attempt] = gateway.rows("select * from attempts where request = ?", request)
    counted = (int(held["tokens"]), round(held["cost"] * 1e9))
    assert counted == (attempt["tokens"], attempt["cost_nano"])
    return counted


def stamp(gateway: GatewayProcess) -> str:
    """The moment of the newest row: what is shown has to be newer."""
    return max(r["ts"] for r in gateway.rows("select max(ts) ts from requests"))


def test_an_account_that_is_gone_is_said(start: Start) -> None:
    with FakeProvider(Keeper()) as keeper:
        gateway = start(config(keeper))
        name, _ = ask(gateway, "f")
        left = config(keeper)
        left["providers"] = [p for p in left["providers"] if p["id"] != "free"]
        gateway.write_config(left)
        gateway.wait_rows("select 1 from events where message like 'revision%'")
        status, _, body = gateway.ask("GET", f"/v1/responses/{name}", headers=CLIENT)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (400, "account_gone")
        assert "made by free, which is not configured any more" in error["message"]


def test_an_intercepted_app_reaches_it_too(house: House) -> None:
    gateway, keeper, own = house
    name, _ = ask(gateway, "f")
    headers = (("authorization", "Bearer sk-APP"),)

    async def go(target: str) -> tuple[int, bytes]:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host="localhost", port=own.port,
            connect_headers=(("proxy-authorization", USER),),
        ) as session:  # fmt: skip
            answered = await session.ask(target, b"", headers, "GET")
            return answered.status, await answered.body()

    status, body = asyncio.run(go(f"/v1/responses/{name}"))
    assert (status, json.loads(body)["id"]) == (200, name)
    assert b"sk-APP" not in keeper.bytes_in()
    seen = len(own.requests)
    own.then(Answer(headers=(JSON,), body=(b"{}",)))
    status, body = asyncio.run(go("/v1/responses/resp_of_their_own"))
    assert (status, len(own.requests)) == (200, seen + 1)
    assert own.requests[-1].header("authorization") == "Bearer sk-APP"
