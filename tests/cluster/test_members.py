"""Five members of two hundred clients each, every kind of limit, and what a wire does to them.

The members' services run in the test's own loop, against a real server: what they grant is
counted, and how long the loop stands still.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.counter_server import CounterServer
from fakes.cut_wire import CutWire

from llm_gateway.domain import Charge

from .inside import Inside, Member, all_look, beaten, provider, until
from .stalls import Stalls

pytestmark = pytest.mark.process
FIVE = ("m0", "m1", "m2", "m3", "m4")
STALL = 0.05
AT_ONCE = ("--repl-diskless-sync-delay", "0")
META = "llm-gateway:{failover}:meta"
MEMBERS = "llm-gateway:{failover}:members"
NEED = Charge(1, 30, 7_000_000)


async def storm(
    members: list[Member], each: int, client: str | None = None
) -> list[tuple[Member, Any]]:
    """Who got in, of so many at once at each member."""

    async def one(member: Member) -> tuple[Member, Any]:
        return member, await member.take(NEED, client)

    tasks = [one(member) for _ in range(each) for member in members]
    return [(member, held) for member, held in await asyncio.gather(*tasks) if held]


CLIENTS = [{"name": "c", "key": "client-key-of-somebody", "limits": {"tokensPerDay": 1000}}]  # fmt: skip
# 1 request, 30 tokens and 0.007 US$ each.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], str | None, int]] = {
    "requests": ({"limits": {"requestsPerMinute": 100}}, {}, None, 100),
    "tokens": ({"limits": {"tokensPerHour": 3000}}, {}, None, 100),
    "cost": ({"limits": {"costPerDay": 0.35}}, {}, None, 50),
    "client": ({}, {"clients": CLIENTS}, "c", 33),
    "budget": ({}, {"budget": {"costPerMonth": 0.25}}, None, 35),
    "zone": (
        {
            "limits": {"requestsPerDay": 64},
            "resets": {"day": "00:00 America/Los_Angeles"},
        },
        {},
        None,
        64,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_exactly_as_many_as_the_limit_says(
    kind: str, server: CounterServer, tmp_path: Path
) -> None:
    more, config, client, most = KINDS[kind]
    named = {"name": f"kind-{kind}"}
    async with Inside(
        tmp_path, provider(**more), server.url, *FIVE, cluster=named, **config
    ) as members:
        got = await storm(members, 200, client)
        assert len(got) == most, [m.events for m in members]
        # What turns out to be less makes room, for all of them.
        for member, held in got[:10]:
            member.settle(held, Charge())
        await all_look(members)
        assert len(await storm(members, 20, client)) == 10


async def test_midnight_of_a_zone_begins_anew_for_all_members_at_once(
    server: CounterServer, tmp_path: Path
) -> None:
    clock = Clock(1793516399.0)
    """A second before midnight of 1 November 2026 in Los Angeles."""
    more = {
        "limits": {"requestsPerDay": 20, "costPerMonth": 0.21},
        "resets": {
            "day": "00:00 America/Los_Angeles",
            "month": "00:00 America/Los_Angeles",
        },
    }
    async with Inside(
        tmp_path,
        provider(**more),
        server.url,
        *FIVE,
        clock=clock,
        server_clock=clock,
        cluster={"name": "midnight"},
    ) as members:
        got = await storm(members, 20)
        assert len(got) == 20
        clock.now += 0.9
        assert not await storm(members, 5)
        clock.now += 0.2
        # Ten of yesterday's end today: their requests are yesterday's, their money is today's.
        for member, held in got[:10]:
            member.settle(held, NEED)
        await all_look(members)
        found = await storm(members, 20)
        # 0.21 of the new month, less 10 x 0.007 settled and 10 x 0.007 still reserved.
        assert len(found) == 10
        for member, held in got[10:]:
            member.settle(held, Charge(1, 0, 0))
        await all_look(members)
        assert len(await storm(members, 20)) == 10


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


FAST = {"timeoutSeconds": 0.3}


def others(member: Member) -> int:
    """What it knows of the others' use, of its one limit."""
    [limit] = member.catalog.limits()
    return member.limiter.book.of(limit.key).total


async def test_a_wire_that_is_cut_holds_nobody_longer_than_the_timeout(
    server: CounterServer, tmp_path: Path
) -> None:
    with CutWire(server.port) as wire:
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerMinute": 50}),
            f"redis://127.0.0.1:{wire.port}",
            *FIVE,
            cluster={"name": "cut", **FAST},
        ) as members:
            assert len(await storm(members, 2)) == 10
            await until(lambda: all(others(m) == 8 for m in members))
            async with Stalls() as stalls:
                wire.drops = True
                began = time.monotonic()
                got = await storm(members, 50)
                took = time.monotonic() - began
                # Who asks now is not held at all.
                began = time.monotonic()
                assert not await storm(members, 50)
                at_once = time.monotonic() - began
            assert len(got) <= 40
            assert took < 0.3 + 1.5  # and a busy machine
            assert at_once < 0.3
            assert stalls.longest < STALL, stalls.worst
            wire.drops = False
            wire.hang_up()
            await until(lambda: all(m.service.state == "up" for m in members))
            rest = await storm(members, 50)
            assert len(got) + len(rest) == 40


async def test_a_slow_server_costs_its_way_and_no_more(
    server: CounterServer, tmp_path: Path
) -> None:
    with CutWire(server.port) as wire:
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerMinute": 100}),
            f"redis://127.0.0.1:{wire.port}",
            *FIVE,
            cluster={"name": "slow"},
        ) as members:
            wire.delay = 0.05
            async with Stalls() as stalls:
                assert len(await storm(members, 20)) == 100
                assert not await storm(members, 20)
            assert stalls.longest < STALL, stalls.worst
            assert all(m.service.state == "up" for m in members)
            assert not any("degraded" in event for m in members for event in m.events)


@pytest.mark.parametrize("lags", [False, True], ids=["in step", "lagging"])
async def test_a_replica_takes_over(lags: bool, tmp_path: Path) -> None:
    with (
        CounterServer(tmp_path / "first", *AT_ONCE) as first,
        CounterServer(
            tmp_path / "second", "--replicaof", "127.0.0.1", str(first.port)
        ) as second,
        CutWire(first.port) as wire,
    ):
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerDay": 60}),
            f"redis://127.0.0.1:{wire.port}",
            *FIVE,
            cluster={"name": "failover", **FAST},
        ) as members:
            replica = second.client
            await until(lambda: in_step(first, second))
            if lags:
                await asyncio.to_thread(replica.replicaof, "NO", "ONE")
            assert len(await storm(members, 4)) == 20
            await until(lambda: all(others(m) == 16 for m in members))
            if not lags:
                # Nothing more is said to the old one, and all of it has arrived.
                wire.drops = True
                await until(lambda: all(m.service.state == "away" for m in members))
                await until(lambda: in_step(first, second))
                await asyncio.to_thread(replica.replicaof, "NO", "ONE")
                wire.drops = False
            generation = replica.hget(META, "generation")
            async with Stalls() as stalls:
                wire.target = second.port
                wire.hang_up()
                await asyncio.to_thread(first.kill)
                while lags and generation == await asyncio.to_thread(
                    replica.hget, META, "generation"
                ):
                    await asyncio.sleep(0.01)
                await until(lambda: all(m.service.state == "up" for m in members))
            assert stalls.longest < STALL, stalls.worst
            assert len(await storm(members, 40)) == 40
            [window] = second.keys().values()
            assert window["used"] == "60"


@pytest.mark.parametrize("long", [False, True], ids=["a moment", "a while"])
async def test_who_comes_back_waits_for_those_who_know_more(
    long: bool, tmp_path: Path
) -> None:
    """A replica takes over that has all that one member was ever told, and not what the
    other one took since: the first keeps to its share until the other has been there,
    however long nobody was heard of."""
    with (
        CounterServer(tmp_path / "first", *AT_ONCE) as first,
        CounterServer(
            tmp_path / "second", "--replicaof", "127.0.0.1", str(first.port)
        ) as second,
        CutWire(first.port) as way_a,
        CutWire(first.port) as way_b,
    ):
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerDay": 60}),
            [f"redis://127.0.0.1:{way.port}" for way in (way_a, way_b)],
            *("a", "b"),
            cluster={"name": "failover", **FAST},
        ) as [a, b]:
            replica = second.client
            way_a.drops = True
            await until(lambda: a.service.state == "away")
            await until(lambda: in_step(first, second))
            await asyncio.to_thread(replica.replicaof, "NO", "ONE")
            if long:
                for name in ("a", "b"):
                    at, _, about = replica.hget(MEMBERS, name).partition(" ")
                    replica.hset(MEMBERS, name, f"{int(at) - 20_000_000} {about}")
            assert len(await storm([b], 10)) == 10
            first.kill()
            way_a.target, way_a.drops = second.port, False
            way_a.hang_up()
            await until(lambda: a.service.state == "folding")
            # Half of what it knew to be left, although the server says that all is there.
            got = await storm([a], 60)
            assert len(got) == 30
            await beaten(a, 3)
            assert a.service.state == "folding"
            way_b.target = second.port
            way_b.hang_up()
            await until(lambda: {a.service.state, b.service.state} == {"up"})
            assert len(await storm([a, b], 60)) == 20
            [window] = second.keys().values()
            assert window["used"] == "60"


async def test_a_fold_amid_requests_takes_none_twice_and_loses_none(
    server: CounterServer, tmp_path: Path
) -> None:
    limits = {"requestsPerMinute": 100, "tokensPerHour": 10**6}
    async with Inside(
        tmp_path,
        provider(limits=limits),
        server.url,
        *("a", "b", "c"),
        cluster={"name": "amid"},
    ) as members:

        async def folded(member: Member) -> None:
            await member.service.folding.put_fold()

        async def asked(member: Member) -> list[Any]:
            storms = [storm([member], 150), folded(member), storm([member], 150)]
            found, _, more = await asyncio.gather(*storms)
            return [*found, *more]

        async def small(member: Member) -> list[Any]:
            """While the other's fold is under way, too."""
            return [one for _ in range(20) for one in await storm([member], 3)]

        a, b, c = members
        found = await asyncio.gather(asked(a), asked(b), small(c))
        got = [one for some in found for one in some]
        assert len(got) == 100
        await all_look(members)
        assert totals(server, "amid") == {(100, 0), (0, 3000)}
        for member, held in got:
            member.settle(held, NEED)
        await all_look(members)
        assert totals(server, "amid") == {(100, 0), (3000, 0)}


def totals(server: CounterServer, name: str) -> set[tuple[int, int]]:
    """Used and reserved of each window of a cluster."""
    client = server.client
    keys = client.scan_iter(f"llm-gateway:{{{name}}}:window:*")
    found = [client.hgetall(key) for key in keys]
    return {(int(one["used"]), int(one["reserved"])) for one in found}


async def test_who_starts_knows_the_others_before_it_grants(
    server: CounterServer, tmp_path: Path
) -> None:
    named = {"name": "start"}
    async with Inside(
        tmp_path,
        provider(limits={"requestsPerDay": 40}),
        server.url,
        *("a", "b"),
        cluster=named,
    ) as [a, b]:
        assert len(await storm([a], 30)) == 30
        late = Member(tmp_path, b.catalog, server.url, "c", time.time, None, named)
        late.service.start()
        granted = 0
        while late.service.state != "up":
            granted += len(await storm([late], 40))
            await asyncio.sleep(0)
        granted += len(await storm([late], 40))
        late.service.stop()
        late.store.close()
        assert granted == 10


async def test_who_starts_after_an_outage_waits_for_those_who_served_on(
    tmp_path: Path,
) -> None:
    """The server is back, and has not heard of what they used without it."""
    named = {"name": "failover", **FAST}
    with (
        CounterServer(tmp_path / "server", keep=True) as server,
        CutWire(server.port) as wire,
    ):
        way = f"redis://127.0.0.1:{wire.port}"
        limited = provider(limits={"requestsPerDay": 60})
        async with Inside(tmp_path, limited, way, *"ab", cluster=named) as [a, b]:
            wire.drops = True
            await until(lambda: {a.service.state, b.service.state} == {"away"})
            assert len(await storm([a, b], 15)) == 30
            for name in "ab":
                at, _, about = server.client.hget(MEMBERS, name).partition(" ")
                server.client.hset(MEMBERS, name, f"{int(at) - 20_000_000} {about}")
            more: Any = ("c", time.time, None, named)
            late = Member(tmp_path, a.catalog, server.url, *more)
            late.service.start()
            await until(lambda: late.service.state == "folding")
            # A third, although the server says that all is there.
            assert len(await storm([late], 60)) == 20
            wire.drops = False
            wire.hang_up()
            members = [a, b, late]
            await until(lambda: all(m.service.state == "up" for m in members))
            assert len(await storm(members, 60)) == 10
            late.service.stop()
            late.store.close()


def in_step(first: CounterServer, second: CounterServer) -> bool:
    """The second server has all that the first one was told."""
    there = second.client.info("replication")
    if there.get("master_link_status") != "up":
        return False
    said = first.client.info("replication")["master_repl_offset"]
    return bool(there["slave_repl_offset"] >= said)


async def test_a_replica_that_is_none_yet_is_away(tmp_path: Path) -> None:
    with (
        CounterServer(tmp_path / "first", *AT_ONCE) as first,
        CounterServer(
            tmp_path / "second", "--replicaof", "127.0.0.1", str(first.port)
        ) as second,
        CutWire(first.port) as wire,
    ):
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerDay": 20}),
            f"redis://127.0.0.1:{wire.port}",
            "a",
            cluster=FAST,
        ) as [member]:
            wire.target = second.port
            wire.hang_up()
            await until(lambda: "replica" in member.service.connecting.why)
            assert len(await storm([member], 30)) == 20
            await asyncio.to_thread(second.client.replicaof, "NO", "ONE")
            await until(lambda: member.service.state == "up")
            assert not await storm([member], 5)
