"""Clocks that are wrong, and that are set while the cluster runs: the server's, a member's, or
both on one machine. The provider has another one, and never gets more than the limit."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.counter_server import CounterServer

from llm_gateway.network.clocks import WallClock

from .inside import Inside, Member, all_look, beaten, provider, until
from .test_members import NEED, storm

pytestmark = pytest.mark.process
NOON = 1793534400.0
"""Of 1 November 2026."""
HOUR, DAY = 3600.0, 86_400.0
NAMES = ("a", "b", "c")
LIMITS = {
    "minute": {"limits": {"requestsPerMinute": 30}},
    "tokens": {"limits": {"tokensPerDay": 900}},
    "rolling day": {"limits": {"requestsPerDay": 30}},
    "day of a zone": {
        "limits": {"requestsPerDay": 30},
        "resets": {"day": "00:00 America/Los_Angeles"},
    },
    "month": {"limits": {"requestsPerMonth": 30}},
}

ROWS = [
    ("minute", "server", HOUR),
    ("minute", "server", -HOUR),
    ("minute", "both", 3 * DAY),
    ("minute", "a", HOUR),
    ("tokens", "server", HOUR),
    ("tokens", "both", -HOUR),
    ("rolling day", "both", 3 * DAY),
    ("day of a zone", "server", 3 * DAY),
    ("day of a zone", "server", -3 * DAY),
    ("day of a zone", "a", -HOUR),
    ("month", "server", -3 * DAY),
]
"""Of every kind, and each way."""


class World:
    """The time that really passes, and what each clock makes of it."""

    def __init__(self) -> None:
        self._from = NOON - time.monotonic()
        self.off = dict.fromkeys(NAMES, 0.0)
        self.server_off = 0.0
        self.clocks = {name: self._clock(name) for name in NAMES}

    def real(self) -> float:
        return self._from + time.monotonic()

    def go_on(self, seconds: float) -> None:
        self._from += seconds

    def _clock(self, name: str) -> WallClock:
        return WallClock(lambda: self.real() + self.off[name], self.real)

    def server(self) -> float:
        return self.real() + self.server_off

    def listen(self, members: list[Member]) -> None:
        for one in members:
            self.clocks[one.name].on_step.append(one.clock_set)

    def set(self, who: str, step: float) -> None:
        if who in ("server", "both"):
            self.server_off += step
        if who in ("a", "both"):
            self.off["a"] += step


def inside(
    world: World, server: CounterServer, folder: Path, kind: str, name: str
) -> Inside:
    return Inside(
        folder,
        provider(**LIMITS[kind]),
        server.url,
        *NAMES,
        clock=[world.clocks[one] for one in NAMES],
        server_clock=world.server,
        cluster={"name": name},
    )


def settle(got: list[tuple[Member, Any]]) -> None:
    for member, held in got:
        member.settle(held, NEED)


async def noticed(members: list[Member]) -> None:
    """Whatever there is to be noticed; and limits are shared."""
    for _ in range(2):
        await asyncio.gather(*(beaten(one, 2) for one in members))
        await until(lambda: all(one.service.state == "up" for one in members))
    await all_look(members)


@pytest.mark.parametrize(("kind", "who", "step"), ROWS)
async def test_half_of_a_limit_is_half_of_it_whoever_sets_a_clock(
    kind: str, who: str, step: float, server: CounterServer, tmp_path: Path
) -> None:
    world = World()
    name = f"steps-{kind.replace(' ', '-')}-{who}-{step:.0f}"
    async with inside(world, server, tmp_path, kind, name) as members:
        world.listen(members)
        got = await storm(members, 5)
        assert len(got) == 15
        settle(got[:10])  # the others go on
        await all_look(members)
        world.set(who, step)
        found = await storm(members, 20)
        assert len(found) <= 15
        await noticed(members)
        found += await storm(members, 20)
        assert len(found) == 15
        settle(got[10:] + found)
        await all_look(members)
        world.set(who, -step)
        assert not await storm(members, 5)
        await noticed(members)
        assert not await storm(members, 5)
        if kind == "minute":  # and what comes back does so when it would have
            world.go_on(61)
            assert len(await storm(members, 40)) == 30


async def test_members_with_clocks_that_are_wrong(
    server: CounterServer, tmp_path: Path
) -> None:
    """By minutes, and by hours: it is the server's that counts."""
    world = World()
    world.off |= {"a": 420.0, "b": -7200.0}
    async with inside(world, server, tmp_path, "minute", "wrong") as members:
        assert len(await storm(members, 20)) == 30
        await noticed(members)
        assert not await storm(members, 5)
        world.go_on(61)
        assert len(await storm(members, 20)) == 30
        a, b, _ = members
        assert [round(m.service.offset.seconds) for m in (a, b)] == [-420, 7200]
        assert any("420.0 s off" in event for event in a.events)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
@pytest.mark.parametrize("kind", ["minute", "day of a zone"])
async def test_a_share_is_no_larger_by_a_clock_that_is_set(
    kind: str, step: float, tmp_path: Path
) -> None:
    """The server is away, and what the others had used is a matter of this minute still."""
    world = World()
    with CounterServer(tmp_path / "server") as server:
        async with inside(world, server, tmp_path, kind, "away") as members:
            world.listen(members)
            a = members[0]
            assert len(await storm(members[1:], 12)) == 24
            await all_look(members)
            server.kill()
            await until(lambda: all(m.service.state == "away" for m in members))
            world.set("a", step)
            assert len(await storm([a], 10)) == 2
            world.set("a", -step)
            assert not await storm([a], 10)
            if kind == "minute":
                world.go_on(61)
                assert len(await storm([a], 20)) == 10
