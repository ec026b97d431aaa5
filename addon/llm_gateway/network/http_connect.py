"""HTTP CONNECT: what is said to a proxy that opens a tunnel, and what its answer means.

Tolerant of what proxies send: interim answers, lines that end in LF alone, lengths and
codings of a body that a 2xx has none of (RFC 9110, 9.3.6). What this file does not know: how
the proxy was reached, TLS, who asks.
"""

import asyncio
import re
from contextlib import suppress
from typing import NamedTuple

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network.proxy_failure import (
    UNANSWERED,
    ProxyRefused,
    ProxyUnavailable,
    basic,
    one_line,
)

LONGEST_HEAD = 65536
"""Bytes of all heads before a tunnel, interim answers among them."""
WORDS_SECONDS = 1.0
LONGEST_PAGE = 8192
_NO_PROXY_AT_ALL = frozenset({400, 404, 405, 501})
"""How a server that is no proxy answers CONNECT."""
_STATUS = re.compile(rb"HTTP/1\.[01] +(\d{3})(?: +(.*))?", re.I)
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_CHUNK_SIZE = re.compile(rb"(?:^|\r\n)[0-9A-Fa-f]+(?:;[^\r\n]*)?\r\n")
_LAST = b"0\r\n\r\n"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s+[^=,\s]|\s*(?:,|$))")

NOT_HTTP = "does not speak HTTP"


class Answer(NamedTuple):
    status: int
    reason: bytes
    headers: list[tuple[str, str]]
    """Names in lower case."""

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


def connect_request(proxy: ProxyServer, host: str, port: int) -> bytes:
    """The head of a CONNECT, with who we are. `host`: as `wire_name` spells it."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.user or proxy.password:
        lines.append(f"Proxy-Authorization: Basic {basic(proxy)}")
    return "\r\n".join((*lines, "", "")).encode("ascii")


async def read_answer(proxy: ProxyServer, reader: asyncio.StreamReader) -> Answer:
    """The final answer's head; what comes after it is left in `reader`.
    Raises ProxyUnavailable; OSError of the connection."""
    left = LONGEST_HEAD
    while True:
        lines: list[bytes] = []
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as e:
                raise ProxyUnavailable(proxy, _broken_off(lines, e.partial)) from e
            except asyncio.LimitOverrunError as e:
                raise ProxyUnavailable(proxy, NOT_HTTP) from e
            left -= len(line)
            line = line.rstrip(b"\r\n")
            if left < 0 or (not lines and line and not _STATUS.fullmatch(line)):
                raise ProxyUnavailable(proxy, NOT_HTTP)
            if line:
                lines.append(line)
            elif lines:  # those before the first line are nobody's
                break
        found = _STATUS.fullmatch(lines[0])
        assert found is not None
        status = int(found[1])
        if not 100 <= status < 200 or status == 101:
            return Answer(status, found[2] or b"", _headers(lines[1:]))


def _broken_off(lines: list[bytes], rest: bytes) -> str:
    if not lines and _TLS_RECORD.match(rest):
        return "speaks TLS: write its address with https://"
    begun = rest[:5].upper()
    if lines or b"HTTP/".startswith(begun):
        return UNANSWERED
    return NOT_HTTP


def _headers(lines: list[bytes]) -> list[tuple[str, str]]:
    found = (line.decode("latin-1").partition(":") for line in lines)
    return [(name.strip().lower(), value.strip()) for name, _, value in found]


async def read_page(reader: asyncio.StreamReader, answer: Answer) -> bytes:
    """The beginning of a refusal's page, if it comes at once and can be read as it is."""
    length = next(iter(answer.values("content-length")), "")
    wanted = LONGEST_PAGE
    if length.isascii() and length.isdigit():
        wanted = min(wanted, int(length[:9]))
    chunked = bool(answer.values("transfer-encoding"))
    found = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(WORDS_SECONDS):
            while len(found) < wanted and not (chunked and found.endswith(_LAST)):
                more = await reader.read(LONGEST_PAGE)
                if not more:
                    break
                found += more
    if answer.values("content-encoding"):
        return b""
    return (_CHUNK_SIZE.sub(b"", found) if chunked else found)[:wanted]


def refusal(
    proxy: ProxyServer, host: str, port: int, answer: Answer, page: bytes
) -> OSError:
    """What an answer to CONNECT other than 2xx means."""
    if answer.status == 407:
        return ProxyUnavailable(proxy, f"{_wanted(proxy, answer)} (407)")
    said = f"{answer.status} {one_line(proxy, answer.reason)}".strip()
    if answer.status in _NO_PROXY_AT_ALL:
        return ProxyUnavailable(proxy, f"opens no tunnels: it answered {said}")
    words = one_line(proxy, page)
    more = f": {words}" if words else ""
    return ProxyRefused(proxy, f"answered {said} for {host}:{port}{more}")


def _wanted(proxy: ProxyServer, answer: Answer) -> str:
    """How it wants to be told who we are; we know one way."""
    schemes = auth_schemes(answer.values("proxy-authenticate"))
    if schemes and "basic" not in (scheme.lower() for scheme in schemes):
        named = one_line(proxy, " or ".join(schemes).encode())
        return (
            f"wants to be signed in to by {named}, and the gateway knows Basic only: "
            "put a helper before it that knows it (px, cntlm)"
        )
    if proxy.user or proxy.password:
        return "does not accept its user and password"
    return "wants a user and a password"


def auth_schemes(challenges: list[str]) -> list[str]:
    """The schemes of `Proxy-Authenticate` (RFC 9110, 11.6.1), each once."""
    found = [
        scheme
        for challenge in challenges
        for scheme in _SCHEME.findall(_QUOTED.sub('""', challenge))
    ]
    return list(dict.fromkeys(found))
