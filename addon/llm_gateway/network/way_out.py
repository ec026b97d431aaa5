"""The way out as it is now, for what the gateway itself asks in threads: sign-in, `doctor`.

What lives here: `current`, one per process, which the configuration sets, and
`http_connection`, a blocking HTTP connection by way of it.
"""

import asyncio
import http.client
import os
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import certifi

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.clocks import elapsed
from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams
from llm_gateway.network.outbound_proxy import open_by_way_of
from llm_gateway.network.proxy_rules import DIRECT, ProxyRules


@dataclass
class WayOut:
    rules: ProxyRules = DIRECT
    roots: Path | None = None
    """PEM file of what is trusted (trust.py) beside the system's roots and certifi's."""

    def context(self) -> ssl.SSLContext:
        """For TLS to a provider, or to a proxy that speaks TLS itself. Blocks: it reads
        files, the first time."""
        return _context(self.roots, os.environ.get("SSL_CERT_FILE"))


@lru_cache(maxsize=4)
def _context(roots: Path | None, of_environment: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # reads what the environment names
    # Some Pythons come without roots; these are added to those of the system.
    context.load_verify_locations(certifi.where())
    if roots is not None:
        context.load_verify_locations(roots)
    return context


current = WayOut()


def http_connection(
    scheme: str, host: str, port: int, *, timeout: float, ways: ProxyRules | None = None
) -> http.client.HTTPConnection:
    """Connected, by way of `ways` or the current rules. Blocks; not on an event loop.
    Raises OSError, also of TLS."""
    proxy = (ways or current.rules).choose(scheme, host, port)
    try:
        raw = asyncio.run(_connect(host, port, proxy, timeout))
    except OSError as e:
        if type(e).__module__ == "builtins" and e.errno is not None and e.errno > 0:
            # asyncio names the address in place of what is wrong.
            raise OSError(e.errno, os.strerror(e.errno)) from e
        raise
    raw.settimeout(timeout)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.sock = (
            current.context().wrap_socket(raw, server_hostname=host)
            if scheme == "https"
            else raw
        )
    except BaseException:
        raw.close()
        raise
    return connection


async def _connect(
    host: str, port: int, proxy: ProxyServer | None, timeout: float
) -> socket.socket:
    eyeballs = HappyEyeballs(elapsed)
    if proxy is not None and proxy.scheme == "https":
        return await asyncio.to_thread(_relayed, host, port, proxy, timeout)
    async with asyncio.timeout(timeout):
        if proxy is None:
            _, writer = await eyeballs.open(host, port)
        else:
            _, writer = await open_by_way_of(proxy, host, port, eyeballs=eyeballs)
    try:
        return socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
    finally:
        writer.close()


def _relayed(host: str, port: int, proxy: ProxyServer, timeout: float) -> socket.socket:
    """TLS inside of TLS: a thread carries the bytes of the outer one."""
    ours, theirs = socket.socketpair()
    ready = threading.Event()
    failed: list[BaseException] = []

    async def carry() -> None:
        try:
            async with asyncio.timeout(timeout):
                there = await open_by_way_of(
                    proxy,
                    host,
                    port,
                    eyeballs=HappyEyeballs(elapsed),
                    trust=current.context,
                )
        except BaseException as e:
            failed.append(e)
            return
        finally:
            ready.set()
        here = await asyncio.open_connection(sock=theirs)
        await asyncio.gather(_pump(here, there), _pump(there, here))

    thread = threading.Thread(target=lambda: asyncio.run(carry()), daemon=True)
    thread.start()
    ready.wait()
    if failed:
        ours.close()
        theirs.close()
        raise failed[0]
    return ours


async def _pump(source: Streams, sink: Streams) -> None:
    with suppress(OSError):
        while data := await source[0].read(65536):
            sink[1].write(data)
            await sink[1].drain()
    sink[1].close()
