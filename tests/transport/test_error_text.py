"""Words of failed connections: whose failure may it be?"""

import errno
import os

import pytest

from llm_gateway.domain import FailureKind
from llm_gateway.transport.error_text import kind_of_connect_error, may_be_offline


def said(number: int, words: str = "Connect call failed ('192.0.2.1', 443)") -> str:
    return str(OSError(number, words))


@pytest.mark.parametrize(
    ("words", "kind", "offline"),
    [
        ("[Errno -3] Temporary failure in name resolution", FailureKind.RESOLVE, True),
        ("[Errno -2] Name or service not known", FailureKind.RESOLVE, True),
        ("[Errno 8] nodename nor servname provided", FailureKind.RESOLVE, True),
        (said(errno.ENETUNREACH), FailureKind.CONNECT, True),
        (said(errno.ENETDOWN), FailureKind.CONNECT, True),
        (said(errno.EHOSTUNREACH), FailureKind.CONNECT, True),
        (os.strerror(errno.ENETUNREACH), FailureKind.CONNECT, True),
        ("[WinError 10051] A socket operation was attempted", FailureKind.CONNECT, True),
        (said(errno.ECONNREFUSED), FailureKind.CONNECT, False),
        (said(errno.ETIMEDOUT), FailureKind.CONNECT, False),
        ("outbound proxy 10.0.0.1:1 cannot be reached (Network is unreachable)",
         FailureKind.PROXY, False),
        ("the outbound proxy 10.0.0.1:1 answered 'Host unreachable' for x.test:443",
         FailureKind.CONNECT, True),
    ],
)  # fmt: skip
def test_where_there_is_no_network_it_is_nobodys(
    words: str, kind: FailureKind, offline: bool
) -> None:
    """Whether there is one, the kernel is asked; by way of a proxy it is the proxy's."""
    found = kind_of_connect_error(words, tcp_connected=False)
    assert found is kind
    assert may_be_offline(found, words) is offline


def test_a_connection_that_was_there_is_no_matter_of_the_network() -> None:
    kind = kind_of_connect_error(said(errno.ENETUNREACH), tcp_connected=True)
    assert kind is FailureKind.TLS
    assert not may_be_offline(kind, said(errno.ENETUNREACH))
