"""The connection: rights, passwords, sockets, and a server that says nothing."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fakes.counter_server import CounterServer

from llm_gateway.cluster.away import LACKS, Away
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
        server.client.execute_command(
            "ACL", "SETUSER", "gateway", "on", ">PASSWORD", *rights()
        )
        yield server


def rights() -> list[str]:
    """As docs/cluster.md lists them, after name and password."""
    lines = RIGHTS.read_text().splitlines()
    [line] = [line for line in lines if line.startswith("user gateway on >PASSWORD")]
    return [word.replace("{home}", "{t}") for word in line.split()[4:]]


async def first_reply(url: str, timeout: float = 5.0) -> Reply | str:
    """What the first call comes back with, or why it does not."""
    found: asyncio.Future[Reply | str] = asyncio.get_running_loop().create_future()

    async def up() -> None:
        try:
            reply = await link.call([["hello", "salt", [], ""]])
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
                ["renew_generation", 5],
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


async def test_a_right_too_few_is_said(guarded: CounterServer) -> None:
    """Whichever it is, and keys under another prefix: what it says is what to do."""
    client = guarded.client
    rules = rights()
    lacking = [rule for rule in rules if rule.startswith("+")] + ["~llm-gateway:{t}:*"]
    for n, rule in enumerate(lacking):
        name = f"user{n}"
        client.execute_command(
            "ACL", "SETUSER", name, "on", ">SECRET", *(r for r in rules if r != rule)
        )
        said = await first_reply(f"redis://{name}:SECRET@127.0.0.1:{guarded.port}")
        # Without a name for the connection, or a choice of the database, it goes on.
        if isinstance(said, Reply):
            assert rule in ("+client|setname", "+select", "+exists")
        else:
            assert said == LACKS, rule


# What a real server says, as it goes over the wire; to a call of the script.
REFUSALS = [
    ("-WRONGTYPE Operation against a key script: 12, on @user_script:1.", "type"),
    ("-ERR ACL failure in script: User u has no permissions to run", "right"),
    ("-ERR The user executing the script can't run this command", "right"),
    ("-NOPERM User u has no permissions to run the 'evalsha' command", "right"),
    ("-ERR Unknown Redis command called from script", "Valkey 7.2"),
    ("-ERR unknown command 'EVALSHA', with args beginning with: CANARY", "Valkey 7.2"),
    ("-ERR Write commands not allowed after non deterministic commands.", "Valkey 7.2"),
    ("-NOSCRIPT No matching script. Please use EVAL.", "script is gone"),
    ("-BUSY Redis is busy running a script. You can only call SCRIPT KILL", "busy"),
    ("-MOVED 3999 10.0.0.1:6381", "shards"),
    ("-ASK 3999 10.0.0.1:6381", "shards"),
    ("-CROSSSLOT Keys in request don't hash to the same slot", "shards"),
    ("-TRYAGAIN Multiple keys request during rehashing of slot", "another shard"),
    ("-CLUSTERDOWN Hash slot not served", "not complete"),
    ("-READONLY You can't write against a read only replica.", "replica"),
    ("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is", "replica"),
    ("-OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
    ("-LOADING Redis is loading the dataset in memory", "loading"),
    ("-MISCONF Redis is configured to save RDB snapshots", "disk"),
    ("-NOAUTH Authentication required.", "password"),
    ("-ERR CANARY of 10.0.0.1", "connection lost (ResponseError)"),
    ("HTTP/1.1 400 CANARY", "no Valkey or Redis server"),
]
# The same, to whoever connects.
GREETINGS = [
    (
        "-DENIED Redis is running in protected mode because protected mode is enabled "
        "and no password is set for the default user.",
        "protected mode",
    ),
    ("-ERR max number of clients reached", "too many connections"),
    ("-LOADING Redis is loading the dataset in memory", "loading"),
    ("HTTP/1.1 400 CANARY", "no Valkey or Redis server"),
    ("", "connection lost"),
]


@contextlib.asynccontextmanager
async def server_that_says(text: str, *, at_once: bool = False) -> AsyncIterator[str]:
    """A server that greets with this, or answers a call of the script with it; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not at_once:
            while data := await reader.read(65536):
                last = b"EVALSHA" in data
                begun = len(re.findall(rb"(?:^|\r\n)\*\d+\r\n", data))
                writer.write(f"{text}\r\n".encode() if last else b"+OK\r\n" * begun)
                if last:
                    break
        elif text:
            writer.write(f"{text}\r\n".encode())
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(("text", "said"), REFUSALS)
async def test_what_the_server_refuses_is_said_in_our_words(
    text: str, said: str
) -> None:
    async with server_that_says(text) as url:
        found = await first_reply(url)
    assert isinstance(found, str)
    assert said in found
    assert "CANARY" not in found
    assert "10.0.0" not in found


@pytest.mark.parametrize(("text", "said"), GREETINGS)
async def test_how_a_server_greets_is_said_in_our_words(text: str, said: str) -> None:
    async with server_that_says(text, at_once=True) as url:
        found = await first_reply(url)
    assert isinstance(found, str)
    assert said in found
    assert "CANARY" not in found


async def test_a_unix_socket(guarded: CounterServer) -> None:
    reply = await first_reply(f"unix://gateway:PASSWORD@{guarded.folder}/v.sock")
    assert isinstance(reply, Reply), reply


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://gateway:SECRET@127.0.0.1:{port}", "user or password is wrong"),
        ("redis://127.0.0.1:1", "connection refused"),
        ("unix:///nowhere/v.sock", "no socket of that name"),
        ("rediss://127.0.0.1:{port}", "no answer in time"),
        ("redis://gateway:PASSWORD@127.0.0.1:{port}/99", "no database of that number"),
        ("redis://no-such-host.invalid:{port}", "host is not known"),
    ],
)
async def test_why_it_is_away(guarded: CounterServer, url: str, why: str) -> None:
    said = await first_reply(url.format(port=guarded.port), timeout=1.0)
    assert isinstance(said, str)
    assert why in said
    assert "SECRET" not in said
