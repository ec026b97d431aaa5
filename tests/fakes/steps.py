"""What a fake provider does when it answers, as values.

Knows nothing of sockets: an `Answer` is a head and a list of steps, `Gate` is how a
test holds a step back until it has seen the one before (a handshake, not a clock).
"""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

TIMEOUT = 10.0
"""Seconds after which a test that waits for a fake gives up."""


class Gate:
    """A door inside an answer, worked by the test from any thread.

    Each passing needs one `release()`; `open()` lets everything through for good.
    `arrived` counts how often the fake has come to the door.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._permits = 0
        self._opened = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.arrived = 0

    def release(self, times: int = 1) -> None:
        with self._lock:
            self._permits += times
            self._wake()

    def open(self) -> None:
        with self._lock:
            self._opened = True
            self._wake()

    def _wake(self) -> None:
        for loop, event in self._waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait_arrived(self, times: int = 1, timeout: float = TIMEOUT) -> None:
        """Block until the fake has come to the door that often."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.arrived >= times, timeout):
                raise AssertionError(f"gate: {self.arrived} of {times} arrivals")

    async def arrival(self, times: int = 1, timeout: float = TIMEOUT) -> None:
        """`wait_arrived` for a test that is a coroutine."""
        await asyncio.to_thread(self.wait_arrived, times, timeout)

    async def pass_through(self) -> None:
        """The fake's side: wait for a permit."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self._lock:
            self.arrived += 1
            self._waiting.append(entry)
            self._lock.notify_all()
        try:
            while True:
                with self._lock:
                    if self._opened:
                        return
                    if self._permits:
                        self._permits -= 1
                        return
                    event.clear()
                await event.wait()
        finally:
            with self._lock:
                self._waiting.remove(entry)


@dataclass(frozen=True)
class Pause:
    """Let seconds pass. For benchmarks and soaks; tests of order use a `Gate`."""

    seconds: float


class End(Enum):
    """How an answer ends when it does not end well."""

    CLOSE = auto()
    """Close the connection, as far as it got."""
    RESET = auto()
    """RST: of the TCP connection, or of the stream in HTTP/2."""
    HANG = auto()
    """Nothing more, until the peer leaves."""


Step = bytes | Gate | Pause | End


@dataclass(frozen=True)
class Answer:
    """One scripted answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[Step, ...] = ()
    framing: str = "length"
    """HTTP/1: `length`, `chunked`, or `close` (no length: the end closes the connection)."""
    length: int | None = None
    """What `content-length` claims, when it is not the truth."""
    before: tuple[Step, ...] = ()
    """What happens before the head goes out (bytes here are sent raw, HTTP/1 only)."""
    then_close: bool = False
    """Close the connection after a complete answer, without having announced it."""

    def size(self) -> int:
        return sum(len(step) for step in self.body if isinstance(step, bytes))


@dataclass(frozen=True)
class Received:
    """One request as a fake provider saw it."""

    number: int
    """From 1, over all connections of this provider."""
    connection: int
    """From 1."""
    at: float
    """time.monotonic() when it was complete."""
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    version: str
    """`HTTP/1.1` or `HTTP/2`."""
    raw: bytes = field(default=b"", repr=False)
    """The bytes on the wire (HTTP/1)."""

    def header(self, name: str) -> str | None:
        """All values of a header, joined by a comma."""
        found = [v for k, v in self.headers if k.lower() == name.lower()]
        return ", ".join(found) if found else None

    def json(self) -> Any:
        return json.loads(self.body)


Script = Answer | Callable[[Received], Answer]
"""An answer, or a plain function that makes one from the request."""


def steps_of(*parts: Step | Sequence[Step]) -> tuple[Step, ...]:
    """Flatten: `steps_of(b"a", [gate, b"b"])`."""
    flat: list[Step] = []
    for part in parts:
        if isinstance(part, bytes | Gate | Pause | End):
            flat.append(part)
        else:
            flat.extend(part)
    return tuple(flat)
