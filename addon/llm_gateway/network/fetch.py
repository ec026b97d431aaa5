"""One bounded HTTP GET of the gateway's own, for a thread: lists of models, quotas.

No redirects, no cookies; by way of the outbound proxy that holds there. Bounded are the
bytes of the answer and the time for all of it, so that a server that drips keeps no thread.
"""

import http.client
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from llm_gateway.network import way_out
from llm_gateway.network.proxy_rules import ProxyRules

TIMEOUT = 10.0
"""Seconds for each wait: connecting, the TLS handshake, reading."""
DEADLINE = 30.0
"""Seconds for the whole of it, from the connection on."""
LONGEST = 8 * 1024 * 1024
"""Bytes of an answer; OpenRouter's list of models has about one million."""

TOO_LONG = f"an answer of more than {LONGEST >> 20} MiB"


class TooLong(OSError):
    """The answer is larger than anybody could mean."""


@dataclass(frozen=True, slots=True)
class Fetched:
    status: int
    body: bytes
    etag: str = ""
    retry_after: str = ""
    coding: str = ""
    """Its Content-Encoding: some servers compress without being asked."""


def fetch(
    scheme: str,
    host: str,
    port: int,
    path: str,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    ways: ProxyRules | None = None,
    timeout: float = TIMEOUT,
    deadline: float = DEADLINE,
) -> Fetched:
    """The answer to a GET. Blocks.

    Raises:
        OSError: not reached, broken off, or not there in time; TooLong.
    """
    connection = way_out.http_connection(scheme, host, port, timeout=timeout, ways=ways)
    late = threading.Event()
    raw = connection.sock

    def end() -> None:
        late.set()
        with suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline, end)
    timer.daemon = True
    timer.start()
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name.decode("ascii"), value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(LONGEST + 1)
    except (OSError, http.client.HTTPException) as e:
        if late.is_set():
            raise TimeoutError(f"no whole answer within {deadline:g} seconds") from e
        if isinstance(e, OSError):
            raise
        raise ConnectionError(f"{host} broke off ({type(e).__name__})") from e
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():
        raise TimeoutError(f"no whole answer within {deadline:g} seconds")
    if len(body) > LONGEST:
        raise TooLong(TOO_LONG)
    if answer.length:
        raise ConnectionError(f"{host} broke off in the midst of its answer")
    return Fetched(
        answer.status,
        body,
        answer.getheader("etag", ""),
        answer.getheader("retry-after", ""),
        answer.getheader("content-encoding", ""),
    )
