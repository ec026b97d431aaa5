"""A server and members for the tests of a module, and storms of clients over all of them."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes.counter_server import CounterServer

from gateway import GatewayProcess, chat

PATIENCE = 60.0
Config = dict[str, Any]
Join = Callable[..., list[GatewayProcess]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterServer]:
    with CounterServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def join(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path, server: CounterServer
) -> Iterator[Join]:
    """`join(config, "a", "b")`: members of a cluster, all of them up."""
    running: list[GatewayProcess] = []

    def joined(
        config: Mapping[str, Any], *names: str, cluster: Mapping[str, Any] | None = None
    ) -> list[GatewayProcess]:
        members = []
        for name in names:
            folder = tmp_path_factory.mktemp(f"member-{name}-")
            whole = member(config, server.url, name, **(cluster or {}))
            members.append(GatewayProcess(folder, whole, confdir=confdir).start())
        running.extend(members)
        for one in members:
            is_up(one, members=len(names))
        return members

    yield joined
    logs = [one.log() for one in running]
    for one in running:
        one.__exit__(None, None, None)
    for log in logs:
        assert "Traceback" not in log, log


def member(config: Mapping[str, Any], url: str, called: str, **more: Any) -> Config:
    return {**config, "cluster": {"url": url, "member": called, **more}}


def cluster_of(gateway: GatewayProcess) -> dict[str, Any]:
    return gateway.get("/health")[2]["cluster"]


def is_up(gateway: GatewayProcess, members: int = 1, state: str = "up") -> None:
    def there() -> bool:
        found = cluster_of(gateway)
        return found["state"] == state and found["members"] >= members

    gateway.wait_for(there, f"the cluster to be {state} with {members} members")


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: Any


async def ask(
    gateway: GatewayProcess, headers: Mapping[str, str] | None = None, **more: Any
) -> Got:
    data = json.dumps(chat(**more)).encode()
    given = {"host": f"127.0.0.1:{gateway.port}", "connection": "close"}
    given |= {"content-length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + data
        )
        raw = await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()
    top, _, rest = raw.partition(b"\r\n\r\n")
    first, *others = top.decode().split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in others)
    try:
        body = json.loads(rest)
    except ValueError:
        body = rest
    return Got(int(first.split()[1]), found, body)


def storm(
    gateways: Sequence[GatewayProcess],
    each: int,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> list[Got]:
    """So many clients at once at each of the gateways."""

    async def all_of_them() -> list[Got]:
        tasks = [ask(g, headers, **more) for _ in range(each) for g in gateways]
        return await asyncio.gather(*tasks)

    return asyncio.run(all_of_them())


def statuses(found: Sequence[Got]) -> dict[int, int]:
    return dict(Counter(one.status for one in found))


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    tick = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        tick.wait(0.05)
    raise AssertionError(f"waited in vain for {what}")
