"""The one ledger of all members: who takes the rows, and what holds them back."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes.counter_server import CounterServer
from ledger.samples import ended, request

from llm_gateway.cluster.ledger_stream import AT_ONCE

from .inside import Inside, Member, beaten, provider, until

pytestmark = pytest.mark.process
LOCKER = Path(__file__).parents[1] / "ledger" / "locker.py"
MINE = "SELECT id FROM requests WHERE member IS NULL ORDER BY id"
THEIRS = "SELECT id FROM requests WHERE member IS NOT NULL ORDER BY id"


def serve(member: Member, *ids: str) -> None:
    for id in ids:
        record = request(id, member.clock())
        member.store.begin(record)
        member.store.end(ended(record))


async def ids(member: Member, sql: str) -> list[str]:
    rows = await asyncio.to_thread(member.store.rows, sql)
    return [row["id"] for row in rows]


async def collected(member: Member, *wanted: str) -> None:
    async with asyncio.timeout(30):
        while await ids(member, THEIRS) != sorted(wanted):
            await asyncio.sleep(0.02)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By another program."""
    argv = [sys.executable, str(LOCKER), str(path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "locked\n"
        yield


async def roles(members: list[Member]) -> tuple[Member, Member]:
    """Who collects, and the other: both want to."""
    a, b = members
    await until(lambda: a.service.is_collector != b.service.is_collector)
    return (a, b) if a.service.is_collector else (b, a)


async def test_a_ledger_that_cannot_be_written_is_not_flooded(
    server: CounterServer, tmp_path: Path
) -> None:
    """Its own rows wait in the same queue: those of others are handed over once, however
    long it takes, and none has to make room for them."""
    async with Inside(
        tmp_path,
        provider(),
        server.url,
        "a",
        "b",
        cluster={"name": "locked", "collect": True},
        backlog=2 * AT_ONCE + 10,
    ) as members:
        collector, other = await roles(members)
        wanted = [f"r{n:03}" for n in range(AT_ONCE)]
        with locked(collector.store.path):
            serve(other, *wanted)
            await until(lambda: bool(collector.store.degraded))
            serve(collector, "own")
            await beaten(collector, 40)
        await collected(collector, *wanted)
        assert await ids(collector, MINE) == ["own"]


async def test_who_was_asleep_while_another_took_its_place_collects_no_more(
    server: CounterServer, tmp_path: Path
) -> None:
    """What it took out of the stream would never come to the other."""
    client, prefix = server.client, "llm-gateway:{asleep}:"
    async with Inside(
        tmp_path,
        provider(),
        server.url,
        "a",
        "b",
        cluster={"name": "asleep", "collect": True},
    ) as members:
        collector, other = await roles(members)
        serve(other, "r1")
        await collected(collector, "r1")
        beat = client.hget(f"{prefix}members", collector.name).partition(" ")[0]
        client.hset(f"{prefix}members", "c", f"{int(beat) + 60_000_000} {{}}")
        client.hset(f"{prefix}meta", "collector", "c /of/c")
        await until(lambda: "'c' collects" in " ".join(collector.events))
        serve(other, "r2")
        # The last of before stays there, and all of its ledger comes.
        await until(lambda: client.xlen(f"{prefix}rows") == 3)
        await beaten(collector, 20)
        assert client.xlen(f"{prefix}rows") == 3
        assert await ids(other, "SELECT request AS id FROM unsent") == ["r1", "r2"]


async def test_a_ledger_in_place_of_one_that_was_lost_gets_all_rows_again(
    server: CounterServer, tmp_path: Path
) -> None:
    named = {"name": "lost"}
    async with Inside(tmp_path, provider(), server.url, "b", cluster=named) as [b]:
        serve(b, "r1", "r2")
        more: Any = (named | {"collect": True},)
        found: Any = (tmp_path, b.catalog, server.url, "a", time.time, None)
        for _ in range(2):
            member = Member(*found, *more, fresh=True)
            member.service.start()
            await collected(member, "r1", "r2")
            member.service.stop()
            member.store.close()
            for file in tmp_path.glob("a.db*"):
                file.unlink()
