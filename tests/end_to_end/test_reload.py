"""The configuration changes while traffic flows; nobody is harmed by it."""

import asyncio
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Gate, Received, Way, answers, reach

from gateway import GatewayProcess, chat, provider

from .conftest import Start

Config = dict[str, Any]
CONFIG_EVENTS = "select * from events where kind = 'config' order by id"


def revision(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def numbered(fake: FakeProvider, n: int) -> str:
    """A configuration in which everything that travels carries its number."""
    entry = provider(fake, f"p-{n}", free=True, apiKey=f"sk-CANARY-{n}")
    entry["models"] = [{"name": f"real-{n}", "mappedName": "m"}]
    return json.dumps({"providers": [entry]}, indent=2)


def telling(request: Received) -> Answer:
    """The answer says which key and model the upstream was asked with."""
    key = (request.header("authorization") or "").removeprefix("Bearer sk-CANARY-")
    told = f"{key}|{request.json()['model']}"
    return answers.ok(told)(request)


def content(body: Any) -> str:
    return body["choices"][0]["message"]["content"]


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider(telling) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start) -> GatewayProcess:
    """One for all: what a test needs it writes into the configuration."""
    return start_shared({"providers": []})


def put(gateway: GatewayProcess, text: str) -> str:
    """Make a text the running configuration."""
    by_rename(gateway.config_path, text)
    active(gateway, text)
    return text


def active(gateway: GatewayProcess, text: str) -> None:
    """Wait until a text is the running configuration."""
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["revision"] == revision(text),
        f"revision {revision(text)}",
    )


def refused(gateway: GatewayProcess) -> str:
    """Wait until a text was refused; why."""
    found: list[str] = []

    def is_refused() -> bool:
        error = gateway.get("/health")[2]["config"]["error"]
        found[:] = [error] if error else []
        return bool(found)

    gateway.wait_for(is_refused, "a refusal")
    return found[0]


def accepted(gateway: GatewayProcess) -> None:
    """Wait until nothing is wrong with the file any more."""
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["error"] is None, "a good file"
    )


# -- how files change --------------------------------------------------------------


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def by_rename(path: Path, text: str) -> None:
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)


def as_vim(path: Path, text: str) -> None:
    """The old file becomes the backup, a new one takes its name."""
    path.replace(path.with_name("config.jsonc~"))
    path.write_text(text)


def as_emacs(path: Path, text: str) -> None:
    """The backup is a copy, the file is written in place."""
    shutil.copy2(path, path.with_name("config.jsonc~"))
    path.write_text(text)


def gone_and_back(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def with_the_old_times(path: Path, text: str) -> None:
    """As rsync and `cp -p` do: another file with the same size and time."""
    before = path.stat()
    by_rename(path, text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_symlink(path: Path, text: str) -> None:
    """As configuration maps are mounted: the name points elsewhere."""
    target = path.with_name(f"mounted-{revision(text)}")
    target.write_text(text)
    link = path.with_name("link")
    link.symlink_to(target)
    link.replace(path)


CHANGES: list[Callable[[Path, str], None]] = [
    in_place,
    by_rename,
    as_vim,
    as_emacs,
    gone_and_back,
    with_the_old_times,
    by_symlink,
]


def test_a_change_is_seen_however_it_is_made(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    text = put(gateway, numbered(fake, 100))
    began = gateway.wait_rows(CONFIG_EVENTS, lambda rows: revision(text) in str(rows))
    for n, change in enumerate(CHANGES, 101):
        text = numbered(fake, n)
        change(gateway.config_path, text)
        active(gateway, text)
        status, headers, body = gateway.chat()
        assert (status, content(body)) == (200, f"{n}|real-{n}"), change.__name__
        assert headers["x-gateway-revision"] == revision(text)
        assert headers["x-gateway-provider"] == f"p-{n}"
    events = gateway.wait_rows(CONFIG_EVENTS, lambda rows: revision(text) in str(rows))
    said = [event["subject"] for event in events[len(began) :]]
    assert said == ["loaded"] * len(CHANGES)
    assert "sk-CANARY" not in gateway.log()


def test_two_writes_in_one_tick_are_two_changes(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    """Clocks of file systems tick slowly: the second has the time and size of the first."""
    for n in range(110, 130, 2):
        in_place(gateway.config_path, numbered(fake, n))
        gateway.post("/admin/reload", b"", gateway.admin)
        before = gateway.config_path.stat()
        text = numbered(fake, n + 1)
        in_place(gateway.config_path, text)
        os.utime(gateway.config_path, ns=(before.st_atime_ns, before.st_mtime_ns))
        active(gateway, text)


def test_a_file_that_is_gone_for_now_changes_nothing(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    text = put(gateway, numbered(fake, 1))
    gateway.config_path.unlink()
    status, _, body = gateway.post("/admin/reload", b"", gateway.admin)
    assert status == 422
    assert "no such file" in body["error"]["message"]
    assert "no such file" in refused(gateway)
    assert gateway.chat()[0] == 200
    in_place(gateway.config_path, text)
    accepted(gateway)


def test_a_file_that_stays_away_is_missed_and_taken_up_when_it_is_back(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    """Nobody asks for a reload: the log, /health and the page say it all the same."""
    text = put(gateway, numbered(fake, 1))
    gateway.config_path.unlink()
    assert "no such file" in refused(gateway)
    event = gateway.wait_rows(
        CONFIG_EVENTS, lambda rows: rows[-1]["subject"] == "refused"
    )[-1]
    assert event["message"].startswith("the old configuration serves on: ")
    assert event["message"] in gateway.log()
    assert content(gateway.chat()[2]) == "1|real-1"
    in_place(gateway.config_path, text)
    accepted(gateway)
    assert content(gateway.chat()[2]) == "1|real-1"


def test_a_reload_says_who_is_skipped_and_why_as_the_start_does(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    good = json.loads(numbered(fake, 1))
    put(gateway, json.dumps(good))
    keyless = {
        "id": "keyless",
        "type": "groq",
        "apiKey": "${NO_SUCH_KEY}",
        "models": [{"name": "x"}],
    }
    text = put(gateway, json.dumps({"providers": [*good["providers"], keyless]}))
    line = "keyless is skipped: not configured: NO_SUCH_KEY is not set"
    gateway.wait_log(line)
    gateway.wait_rows(
        CONFIG_EVENTS,
        lambda rows: rows[-1]["message"].startswith(
            f"revision {revision(text)} is active: 1 models of 1 providers"
        ),
    )
    said = gateway.log().count(line)
    put(
        gateway,
        json.dumps({"logLevel": "debug", "providers": [*good["providers"], keyless]}),
    )
    put(gateway, json.dumps(good))
    assert gateway.log().count(line) == said  # known: not again with each save


def test_an_invalid_text_is_refused_with_its_place(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    good = put(gateway, numbered(fake, 1))
    loaded_at = gateway.get("/health")[2]["config"]["loaded_at"]
    bad = good.replace('"free"', '"fre"')
    line = next(n for n, row in enumerate(bad.split("\n"), 1) if '"fre"' in row)
    by_rename(gateway.config_path, bad)
    said = refused(gateway)
    assert f"config.jsonc:{line}:" in said
    assert "providers[0].fre" in said
    assert "free" in said
    health = gateway.get("/health")[2]
    assert (health["status"], health["degraded"]) == ("ok", [])
    assert health["config"]["revision"] == revision(good)
    assert health["config"]["loaded_at"] == loaded_at
    assert content(gateway.chat()[2]) == "1|real-1"
    event = gateway.wait_rows(CONFIG_EVENTS, lambda rows: "[0].fre" in str(rows))[-1]
    assert event["subject"] == "refused"
    assert "providers[0].fre" in event["message"]
    by_rename(gateway.config_path, good)
    accepted(gateway)
    by_rename(gateway.config_path, good[: len(good) // 2])
    assert "config.jsonc:" in refused(gateway)
    assert content(gateway.chat()[2]) == "1|real-1"
    text = numbered(fake, 2)
    by_rename(gateway.config_path, text)
    active(gateway, text)
    assert content(gateway.chat()[2]) == "2|real-2"


def test_providers_come_go_and_change_their_names(gateway: GatewayProcess) -> None:
    with FakeProvider() as one, FakeProvider() as two:
        first = provider(one, "one", free=True)
        second = provider(two, "two", "m", "n", free=True)
        put(gateway, json.dumps({"providers": [first]}))

        def change(*providers: Config) -> list[str]:
            put(gateway, json.dumps({"providers": providers}))
            found = gateway.get("/route?model=m")[2]["candidates"]
            return sorted(c["provider"] for c in found)

        assert gateway.chat("n")[0] == 404
        assert change(first, second) == ["one", "two"]
        assert gateway.chat("n")[1]["x-gateway-provider"] == "two"
        assert change(second) == ["two"]
        assert gateway.chat()[1]["x-gateway-provider"] == "two"
        assert change({**second, "id": "zwei/é 2"}) == ["zwei/é 2"]
        assert gateway.chat()[1]["x-gateway-provider"] == "zwei/%C3%A9%202"
        assert change({**second, "enabled": False}, first) == ["one", "two"]
        assert gateway.chat()[1]["x-gateway-provider"] == "one"
        assert gateway.chat("n")[0] == 503
        rows = gateway.wait_rows("select id from providers order by id")
        assert [row["id"] for row in rows] == ["one", "two"]


def test_a_rotated_key_is_the_next_requests(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    text = put(gateway, numbered(fake, 1))
    fake.then(answers.status(401))
    assert gateway.chat()[0] != 200
    assert gateway.chat()[0] != 200  # an account whose key was refused rests
    assert len(fake.requests) == 1
    put(gateway, text.replace("sk-CANARY-1", "sk-CANARY-7"))
    assert content(gateway.chat()[2]) == "7|real-1"


def test_limits_change_and_counters_stay(gateway: GatewayProcess) -> None:
    with FakeProvider() as fake:

        def config(**limits: int) -> str:
            counted = provider(fake, "counted", free=True, limits=limits)
            return json.dumps({"providers": [counted]})

        def change(**limits: int) -> None:
            put(gateway, config(**limits))

        def consumed(key: str) -> tuple[int, int]:
            [entry] = gateway.get("/usage/current")[2]["providers"]
            found = entry["models"][0]["limits"][key]
            return found["consumed"], found["limit"]

        change(requestsPerHour=3)
        assert [gateway.chat()[0] for _ in range(2)] == [200, 200]
        change(requestsPerHour=2)
        assert consumed("requestsPerHour") == (2, 2)
        assert gateway.chat()[0] == 429
        change(requestsPerHour=4)
        assert consumed("requestsPerHour") == (2, 4)
        assert gateway.chat()[0] == 200
        # A limit that did not exist counts what the ledger knows.
        change(requestsPerDay=4, tokensPerDay=9000)
        assert consumed("requestsPerDay") == (3, 4)
        assert consumed("tokensPerDay") == (30, 9000)
        assert [gateway.chat()[0] for _ in range(2)] == [200, 429]
        # Away and back: what was spent meanwhile is not forgotten.
        change()
        assert gateway.chat()[0] == 200
        change(requestsPerHour=5)
        assert consumed("requestsPerHour") == (5, 5)
        assert gateway.chat()[0] == 429
        assert len(fake.requests) == 5


def test_prices_hold_from_the_next_request_on(gateway: GatewayProcess) -> None:
    with FakeProvider() as fake:

        def config(price: float) -> str:
            model = {"name": "m", "pricing": {"inputCostPerMillionTokens": price}}
            return json.dumps({"providers": [provider(fake, "priced", models=[model])]})

        put(gateway, config(1_000_000))
        assert gateway.chat()[1]["x-gateway-cost"] == "7.000000000"
        put(gateway, config(2_000_000))
        assert gateway.chat()[1]["x-gateway-cost"] == "14.000000000"
        rows = gateway.wait_rows(
            "select cost_usd from requests where provider = 'priced' order by ts",
            lambda rows: len(rows) == 2,
        )
        assert [row["cost_usd"] for row in rows] == [7, 14]


def test_what_is_under_way_ends_under_its_revision(gateway: GatewayProcess) -> None:
    """Its providers are gone and its keys replaced before it fails over."""
    gate = Gate()
    with FakeProvider() as one, FakeProvider(telling) as two:
        one.default = Answer(500, before=(gate,))
        old = [
            provider(one, "first", free=True, limits={"requestsPerDay": 9}),
            provider(two, "second", apiKey="sk-CANARY-2"),
        ]
        put(gateway, json.dumps({"providers": old}))

        async def walk() -> None:
            async with reach(Way.BASE, gateway.port) as session:
                body = json.dumps(chat()).encode()
                asked = asyncio.ensure_future(
                    session.ask("/v1/chat/completions", body, JSON)
                )
                await gate.arrival()
                before = gateway.get("/health")[2]["config"]["revision"]
                await asyncio.to_thread(put, gateway, numbered(two, 8))
                gate.open()
                answered = await asked
                assert answered.status == 200
                assert answered.header("x-gateway-provider") == "second"
                assert answered.header("x-gateway-revision") == before
                assert content(await answered.json()) == "2|m"

        asyncio.run(walk())
        assert content(gateway.chat()[2]) == "8|real-8"


def test_a_stream_outlives_its_provider(gateway: GatewayProcess) -> None:
    gate = Gate()
    with FakeProvider(answers.stream(["one", "two"], gate=gate)) as fake:
        put(gateway, json.dumps({"providers": [provider(fake, "a", free=True)]}))

        async def walk() -> None:
            async with reach(Way.BASE, gateway.port) as session:
                body = json.dumps(chat(stream=True)).encode()
                gate.release()
                answered = await session.ask("/v1/chat/completions", body, JSON)
                await answered.until(b"one")
                await asyncio.to_thread(put, gateway, '{"providers": []}')
                gate.release()
                assert (await answered.body()).endswith(b"data: [DONE]\n\n")
                id = answered.header("x-gateway-request-id")
                sql = "select * from requests where id = ? and outcome = 'ok'"
                gateway.wait_rows(sql, bool, id)

        asyncio.run(walk())
        assert gateway.chat()[0] == 404


# -- many, under load --------------------------------------------------------------

JSON = [("content-type", "application/json")]


class Clients:
    """Clients that ask one thing after another, each on a connection of its own.

    thinking: seconds between two requests of a client.
    """

    def __init__(
        self, gateway: GatewayProcess, revisions: dict[str, int], thinking: float
    ) -> None:
        self.gateway = gateway
        self.revisions = revisions
        self.thinking = thinking
        self.served = 0
        self.wrong: list[str] = []
        self.done = False

    async def one(self) -> None:
        async with reach(Way.BASE, self.gateway.port) as session:
            body = json.dumps(chat()).encode()
            while not self.done:
                answered = await session.ask("/v1/chat/completions", body, JSON)
                told = await answered.body()
                self.served += 1
                n = self.revisions.get(answered.header("x-gateway-revision") or "")
                if answered.status != 200 or (
                    content(json.loads(told)),
                    answered.header("x-gateway-provider"),
                    answered.header("x-gateway-model"),
                ) != (f"{n}|real-{n}", f"p-{n}", f"real-{n}"):
                    self.wrong.append(f"{answered.status} {answered.headers} {told!r}")
                await asyncio.sleep(self.thinking)


def reloads(
    start: Start,
    fake: FakeProvider,
    *,
    count: int,
    clients: int,
    thinking: float = 0.0,
) -> None:
    """Valid and invalid texts in turn, by file and by POST, while clients ask."""
    first = numbered(fake, 0)
    revisions = {revision(first): 0}
    gateway = start(first)

    def replace(n: int) -> None:
        text = numbered(fake, n)
        revisions[revision(text)] = n
        if n % 2:
            bad = re.sub(r'"id".*', '"idd": 5,', text)
            by_rename(gateway.config_path, bad)
            status, _, told = gateway.post("/admin/reload", b"", gateway.admin)
            assert (status, "idd" in str(told)) == (422, True)
            assert "idd" in gateway.get("/health")[2]["config"]["error"]
        elif n % 4:
            status, _, told = gateway.post("/config", json.loads(text), gateway.admin)
            assert status == 200, told
            revisions[told["revision"]] = n
        else:
            in_place(gateway.config_path, text)
            status, _, told = gateway.post("/admin/reload", b"", gateway.admin)
            assert (status, told["revision"]) == (200, revision(text))

    async def walk() -> Clients:
        load = Clients(gateway, revisions, thinking)
        tasks = [asyncio.ensure_future(load.one()) for _ in range(clients)]
        began = asyncio.get_running_loop().time()
        try:
            for n in range(1, count + 1):
                await asyncio.to_thread(replace, n)
        finally:
            load.done = True
            took = asyncio.get_running_loop().time() - began
            await asyncio.gather(*tasks)
        mib = gateway.rss() >> 20
        print(f"{count} reloads in {took:.1f} s, {load.served} requests, {mib} MiB")
        return load

    load = asyncio.run(walk())
    assert load.wrong == []
    assert load.served >= clients
    assert len(load.revisions) > count / 2
    assert len(gateway.ended(load.served)) == load.served
    rows = gateway.rows("select outcome, count(*) as n from requests group by 1")
    assert rows == [{"outcome": "ok", "n": load.served}]
    texts = "".join(p.read_text() for p in gateway.folder.glob("config.jsonc*"))
    assert len(set(re.findall(r"real-\d+", texts))) <= 6  # five backups and itself


def test_reloads_under_load(start: Start, fake: FakeProvider) -> None:
    reloads(start, fake, count=40, clients=12)


@pytest.mark.chaos
def test_two_hundred_reloads_under_fifty_clients(
    start: Start, fake: FakeProvider
) -> None:
    reloads(start, fake, count=200, clients=50, thinking=0.25)
