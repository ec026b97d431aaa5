"""One mitmdump with the layer's test script for all tests here, and what talks to it."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes import Answered, Authority, FakeProvider, MitmProcess, Session, Way, reach

HERE = Path(__file__).parent
ADDON = HERE.parents[1] / "addon"
CHAT = "/v1/chat/completions"

Place = FakeProvider | tuple[str, str, int]
"""A provider, or [scheme, host, port]."""


class Rig:
    """The proxy under test, seen from outside."""

    _names = 0

    def __init__(self, mitm: MitmProcess, authority: Authority) -> None:
        self.mitm = mitm
        self.authority = authority
        self._expected: list[str] = []

    def name(self) -> str:
        Rig._names += 1
        return f"flow-{Rig._names}"

    def expect_traceback(self, words: str) -> None:
        """This test makes an addon raise."""
        self._expected.append(words)

    def complaints(self, log: str) -> list[str]:
        """Tracebacks in the log that no test asked for."""
        parts = log.split("Traceback (most recent call last)")[1:]
        return [p for p in parts if not any(words in p for words in self._expected)]

    @asynccontextmanager
    async def client(
        self, way: Way = Way.BASE, alpn: Sequence[str] = ()
    ) -> AsyncIterator[Session]:
        port, ca = self.mitm.port, self.mitm.ca
        async with reach(way, port, ca=ca, alpn=alpn) as session:
            yield session

    def plan(self, *to: Place, **order: object) -> tuple[str, str]:
        """The header that tells the script where to go."""
        places = [
            [p.base_url.partition(":")[0], p.host, p.port]
            if isinstance(p, FakeProvider)
            else p
            for p in to
        ]
        return ("x-plan", json.dumps({"to": places, **order}))

    async def ask(
        self, session: Session, *to: Place, body: bytes | None = None, **order: object
    ) -> Answered:
        order.setdefault("name", self.name())
        if body is None:
            body = b'{"model": "m", "say": "nonce-%d"}' % self._names
        return await session.ask(CHAT, body, [self.plan(*to, **order)])

    async def control(self, what: str) -> Any:
        async with self.client() as session:
            return await (await session.ask(f"/{what}", method="GET")).json()

    async def hooks(self, name: str) -> list[str]:
        hooks: list[str] = (await self.control(f"_hooks/{name}"))["hooks"]
        return hooks


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def _mitm(confdir: Path, authority: Authority) -> Iterator[MitmProcess]:
    path = os.pathsep.join(filter(None, [str(ADDON), os.environ.get("PYTHONPATH")]))
    with MitmProcess(
        HERE / "layer_script.py",
        confdir=confdir,
        trust=authority.ca,
        env={"PYTHONPATH": path},
        verbosity="warn",
    ) as mitm:
        yield mitm


@pytest.fixture
def rig(_mitm: MitmProcess, authority: Authority) -> Iterator[Rig]:
    """Fails the test if mitmproxy crashed meanwhile."""
    before = len(_mitm.log())
    rig = Rig(_mitm, authority)
    yield rig
    log = _mitm.log()[before:]
    assert _mitm.alive
    assert "crashed" not in log, log
    assert rig.complaints(log) == []
