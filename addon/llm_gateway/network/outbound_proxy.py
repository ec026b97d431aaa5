"""Opens a TCP stream by way of an outbound proxy: HTTP CONNECT, HTTPS, SOCKS5, SOCKS5h.

What is spoken on the stream (TLS to the provider, HTTP) is end to end: a proxy sees host
and port, never a path, a key or a prompt; plain HTTP goes through a CONNECT tunnel, too.

What this file does not know: which way a connection takes, what becomes of a failure.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from importlib import import_module

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams
from llm_gateway.network.http_connect import (
    connect_request,
    read_answer,
    read_page,
    refusal,
)
from llm_gateway.network.proxy_failure import SILENT, ProxyUnavailable, why

SECONDS = 30.0
"""How long a proxy may take; attempts have a shorter clock of their own."""
LONGEST_NAME = 255
"""Bytes: what SOCKS can say, and more than a name may have."""
_VISIBLE = re.compile(r"[!-~]+")


async def open_by_way_of(
    proxy: ProxyServer,
    host: str,
    port: int,
    *,
    eyeballs: HappyEyeballs,
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    local_addr: tuple[str, int] | None = None,
) -> Streams:
    """A stream whose other end is `host`. Raises ProxyUnavailable, ProxyRefused; OSError
    for a name that is none, and where it is us who could not resolve it."""
    host = wire_name(host)
    try:
        async with asyncio.timeout(SECONDS):
            if proxy.scheme.startswith("socks"):
                # Loaded for the first SOCKS proxy, off the loop: most gateways have none.
                await asyncio.to_thread(
                    import_module, "llm_gateway.network.socks_handshake"
                )
                from llm_gateway.network.socks_handshake import open_socks

                return await open_socks(proxy, host, port, eyeballs, local_addr)
            return await _connect(proxy, host, port, eyeballs, trust, local_addr)
    except TimeoutError as e:
        raise ProxyUnavailable(proxy, SILENT) from e


def wire_name(host: str) -> str:
    """A host as proxies are told of it: ASCII, and nothing that could end a line.
    Raises OSError, as for a name that does not resolve."""
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if len(name) > LONGEST_NAME or not _VISIBLE.fullmatch(name):
        raise OSError(f"{host[:64]!r} is not a host name")
    return name


async def _connect(
    proxy: ProxyServer,
    host: str,
    port: int,
    eyeballs: HappyEyeballs,
    trust: Callable[[], ssl.SSLContext],
    local_addr: tuple[str, int] | None,
) -> Streams:
    try:
        reader, writer = await eyeballs.open(
            proxy.host, proxy.port, local_addr=local_addr
        )
    except OSError as e:
        raise ProxyUnavailable(proxy, why(e)) from e
    try:
        try:
            if proxy.scheme == "https":
                # It reads files of certificates.
                context = await asyncio.to_thread(trust)
                await writer.start_tls(context, server_hostname=proxy.host)
            writer.write(connect_request(proxy, host, port))
            await writer.drain()
            answer = await read_answer(proxy, reader)
        except ProxyUnavailable:
            raise
        except OSError as e:
            raise ProxyUnavailable(proxy, why(e)) from e
        if not 200 <= answer.status < 300:
            page = await read_page(reader, answer)
            raise refusal(proxy, host, port, answer, page)
    except BaseException:
        writer.close()
        raise
    return reader, writer
