"""What mitmproxy does for each connection, in less time.

Replacements like those in `shortcuts`, for what happens once per connection or once per
piece that arrives on one.
"""

import asyncio
import asyncio.streams
from typing import Any

from mitmproxy import connection
from mitmproxy.proxy.server import ConnectionHandler

from llm_gateway.fastpath.shortcuts import Ids
from llm_gateway.mitm_compat.fingerprints import replace

_set: Any = connection.Server.__setattr__
_drain: Any = ConnectionHandler.drain_writers


def install() -> None:
    """Put all of them in place, once per process. The digests hold for mitmproxy 11.0.2
    to 12.3.1, and CPython 3.11 to 3.13."""
    # Its source differs from version to version; what counts is how a name is made.
    named = {"dca65fe7", "fc9cbe67"}
    replace(connection, "uuid", Ids, named, relies_on=(connection.Connection,))
    replace(connection.Server, "__setattr__", set_attribute, {"9b26de86"})
    mixin: Any = asyncio.streams.FlowControlMixin
    draining = (_drain, asyncio.StreamWriter.drain, mixin._drain_helper)
    replace(
        ConnectionHandler,
        "drain_writers",
        drain_writers,
        {"73a1cc2e"},
        relies_on=draining,
    )


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
