"""The server goes, comes back empty, hangs, is full: limits hold, free requests go on.

One server and two members for all tests of the module, in the order of the file; each
test has a provider of its own by a reload.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider
from fakes.counter_server import CounterServer

from gateway import GatewayProcess, provider

from .conftest import cluster_of, is_up, member, statuses, storm, wait_until

PRICED = [{"name": "paid", "pricing": {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 1}}]  # fmt: skip


@pytest.fixture(scope="module")
def fault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterServer]:
    with CounterServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory,
    confdir: Path,
    fault_server: CounterServer,
) -> Iterator[list[GatewayProcess]]:
    running = []
    for name in ("a", "b"):
        folder = tmp_path_factory.mktemp(f"member-{name}-")
        config = as_member(fault_server, name, [])
        running.append(GatewayProcess(folder, config, confdir=confdir).start())
    yield running
    logs = [one.log() for one in running]
    for one in running:
        one.__exit__(None, None, None)
    for log in logs:
        assert "Traceback" not in log, log


def as_member(
    server: CounterServer, name: str, providers: list[dict[str, Any]]
) -> dict[str, Any]:
    """The first one collects the requests of both."""
    return member({"providers": providers}, server.url, name, collect=name == "a")


def configure(
    pair: list[GatewayProcess], server: CounterServer, *providers: dict[str, Any]
) -> None:
    for one in pair:
        name = cluster_of(one)["member"]
        config = as_member(server, name, list(providers))
        status, _, body = one.post("/config", config, one.admin)
        assert (status, body["message"]) == (200, "active")
    for one in pair:
        is_up(one, len(pair))


def limited(fake: FakeProvider, id: str, most: int) -> dict[str, Any]:
    return provider(fake, id, free=True, limits={"requestsPerMinute": most})


def shown(one: GatewayProcess) -> int:
    """What a member says was used, of the first provider's requests a minute."""
    first = one.get("/usage/current")[2]["providers"][0]["models"][0]
    return int(first["limits"]["requestsPerMinute"]["consumed"])


def use_of(server: CounterServer) -> list[tuple[int, int]]:
    return [(int(w["used"]), int(w["reserved"])) for w in server.keys().values()]


def test_away_each_has_its_share_and_paid_is_refused(
    pair: list[GatewayProcess], fault_server: CounterServer
) -> None:
    with FakeProvider() as fake:
        paid = provider(fake, "paid-provider", models=PRICED)
        configure(pair, fault_server, limited(fake, "away", 40), paid)
        assert statuses(storm(pair, 4)) == {200: 8}
        wait_until(lambda: [shown(one) for one in pair] == [8, 8], "the sums")
        fault_server.kill()
        wait_until(
            lambda: all(cluster_of(one)["state"] == "away" for one in pair), "away"
        )
        found = storm(pair, 30)
        # 32 were left: 16 each.
        assert statuses(found) == {200: 32, 503: 28}
        refused = next(one for one in found if one.status == 503)
        assert refused.headers["retry-after"] == "5"
        assert "cluster" in refused.body["error"]["message"]
        assert statuses(storm(pair, 1, model="paid")) == {503: 2}
        _, _, health = pair[0].get("/health")
        assert health["status"] == "degraded"
        assert "share" in " ".join(health["degraded"])
        # It comes back empty: both fold, and nothing is forgotten.
        fault_server.start()
        for one in pair:
            is_up(one, 2)
        assert use_of(fault_server)[0][0] == 40 == len(fake.requests)
        assert statuses(storm(pair, 5)) == {429: 10}
        assert statuses(storm(pair, 1, model="paid")) == {200: 2}


def test_emptied_while_it_runs(
    pair: list[GatewayProcess], fault_server: CounterServer
) -> None:
    with FakeProvider() as fake:
        configure(pair, fault_server, limited(fake, "emptied", 30))
        assert statuses(storm(pair, 5)) == {200: 10}
        wait_until(lambda: [shown(one) for one in pair] == [10, 10], "the sums")
        fault_server.client.flushall()
        found = statuses(storm(pair, 30))
        assert found[200] == 20
        assert len(fake.requests) == 30
        for one in pair:
            is_up(one, 2)
        wait_until(lambda: (30, 0) in use_of(fault_server), "the counters")


def test_restored_from_older_data(
    pair: list[GatewayProcess], fault_server: CounterServer
) -> None:
    with FakeProvider() as fake:
        configure(pair, fault_server, limited(fake, "older", 30))
        client = fault_server.client
        meta = "llm-gateway:{default}:meta"
        before = int(client.hget(meta, "seq"))
        generation = client.hget(meta, "generation")
        assert statuses(storm(pair, 5)) == {200: 10}
        [window] = [
            key
            for key in client.scan_iter("*:window:*")
            if client.hget(key, "used") == "10"
        ]
        pipe = client.pipeline()
        pipe.hset(window, mapping={"used": 0, "u:a": 0, "u:b": 0})
        pipe.hset(meta, "seq", before - 5)
        pipe.execute()
        wait_until(lambda: client.hget(meta, "generation") != generation, "a fold")
        for one in pair:
            is_up(one, 2)
        assert client.hget(window, "used") == "10"


@pytest.mark.parametrize("seconds", [0, pytest.param(20, marks=pytest.mark.chaos)])
def test_paused_nobody_waits_longer_than_the_timeout(
    seconds: int, pair: list[GatewayProcess], fault_server: CounterServer
) -> None:
    """And after more than ten seconds, too, all that was used meanwhile is known to both
    before either takes what is left."""
    with FakeProvider() as fake:
        most = {"limits": {"requestsPerDay": 100}}
        configure(pair, fault_server, limited(fake, f"paused {seconds}", 0) | most)
        served, longest = 0, 0.0
        served += statuses(storm(pair, 1))[200]
        fault_server.pause()
        try:
            until = time.monotonic() + seconds
            while not longest or time.monotonic() < until:
                began = time.monotonic()
                found = statuses(storm(pair, 4))
                longest = max(longest, time.monotonic() - began)
                assert set(found) <= {200, 503}
                served += found.get(200, 0)
        finally:
            fault_server.resume()
        assert longest < 5  # 1 s, and a busy machine
        for _ in range(3):
            served += statuses(storm(pair, 20)).get(200, 0)
        for one in pair:
            is_up(one, 2)
        wait_until(lambda: (served, 0) in use_of(fault_server), "the counters")
        while more := statuses(storm(pair, 20)).get(200):
            served += more
        assert served == len(fake.requests) == 100


def test_full(pair: list[GatewayProcess], fault_server: CounterServer) -> None:
    with FakeProvider() as fake:
        configure(pair, fault_server, limited(fake, "full", 30))
        client = fault_server.client
        client.config_set("maxmemory", "1mb")
        try:
            found = storm(pair, 3)
            assert statuses(found) == {200: 6}
            assert "full" in " ".join(pair[0].get("/health")[2]["degraded"])
        finally:
            client.config_set("maxmemory", "0")
        for one in pair:
            is_up(one, 2)
        wait_until(lambda: (6, 0) in use_of(fault_server), "the counters")


def test_a_member_that_is_killed(
    pair: list[GatewayProcess], fault_server: CounterServer
) -> None:
    """After its restart the counters are the sum of the ledgers."""
    with FakeProvider() as fake:
        config = {
            **limited(fake, "killed", 50),
            "limits": {"requestsPerMinute": 50, "tokensPerDay": 10_000_000},
        }
        configure(pair, fault_server, config)
        assert statuses(storm(pair, 10)) == {200: 20}
        one = pair[1]
        assert one.process is not None
        one.process.kill()
        one.process.wait()
        found = statuses(storm(pair[:1], 40))
        assert found == {200: 30, 429: 10}
        one.start()
        is_up(one, 2)
        pair[0].ended(1)
        tokens = sum(
            member.rows(
                "select coalesce(sum(tokens), 0) as n from attempts where provider = 'killed'"
            )[0]["n"]
            for member in pair
        )
        wait_until(lambda: (tokens, 0) in use_of(fault_server), "the sums")
        assert (50, 0) in use_of(fault_server)
        assert len(fake.requests) == 50


def test_after_all_of_that_every_finished_request_is_collected_once(
    pair: list[GatewayProcess],
) -> None:
    """The server was gone, emptied, older, paused and full, and the other one was killed."""
    collector, other = pair
    done = "select id from requests where outcome <> 'in_flight' and member is null"
    own, theirs = ([row["id"] for row in one.rows(done)] for one in pair)
    assert own
    assert theirs

    def collected() -> bool:
        rows = collector.rows("select id from requests where member is not null")
        return sorted(row["id"] for row in rows) == sorted(theirs)

    wait_until(collected, "the requests of the other")
    assert not {*own} & {*theirs}
    wait_until(
        lambda: other.rows("select count(*) as n from unsent")[0]["n"] == 0,
        "nothing to be left to send",
    )
