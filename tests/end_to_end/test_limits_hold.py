"""Limits, as the upstreams see them: 200 clients at once, restarts, kills, reloads.

The gateway of this module gets its configuration by `POST /config`, so each test also
stands on a reload; its providers have ids of their own. What is counted is what the
fake providers received, never what the gateway says of itself alone.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fakes import (
    Answer,
    FakeProvider,
    Gate,
    Received,
    Way,
    answers,
    reach,
    unanswered_port,
)

from gateway import GatewayProcess, chat, provider

from .conftest import Start

AT_ONCE = 200
PATIENCE = 60.0
"""Seconds for what takes a moment on an idle machine."""
PRICING = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}
PRICED = [{"name": "m", "pricing": PRICING}]
Config = dict[str, Any]
Configured = Callable[[Config], GatewayProcess]


@pytest.fixture(scope="module")
def shared(start_shared: Start) -> GatewayProcess:
    return start_shared({"providers": []})


@pytest.fixture
def configured(shared: GatewayProcess) -> Configured:
    def configured(config: Config) -> GatewayProcess:
        status, _, body = shared.post("/config", config, shared.admin)
        assert (status, body["message"]) == (200, "active")
        return shared

    return configured


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def by(self) -> str:
        return self.headers.get("x-gateway-provider", "")


async def ask(
    gateway: GatewayProcess, body: Config, headers: Mapping[str, str] | None = None
) -> Got:
    """One request on a connection of its own, read to the end of the connection."""
    data = json.dumps(body).encode()
    given = {"host": f"127.0.0.1:{gateway.port}", "connection": "close"}
    given |= {"content-length": str(len(data)), **(headers or {})}
    lines = [f"{name}: {value}\r\n" for name, value in given.items()]
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{''.join(lines)}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(head.encode() + data)
        raw = await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()
    top, _, rest = raw.partition(b"\r\n\r\n")
    first, *others = top.decode().split("\r\n")
    pairs = (line.partition(": ") for line in others)
    found = {name.lower(): value for name, _, value in pairs}
    return Got(int(first.split()[1]), found, rest)


def crowd(
    gateway: GatewayProcess,
    count: int,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> list[asyncio.Task[Got]]:
    """So many clients at once; every other one wants a stream."""
    loop = asyncio.get_running_loop()
    return [
        loop.create_task(ask(gateway, chat(stream=bool(n % 2), **more), headers))
        for n in range(count)
    ]


async def some(tasks: Sequence[asyncio.Task[Got]], count: int) -> list[Got]:
    """The first so many that are over."""
    over: list[Got] = []
    for done in asyncio.as_completed(tasks):
        over.append(await done)
        if len(over) == count:
            break
    return over


def held(gate: Gate) -> Callable[[Received], Answer]:
    """A good answer, plain or streamed, once the gate is open."""

    def answer(request: Received) -> Answer:
        kind = answers.stream() if request.json().get("stream") else answers.ok()
        good = kind(request)
        return Answer(
            headers=good.headers, body=good.body, framing=good.framing, before=(gate,)
        )

    return answer


def good(request: Received) -> Answer:
    return (answers.stream() if request.json().get("stream") else answers.ok())(request)


def whole(got: Got) -> bool:
    """A complete answer, plain or streamed."""
    return got.status == 200 and (b"[DONE]" in got.body or b'"usage"' in got.body)


def consumed(gateway: GatewayProcess, key: str, of: str = "a") -> Any:
    _, _, found = gateway.get("/usage/current")
    [entry] = [p for p in found["providers"] if p["id"] == of]
    return entry["models"][0]["limits"][key]["consumed"]


# Requests


async def test_a_free_limit_is_used_to_the_last_request_and_not_beyond(
    configured: Configured,
) -> None:
    gate = Gate()
    with FakeProvider(held(gate)) as free, FakeProvider(good) as paid:
        gateway = configured(
            {
                "providers": [
                    provider(free, "a", free=True, limits={"requestsPerMinute": 100}),
                    provider(paid, "b", models=PRICED),
                ]
            }
        )
        clients = crowd(gateway, AT_ONCE)
        # Nobody has ended at the free one: what holds the limit are reservations.
        await free.until(lambda p: len(p.requests) == 100, PATIENCE)
        await paid.until(lambda p: len(p.requests) == 100, PATIENCE)
        gate.open()
        got = await asyncio.gather(*clients)
        assert all(map(whole, got))
        assert sorted(g.by for g in got) == ["a"] * 100 + ["b"] * 100
        assert (len(free.requests), len(paid.requests)) == (100, 100)
        assert consumed(gateway, "requestsPerMinute") == 100


async def test_alone_it_answers_a_hundred_and_refuses_a_hundred(
    configured: Configured,
) -> None:
    gate = Gate()
    with FakeProvider(held(gate)) as free:
        limited = provider(free, "alone", free=True, limits={"requestsPerMinute": 100})
        gateway = configured({"providers": [limited]})
        clients = crowd(gateway, AT_ONCE)
        refused = await some(clients, 100)
        for got in refused:
            error = json.loads(got.body)["error"]
            assert (got.status, error["code"]) == (429, "rate_limit_exceeded")
            assert "requests/minute 100 of 100" in error["message"]
            assert 1 <= int(got.headers["retry-after"]) <= 61
        gate.open()
        got = await asyncio.gather(*clients)
        assert sum(map(whole, got)) == 100
        assert len(free.requests) == 100


async def test_what_never_left_is_not_counted(
    configured: Configured, shared: GatewayProcess
) -> None:
    """Clients that lose patience while a provider does not even take the connection."""
    limits = {"requestsPerDay": 10, "tokensPerDay": 100_000}
    with unanswered_port() as port:
        deaf = provider(FakeProvider(), "deaf", free=True, limits=limits)
        deaf["baseURL"] = f"http://127.0.0.1:{port}/v1"
        gateway = configured({"providers": [deaf]})
        clients = crowd(gateway, 4)
        attempts = "select * from attempts where provider = 'deaf'"
        await asyncio.to_thread(shared.wait_rows, attempts, lambda rows: len(rows) == 4)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        rows = await asyncio.to_thread(
            shared.wait_rows,
            f"{attempts} and outcome = 'cancelled' and counted = 0",
            lambda rows: len(rows) == 4,
        )
        assert {row["tokens"] for row in rows} == {0}
        assert consumed(gateway, "requestsPerDay", "deaf") == 0
        assert consumed(gateway, "tokensPerDay", "deaf") == 0


# Tokens and money


@dataclass(frozen=True)
class Sum:
    """A limit on what answers sum up to, and the ledger's columns that say so."""

    key: str
    amount: float
    reserved: str
    real: str
    each: float
    """What one answer of a fake takes: 7 tokens in, 3 out."""


SUMS = {
    "tokens": Sum("tokensPerMinute", 2000, "reserved_tokens", "total_tokens", 10),
    "cost": Sum("costPerDay", 0.0026, "reserved_cost_usd", "cost_usd", 13e-6),
}


async def hold_a_sum(
    gateway: GatewayProcess, gate: Gate, kind: Sum, *fakes: FakeProvider
) -> None:
    """200 at once, then one after the other until nothing fits any more."""
    clients = crowd(gateway, AT_ONCE, max_tokens=5)
    [row] = await asyncio.to_thread(
        gateway.wait_rows,
        "select * from requests where outcome = 'in_flight' limit 1",
    )
    reserved = row[kind.reserved]
    room = round(kind.amount / reserved - 0.5)
    assert reserved >= kind.each  # as much as it will take, or more
    refused = await some(clients, AT_ONCE - room)
    assert {got.status for got in refused} == {429}
    await gate.arrival(room, PATIENCE)
    gate.open()
    await asyncio.gather(*clients)
    assert sum(len(fake.requests) for fake in fakes) == room
    used = room * kind.each
    while (got := await ask(gateway, chat(max_tokens=5))).status == 200:
        used += kind.each
    assert got.status == 429
    assert 0.99 * kind.amount <= used <= kind.amount
    rows = gateway.wait_rows(
        f"select total({kind.real}) as real from requests where provider is not null",
        lambda rows: rows[0]["real"] == pytest.approx(used),
    )
    assert rows
    assert sum(len(fake.requests) for fake in fakes) == round(used / kind.each)


@pytest.mark.parametrize("kind", SUMS.values(), ids=SUMS)
async def test_tokens_and_cost_are_reserved_before_and_settled_after(
    start: Start, kind: Sum
) -> None:
    gate = Gate()
    with FakeProvider(held(gate)) as fake:
        limited = provider(fake, "a", models=PRICED, limits={kind.key: kind.amount})
        await hold_a_sum(start({"providers": [limited]}), gate, kind, fake)


async def test_the_budget_bounds_everything_paid_together(start: Start) -> None:
    gate = Gate()
    with FakeProvider(held(gate)) as one, FakeProvider(held(gate)) as two:
        # The second is asked once the first has its own hundred requests.
        limits = {"requestsPerDay": 100}
        gateway = start(
            {
                "budget": {"costPerDay": SUMS["cost"].amount},
                "providers": [
                    provider(one, "one", models=PRICED, limits=limits),
                    provider(two, "two", models=PRICED),
                ],
            }
        )
        await hold_a_sum(gateway, gate, SUMS["cost"], one, two)
        assert len(one.requests) == 100
        status, headers, body = gateway.chat(max_tokens=5)
        assert status == 429
        assert "budget" in body["error"]["message"]
        assert int(headers["retry-after"]) > 3600


async def test_a_price_that_nobody_knows_cannot_be_bounded(
    configured: Configured,
) -> None:
    with FakeProvider() as fake:
        unknown = provider(fake, "unknown", "model-without-a-price")
        gateway = configured({"providers": [unknown], "budget": {"costPerDay": 100}})
        status, headers, body = gateway.chat("model-without-a-price")
        assert (status, headers["x-should-retry"]) == (429, "false")
        assert "retry-after" not in headers
        assert "price is unknown" in body["error"]["message"]
        assert fake.requests == []
        gateway = configured({"providers": [unknown]})
        assert gateway.chat("model-without-a-price")[0] == 200


async def test_free_only_does_not_even_knock_at_a_paid_door(
    configured: Configured,
) -> None:
    with (
        FakeProvider() as spent,
        FakeProvider(answers.status(503)) as down,
        FakeProvider() as paid,
    ):
        gateway = configured(
            {
                "routing": {"policy": "free-only"},
                "providers": [
                    provider(spent, "spent", free=True, limits={"requestsPerDay": 3}),
                    provider(down, "down", free=True),
                    provider(paid, "paid", models=PRICED),
                    provider(paid, "unknown"),
                ],
            }
        )
        got = await asyncio.gather(*crowd(gateway, 50))
        assert sum(g.status == 200 for g in got) == 3
        assert {g.status for g in got if not whole(g)} <= {429, 503}
        assert len(spent.requests) == 3
        assert paid.journal == []


# Clients and accounts


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


async def test_a_client_has_its_own_limits_whichever_way_it_comes(
    configured: Configured,
) -> None:
    ann = {"name": "ann", "key": "key-of-ann", "limits": {"requestsPerDay": 20}}
    bob = {"name": "bob", "key": "key-of-bob", "policy": "free-only"}
    with FakeProvider(good) as fake:
        gateway = configured(
            {"providers": [provider(fake, "p", models=PRICED)], "clients": [ann, bob]}
        )
        bearer = {"authorization": "Bearer key-of-ann"}
        got = await asyncio.gather(*crowd(gateway, 15, bearer))
        assert all(map(whole, got))
        statuses = []
        for _ in range(8):
            async with reach(
                Way.CONNECT_H1,
                gateway.port,
                ca=gateway.ca,
                host="api.openai.com",
                connect_headers=[("proxy-authorization", basic("key-of-ann"))],
            ) as session:
                body = json.dumps(chat()).encode()
                answered = await session.ask("/v1/chat/completions", body)
                await answered.body()
                statuses.append(answered.status)
        assert statuses == [200] * 5 + [429] * 3
        assert (await ask(gateway, chat(), bearer)).status == 429
        assert gateway.chat()[0] == 200  # somebody else
        for key in ("x-api-key", "authorization"):
            value = "key-of-bob" if key == "x-api-key" else "Bearer key-of-bob"
            assert gateway.chat(headers={key: value})[0] == 429
        assert len(fake.requests) == 21
        sent = fake.bytes_in()
        assert b"key-of" not in sent
        rows = gateway.rows(
            "select client, count(*) as n from requests where provider = 'p' group by 1"
        )
        assert {row["client"]: row["n"] for row in rows}["ann"] == 20


async def test_several_keys_are_several_accounts(configured: Configured) -> None:
    def locked(request: Received) -> Answer:
        if "key-3" in (request.header("authorization") or ""):
            return answers.status(401)
        return good(request)

    with FakeProvider(locked) as fake, FakeProvider(good) as paid:
        many = provider(fake, "many", free=True, limits={"requestsPerDay": 10})
        del many["apiKey"]
        many["apiKeys"] = ["key-1", "key-2", "key-3"]
        gateway = configured(
            {"providers": [many, provider(paid, "last", models=PRICED)]}
        )
        got = await asyncio.gather(*crowd(gateway, 25))
        assert all(map(whole, got))
        assert [g.by for g in got].count("many") == 20
        asked = [request.header("authorization") or "" for request in fake.requests]
        assert asked.count("Bearer key-1") == asked.count("Bearer key-2") == 10
        _, _, route = gateway.get("/route?model=m")
        states = [(c["account"], c["state"]) for c in route["candidates"][1:]]
        assert sorted(states) == [
            ("1", "at limit"),
            ("2", "at limit"),
            ("3", "disabled"),
        ]


# Restarts


@pytest.mark.parametrize("killed", [True, False], ids=["SIGKILL", "SIGTERM"])
async def test_a_restart_in_the_middle_forgets_nothing(
    start: Start, killed: bool
) -> None:
    gate = Gate()
    with FakeProvider(good) as fake:
        limits = {"requestsPerDay": 100, "tokensPerDay": 100_000}
        gateway = start({"providers": [provider(fake, "a", free=True, limits=limits)]})
        assert all(map(whole, await asyncio.gather(*crowd(gateway, 30))))
        fake.default = held(gate)
        clients = crowd(gateway, 40, max_tokens=5)
        await fake.until(lambda p: len(p.requests) == 70, PATIENCE)
        assert gateway.process
        if killed:
            gateway.process.kill()
        else:
            gateway.process.terminate()
            await gateway.logged("Draining: 40 requests are running.")
            gate.open()
        gateway.process.wait(PATIENCE)
        gate.open()
        await asyncio.gather(*clients, return_exceptions=True)
        again = GatewayProcess(gateway.folder, None, confdir=gateway.confdir)
        with again:
            tokens = consumed(again, "tokensPerDay")
            assert consumed(again, "requestsPerDay") == 70
            if killed:  # nobody knows what those in flight took: what they had reserved
                assert tokens > 700
            else:
                assert tokens == 700
            got = await asyncio.gather(*crowd(again, 40))
            assert sum(map(whole, got)) == 30
        assert len(fake.requests) == 100


async def test_names_may_hold_anything_also_through_a_reload(
    configured: Configured,
) -> None:
    id, model = "openrouter/cost-saver", "model:free"
    with FakeProvider(good) as fake:

        def config(amount: int) -> Config:
            limits = {"requestsPerDay": amount}
            models = [{"name": model, "limits": limits}]
            return {"providers": [provider(fake, id, models=models, free=True)]}

        name = f"{id}/{model}"
        gateway = configured(config(2))
        statuses = [gateway.chat(name)[0] for _ in range(3)]
        assert statuses == [200, 200, 429]
        gateway = configured(config(3))
        status, headers, _ = gateway.chat(model)
        assert (status, headers["x-gateway-provider"]) == (200, id)
        assert headers["x-gateway-model"] == model
        status, _, body = gateway.chat(name)
        assert status == 429
        assert f"{name}: requests/day 3 of 3" in body["error"]["message"]
        assert consumed(gateway, "requestsPerDay", id) == 3
        _, _, found = gateway.get(f"/route?model={name}")
        assert [c["state"] for c in found["candidates"]] == ["at limit"]
        gateway.wait_rows(
            "select used from limit_state where provider = ? and model = ? and used = 3",
            bool,
            id,
            model,
        )
        assert len(fake.requests) == 3


# The provider's word


@dataclass(frozen=True)
class Announced:
    """How a type of provider says that nothing is left, and for how long."""

    type: str
    headers: Callable[[float], dict[str, str]]
    """From the unix time of the answer."""
    seconds: float
    """Until it is back: never sooner."""


def announced() -> list[Announced]:
    def rfc3339(now: float) -> str:
        at = datetime.fromtimestamp(int(now) + 2, UTC)
        return at.isoformat().replace("+00:00", "Z")

    def x(
        name: str, reset: Callable[[float], str]
    ) -> Callable[[float], dict[str, str]]:
        return lambda now: {
            f"x-ratelimit-remaining-{name}": "0",
            f"x-ratelimit-reset-{name}": reset(now),
        }

    return [
        Announced("openai", x("requests", lambda _: "1s"), 1),
        Announced("groq", x("requests", lambda _: "1.2s"), 1.2),
        Announced("cerebras", x("requests-day", lambda _: "1.25"), 1.25),
        Announced("azure", x("tokens", lambda _: "1"), 1),
        Announced("sambanova", x("requests", lambda now: f"{int(now) + 2}"), 1),
        Announced(
            "anthropic",
            lambda now: {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": rfc3339(now),
            },
            1,
        ),
    ]


async def test_nothing_left_steers_away_until_the_moment_that_was_said(
    configured: Configured,
) -> None:
    rows = announced()

    def telling(row: Announced) -> Callable[[Received], Answer]:
        def answer(request: Received) -> Answer:
            now = datetime.now(UTC).timestamp()
            return answers.ok("Hi", tuple(row.headers(now).items()))(request)

        return answer

    fakes = [FakeProvider(telling(row)).start() for row in rows]
    with FakeProvider(good) as other:
        providers = []
        for row, fake in zip(rows, fakes, strict=True):
            entry = provider(
                fake, f"word-{row.type}", f"m-{row.type}", type=row.type, free=True
            )
            if row.type == "azure":
                entry |= {"apiVersion": "2024-10-21"}
            providers += [
                entry,
                provider(
                    other,
                    f"then-{row.type}",
                    models=[{**PRICED[0], "name": f"m-{row.type}"}],
                ),
            ]
        gateway = configured({"providers": providers})
        for row in rows:
            first, second = (gateway.chat(f"m-{row.type}")[1] for _ in range(2))
            assert first["x-gateway-provider"] == f"word-{row.type}"
            assert second["x-gateway-provider"] == f"then-{row.type}", row.type
            _, _, found = gateway.get(f"/route?model=m-{row.type}")
            [waiting] = [c for c in found["candidates"] if c["verdict"] == "skipped"]
            assert waiting["state"] == "at limit"
            assert waiting["returns_at"]

        def back(row: Announced) -> bool:
            _, _, found = gateway.get(f"/route?model=m-{row.type}")
            return bool(found["chosen"]["provider"] == f"word-{row.type}")

        for row, fake in zip(rows, fakes, strict=True):
            gateway.wait_for(lambda row=row: back(row), f"the return of {row.type}")
            assert (
                gateway.chat(f"m-{row.type}")[1]["x-gateway-provider"]
                == f"word-{row.type}"
            )
            one, two = fake.requests
            assert two.at - one.at >= row.seconds
    for fake in fakes:
        fake.stop()


SPENT_DAY = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing "
            "details. Quota exceeded for metric: generativelanguage.googleapis.com/"
            "generate_content_free_tier_requests, limit: 20\nPlease retry in 34.07s.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [
                        {
                            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                            "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                            "quotaDimensions": {
                                "location": "global",
                                "model": "gemini-2.5-flash",
                            },
                            "quotaValue": "20",
                        }
                    ],
                },
                {
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": "34s",
                },
            ],
        }
    }
]


def next_midnight() -> datetime:
    now = datetime.now(ZoneInfo("America/Los_Angeles"))
    return (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


async def test_a_spent_day_parks_the_model_until_midnight_pacific(
    configured: Configured,
) -> None:
    def spent(request: Received) -> Answer:
        if request.json()["model"] == "gemini-2.5-flash":
            return answers.status(429, json.dumps(SPENT_DAY))
        return good(request)

    with FakeProvider(spent) as google, FakeProvider(good) as other:
        names = ("gemini-2.5-flash", "gemini-2.5-pro")
        models = [{"name": name, "aliases": ["flash"]} for name in names[:1]]
        models.append({"name": names[1]})
        gateway = configured(
            {
                "providers": [
                    provider(google, "gemini", type="google", free=True, models=models),
                    provider(other, "other", models=[{**PRICED[0], "name": "flash"}]),
                ]
            }
        )
        before = next_midnight()
        assert gateway.chat("gemini-2.5-flash")[0] == 429
        status, headers, _ = gateway.chat("flash")
        assert (status, headers["x-gateway-provider"]) == (200, "other")
        assert headers["x-gateway-attempts"] == "1"
        assert gateway.chat("gemini-2.5-pro")[0] == 200  # its day is its own
        _, _, found = gateway.get("/route?model=gemini-2.5-flash")
        [candidate] = found["candidates"]
        back = datetime.fromisoformat(candidate["returns_at"])
        assert back in (before, next_midnight())
