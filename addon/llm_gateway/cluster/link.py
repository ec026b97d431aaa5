"""Connection to the shared server: batches of operations, one round trip each.

What lives here: `Link`. What is put in one turn of the event loop, or while a batch is on
its way, travels together. No answer within the timeout: the connection is given up, all
that waits is told so at once, and it is tried again with growing pauses.

What it does not know: what operations mean, what follows when the server is away.
"""

import asyncio
import json
import random
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from redis.asyncio.connection import (
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from llm_gateway.cluster.script import SCRIPT, SHA
from llm_gateway.config.cluster_url import ClusterServer
from llm_gateway.frozen import frozen

BATCH = 256
"""Operations in one call at most: the server does nothing else meanwhile."""
TICKS = 20
"""Parts of a timeout, each of which the event loop has to be there for."""
REPLACED = "replaced"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
Op = list[Any]
AnyConnection = Connection | SSLConnection | UnixDomainSocketConnection


class Waiter(Protocol):
    """Who gets a result: a future, or what stands for one."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: Any, /) -> None: ...


Queued = tuple[Op, Waiter | None]
Batches = Iterator[Sequence[Op]]
"""Each a call of its own, made when its turn comes."""


class Away(Exception):
    """The server did not answer, or refused. The text says why, without any address."""


@frozen
class Tls:
    """Files for `rediss://`."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


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


def connection_to(server: ClusterServer, tls: Tls, timeout: float) -> AnyConnection:
    """Not yet open. Raises OSError or ValueError: a certificate file is no good."""
    common: dict[str, Any] = {
        "db": server.database,
        "username": server.user or None,
        "password": server.password or None,
        "socket_timeout": None,
        "socket_connect_timeout": timeout,
        "protocol": 2,
        "client_name": "llm-gateway",
    }
    if server.scheme == "unix":
        common.pop("socket_connect_timeout")
        return UnixDomainSocketConnection(path=server.path, **common)
    where: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "socket_keepalive": True,
    }
    if server.scheme == "redis":
        return Connection(**where, **common)
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return SSLConnection(
        **where,
        **common,
        ssl_ca_certs=tls.ca_file,
        ssl_certfile=tls.cert_file,
        ssl_keyfile=tls.key_file,
    )


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
        self._queue: deque[Queued | Batches] = deque()
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
        self._queue.append((op, future))
        if len(self._queue) == 1:
            self._wake.set()

    def put_batches(self, batches: Batches) -> None:
        """To be sent after what was put before, and before what is put from now on."""
        if self.up:
            self._queue.append(batches)
            self._wake.set()

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
            finally:
                self._drop("the gateway ends")
                await self._disconnect()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def call(self, ops: Sequence[Op]) -> Reply:
        """One batch now. Raises Away."""
        header = self.header()
        payload = json.dumps({**header, "ops": ops}, separators=(",", ":"))
        sent = self._clock()
        try:
            async with patience(self.timeout):
                found = await self._evaluate(payload)
        except (RedisError, OSError, TimeoutError, EOFError, ValueError) as error:
            raise Away(reason(error)) from error
        generation, sequence, now, ready, status, results = found
        reply = Reply(
            generation.decode(),
            sequence,
            now / 1e6,
            bool(ready),
            status.decode(),
            results,
            sent,
            self._clock(),
        )
        self._on_reply(reply)
        return reply

    async def command(self, *words: Any) -> Any:
        """A command beside the script, on the same connection. Raises Away."""
        connection = self._connection
        if connection is None:
            raise Away("the server is away")
        try:
            async with patience(self.timeout):
                await connection.send_command(*words)
                return await connection.read_response()
        except (RedisError, OSError, TimeoutError, EOFError, ValueError) as error:
            raise Away(reason(error)) from error

    async def _evaluate(self, payload: str) -> Any:
        connection = self._connection
        assert connection is not None
        data = payload.encode()
        prefix = self.prefix.encode()
        # As `pack_command` would write it, without looking at each word.
        await connection.send_packed_command(
            b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
            % (SHA.encode(), len(prefix), prefix, len(data), data),
            check_health=False,
        )
        return await connection.read_response()

    async def _connect(self) -> None:
        try:
            self._connection = connection_to(self.server, self.tls, self.timeout)
            open_connection: Any = self._connection.connect
            async with patience(self.timeout):
                await open_connection()
            await self.command("SCRIPT", "LOAD", SCRIPT)
        except (RedisError, OSError, TimeoutError, EOFError, ValueError) as error:
            raise Away(reason(error)) from error

    async def _serve(self) -> None:
        queue = self._queue
        while True:
            await self._wake.wait()
            self._wake.clear()
            while queue or self.broken:
                if self.broken:
                    raise Away(self.broken)
                batch = self._next()
                if not batch:
                    continue
                try:
                    reply = await self.call([op for op, _ in batch])
                except BaseException as error:
                    settle_all(batch, str(error))
                    raise
                if reply.status != "ok":
                    settle_all(batch, reply.status)
                    raise Away(reply.status)
                for (_, future), result in zip(batch, reply.results, strict=True):
                    if future is not None and not future.done():
                        future.set_result(result)

    def _next(self) -> list[Queued]:
        """What goes together; []: some batches ended."""
        queue = self._queue
        batch: list[Queued] = []
        for _ in range(min(BATCH, len(queue))):
            head = queue[0]
            if isinstance(head, tuple):
                batch.append(head)
            elif batch:
                break
            elif (ops := next(head, None)) is not None:
                return [(op, None) for op in ops]
            queue.popleft()
        return batch

    def _drop(self, why: str) -> None:
        self.up = False
        batch, self._queue = list(self._queue), deque()
        self._wake.clear()
        settle_all([one for one in batch if isinstance(one, tuple)], why)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                await connection.disconnect(nowait=True)


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, of the time in which this process was there to hear: while it
    is busy nothing counts as late, and what has arrived meanwhile is read first."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def tick(left: int) -> None:
        if left:
            timers[:] = [loop.call_later(seconds / TICKS, tick, left - 1)]
        else:
            scope.reschedule(loop.time())

    async with asyncio.timeout(None) as scope:
        tick(TICKS)
        try:
            yield
        finally:
            timers[0].cancel()


def settle_all(batch: Sequence[Queued], why: str) -> None:
    for _, future in batch:
        if future is not None and not future.done():
            future.set_exception(Away(why))


def reason(error: BaseException) -> str:
    """What went wrong, in words of our own: no address, no password."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case AuthenticationError():
            return "user or password is wrong"
        case NoPermissionError():
            return "the user lacks a right; see the list in docs/cluster.md"
        case NoScriptError():
            return "the script is gone"
        case OutOfMemoryError():
            return "the server is full (maxmemory)"
        case ReadOnlyError():
            return "the server is a replica"
        case ssl.SSLError():
            return "TLS failed"
        case ConnectionRefusedError():
            return "connection refused"
    text = str(error)
    for mark, said in (
        ("NOAUTH", "user or password is wrong"),
        ("WRONGPASS", "user or password is wrong"),
        ("invalid username-password", "user or password is wrong"),
        ("Authentication required", "user or password is wrong"),
        ("Connect call failed", "connection refused"),
        ("Connection refused", "connection refused"),
        ("OOM", "the server is full (maxmemory)"),
        ("LOADING", "the server is loading its data"),
        ("MISCONF", "the server cannot write its disk"),
        ("certificate", "TLS failed"),
    ):
        if mark in text:
            return said
    return f"connection lost ({type(error).__name__})"
