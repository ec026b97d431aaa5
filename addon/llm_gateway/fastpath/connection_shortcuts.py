"""What mitmproxy does for each connection, in less time.

Replacements like those in `shortcuts`, for what happens once per connection or once per
piece that arrives on one.
"""

import asyncio
from typing import Any

from mitmproxy import connection
from mitmproxy.proxy.server import ConnectionHandler

from llm_gateway.fastpath.replacing import replace
from llm_gateway.fastpath.shortcuts import Ids

_set: Any = connection.Server.__setattr__
_drain: Any = ConnectionHandler.drain_writers


def install() -> None:
    """Put all of them in place, once per process; where `SMALL` is known (mitm_compat)."""
    replace(connection, "uuid", Ids)
    replace(connection.Server, "__setattr__", set_attribute)
    replace(ConnectionHandler, "drain_writers", drain_writers)


def set_attribute(self: connection.Server, name: str, value: object) -> None:
    """Two attributes of an open connection are guarded, of some forty that are set."""
    if name in _GUARDED:
        _set(self, name, value)
    else:
        _set_plainly(self, name, value)


_GUARDED = frozenset({"address", "via"})
_set_plainly = object.__setattr__


async def drain_writers(self: Any) -> None:
    """Nobody waits where nothing has piled up, and nothing is wrong."""
    if self._drain_lock.locked():
        return await _drain(self)  # type: ignore[no-any-return]
    for io in self.transports.values():
        writer = io.writer
        if writer is not None and not _flows(writer):
            return await _drain(self)  # type: ignore[no-any-return]
    return None


def _flows(writer: Any) -> bool:
    """What `StreamWriter.drain` looks at says that there is nothing to wait for."""
    if type(writer) is not asyncio.StreamWriter:
        return False
    flow: Any = writer._protocol  # type: ignore[attr-defined]
    reader: Any = writer._reader  # type: ignore[attr-defined]
    return not (
        flow._paused
        or flow._connection_lost
        or (reader is not None and reader._exception is not None)
        or writer.transport.is_closing()
    )
