"""SOCKS5: a stream by way of a proxy, with the handshake of python-socks.

`socks5h` hands the name on. `socks5` has us look it up, and then all addresses of the name are
tried, as for a direct connection: the proxy may have no way to one of them.
"""

import asyncio

from python_socks import (
    ProxyConnectionError,
    ProxyError,
    ProxyTimeoutError,
    ProxyType,
)
from python_socks.async_.asyncio import Proxy as SocksProxy

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams
from llm_gateway.network.proxy_failure import (
    SILENT,
    UNANSWERED,
    ProxyRefused,
    ProxyUnavailable,
    why,
)

FOREVER = 3600.0
"""Seconds that python-socks may take: it is our caller who has a clock."""
DELAY = 1.0
"""Seconds that an address has for itself: farther away than for a direct connection."""


class _Given(str):
    """A user or password that may be empty: python-socks offers none of them then."""

    def __bool__(self) -> bool:
        return True


async def open_socks(
    proxy: ProxyServer,
    host: str,
    port: int,
    eyeballs: HappyEyeballs,
    local_addr: tuple[str, int] | None,
) -> Streams:
    """`host`: as `wire_name` spells it. Raises ProxyUnavailable, ProxyRefused; OSError where
    it is us who could not resolve the name."""
    try:
        there = await eyeballs.living_address(proxy.host, proxy.port)
    except OSError as e:
        raise ProxyUnavailable(proxy, why(e)) from e

    async def connect(address: str) -> Streams:
        return await _handshake(proxy, there, address, port, host, local_addr)

    if proxy.resolves:
        return await connect(host)
    return await eyeballs.first_to_answer(
        host,
        port,
        await eyeballs.resolve(host, port),
        connect,
        via=proxy.shown,
        delay=DELAY,
        final=ProxyUnavailable,
    )


async def _handshake(
    proxy: ProxyServer,
    there: str,
    address: str,
    port: int,
    host: str,
    local_addr: tuple[str, int] | None,
) -> Streams:
    """`there`: the proxy's own address. `host`: what is behind `address`, in words."""
    given = bool(proxy.user or proxy.password)
    handshake = SocksProxy(
        ProxyType.SOCKS5,
        there,
        proxy.port,
        _Given(proxy.user) if given else None,
        _Given(proxy.password) if given else None,
        rdns=True,
    )
    try:
        connected = await handshake.connect(
            address, port, timeout=FOREVER, local_addr=local_addr
        )
    except ProxyConnectionError as e:
        cause = e.__cause__ if isinstance(e.__cause__, OSError) else e
        raise ProxyUnavailable(proxy, why(cause)) from e
    except ProxyTimeoutError as e:
        raise ProxyUnavailable(proxy, SILENT) from e
    except ProxyError as e:
        raise _failure(proxy, f"{host}:{port}", e) from e
    except OSError as e:
        raise ProxyUnavailable(proxy, why(e)) from e
    except ValueError as e:  # bytes that python-socks cannot read as text
        raise ProxyUnavailable(proxy, "does not speak SOCKS5") from e
    return await asyncio.open_connection(sock=connected)


def _failure(proxy: ProxyServer, where: str, error: ProxyError) -> OSError:
    said = str(error)
    if error.error_code is not None or said.startswith("Invalid reply code"):
        return ProxyRefused(proxy, f"answered {said!r} for {where}")
    if "ncomplete" in type(error.__cause__).__name__:
        return ProxyUnavailable(proxy, UNANSWERED)
    return ProxyUnavailable(proxy, _trouble(proxy, said))


def _trouble(proxy: ProxyServer, said: str) -> str:
    given = proxy.user or proxy.password
    if "authentication failure" in said:
        return "does not accept its user and password"
    if "No acceptable authentication" in said:
        return (
            "accepts no user and password" if given else "wants a user and a password"
        )
    if said.endswith("authentication method: 2"):  # one that was not offered
        return "wants a user and a password"
    if "authentication method" in said:
        return "wants to be signed in to by another way than user and password"
    return f"does not speak SOCKS5 ({said})"
