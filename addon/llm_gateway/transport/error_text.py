"""Error texts of mitmproxy and resolvers, classified into kinds of failure.

mitmproxy reports trouble as text. Here, and nowhere else, the text is read; a new
version that says it differently is a change of one table. Knows no connection.
"""

import errno
import functools
import re
from typing import Any

from mitmproxy.net.http.status_codes import NO_RESPONSE, RESPONSES

from llm_gateway.domain import FailureKind
from llm_gateway.network.proxy_failure import REFUSED, UNAVAILABLE

STALLED = "no data for"
"""How our own words for a stream without a sign of life begin."""
_NOT_HTTP = re.compile(
    r"protocol error|Cannot parse|unexpected server response|Invalid HTTP|Received "
)
"""The peer spoke, but not HTTP."""
_CLOSED = re.compile(
    r"peer closed connection|server closed connection|connection closed|REFUSED_STREAM"
)
"""The peer stopped. h11 calls a body that is too short a protocol error, too."""
_UNRESOLVED = re.compile(
    r"\[Errno -\d+\]|getaddrinfo|nodename nor servname|not known|name resolution"
)
"""glibc, Windows, macOS, musl."""
_NO_ROUTE = re.compile(
    rf"\[Errno (?:{errno.ENETDOWN}|{errno.ENETUNREACH}|{errno.EHOSTUNREACH})\]"
    r"|\[WinError 100(?:50|51|65)\]|unreachable|no route",
    re.I,
)


def was_closed(words: str) -> bool:
    """An upstream ended the connection, or refused the stream before working on it."""
    return _CLOSED.search(words) is not None


def status_of(code: Any) -> int | None:
    """The status of mitmproxy's answer to a protocol error; None: it closes instead.

    A number in mitmproxy 11, an enum later.
    """
    if isinstance(code, int):
        return code if code in RESPONSES and code != NO_RESPONSE else None
    status: int | None = code.http_status_code()
    return status


def failure_kind(words: str) -> FailureKind:
    """Why an attempt ended that had been sent."""
    if _NOT_HTTP.search(words) and not was_closed(words):
        return FailureKind.PROTOCOL
    return FailureKind.CLOSED


def says_nothing(words: str) -> bool:
    """A handshake that the other end never answered, or broke off."""
    return words == "timed out" or was_closed(words)


def truncation_cause(words: str) -> str:
    """The end of an answer that was on its way to the client: see `Plan.died`."""
    if words.startswith(STALLED):
        return "stalled"
    kind = failure_kind(words)
    return "closed" if kind is FailureKind.CLOSED else kind.value


def kind_of_connect_error(words: str, *, tcp_connected: bool) -> FailureKind:
    """Why a connection could not be made."""
    if tcp_connected:
        return FailureKind.TLS
    if words.startswith(UNAVAILABLE):
        return FailureKind.PROXY
    if words.startswith(REFUSED):
        return FailureKind.CONNECT
    return FailureKind.RESOLVE if _UNRESOLVED.search(words) else FailureKind.CONNECT


def may_be_offline(kind: FailureKind, words: str) -> bool:
    """Fails like this where there is no network; a provider may be to blame, too."""
    if kind is FailureKind.RESOLVE:
        return True
    return kind is FailureKind.CONNECT and _NO_ROUTE.search(words) is not None


@functools.lru_cache(maxsize=1024)
def name_problem(host: str) -> str | None:
    """Why a host name cannot even be looked up (asyncio would hang on it in silence)."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        return f"{host!r} is not a host name: {error}"
    return None
