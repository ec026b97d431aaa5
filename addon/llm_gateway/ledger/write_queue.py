"""Write queue between the event loop and the writer thread: bounded, batched.

What lives here: the queue with its bound, the tables of which only the newest version
counts, and the waiters: futures that are done when their rows are committed.

Rule: whoever puts something in never waits. The lock is only ever held for a few
operations on lists.

What this file does not know: SQLite.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_gateway.frozen import frozen
from llm_gateway.ledger.rows import Kind
from llm_gateway.ledger.table_snapshots import TableSnapshot

CommitFuture = asyncio.Future[bool] | Future[bool]
"""Done with True when the rows are committed, with False when the wait was given up."""

LINGER = 0.05
"""Seconds that rows wait for company when nobody waits for them."""
LARGEST_BATCH = 500
"""Entries in one transaction."""
LARGEST_BACKLOG = 100_000
"""Entries that are held back while nothing can be written."""


@dataclass(slots=True)
class QueuedWrite:
    """What was put in at once, and is committed at once."""

    rows: tuple[tuple[Kind, Any], ...]
    """Kinds with their snapshots."""
    waiter: CommitFuture | None = None


@frozen
class Batch:
    entries: tuple[QueuedWrite, ...] = ()
    wholes: tuple[TableSnapshot, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.wholes)

    def take_waiters(self) -> list[CommitFuture]:
        found = [e.waiter for e in self.entries if e.waiter is not None]
        for entry in self.entries:
            entry.waiter = None
        return found


class WriteQueue:
    def __init__(self, largest: int = LARGEST_BACKLOG) -> None:
        self._largest = largest
        self._entries: deque[QueuedWrite] = deque()
        self._wholes: dict[str, TableSnapshot] = {}
        self._changed = threading.Condition(threading.Lock())
        self._urgent = False
        self.closing = False
        self.dropped = 0
        """Entries, the oldest ones, that had to make room since this was last reset."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(
        self, entry: QueuedWrite, *, always: bool = False, wake: bool = True
    ) -> None:
        """`always`: nothing has to make room for it. `wake`: tell the writer; otherwise
        whoever puts this in calls `wake` in time."""
        squeezed_out = None
        with self._changed:
            if len(self._entries) >= self._largest and not always:
                squeezed_out = self._entries.popleft()
                self.dropped += 1
            self._entries.append(entry)
            if wake:
                self._urgent |= entry.waiter is not None
                self._changed.notify()
        if squeezed_out is not None and squeezed_out.waiter is not None:
            resolve([squeezed_out.waiter], False)

    def wake(self) -> None:
        """What is in here is to be written now."""
        with self._changed:
            self._urgent = True
            self._changed.notify()

    def put_whole(self, whole: TableSnapshot) -> None:
        """Replaces an earlier version that was not written yet."""
        with self._changed:
            earlier = self._wholes.get(whole.table)
            self._wholes[whole.table] = whole.after(earlier)
            self._changed.notify()

    def bring_back(self, wholes: Iterable[TableSnapshot]) -> None:
        """Write these again, unless there is something newer already."""
        with self._changed:
            for whole in wholes:
                self._wholes.setdefault(whole.table, whole)

    def take_dropped(self) -> int:
        with self._changed:
            dropped, self.dropped = self.dropped, 0
        return dropped

    def close(self) -> None:
        with self._changed:
            self.closing = True
            self._changed.notify()

    def take(self, patience: float) -> Batch:
        """What is to be written next; an empty batch after `patience` seconds of nothing."""
        with self._changed:
            if not (self._entries or self._wholes or self.closing):
                self._changed.wait(patience)
            if not (self._urgent or self.closing) and (self._entries or self._wholes):
                self._changed.wait_for(lambda: self._urgent or self.closing, LINGER)
            count = min(len(self._entries), LARGEST_BATCH)
            entries = tuple(self._entries.popleft() for _ in range(count))
            self._urgent = bool(self._entries)
            wholes = tuple(self._wholes.values())
            self._wholes.clear()
        return Batch(entries, wholes)

    def pause(self, seconds: float) -> None:
        """Wait, but not when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self.closing, seconds)

    def take_waiters(self) -> list[CommitFuture]:
        """Everybody who waits for something that is still in here."""
        with self._changed:
            return Batch(tuple(self._entries)).take_waiters()


def resolve(waiters: Iterable[CommitFuture], committed: bool) -> None:
    """Finish the futures: one call into each event loop, however many there are."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for waiter in waiters:
        if isinstance(waiter, asyncio.Future):
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
        elif not waiter.done():
            waiter.set_result(committed)
    for loop, futures in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(finish, futures, committed)


def finish(futures: Iterable[asyncio.Future[bool]], committed: bool) -> None:
    """On the loop's own thread."""
    for future in futures:
        if not future.done():
            future.set_result(committed)
