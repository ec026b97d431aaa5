"""DNS: a name's addresses, looked up off the event loop, and each name once at a time.

A lookup that a dead name server keeps waiting holds a thread for as long as the system's
resolver has patience, whatever became of the request that asked. Requests for one name share
such a thread, but a lookup that takes long only with those who waited from its beginning: by
now the network may be another one. Nothing is kept.
"""

import asyncio
import socket
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakKeyDictionary

from llm_gateway.config.addresses import parsed

SHARED_SECONDS = 2.0
"""A lookup that is older is nobody else's."""

Addresses = tuple[str, ...]
Name = tuple[str, int]


class Lookup(NamedTuple):
    answer: asyncio.Task[Addresses]
    since: float


_under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Name, Lookup]] = (
    WeakKeyDictionary()
)


async def resolve(host: str, port: int) -> Addresses:
    """A name's addresses in the resolver's order; an address is its own.
    Raises OSError (`gaierror`)."""
    if parsed(host) is not None:
        return (host,)
    loop = asyncio.get_running_loop()
    lookups = _under_way.setdefault(loop, {})
    name, now = (host, port), loop.time()
    lookup = lookups.get(name)
    if lookup is None or now - lookup.since > SHARED_SECONDS:
        lookup = lookups[name] = Lookup(asyncio.ensure_future(_look_up(*name)), now)
        lookup.answer.add_done_callback(lambda done: _over(lookups, name, done))
    return await asyncio.shield(lookup.answer)


async def known_addresses(host: str, port: int) -> Addresses:
    """The same; () where there are none."""
    with suppress(OSError):
        return await resolve(host, port)
    return ()


def _over(
    lookups: dict[Name, Lookup], name: Name, answer: asyncio.Task[Addresses]
) -> None:
    if (last := lookups.get(name)) is not None and last.answer is answer:
        del lookups[name]
    if not answer.cancelled():
        answer.exception()  # all who asked may have gone


async def _look_up(host: str, port: int) -> Addresses:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as e:
        raise OSError(f"{host!r} is not a host name") from e
    return tuple(dict.fromkeys(_spelled(info[4]) for info in found))


def _spelled(sockaddr: tuple[object, ...]) -> str:
    """With the interface of a link-local IPv6 address."""
    address = str(sockaddr[0])
    scope = sockaddr[3] if len(sockaddr) > 3 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address
