"""DNS: a name's addresses, looked up off the event loop, and each name once at a time.

A lookup that a dead name server keeps waiting holds a thread for as long as the system's
resolver has patience, whatever became of the request that asked. Such threads are nobody
else's: not those in which files and ledgers are read, and none that the end of the process
would wait for. Requests for one name share a lookup, but one that takes long only with those
who waited from its beginning: by now the network may be another one. Nothing is kept.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from llm_gateway.config.addresses import parsed

SHARED_SECONDS = 2.0
"""A lookup that is older is nobody else's,"""
OF_ONE_NAME = 16
"""while its name has fewer than this many: one in two seconds, for as long as resolvers wait."""
AT_ONCE = 256
"""Lookups under way, of all names; another name is refused, as by a resolver too busy."""

Addresses = tuple[str, ...]
Name = tuple[str, int]


class Lookup(NamedTuple):
    answer: asyncio.Task[Addresses]
    since: float


_under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Name, list[Lookup]]] = (
    WeakKeyDictionary()
)
"""The last of a name's lookups is the newest."""


async def resolve(host: str, port: int) -> Addresses:
    """A name's addresses in the resolver's order; an address is its own.
    Raises OSError (`gaierror`)."""
    if parsed(host) is not None:
        return (host,)
    loop = asyncio.get_running_loop()
    lookups = _under_way.setdefault(loop, {})
    name = host, port
    if not (of_name := lookups.get(name, [])) or _is_old(of_name, loop.time()):
        if sum(map(len, lookups.values())) < AT_ONCE:
            _begin(lookups, name, loop.time())
        elif not of_name:
            raise socket.gaierror(socket.EAI_AGAIN, "too many names are looked up")
    return await asyncio.shield(lookups[name][-1].answer)


def _is_old(of_name: list[Lookup], now: float) -> bool:
    return len(of_name) < OF_ONE_NAME and now - of_name[-1].since > SHARED_SECONDS


def _begin(lookups: dict[Name, list[Lookup]], name: Name, now: float) -> None:
    lookup = Lookup(asyncio.ensure_future(_look_up(*name)), now)
    lookups.setdefault(name, []).append(lookup)
    lookup.answer.add_done_callback(lambda done: _over(lookups, name, done))


async def known_addresses(host: str, port: int) -> Addresses:
    """The same; () where there are none."""
    with suppress(OSError):
        return await resolve(host, port)
    return ()


def _over(
    lookups: dict[Name, list[Lookup]], name: Name, answer: asyncio.Task[Addresses]
) -> None:
    left = [one for one in lookups.pop(name, ()) if one.answer is not answer]
    if left:
        lookups[name] = left
    if not answer.cancelled():
        answer.exception()  # all who asked may have gone


async def _look_up(host: str, port: int) -> Addresses:
    try:
        found = await _in_thread(host, port)
    except UnicodeError as e:
        raise OSError(f"{host!r} is not a host name") from e
    return tuple(dict.fromkeys(_spelled(info[4]) for info in found))


def _in_thread(host: str, port: int) -> "asyncio.Future[list[Any]]":
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def tell(found: list[Any] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def ask() -> None:
        found: list[Any] | None = None
        error: Exception | None = None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as e:
            error = e
        with suppress(RuntimeError):  # the loop may be over by now
            loop.call_soon_threadsafe(tell, found, error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return answer


def _spelled(sockaddr: tuple[object, ...]) -> str:
    """With the interface of a link-local IPv6 address."""
    address = str(sockaddr[0])
    scope = sockaddr[3] if len(sockaddr) > 3 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address
