"""A wire to a server that can be cut, slowed down, and led to another server.

with CutWire(server.port) as wire:
    ...                     # connect to wire.port
    wire.drops = True       # bytes vanish in both directions, nobody is told
    wire.delay = 0.05       # seconds on the way, each direction once
    wire.target = other     # for connections from now on
    wire.hang_up()          # those that are open are reset
"""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType


class CutWire:
    def __init__(self, target: int) -> None:
        self.target = target
        self.drops = False
        self.delay = 0.0
        """Seconds until what a client sent goes on."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._there = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def hang_up(self) -> None:
        def reset() -> None:
            for writer in self._writers:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(reset)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._there.set()
        await self._over.wait()
        listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while self.drops:  # its SYN was lost
            await asyncio.sleep(0.02)
            if reader.at_eof():
                return writer.close()
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return writer.transport.abort()
        self._writers |= {writer, there}
        try:
            await asyncio.gather(
                self._pass(reader, there, slow=True), self._pass(back, writer)
            )
        except asyncio.CancelledError:
            pass  # the end of the wire
        finally:
            self._writers -= {writer, there}
            for one in (writer, there):
                one.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        slow: bool = False,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if slow and self.delay:
                    await asyncio.sleep(self.delay)
                if not self.drops:
                    writer.write(data)
                    await writer.drain()
            writer.close()

    def __enter__(self) -> "CutWire":
        self._thread.start()
        assert self._there.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
