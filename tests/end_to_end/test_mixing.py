"""Many clients at once: whose bytes go on whose connections.

Forty clients, HTTP/1 and HTTP/2, routed and passed through, of which some leave in the
middle, read slowly or reset. Upstream connections are told apart by what they carried: none
carried both a request of the gateway's making and one of an app's, and nobody got another's
answer. `MIXING_REQUESTS=20000` for a long run.
"""

import asyncio
import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from fakes import (
    Answer,
    Authority,
    FakeProvider,
    Gone,
    NoHttp2,
    Received,
    Session,
    Way,
    answers,
    reach,
)

from gateway import GatewayProcess, chat, provider

from .conftest import Start

REQUESTS = int(os.environ.get("MIXING_REQUESTS", "1000"))
CLIENTS = 40
OWN = ("authorization", "Bearer sk-APP-CANARY")
MANNERS = ("stays", "stays", "stays", "leaves", "slow", "resets")


def answer(request: Received) -> Answer:
    """The nonce back; a stream that takes its time for every other one."""
    nonce = answers.nonce_of(request.body or request.target.encode())
    if b'"stream": true' not in request.body:
        return answers.ok()(request) if request.method == "POST" else own(nonce)
    return answers.stream(["{nonce}", "x"], pause=0.005)(request)


def own(nonce: str) -> Answer:
    return Answer(
        200, (("content-type", "application/json"),), (json.dumps(nonce).encode(),)
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def upstreams(authority: Authority) -> Iterator[tuple[FakeProvider, FakeProvider]]:
    tls = authority.server_context(alpn=("h2", "http/1.1"))
    with FakeProvider(answer) as plain, FakeProvider(answer, tls=tls) as secure:
        yield plain, secure


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start,
    upstreams: tuple[FakeProvider, FakeProvider],
    authority: Authority,
) -> GatewayProcess:
    plain, secure = upstreams
    there = provider(secure, "tls", "t", free=True)
    there["baseURL"] = f"https://localhost:{secure.port}/v1"
    config = {
        "intercept": {"hosts": ["localhost", "127.0.0.1"]},
        "providers": [provider(plain, "plain", "m", free=True), there],
    }
    gateway = start_shared(config, trust=authority.ca)
    gateway.wait_log("Try: curl")
    return gateway


class Crowd:
    def __init__(
        self, gateway: GatewayProcess, plain: FakeProvider, secure: FakeProvider
    ) -> None:
        self.gateway, self.plain, self.secure = gateway, plain, secure
        self.numbers = itertools.count(1)
        self.left = REQUESTS
        self.asked: Counter[str] = Counter()
        self.foreign: list[str] = []

    async def client(self, seed: int) -> None:
        chance = random.Random(seed)
        while self.left > 0:
            way = chance.choice(list(Way))
            target = self.plain if way is Way.ABSOLUTE else self.secure
            try:
                async with reach(
                    way,
                    self.gateway.port,
                    ca=self.gateway.ca,
                    host="127.0.0.1" if way is Way.ABSOLUTE else "localhost",
                    port=target.port,
                ) as session:
                    await self.some(session, way, chance)
            except NoHttp2:
                continue
            except (Gone, ConnectionError):
                self.asked["cut"] += 1

    async def some(self, session: Session, way: Way, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 6)):
            self.left -= 1
            if not await self.one(session, way, chance):
                return

    async def one(self, session: Session, way: Way, chance: random.Random) -> bool:
        """One request. False: the client has gone."""
        nonce = f"nonce-{next(self.numbers)}-z"
        routed = way is Way.BASE or chance.random() < 0.5
        manner = chance.choice(MANNERS)
        self.asked[f"{way.value} {'routed' if routed else 'passed'}"] += 1
        if routed:
            body = chat("m" if way in (Way.BASE, Way.ABSOLUTE) else "t")
            body["stream"] = chance.random() < 0.5
            body["messages"][0]["content"] = nonce
            path, sent = "/v1/chat/completions", json.dumps(body).encode()
            asking = session.ask(path, sent, [OWN])
        else:
            asking = session.ask(f"/v1/files?{nonce}", b"", [OWN], "GET")
        if manner == "resets":
            await self.reset(session, asking)  # type: ignore[arg-type]
            return False
        answered = await asking
        if manner == "leaves":
            return False
        if manner == "slow":
            await asyncio.sleep(0.01)
        got = await answered.body()
        if answered.status != 200 or f'{nonce}"'.encode() not in got:
            self.foreign.append(f"{nonce}: {answered.status} {got[:200]!r}")
        return True

    async def reset(self, session: object, asking: "asyncio.Future[object]") -> None:
        task = asyncio.ensure_future(asking)
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        session.writer.transport.abort()  # type: ignore[attr-defined]


@pytest.mark.timeout(180 if REQUESTS <= 1000 else 0)
async def test_nothing_is_mixed(
    gateway: GatewayProcess, upstreams: tuple[FakeProvider, FakeProvider]
) -> None:
    crowd = Crowd(gateway, *upstreams)
    await asyncio.gather(*(crowd.client(seed) for seed in range(CLIENTS)))
    assert crowd.foreign == []
    mixed, shared = [], 0
    for upstream in upstreams:
        kinds: dict[int, set[str]] = {}
        for request in upstream.requests:
            key = request.header("authorization") or ""
            kinds.setdefault(request.connection, set()).add(key)
            composed = "chat/completions" in request.target
            assert composed == key.startswith("Bearer sk-CANARY-"), request
        mixed += [found for found in kinds.values() if len(found) > 1]
        shared += len(upstream.requests) - len(kinds)
    assert mixed == []
    assert shared > 0, "connections are used again"
    total = sum(len(upstream.requests) for upstream in upstreams)
    print(f"{total} requests upstream, mixed {len(mixed)}, foreign 0: {crowd.asked}")
    assert "crashed" not in gateway.log()
    assert "A fault in the gateway" not in gateway.log()
