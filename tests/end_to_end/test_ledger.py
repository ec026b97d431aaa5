"""The ledger under a gateway that is killed, locked out, or filled up."""

import os
import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fakes import FakeProvider, answers

from gateway import GatewayProcess, provider

from .conftest import Start

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
CLIENTS = 50


def hammer(gateway: GatewayProcess, stop: threading.Event) -> int:
    """One client that asks until it is told to stop, or until nobody answers."""
    answered = 0
    while not stop.is_set():
        try:
            status, _, _ = gateway.chat(stream=answered % 3 == 0)
        except OSError:
            return answered
        except Exception:
            return answered
        answered += status == 200
    return answered


def test_killed_under_load_nothing_is_missing(tmp_path: Path, confdir: Path) -> None:
    """Per provider the ledger knows at least what the upstreams saw, and no attempt twice."""
    chance = random.Random(7)
    with FakeProvider() as one, FakeProvider(answers.stream(["a", "b"])) as two:
        config = {
            "providers": [
                provider(one, "one", free=True, limits={"requestsPerDay": 100_000}),
                provider(two, "two", free=True),
            ]
        }
        folder = tmp_path / "gateway"
        folder.mkdir()
        for number in range(ROUNDS):
            gateway = GatewayProcess(folder, config, confdir=confdir)
            with gateway, ThreadPoolExecutor(CLIENTS) as pool:
                stop = threading.Event()
                clients = [pool.submit(hammer, gateway, stop) for _ in range(CLIENTS)]
                seen = len(one.requests) + len(two.requests)
                enough = seen + chance.randrange(30, 200)
                gateway.wait_for(
                    lambda enough=enough: (
                        len(one.requests) + len(two.requests) >= enough
                    ),
                    f"{enough} requests",
                )
                assert gateway.process is not None
                gateway.process.kill()
                gateway.process.wait()
                stop.set()
                for client in clients:
                    client.result()
            check = sqlite3.connect(folder / "usage.db")
            assert check.execute("pragma quick_check").fetchall() == [("ok",)], number
            check.close()
            for fake, name in ((one, "one"), (two, "two")):
                [found] = gateway.rows(
                    "select count(*) as n, count(distinct request || n) as different "
                    "from attempts where provider = ?",
                    name,
                )
                assert found["n"] >= len(fake.requests), (number, name)
                assert found["n"] == found["different"]
        again = GatewayProcess(folder, config, confdir=confdir)
        with again:
            assert (
                again.rows("select * from requests where outcome = 'in_flight'") == []
            )
            [lost] = again.rows(
                "select count(*) as n from requests where outcome = 'lost'"
            )
            assert lost["n"] > 0
            _, _, usage = again.get("/usage/current")
            limits = usage["providers"][0]["models"][0]["limits"]
            assert limits["requestsPerDay"]["consumed"] >= len(one.requests)
            rows = "select provider, requests from provider_usage order by provider"
            counted = {row["provider"]: row["requests"] for row in again.rows(rows)}
            straight = again.rows(
                "select provider, count(*) as requests from requests "
                "where provider is not null group by provider"
            )
            assert {r["provider"]: r["requests"] for r in straight} == {
                name: count for name, count in counted.items() if name
            }


def test_locked_out_requests_go_on_and_the_rows_follow(start: Start) -> None:
    with FakeProvider() as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        assert gateway.chat()[0] == 200
        gateway.ended(1)
        other = sqlite3.connect(gateway.database, isolation_level=None)
        other.execute("begin immediate")
        try:
            assert [gateway.chat()[0] for _ in range(20)] == [200] * 20
            gateway.wait_for(
                lambda: gateway.get("/health")[2]["status"] == "degraded",
                "the flag in /health",
            )
            _, _, health = gateway.get("/health")
            assert "locked" in health["degraded"][0]
            assert "locked" in gateway.get("/usage/current")[2]["degraded"][0]
        finally:
            other.execute("rollback")
            other.close()
        gateway.ended(21)
        gateway.wait_for(
            lambda: gateway.get("/health")[2]["status"] == "ok", "the flag to go"
        )


def test_prompts_answers_and_keys_are_not_in_the_file(start: Start) -> None:
    with FakeProvider(answers.ok("CANARY-ANSWER")) as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        message = {"role": "user", "content": "CANARY-PROMPT"}
        for stream in (False, True):
            gateway.chat(
                messages=[message],
                stream=stream,
                headers={"authorization": "Bearer sk-CANARY-USER"},
            )
        gateway.ended(2)
        gateway.stop()
        for file in gateway.folder.glob("usage.db*"):
            assert b"CANARY" not in file.read_bytes(), file.name
