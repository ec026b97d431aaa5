"""An address that answers no SYN, as a dead IPv6 route does: a listener whose backlog is full."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TRIES = 64


@contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """The port. Linux drops what comes once the backlog is full."""
    waiting: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()
        try:
            for _ in range(TRIES):
                one = socket.socket(family, socket.SOCK_STREAM)
                waiting.append(one)
                one.settimeout(0.2)
                try:
                    one.connect(address)
                except TimeoutError:
                    break
            else:
                raise AssertionError("the backlog has no end here")
            yield address[1]
        finally:
            for one in waiting:
                with suppress(OSError):
                    one.close()
