"""Members of a cluster share their limits exactly, as the upstream sees it."""

from typing import Any

import pytest
from fakes import FakeProvider, answers
from fakes.counter_server import CounterServer

from gateway import GatewayProcess, provider
from llm_gateway.cli.cluster import table

from .conftest import Join, cluster_of, is_up, member, statuses, storm, wait_until

PRICING = {"inputCostPerMillionTokens": 0, "outputCostPerMillionTokens": 1000}
KEY = {"authorization": "Bearer client-key-of-somebody"}
CLIENT = {"name": "somebody", "key": "client-key-of-somebody"}


@pytest.fixture(scope="module")
def pair(join: Join) -> list[GatewayProcess]:
    return join({"providers": []}, "c", "d", cluster={"name": "kinds"})


def configure(
    pair: list[GatewayProcess], server: CounterServer, *configs: dict[str, Any]
) -> None:
    """One configuration for both, or one for each."""
    for one, config in zip(pair, configs * (2 // len(configs)), strict=True):
        name = cluster_of(one)["member"]
        whole = member(config, server.url, name, name="kinds")
        status, _, body = one.post("/config", whole, one.admin)
        assert (status, body["message"]) == (200, "active")
    for one in pair:
        is_up(one, 2)


# One request: 7 tokens in and 3 out as the fake says; `max_tokens` 10 reserves 17 or so,
# and 0.01 US$; it costs 0.003.
KINDS: dict[str, tuple[dict[str, Any], int]] = {
    "tokens of a minute": ({"limits": {"tokensPerMinute": 500}}, 50),
    "cost of a day": ({"limits": {"costPerDay": 0.1}}, 33),
    "requests of a provider's day": (
        {
            "limits": {"requestsPerDay": 9},
            "resets": {"day": "00:00 America/Los_Angeles"},
        },
        9,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_limit_is_shared(
    kind: str, pair: list[GatewayProcess], server: CounterServer
) -> None:
    """However far requests are let in while others still hold what they may use: what was
    used in the end is never more, and all of it can be used."""
    more, most = KINDS[kind]
    models = [{"name": "m", "pricing": PRICING}]
    with FakeProvider() as fake:
        limited = provider(fake, f"p {kind}", models=models, **more)
        configure(pair, server, {"providers": [limited]})
        served = 0
        for _ in range(12):
            found = statuses(storm(pair, 20, max_tokens=10))
            assert set(found) <= {200, 429}
            served += found.get(200, 0)
            if not found.get(200):
                break
        assert served == len(fake.requests) <= most
        # Less than one more reservation is left.
        assert served >= most - 3


def test_clients_and_the_budget_are_shared(
    pair: list[GatewayProcess], server: CounterServer
) -> None:
    with FakeProvider() as fake:
        free = provider(fake, "for clients", free=True)
        clients = [CLIENT | {"limits": {"requestsPerMinute": 11}}]
        configure(pair, server, {"providers": [free], "clients": clients})
        assert statuses(storm(pair, 10, KEY)) == {200: 11, 429: 9}
        paid = provider(fake, "q", models=[{"name": "m", "pricing": PRICING}])
        # A budget counts what was spent before it was set, by all.
        sql = "select coalesce(sum(cost_usd), 0) as c from attempts"
        spent = sum(one.rows(sql)[0]["c"] for one in pair)
        budget = {"costPerHour": round(spent + 0.03, 6)}
        configure(pair, server, {"providers": [paid], "budget": budget})
        fake.requests.clear()
        for _ in range(5):
            storm(pair, 10, max_tokens=10)
        assert 7 <= len(fake.requests) <= 10


def test_a_limit_that_one_member_has_counts_what_others_use(
    pair: list[GatewayProcess], server: CounterServer
) -> None:
    with FakeProvider() as fake:
        # Another id, and no limit.
        unlimited = provider(fake, "other id", free=True, apiKey="sk-same")
        limited = provider(
            fake, "one", free=True, apiKey="sk-same", limits={"requestsPerMinute": 15}
        )
        configure(pair, server, {"providers": [limited]}, {"providers": [unlimited]})
        wait_until(lambda: used(server, 0), "the window")
        assert statuses(storm(pair[1:], 10)) == {200: 10}
        wait_until(lambda: used(server, 10), "the use of the other")
        assert statuses(storm(pair[:1], 10)) == {200: 5, 429: 5}
        different = {"limit": "requests/minute on one", "amounts": {"c": 15, "d": None}}
        pair[0].wait_for(
            lambda: different in cluster_list(pair[0])["differences"],
            "the difference to be found",
        )
        shown = table(cluster_list(pair[0]))
        assert "requests/minute on one: c 15, d none" in shown


def cluster_list(gateway: GatewayProcess) -> dict[str, Any]:
    status, _, found = gateway.get("/admin/cluster", gateway.admin)
    assert status == 200
    return dict(found)


def used(server: CounterServer, amount: int) -> bool:
    return any(
        window.get("amount:c") == "15" and window["used"] == str(amount)
        for window in server.keys().values()
    )


def test_what_a_provider_said_to_one_is_known_to_all(
    pair: list[GatewayProcess], server: CounterServer
) -> None:
    with FakeProvider(answers.rate_limited()) as fake:
        configure(pair, server, {"providers": [provider(fake, "cool", free=True)]})
        assert statuses(storm(pair[:1], 1)) == {429: 1}
        asked = len(fake.requests)

        def knows() -> bool:
            [found] = pair[1].get("/route?model=m")[2]["candidates"]
            return found["state"] != "ready"

        wait_until(knows, "the word to arrive")
        assert statuses(storm(pair[1:], 3)) == {429: 3}
        assert len(fake.requests) == asked


def test_nothing_secret_is_on_the_server(
    pair: list[GatewayProcess], server: CounterServer
) -> None:
    client = server.client
    text = ""
    for key in client.scan_iter("*"):
        text += key
        match client.type(key):
            case "hash":
                text += str(client.hgetall(key))
            case "stream":
                text += str(client.xrange(key))
            case "zset":
                text += str(client.zrange(key, 0, -1))
            case "set":
                text += str(client.smembers(key))
    assert "window:" in text
    assert "CANARY" not in text
    assert "sk-same" not in text
    assert "client-key" not in text
    assert "Hello" not in text


def test_requests_per_minute_hold_over_all_members(join: Join) -> None:
    with FakeProvider() as fake:
        limited = provider(fake, "p", free=True, limits={"requestsPerMinute": 100})
        members = join({"providers": [limited]}, "a", "b", cluster={"name": "rpm"})
        found = storm(members, 200)
        assert statuses(found) == {200: 100, 429: 300}
        assert len(fake.requests) == 100
