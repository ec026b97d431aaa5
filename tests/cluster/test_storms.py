"""Five members under storms, some killed on the way: no limit is passed, nothing is lost."""

import os
import random
from pathlib import Path

import pytest
from fakes import FakeProvider
from fakes.counter_server import CounterServer

from gateway import GatewayProcess, provider

from .conftest import is_up, member, statuses, storm, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
ROUNDS = int(os.environ.get("STORM_ROUNDS", "3"))
"""Members that are killed on the way; 30 take a quarter of an hour."""


def test_five_members_two_hundred_clients_each(tmp_path: Path, confdir: Path) -> None:
    with CounterServer(tmp_path / "server") as server, FakeProvider() as fake:
        five = []
        for n in range(5):
            folder = tmp_path / f"m{n}"
            folder.mkdir()
            limited = provider(fake, "p", free=True, limits={"requestsPerDay": 100})
            config = member({"providers": [limited]}, server.url, f"m{n}")
            five.append(GatewayProcess(folder, config, confdir=confdir).start())
        try:
            for n in range(4):
                for one in five:
                    is_up(one, 5)
                found = statuses(storm(five, 200))
                assert found == {200: 100, 429: 900}
                assert len(fake.requests) == 100 * (n + 1)
                # A fresh account for the next round.
                for one in five:
                    key = f"sk-round-{n}"
                    limited = provider(
                        fake,
                        f"p{n}",
                        free=True,
                        apiKey=key,
                        limits={"requestsPerDay": 100},
                    )
                    name = f"m{five.index(one)}"
                    config = member({"providers": [limited]}, server.url, name)
                    assert one.post("/config", config, one.admin)[0] == 200
        finally:
            for one in five:
                one.__exit__(None, None, None)


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
