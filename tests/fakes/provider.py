"""`FakeProvider`: a server on loopback that plays a script and writes everything down.

It runs in a thread with its own event loop, so that tests may be plain functions or
coroutines. What lives here: listening, the journal, which answer is next, playing an
answer. The two protocols are in `wire.py`; this file knows no HTTP.
"""

import asyncio
import hashlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from . import answers
from .steps import TIMEOUT, Answer, Received, Script
from .wire import Wire

QUOTA_ROUTES = ("/api/v1/key", "/user/balance", "/v1/users/me/balance")
"""Where a gateway asks what is left of an account."""


@dataclass(frozen=True)
class Entry:
    """One line of the journal. Nothing is ever taken out."""

    seq: int
    at: float
    """time.monotonic()."""
    connection: int
    kind: str
    """`open`, `bytes` (as received), `request`, `answered`, `left` (the peer went before
    the answer was complete), `closed`."""
    stream: int = 0
    """HTTP/2 stream, else 0."""
    data: bytes = field(default=b"", repr=False)


class FakeProvider:
    """See the package's docstring for how to use it."""

    def __init__(
        self,
        answer: Script | None = None,
        *,
        name: str = "fake",
        tls: ssl.SSLContext | None = None,
        mute: bool = False,
        greeting: bytes = b"",
        max_streams: int = 100,
        journal_file: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.host = host
        self.port = 0
        self.default: Script = answer or answers.ok()
        self.mute = mute
        """Accept connections and never say a word (a TLS handshake that hangs)."""
        self.greeting = greeting
        """Sent as soon as somebody connects, before any request."""
        self.max_streams = max_streams
        """SETTINGS_MAX_CONCURRENT_STREAMS of an HTTP/2 provider."""
        self.requests: list[Received] = []
        self.journal: list[Entry] = []
        self._tls = tls
        self._next: deque[Script] = deque()
        self._file = journal_file
        self._changed = threading.Condition()
        self._connections = itertools.count(1)
        self._wires: set[Wire] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    # life

    def start(self, port: int = 0) -> "FakeProvider":
        """Listen. With a port: again where it was (`stop()` keeps `port`)."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.create_server((self.host, port), family=family)
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)),
            name=f"fake provider {self.name}",
            daemon=True,
        )
        self._thread.start()
        if not ready.wait(TIMEOUT):
            raise AssertionError(f"{self.name} did not start")
        return self

    def stop(self) -> None:
        """Close the listener and every connection."""
        if self._thread and self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(TIMEOUT)
            self._thread = None

    def __enter__(self) -> "FakeProvider":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await loop.create_server(
            lambda: Wire(self), sock=listener, ssl=self._tls, backlog=256
        )
        ready.set()
        await self._stop.wait()
        server.close()
        for wire in tuple(self._wires):
            wire.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # Aborted TLS transports need a few turns of the loop to be really closed.
        for _ in range(3):
            await asyncio.sleep(0)

    def sockets(self) -> list[socket.socket]:
        """Those of the connections that are open to it now."""
        found = [w.transport.get_extra_info("socket") for w in tuple(self._wires)]
        return [one._sock for one in found if one is not None]

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    # the script

    def then(self, *scripts: Script) -> "FakeProvider":
        """What the next requests get, one each, before `default` holds again."""
        with self._changed:
            self._next.extend(scripts)
        return self

    def answer_for(self, request: Received) -> Answer:
        with self._changed:
            # What the gateway asks of its own accord takes nothing from the script.
            scripted = self._next and request.target not in QUOTA_ROUTES
            script = self._next.popleft() if scripted else self.default
        return script if isinstance(script, Answer) else script(request)

    # the journal

    @property
    def posted(self) -> list[Received]:
        """Requests but for lists and quotas, which a gateway asks for whenever it likes."""
        return [one for one in tuple(self.requests) if one.method == "POST"]

    def opened(self, wire: Wire) -> int:
        self._wires.add(wire)
        number = next(self._connections)
        self.note(number, "open")
        return number

    def lost(self, wire: Wire) -> None:
        self._wires.discard(wire)

    def note(
        self, connection: int, kind: str, data: bytes = b"", stream: int = 0
    ) -> None:
        with self._changed:
            entry = Entry(
                len(self.journal), time.monotonic(), connection, kind, stream, data
            )
            self.journal.append(entry)
            self._changed.notify_all()

    def received(
        self,
        connection: int,
        stream: int,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        version: str,
        raw: bytes = b"",
    ) -> Received:
        with self._changed:
            request = Received(
                number=len(self.requests) + 1,
                connection=connection,
                at=time.monotonic(),
                method=method,
                target=target,
                headers=headers,
                body=body,
                version=version,
                raw=raw,
            )
            self.requests.append(request)
            if self._file:
                line = {
                    "seq": request.number,
                    "port": self.port,
                    "t": request.at,
                    "sha256": hashlib.sha256(raw or body).hexdigest(),
                    "authorization": request.header("authorization"),
                    "target": target,
                }
                with self._file.open("a") as out:
                    out.write(json.dumps(line) + "\n")
        self.note(connection, "request", stream=stream)
        return request

    def wait(
        self, condition: Callable[["FakeProvider"], bool], timeout: float = TIMEOUT
    ) -> None:
        """Block until the condition holds; it is asked again at each journal entry."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout):
                kinds = [(e.connection, e.kind) for e in self.journal]
                raise AssertionError(f"{self.name}: waited in vain, journal {kinds}")

    async def until(
        self, condition: Callable[["FakeProvider"], bool], timeout: float = TIMEOUT
    ) -> None:
        """`wait` for a test that is a coroutine."""
        await asyncio.to_thread(self.wait, condition, timeout)

    def count(self, kind: str) -> int:
        """How many journal entries are of a kind."""
        return sum(entry.kind == kind for entry in tuple(self.journal))

    def bytes_in(self, connection: int | None = None) -> bytes:
        """Every byte received, on one connection or on all."""
        return b"".join(
            e.data
            for e in tuple(self.journal)
            if e.kind == "bytes" and connection in (None, e.connection)
        )
