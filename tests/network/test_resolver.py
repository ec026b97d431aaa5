"""Lookups of names: once at a time, shared, and not for addresses."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from llm_gateway.network import resolver
from llm_gateway.network.resolver import known_addresses, resolve


class Resolver:
    """Stands where the system's is; answers when told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = threading.Event()
        self.found: list[Any] = [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 443))]

    def getaddrinfo(self, host: str, *args: Any, **more: Any) -> list[Any]:
        answer = self.answer
        self.asked.append(host)
        answer.wait(20)
        if not self.found:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
        return self.found


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    yield found
    found.answer.set()


async def wait_for(found: Resolver, count: int) -> None:
    while len(found.asked) < count:
        await asyncio.sleep(0)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "fe80::1%2"])
async def test_an_address_is_not_looked_up(system: Resolver, host: str) -> None:
    assert await resolve(host, 443) == (host,)
    assert system.asked == []


async def test_a_hundred_who_ask_share_one_lookup(system: Resolver) -> None:
    asking = [asyncio.ensure_future(resolve("x.test", 443)) for _ in range(100)]
    other = asyncio.ensure_future(resolve("y.test", 443))
    await wait_for(system, 2)
    asking[0].cancel()  # who gives up takes nothing from the others
    await asyncio.sleep(0)
    system.answer.set()
    assert await asyncio.gather(*asking[1:]) == [("192.0.2.1",)] * 99
    assert await other == ("192.0.2.1",)
    assert sorted(system.asked) == ["x.test", "y.test"]
    await resolve("x.test", 443)  # nothing is kept
    assert len(system.asked) == 3


async def test_a_failure_is_everybodys_and_kept_for_nobody(system: Resolver) -> None:
    system.found = []
    asking = [asyncio.ensure_future(known_addresses("x.test", 443)) for _ in range(3)]
    await wait_for(system, 1)
    system.answer.set()
    assert await asyncio.gather(*asking) == [()] * 3
    with pytest.raises(socket.gaierror):
        await resolve("x.test", 443)
    system.found = [(socket.AF_INET6, 1, 6, "", ("fe80::1", 443, 0, 3))]
    assert await resolve("x.test", 443) == ("fe80::1%3",)


async def test_a_lookup_that_takes_long_is_not_waited_for(
    system: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network has changed meanwhile: who asks now is answered by the new one."""
    monkeypatch.setattr(resolver, "SHARED_SECONDS", -1.0)
    first = asyncio.ensure_future(resolve("x.test", 443))
    await wait_for(system, 1)
    stuck, system.answer = system.answer, threading.Event()
    system.answer.set()
    assert await resolve("x.test", 443) == ("192.0.2.1",)
    assert not first.done()
    stuck.set()
    assert await first == ("192.0.2.1",)


async def test_a_name_server_that_is_dead_keeps_few_threads(
    system: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often, and of however many names, it is asked: none of them are the threads in
    which everything else is done, and the end of a loop waits for none."""
    monkeypatch.setattr(resolver, "SHARED_SECONDS", -1.0)
    monkeypatch.setattr(resolver, "OF_ONE_NAME", 3)
    monkeypatch.setattr(resolver, "AT_ONCE", 8)

    def rounds() -> list[Any]:
        return [
            asyncio.ensure_future(resolve(f"{name}.test", 443))
            for name in "abcd"
            for _ in range(10)
        ]

    asking = rounds()
    await wait_for(system, 8)
    done, waiting = await asyncio.wait(asking, timeout=0)
    assert len(system.asked) == 8
    assert {str(task.exception()) for task in done} == {
        str(socket.gaierror(socket.EAI_AGAIN, "too many names are looked up"))
    }
    assert await asyncio.wait_for(asyncio.to_thread(len, "x"), 5) == 1
    system.answer.set()
    assert {task.result() for task in waiting if await task} == {("192.0.2.1",)}
    assert resolver._under_way[asyncio.get_running_loop()] == {}


def test_the_end_of_a_loop_waits_for_no_name(system: Resolver) -> None:
    """Questions of our own have a loop each, and a time within which they are over."""

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolve("x.test", 443), 0.05)

    asyncio.run(ask())
    assert not system.answer.is_set()


async def test_a_name_that_cannot_be_written_is_an_error_of_names() -> None:
    with pytest.raises(OSError, match="is not a host name"):
        await resolve("a" * 64 + ".test", 443)
    assert await known_addresses("..", 443) == ()
