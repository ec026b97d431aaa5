"""One call of the script as bytes, and what it comes back with.

What it does not know: connections, what operations mean.
"""

import json
from collections.abc import Sequence
from typing import Any

from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.script import SHA
from llm_gateway.frozen import frozen


@frozen
class Reply:
    """What one batch came back with."""

    generation: str
    sequence: int
    now: float
    """The server's clock, in unix seconds."""
    ready: bool
    """Everybody who is expected has folded."""
    status: str
    """`ok`, `generation` (what this member knows is of an earlier one) or `replaced`."""
    results: list[Any]
    sent: float
    received: float


def written(prefix: str, header: dict[str, Any], ops: Sequence[Op]) -> bytes:
    """The command, as the client library would write it after looking at each word."""
    keys = prefix.encode()
    data = json.dumps({**header, "ops": ops}, separators=(",", ":")).encode()
    return (
        b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
        % (SHA.encode(), len(keys), keys, len(data), data)
    )


def read(found: Any, sent: float, received: float) -> Reply:
    """`found`: what the script returned. The moments are of this member's clock."""
    if isinstance(found, bytes):
        head, *lines = found.split(b"\n")
        results: Sequence[Any] = lines
    else:
        head, results = found
    generation, sequence, now, ready, status = head.decode().split(" ")
    return Reply(
        generation,
        int(sequence),
        int(now) / 1e6,
        ready == "1",
        status,
        [
            [*map(int, one.split())] if isinstance(one, bytes) else one
            for one in results
        ],
        sent,
        received,
    )
