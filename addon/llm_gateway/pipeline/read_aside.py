"""Decompression off the event loop: a compressed body is decoded and metered on a thread.

What lives here: `ReadAside`. Of an answer that only passes, nobody needs to know anything
before it is over. So its bytes go out as they come, a copy is gathered, and a thread
decodes and reads it: whatever it becomes (a bomb, brotli's window of 16 MB), the event
loop does not wait for it. What is gathered is bounded; beyond that the answer is unread.

What this file does not know: what is read, prices, rows.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from llm_gateway.streaming.content_coding import BadCoding, Decoder

logger = logging.getLogger("llm_gateway")

BATCH_BYTES = 256 << 10
"""As much is decoded at once: for most answers a thread is asked once, at their end."""
WAITING_BYTES = 16 << 20
"""What may wait for a thread that is slower than the provider."""
_threads = ThreadPoolExecutor(2, "read-aside")


class Reader(Protocol):
    """What reads the decoded bytes. Called from one thread at a time."""

    def feed(self, chunk: bytes) -> object: ...
    def finish(self) -> object: ...
    def blind(self) -> None: ...


class ReadAside:
    """One body. `through` is for `response.stream`; `end` once, when it is over."""

    def __init__(self, undone: Decoder, reader: Reader) -> None:
        self._undone, self._reader = undone, reader
        self._waiting: list[bytes] = []
        self._size = 0
        self._job: Future[None] | None = None
        self._over = self._whole = self._blind = False
        self._then: Callable[[], None] | None = None

    def through(self, chunk: bytes) -> tuple[bytes, ...]:
        """The chunk as it came; nothing for the b"" at the end."""
        if not chunk:
            return ()
        if not self._blind:
            self._waiting.append(chunk)
            self._size += len(chunk)
            if self._size > WAITING_BYTES:
                self._blind = True
                self._take()
            elif self._size >= BATCH_BYTES and self._job is None:
                self._start()
        return (chunk,)

    def end(self, then: Callable[[], None], *, at_once: bool = False) -> None:
        """Call `then` when all is read; `at_once`: before this returns, since the loop
        ends and comes to nothing any more."""
        self._over, self._then = True, then
        if at_once:
            if self._job is not None:
                self._job.result()
            self._read(self._take(), last=True)
            self._done()
        elif self._job is None:
            self._start()

    def _take(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return data

    def _start(self) -> None:
        self._job = _threads.submit(self._read, self._take(), last=self._over)
        over = asyncio.wrap_future(self._job)
        over.add_done_callback(self._came)

    def _came(self, _: object) -> None:
        self._job = None
        if self._whole:
            self._done()
        elif self._over or self._size >= BATCH_BYTES:
            self._start()

    def _done(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def _read(self, data: bytes, *, last: bool) -> None:
        """On a thread. A fault of ours leaves the answer unread, and passes."""
        try:
            if not self._blind:
                self._reader.feed(self._undone.feed(data))
                if last:
                    self._reader.finish()
        except BadCoding:
            self._blind = True
        except Exception:
            logger.exception("A compressed answer could not be read.")
            self._blind = True
        if self._blind or self._undone.full:
            self._blind = True
            self._reader.blind()
        self._whole = last
