"""What changes while a cluster runs: limits, passwords, rights, names; and what never was right."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.certs import Authority
from fakes.counter_server import CounterServer, free_port
from providers.sending import catalog_of

from llm_gateway.cluster.away import LACKS

from .inside import Inside, Member, all_look, provider, until
from .stalls import Stalls
from .test_members import storm

pytestmark = pytest.mark.process


async def test_a_limit_that_is_lowered_in_a_storm_holds_from_then_on(
    server: CounterServer, tmp_path: Path
) -> None:
    def limited(most: int) -> dict[str, Any]:
        return provider(limits={"requestsPerDay": most})

    async with Inside(
        tmp_path, limited(200), server.url, *"abc", cluster={"name": "lowered"}
    ) as members:
        got = len(await storm(members, 20))
        assert got == 60
        during = asyncio.create_task(storm(members, 40))
        await asyncio.gather(*(m.change(catalog_of(limited(70))) for m in members))
        got += len(await during)
        assert 70 <= got <= 180  # what was asked for before the change was allowed then
        await all_look(members)
        assert not await storm(members, 20)
        # And one that is raised again has the room that is left, for all of them.
        raised = catalog_of(limited(got + 11))
        await asyncio.gather(*(m.change(raised) for m in members))
        assert len(await storm(members, 20)) == 11


async def why(member: Member, words: str) -> None:
    await until(lambda: member.service.state == "away")
    await until(lambda: words in member.service.connecting.why)


async def test_passwords_and_rights_that_change(tmp_path: Path) -> None:
    with CounterServer(tmp_path / "server") as server:
        acl = server.client
        rules = ["on", ">SECRET", "~*", "+@all"]
        acl.execute_command("ACL", "SETUSER", "g", *rules)
        url = f"redis://g:SECRET@127.0.0.1:{server.port}"
        async with Inside(
            tmp_path, provider(limits={"requestsPerDay": 60}), url, "a", "b"
        ) as members:
            a = members[0]
            changes = [
                (["resetpass", ">ANOTHER"], ["resetpass", ">SECRET"], "password"),
                (["-evalsha"], ["+evalsha"], LACKS),
                (["-hincrby"], ["+hincrby"], LACKS),
                (["resetkeys", "~x:*"], ["~*"], LACKS),
                (["off"], ["on"], "password"),
            ]
            for n, (away, back, words) in enumerate(changes):
                acl.execute_command("ACL", "SETUSER", "g", *away)
                if words == "password":  # who is in stays in, until then
                    acl.execute_command("CLIENT", "KILL", "USER", "g")
                await why(a, words)
                assert not any("SECRET" in event for event in a.events)
                acl.execute_command("ACL", "SETUSER", "g", *back)
                await until(lambda: all(m.service.state == "up" for m in members))
                assert len(await storm(members, 3)) == 6, n
            await all_look(members)
            assert len(await storm(members, 60)) == 30


async def test_a_socket_that_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "v.sock"
    options = ("--unixsocket", str(path))
    with CounterServer(tmp_path / "server", *options, keep=True) as server:
        async with Inside(tmp_path, provider(), f"unix://{path}", "a") as [member]:
            path.unlink()
            server.client.execute_command("CLIENT", "KILL", "TYPE", "normal")
            await why(member, "no socket of that name")
            server.kill()
            server.start()
            await until(lambda: member.service.state == "up")


async def test_a_certificate_of_somebody_else(tmp_path: Path) -> None:
    ours, theirs = (Authority(tmp_path / n, n) for n in ("ours", "theirs"))
    cert = theirs.issue("127.0.0.1", "localhost")
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", str(cert))
    options += ("--tls-key-file", str(cert), "--tls-ca-cert-file", str(theirs.ca))
    options += ("--tls-auth-clients", "no")
    with CounterServer(tmp_path / "server", *options):
        url = f"rediss://127.0.0.1:{port}"
        cluster = {"caFile": str(theirs.ca)}
        for right in (url, f"rediss://localhost:{port}"):
            async with Inside(tmp_path, provider(), right, "a", cluster=cluster):
                pass
        for wrong in ({"caFile": str(ours.ca)}, {}):
            outside = Inside(tmp_path, provider(), url, "b", cluster=wrong)
            [member] = outside.members
            member.service.start()
            async with Stalls() as stalls:
                await why(member, "TLS failed")
            assert stalls.worst.computed < 0.04  # the machine's authorities are many
            member.service.stop()
            member.store.close()


@pytest.mark.parametrize("ledger", ["another", "the same"])
async def test_two_of_one_name(
    ledger: str, server: CounterServer, tmp_path: Path
) -> None:
    """With a ledger of its own it is another gateway, and takes another name. With the same
    one it is the same one anew: the one of before goes on with a share, as one more."""
    named = {"name": f"twins-{ledger[:3]}"}
    one = provider(limits={"requestsPerDay": 60})
    async with Inside(tmp_path, one, server.url, *"ab", cluster=named) as [a, b]:
        folder = tmp_path / "twin"
        folder.mkdir()
        found: Any = (folder, a.catalog, server.url, "a", time.time, None, named)
        twin = Member(*found, fresh=ledger == "another")
        twin.service.start()
        try:
            if ledger == "the same":
                await why(a, "another gateway is the member 'a'")
                assert len(await storm([a], 60)) == 20
            await until(lambda: twin.service.state == "up")
            members = [twin, b] if ledger == "the same" else [a, twin, b]
            assert len(await storm(members, 60)) == 60
            if ledger == "another":
                name = twin.service.member
                assert name.startswith("a-")
                assert f"this one {name!r}" in " ".join(twin.events)
                assert {m.service.state for m in members} == {"up"}
        finally:
            twin.service.stop()
            twin.store.close()


async def test_a_member_whose_ledger_was_lost_is_the_same_one(
    server: CounterServer, tmp_path: Path
) -> None:
    """It begins anew at once, with another ledger: nobody else has its name."""
    named = {"name": "lost"}
    one = provider(limits={"requestsPerDay": 60})
    async with Inside(tmp_path, one, server.url, "b", cluster=named) as [b]:
        found: Any = (b.catalog, server.url, "a", time.time, None, named)
        for folder in (tmp_path / "before", tmp_path / "after"):
            folder.mkdir()
            member = Member(folder, *found, fresh=True)
            member.service.start()
            await until(lambda: member.service.state == "up")  # noqa: B023
            assert member.service.member == "a"
            member.service.stop()
            member.store.close()


async def test_a_server_with_shards(tmp_path: Path) -> None:
    """One that has no slots yet, has all of them, and no second database."""
    # Its own choice is 10,000 above the other, which may be none.
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with CounterServer(tmp_path / "server", *options) as server:
        url = f"redis://127.0.0.1:{server.port}"
        for way, words in ((url, "not complete"), (f"{url}/1", "one database only")):
            outside = Inside(tmp_path, provider(), way, "a")
            [member] = outside.members
            member.service.start()
            await why(member, words)
            member.service.stop()
            member.store.close()
        server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        limits = {"requestsPerDay": 9}
        async with Inside(tmp_path, provider(limits=limits), url, "a", "b") as members:
            assert len(await storm(members, 9)) == 9


SMALL: list[tuple[dict[str, Any], int]] = [
    ({"requestsPerDay": 0}, 0),
    ({"requestsPerDay": 1}, 1),
    ({"tokensPerDay": 59}, 1),
    ({"costPerDay": 0}, 0),
    ({"costPerDay": 0.006999999}, 0),
    ({"costPerDay": 0.013999999}, 1),
    ({"costPerDay": 1_000_000_000}, 60),
]
"""A request is 30 tokens and 0.007 US$."""


async def test_limits_of_almost_nothing_and_of_almost_anything(
    server: CounterServer, tmp_path: Path
) -> None:
    for n, (limits, most) in enumerate(SMALL):
        async with Inside(
            tmp_path,
            provider(limits=limits),
            server.url,
            *"abc",
            cluster={"name": f"small-{n}"},
        ) as members:
            got = await storm(members, 20)
            assert len(got) == most, limits
            await asyncio.gather(*(m.service.fold_now() for m in members * 2))
            await all_look(members)
            assert len(await storm(members, 5)) == (15 if most == 60 else 0), limits
