"""Connection to the shared server: batches of operations, one round trip each.

What lives here: `Link`. What is put in one turn of the event loop, or while a batch is on
its way, travels together. No answer within the timeout: the connection is given up, all
that waits is told so at once, and it is tried again with growing pauses.

What it does not know: what operations mean, what follows when the server is away.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from llm_gateway.cluster import script_call
from llm_gateway.cluster.away import Away, reason
from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.patience import patience
from llm_gateway.cluster.script import SCRIPT
from llm_gateway.cluster.script_call import Reply
from llm_gateway.cluster.send_queue import SendQueue, Steps, Waiter, fail
from llm_gateway.cluster.wire import AnyConnection, Tls, connection_to
from llm_gateway.config.cluster_url import ClusterServer

logger = logging.getLogger("llm_gateway")

REPLACED = "replaced"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
LEAST = 0.1
"""Part of the timeout that a call has in any case."""
NONSENSE = "what the server said makes no sense; the log has it"
LOST = (RedisError, OSError, TimeoutError, EOFError, ValueError)
"""What a connection may raise."""


class Link:
    """One member's connection. Owned by one event loop."""

    def __init__(
        self,
        server: ClusterServer,
        prefix: str,
        *,
        timeout: float,
        tls: Tls,
        clock: Callable[[], float],
        on_up: Callable[[], Awaitable[None]],
        on_down: Callable[[str], None],
        on_reply: Callable[[Reply], None],
    ) -> None:
        """`on_up`: the connection is there; what it does with `call` goes first, and when it
        returns the queue is served. `on_down`: it is gone, with the reason."""
        self.server = server
        self.prefix = prefix
        self.timeout = timeout
        self.tls = tls
        self._clock = clock
        self._on_up, self._on_down, self._on_reply = on_up, on_down, on_reply
        self._queue = SendQueue()
        self._listened = 0.0
        """Seconds, over all calls, in which the server could have answered and had not."""
        self._wake = asyncio.Event()
        self._connection: AnyConnection | None = None
        self.header: Callable[[], dict[str, Any]] = dict
        """Who calls: member, instance, generation."""
        self.up = False
        self.broken = ""
        """Why the next turn gives the connection up."""

    def put(self, op: Op, future: Waiter | None = None) -> None:
        """To be sent with the next batch. `future` gets the result, or Away."""
        if not self.up:
            if future is not None:
                future.set_exception(Away("the server is away"))
            return
        if not self._queue:
            self._wake.set()
        self._queue.put(op, future, self._listened)

    def put_fold(self, steps: Steps, future: Waiter | None = None) -> None:
        """To be sent after what was put before; what is put from now on goes past it.
        `future`: as for the last of its operations."""
        if not self.up:
            if future is not None:
                future.set_exception(Away("the server is away"))
            return
        self._wake.set()
        self._queue.put_fold(steps, future)

    def reconnect(self, why: str) -> None:
        """Begin anew: connect, say hello, fold."""
        self.broken = why
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled, or another gateway has this member's name."""
        pause = FIRST_PAUSE
        while True:
            try:
                self.broken = ""
                await self._connect()
                await self._on_up()
                self.up, self.broken, pause = True, "", FIRST_PAUSE
                await self._serve()
            except Away as error:
                self._drop(str(error))
                self._on_down(str(error))
                if str(error) == REPLACED:
                    return
            except Exception:  # of data that nobody here has written
                logger.exception("The cluster's server said what makes no sense.")
                self._drop(NONSENSE)
                self._on_down(NONSENSE)
            finally:
                self._drop("the gateway ends")
                await self._disconnect()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def call(self, ops: Sequence[Op], waited: float = 0.0) -> Reply:
        """One batch now. `waited`: seconds that it has waited already. Raises Away."""
        command = script_call.written(self.prefix, self.header(), ops)
        sent = self._clock()
        try:
            left = max(self.timeout - waited, self.timeout * LEAST)
            async with patience(left, self._listen):
                found = await self._evaluate(command)
        except LOST as error:
            raise Away(reason(error)) from error
        reply = script_call.read(found, sent, self._clock())
        self._on_reply(reply)
        return reply

    async def call_trusted(self, ops: Sequence[Op], waited: float = 0.0) -> Reply:
        """The same; Away, too, where what it says is not to be believed."""
        reply = await self.call(ops, waited)
        if reply.status != "ok" or self.broken:
            raise Away(self.broken if reply.status == "ok" else reply.status)
        return reply

    def _listen(self, seconds: float) -> None:
        self._listened += seconds

    async def command(self, *words: Any) -> Any:
        """A command beside the script, on the same connection. Raises Away."""
        connection = self._connection
        if connection is None:
            raise Away("the server is away")
        try:
            async with patience(self.timeout):
                await connection.send_command(*words)
                return await connection.read_response()
        except LOST as error:
            raise Away(reason(error)) from error

    async def _evaluate(self, command: bytes) -> Any:
        connection = self._connection
        assert connection is not None
        await connection.send_packed_command(command, check_health=False)
        return await connection.read_response()

    async def _connect(self) -> None:
        try:
            self._connection = await connection_to(self.server, self.tls, self.timeout)
            open_connection: Any = self._connection.connect
            async with patience(self.timeout):
                await open_connection()
            await self.command("SCRIPT", "LOAD", SCRIPT)
        except LOST as error:
            raise Away(reason(error)) from error

    async def _serve(self) -> None:
        queue = self._queue
        while True:
            await self._wake.wait()
            self._wake.clear()
            while queue or self.broken:
                if self.broken:
                    raise Away(self.broken)
                batch = queue.next()
                oldest = self._listened if queue.oldest is None else queue.oldest
                waited = self._listened - oldest
                try:
                    reply = await self.call_trusted([op for op, _ in batch], waited)
                except BaseException as error:
                    fail([waiter for _, waiter in batch], str(error))
                    raise
                for (_, waiter), result in zip(batch, reply.results, strict=True):
                    if waiter is not None and not waiter.done():
                        waiter.set_result(result)

    def _drop(self, why: str) -> None:
        self.up = False
        self._wake.clear()
        self._queue.drop(why)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                await connection.disconnect(nowait=True)
