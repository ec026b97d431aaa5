"""Addresses at which a connection fails in a known way."""

import contextlib
import socket
from collections.abc import Iterator

UNRESOLVABLE = "no-such-host.invalid"
"""A name that the DNS never knows (RFC 6761)."""
UNENCODABLE = "a..b.example"
"""A name that cannot even be asked for: an empty label."""


@contextlib.contextmanager
def refused_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that refuses, and that nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind((host, 0))  # bound, never listening: every SYN gets an RST
        yield held.getsockname()[1]


@contextlib.contextmanager
def unanswered_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port whose backlog is full: a connection attempt hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield port
