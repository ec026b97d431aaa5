"""The connection: rights, passwords, sockets, and a server that says nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.counter_server import CounterServer

from llm_gateway.cluster.away import Away
from llm_gateway.cluster.link import Link
from llm_gateway.cluster.script_call import Reply
from llm_gateway.cluster.wire import Tls
from llm_gateway.config.cluster_url import parse_cluster_url

pytestmark = pytest.mark.process
RIGHTS = Path(__file__).parents[2] / "docs" / "cluster.md"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterServer]:
    """With a user who has the rights that docs/cluster.md lists, and no others."""
    folder = tmp_path_factory.mktemp("guarded")
    socket = f"{folder}/v.sock"
    with CounterServer(folder, "--unixsocket", socket) as server:
        lines = RIGHTS.read_text().splitlines()
        [line] = [line for line in lines if line.startswith("user gateway on")]
        _, *words = line.split()
        name, *rules = words
        rules = [r.replace("{home}", "{t}") for r in rules]
        server.client.acl_setuser(name, reset=True)
        server.client.execute_command("ACL", "SETUSER", name, *rules)
        yield server


async def first_reply(url: str, timeout: float = 5.0) -> Reply | str:
    """What the first call comes back with, or why it does not."""
    found: asyncio.Future[Reply | str] = asyncio.get_running_loop().create_future()

    async def up() -> None:
        try:
            reply = await link.call([["hello", "salt", []]])
            header["generation"] = reply.generation
            every_op = [
                ["reserve", "r", 9, [1, 1, 1], [["w", 0, 5, 60_000_000, 0, 0]]],
                ["settle", "r", [1, 1, 1]],
                ["renew", ["r"], 9],
                ["count", 0, [1, 1, 1], [["w", 0, 5, 60_000_000, 0, 0]]],
                ["fold_begin", ["r"]],
                ["fold", "w", "w", 5, 60_000_000, 0, 0, 0, 0, [], ["r"]],
                ["no_amount", ["v"]],
                ["amounts", ["w"]],
                ["fold_end"],
                ["look", ["w"]],
                ["tell", "{}"],
                ["hear", "+"],
                ["hear", "0-0"],
                ["ship", "l", [[1, "{}"]], 10],
                ["collect", "l"],
                ["rows", "0-0", 9],
                ["collected", "0-1", [["a", "l", "1"]]],
                ["beat", "{}", ["w"]],
                ["windows"],
                ["members"],
                ["forget", "nobody"],
            ]
            found.set_result(await link.call(every_op))
        except Away as error:
            found.set_result(str(error))
            raise

    def down(why: str) -> None:
        if not found.done():
            found.set_result(why)

    header = {"member": "a", "instance": "1", "generation": "", "fresh": "g"}
    loop = asyncio.get_running_loop()
    link = Link(
        parse_cluster_url(url),
        "llm-gateway:{t}:",
        timeout=timeout,
        tls=Tls(),
        clock=loop.time,
        on_up=up,
        on_down=down,
        on_reply=lambda reply: None,
    )
    link.header = lambda: header
    running = loop.create_task(link.run())
    try:
        return await asyncio.wait_for(asyncio.shield(found), 30)
    finally:
        running.cancel()


async def test_the_rights_in_the_docs_are_enough(guarded: CounterServer) -> None:
    url = f"redis://gateway:PASSWORD@127.0.0.1:{guarded.port}"
    reply = await first_reply(url)
    assert isinstance(reply, Reply), reply
    assert reply.status == "ok"


async def test_a_unix_socket(guarded: CounterServer) -> None:
    reply = await first_reply(f"unix://gateway:PASSWORD@{guarded.folder}/v.sock")
    assert isinstance(reply, Reply), reply


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://gateway:SECRET@127.0.0.1:{port}", "user or password is wrong"),
        ("redis://127.0.0.1:1", "connection refused"),
        ("unix:///nowhere/v.sock", "connection"),
        ("rediss://127.0.0.1:{port}", ""),
    ],
)
async def test_why_it_is_away(guarded: CounterServer, url: str, why: str) -> None:
    said = await first_reply(url.format(port=guarded.port), timeout=1.0)
    assert isinstance(said, str)
    assert why in said
    assert "SECRET" not in said
