"""Opens a TCP stream by way of an outbound proxy: HTTP CONNECT, HTTPS, SOCKS5, SOCKS5h.

What is spoken on the stream (TLS to the provider, HTTP) is end to end: a proxy sees host
and port, never a path, a key or a prompt; plain HTTP goes through a CONNECT tunnel, too.

    ProxyUnavailable   the proxy's own failure: it refuses, hangs, wants a password, dies
    ProxyRefused       its word about one host: 403, 502, "host unreachable"

What this file does not know: which way a connection takes, what becomes of a failure.
"""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from html import unescape
from importlib import import_module

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams

SECONDS = 30.0
"""How long a proxy may take; attempts have a shorter clock of their own."""
WORDS = 120
"""Characters of what a proxy says that are told on."""
WORDS_SECONDS = 1.0
_NO_PROXY_AT_ALL = frozenset({400, 404, 405, 501})
"""How a server that is no proxy answers CONNECT."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?")
_TAGS = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>|\s+", re.I | re.S)

UNAVAILABLE = "outbound proxy "
"""How `ProxyUnavailable` begins; mitmproxy hands errors on as text."""
REFUSED = "the outbound proxy "


def went_away(proxy: ProxyServer) -> str:
    """It carried a connection, broke it off, and nobody listens there any more."""
    return f"{UNAVAILABLE}{proxy.name} went away"


class ProxyUnavailable(OSError):
    """`outbound proxy 10.0.0.1:3128 refuses connections`."""

    def __init__(self, proxy: ProxyServer, what: str) -> None:
        super().__init__(f"{UNAVAILABLE}{proxy.name} {what}")


class ProxyRefused(OSError):
    """`the outbound proxy 10.0.0.1:3128 answered 403 Forbidden for x.test:443: …`."""

    def __init__(self, proxy: ProxyServer, what: str) -> None:
        super().__init__(f"{REFUSED}{proxy.name} {what}")


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
    where it is us who could not resolve the name."""
    try:
        async with asyncio.timeout(SECONDS):
            if proxy.scheme.startswith("socks"):
                return await _socks(proxy, host, port, eyeballs, local_addr)
            return await _connect(proxy, host, port, eyeballs, trust, local_addr)
    except TimeoutError as e:
        raise ProxyUnavailable(proxy, "does not answer") from e


# -- HTTP


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
                await writer.start_tls(trust(), server_hostname=proxy.host)
            writer.write(connect_request(proxy, host, port))
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            raise ProxyUnavailable(proxy, "closed the connection unanswered") from e
        except asyncio.LimitOverrunError as e:
            raise ProxyUnavailable(proxy, "does not speak HTTP") from e
        except OSError as e:
            raise ProxyUnavailable(proxy, why(e)) from e
        found = _STATUS.match(head)
        if found is None:
            raise ProxyUnavailable(proxy, "does not speak HTTP")
        status = int(found[1])
        if not 200 <= status < 300:
            words = await _words(reader)
            raise refusal(proxy, host, port, status, found[2] or b"", words)
    except BaseException:
        writer.close()
        raise
    return reader, writer


def connect_request(proxy: ProxyServer, host: str, port: int) -> bytes:
    """The head of a CONNECT, with who we are."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.user or proxy.password:
        lines.append(f"Proxy-Authorization: Basic {basic(proxy)}")
    return "\r\n".join((*lines, "", "")).encode("ascii")


def basic(proxy: ProxyServer) -> str:
    """User and password as HTTP has them (RFC 7617)."""
    return base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()


async def _words(reader: asyncio.StreamReader) -> bytes:
    """The beginning of its page, if it comes at once."""
    found = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(WORDS_SECONDS):
            while len(found) < 8192 and (more := await reader.read(8192)):
                found += more
    return found


def refusal(
    proxy: ProxyServer, host: str, port: int, status: int, reason: bytes, page: bytes
) -> OSError:
    """What an answer to CONNECT other than 2xx means."""
    if status == 407:
        given = proxy.user or proxy.password
        return ProxyUnavailable(
            proxy,
            "does not accept its user and password (407)"
            if given
            else "wants a user and a password (407)",
        )
    said = f"{status} {_plain(proxy, reason)}".strip()
    if status in _NO_PROXY_AT_ALL:
        return ProxyUnavailable(proxy, f"opens no tunnels: it answered {said}")
    words = _plain(proxy, page)
    more = f": {words}" if words else ""
    return ProxyRefused(proxy, f"answered {said} for {host}:{port}{more}")


def _plain(proxy: ProxyServer, page: bytes) -> str:
    """One bounded line of text; what was sent to the proxy is not in it."""
    text = unescape(_TAGS.sub(" ", page.decode("utf-8", "replace")))
    if proxy.user or proxy.password:
        for secret in (basic(proxy), proxy.password, proxy.user):
            text = text.replace(secret, "***") if secret else text
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


# -- SOCKS


async def _socks(
    proxy: ProxyServer,
    host: str,
    port: int,
    eyeballs: HappyEyeballs,
    local_addr: tuple[str, int] | None,
) -> Streams:
    try:
        address = await eyeballs.living_address(proxy.host, proxy.port)
    except OSError as e:
        raise ProxyUnavailable(proxy, why(e)) from e
    if not proxy.resolves:
        host = (await eyeballs.resolve(host, port))[0]
    # Loaded for the first SOCKS proxy, off the loop: most gateways have none.
    await asyncio.to_thread(import_module, "python_socks.async_.asyncio")
    from python_socks import (
        ProxyConnectionError,
        ProxyError,
        ProxyTimeoutError,
        ProxyType,
    )
    from python_socks.async_.asyncio import Proxy as SocksProxy

    given = bool(proxy.user or proxy.password)
    handshake = SocksProxy(
        ProxyType.SOCKS5,
        address,
        proxy.port,
        proxy.user if given else None,
        proxy.password if given else None,
        rdns=True,
    )
    try:
        connected = await handshake.connect(
            host, port, timeout=2 * SECONDS, local_addr=local_addr
        )
    except ProxyConnectionError as e:
        cause = e.__cause__ if isinstance(e.__cause__, OSError) else e
        raise ProxyUnavailable(proxy, why(cause)) from e
    except ProxyTimeoutError as e:
        raise ProxyUnavailable(proxy, "does not answer") from e
    except ProxyError as e:
        if e.error_code is not None:
            said = f"answered {_plain(proxy, str(e).encode())!r} for {host}:{port}"
            raise ProxyRefused(proxy, said) from e
        if "ncomplete" in type(e.__cause__).__name__:
            raise ProxyUnavailable(proxy, "closed the connection unanswered") from e
        raise ProxyUnavailable(proxy, _socks_trouble(proxy, str(e))) from e
    except OSError as e:
        raise ProxyUnavailable(proxy, why(e)) from e
    return await asyncio.open_connection(sock=connected)


def _socks_trouble(proxy: ProxyServer, said: str) -> str:
    if "authentication failure" in said:
        return "does not accept its user and password"
    if "No acceptable authentication" in said:
        given = proxy.user or proxy.password
        return (
            "accepts no user and password" if given else "wants a user and a password"
        )
    return f"does not speak SOCKS5 ({_plain(proxy, said.encode())})"


def why(error: OSError) -> str:
    """A clause that follows the proxy's name."""
    match error:
        case ConnectionRefusedError():
            return "refuses connections"
        case TimeoutError():
            return "does not answer"
        case socket.gaierror():
            return "cannot be found: its name does not resolve"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "speaks no TLS that we understand"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return "closed the connection unanswered"
    return f"cannot be reached ({error.strerror or type(error).__name__})"
