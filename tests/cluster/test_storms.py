"""Five members under storms, some killed on the way: no limit is passed, nothing is lost."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fakes import FakeProvider
from fakes.counter_server import CounterServer

from gateway import GatewayProcess, provider

from .conftest import is_up, member, statuses, storm, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
ROUNDS = int(os.environ.get("STORM_ROUNDS", "3"))
"""Storms of each kind, and members that are killed on the way; 30 of these take a quarter
of an hour."""
SPENT = "select coalesce(sum(cost_usd), 0) as c from attempts"


FIVE = ("m0", "m1", "m2", "m3", "m4")
# One request: 7 tokens in and 3 out, and 0.003 US$, as the fake says. More is reserved.
PRICED = [{"name": "m", "pricing": {"inputCostPerMillionTokens": 0, "outputCostPerMillionTokens": 1000}}]  # fmt: skip
Change = Callable[[int, float], tuple[dict[str, Any], dict[str, Any]]]
# Of a round and what was spent before: what is added to the provider, and besides it.
KINDS: dict[str, tuple[Change, bool]] = {
    "requests": (lambda n, spent: ({"limits": {"requestsPerDay": 100}}, {}), True),
    "client": (
        lambda n, spent: (
            {},
            {"clients": [client(n) | {"limits": {"requestsPerDay": 100}}]},
        ),
        True,
    ),
    "tokens": (lambda n, spent: ({"limits": {"tokensPerDay": 1000}}, {}), False),
    "cost": (
        lambda n, spent: ({"limits": {"costPerDay": 0.3}, "models": PRICED}, {}),
        False,
    ),
    "budget": (
        lambda n, spent: (
            {"models": PRICED},
            {"budget": {"costPerMonth": round(spent + 0.3, 6)}},
        ),
        False,
    ),
}
"""Whether a request uses exactly what it reserves: then one storm takes all there is."""


def client(n: int) -> dict[str, Any]:
    return {"name": f"c{n}", "key": f"client-key-of-somebody-{n}"}


@pytest.fixture(scope="module")
def five(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[tuple[CounterServer, list[GatewayProcess]]]:
    running: list[GatewayProcess] = []
    with CounterServer(tmp_path_factory.mktemp("server")) as server:
        try:
            for name in FIVE:
                config = member({"providers": []}, server.url, name)
                folder = tmp_path_factory.mktemp(name)
                running.append(GatewayProcess(folder, config, confdir=confdir).start())
            for one in running:
                is_up(one, 5)
            yield server, running
        finally:
            for one in running:
                one.__exit__(None, None, None)


def configure(
    five: tuple[CounterServer, list[GatewayProcess]],
    limited: dict[str, Any],
    **besides: Any,
) -> None:
    server, members = five
    for one, name in zip(members, FIVE, strict=True):
        config = member({"providers": [limited], **besides}, server.url, name)
        status, _, body = one.post("/config", config, one.admin)
        assert (status, body["message"]) == (200, "active")
    for one in members:
        is_up(one, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_five_members_two_hundred_clients_each(
    kind: str, five: tuple[CounterServer, list[GatewayProcess]]
) -> None:
    """A hundred requests are allowed, and a hundred reach the provider: never one more,
    and none is refused for good that had room."""
    _, members = five
    change, exact = KINDS[kind]
    reached: Counter[int] = Counter()
    for n in range(ROUNDS):
        spent = sum(one.rows(SPENT)[0]["c"] for one in members)
        more, besides = change(n, spent)
        with FakeProvider() as fake:
            # An account of its own for each round.
            more = {"apiKey": f"sk-{kind}-{n}", "free": "models" not in more, **more}
            limited = provider(fake, f"{kind}{n}", **more)
            configure(five, limited, **besides)
            headers = {}
            if "clients" in besides:
                headers = {"authorization": f"Bearer {besides['clients'][0]['key']}"}
            found = statuses(storm(members, 200, headers, max_tokens=10))
            assert set(found) <= {200, 429}
            if exact:
                assert found == {200: 100, 429: 900}
            while not exact and statuses(
                storm(members, 20, headers, max_tokens=10)
            ).get(200):
                assert len(fake.requests) <= 100
            # Less than one more reservation is left.
            assert 97 <= len(fake.requests) <= 100
            reached[len(fake.requests)] += 1
    print(f"{kind}: requests that reached the provider, and rounds: {dict(reached)}")


ZONES = ("America/Los_Angeles", "Asia/Kolkata", "Pacific/Chatham", "UTC")


def test_days_end_for_all_members_at_once(
    five: tuple[CounterServer, list[GatewayProcess]],
) -> None:
    """A provider's day that ends in the next minute or so, by the clock of its zone: a
    hundred before, a hundred after, and a storm is under way when it ends."""
    _, members = five
    for n in range(max(1, ROUNDS // 4)):
        zone = ZONES[n % len(ZONES)]
        midnight = (time.time() + 30) // 60 * 60 + 60
        there = datetime.fromtimestamp(midnight, ZoneInfo(zone))
        with FakeProvider() as fake:
            limited = provider(
                fake,
                f"day{n}",
                apiKey=f"sk-day-{n}",
                free=True,
                limits={"requestsPerDay": 100},
                resets={"day": f"{there:%H:%M} {zone}"},
            )
            configure(five, limited)
            assert statuses(storm(members, 200)) == {200: 100, 429: 900}
            assert time.time() < midnight - 2, "too slow a machine for this"
            wait_until(lambda: time.time() > midnight - 1, "midnight", 90)  # noqa: B023
            found: Counter[int] = Counter()
            while time.time() <= midnight:  # the last of these is under way then
                found.update(statuses(storm(members, 40)))
            while more := statuses(storm(members, 20)).get(200):
                found[200] += more
            assert (found[200], len(fake.requests)) == (100, 200)
    print(f"{max(1, ROUNDS // 4)} midnights: 100 before and 100 after each")


def test_killed_in_the_storm(tmp_path: Path, confdir: Path) -> None:
    """kill -9 in the middle of storms: the provider never sees more than the limit, and
    after a restart the counters are the sums of the ledgers."""
    chance = random.Random(7)
    with CounterServer(tmp_path / "server") as server, FakeProvider() as fake:
        limits = {"requestsPerDay": 600, "tokensPerDay": 10**9, "costPerDay": 10**6}
        limited = provider(
            fake,
            "p",
            limits=limits,
            models=[
                {
                    "name": "m",
                    "pricing": {
                        "inputCostPerMillionTokens": 1.7,
                        "outputCostPerMillionTokens": 3.3,
                    },
                }
            ],
        )
        three = []
        for n in range(3):
            folder = tmp_path / f"m{n}"
            folder.mkdir()
            config = member({"providers": [limited]}, server.url, f"m{n}")
            three.append(GatewayProcess(folder, config, confdir=confdir).start())
        try:
            for one in three:
                is_up(one, 3)
            for _ in range(ROUNDS):
                victim = chance.choice(three)
                survivors = [one for one in three if one is not victim]
                storm(survivors, chance.randint(5, 15))
                assert victim.process is not None
                storm([victim], chance.randint(0, 5))
                victim.process.kill()
                victim.process.wait()
                storm(survivors, 3)
                victim.start()
                is_up(victim)
                assert len(fake.requests) <= 600
            wait_until(lambda: books(three) == counters(server), "the sums", 30)
            assert books(three)[0] >= len(fake.requests)
            print(f"{ROUNDS} kills: {len(fake.requests)} reached, books {books(three)}")
        finally:
            for one in three:
                one.__exit__(None, None, None)


def books(members: list[GatewayProcess]) -> tuple[int, int, int]:
    """Requests, tokens and nano-dollars that the ledgers say stand against the limits."""
    sql = (
        "select count(*) as r, coalesce(sum(tokens), 0) as t,"
        " coalesce(sum(cost_nano), 0) as c from attempts where counted = 1"
    )
    rows = [one.rows(sql)[0] for one in members]
    r, t, c = (sum(row[name] for row in rows) for name in "rtc")
    return r, t, c


def counters(server: CounterServer) -> tuple[int, int, int]:
    """The same, as the server has it."""
    found = {name.split("|")[1]: int(w["used"]) for name, w in server.keys().items()}
    return found["requests"], found["tokens"], found["cost"]
