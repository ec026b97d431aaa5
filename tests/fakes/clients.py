"""Clients that show everything: each chunk as it arrives, each way into the gateway.

`reach(Way.CONNECT_H2, …)` gives a `Session`; `session.ask(…)` an `Answered` as soon as
its head is there. Written on asyncio streams and the h2 library; no HTTP client hides
timing, framing or connection reuse. Knows nothing of the fakes or of the gateway.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from http2_missing import NoHttp2

from .certs import client_context
from .steps import TIMEOUT

Pairs = Sequence[tuple[str, str]]


class Way(StrEnum):
    """The ways into the gateway."""

    BASE = "base-url"
    ABSOLUTE = "http-proxy"
    CONNECT_H1 = "connect-h1"
    CONNECT_H2 = "connect-h2"


class Gone(ConnectionError):
    """The connection or the stream ended before the answer did."""


class Answered:
    """An answer whose head has arrived."""

    def __init__(self, status: int, headers: Pairs) -> None:
        self.status = status
        self.headers = tuple(headers)
        self.got = b""
        """The body so far."""

    def header(self, name: str) -> str | None:
        found = [v for k, v in self.headers if k.lower() == name.lower()]
        return ", ".join(found) if found else None

    async def _next(self) -> bytes | None:
        raise AssertionError

    async def chunk(self) -> bytes | None:
        """The next piece of body as it came in, None at the clean end; `Gone` if cut."""
        piece = await asyncio.wait_for(self._next(), TIMEOUT)
        self.got += piece or b""
        return piece

    async def until(self, marker: bytes) -> bytes:
        """Read until the body so far holds the marker; the body so far."""
        while marker not in self.got:
            if await self.chunk() is None:
                raise AssertionError(f"ended without {marker!r}: {self.got!r}")
        return self.got

    async def body(self) -> bytes:
        """Everything, to the clean end."""
        while await self.chunk() is not None:
            pass
        return self.got

    async def json(self) -> Any:
        return json.loads(await self.body())


class Session(Protocol):
    """A client connection, past CONNECT and TLS."""

    async def ask(
        self,
        target: str,
        body: bytes | None = b"",
        headers: Pairs = (),
        method: str = "POST",
    ) -> Answered:
        """Send a request and wait for the head of its answer."""
        ...

    async def close(self) -> None: ...


class H1Session:
    """HTTP/1.1, one request after the other. `prefix` makes targets absolute."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        prefix: str = "",
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host
        self.prefix = prefix

    async def send(
        self,
        target: str,
        body: bytes | None = b"",
        headers: Pairs = (),
        method: str = "POST",
    ) -> None:
        """Send a request; body None: the caller writes it (and says how it is framed)."""
        pairs = [("host", self.host), *headers]
        if body is not None:
            pairs.append(("content-length", str(len(body))))
        lines = [f"{method} {self.prefix}{target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in pairs]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.writer.write(head + (body or b""))
        await self.writer.drain()

    async def answer(self, method: str = "POST") -> "H1Answered":
        return await asyncio.wait_for(self._answer(method), TIMEOUT)

    async def _answer(self, method: str) -> "H1Answered":
        while True:
            try:
                raw = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise Gone(f"no head: {error}") from error
            lines = raw.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status != 100:
                break
        pairs = [
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        ]
        return H1Answered(self.reader, status, pairs, method)

    async def ask(
        self,
        target: str,
        body: bytes | None = b"",
        headers: Pairs = (),
        method: str = "POST",
    ) -> Answered:
        await self.send(target, body, headers, method)
        return await self.answer(method)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class H1Answered(Answered):
    def __init__(
        self, reader: asyncio.StreamReader, status: int, headers: Pairs, method: str
    ) -> None:
        super().__init__(status, headers)
        self.reader = reader
        self.chunked = "chunked" in (self.header("transfer-encoding") or "")
        length = self.header("content-length")
        self.left = int(length) if length is not None else None
        if method == "HEAD" or status in (204, 304):
            self.left, self.chunked = 0, False
        self.over = False

    async def _next(self) -> bytes | None:
        if self.over or (self.left == 0 and not self.chunked):
            return None
        try:
            if self.chunked:
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                data = (await self.reader.readexactly(size + 2))[:-2]
                self.over = not size
                return data if size else None
            piece = await self.reader.read(min(self.left or 65536, 65536))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as error:
            raise Gone(f"cut: {error!r}") from error
        if self.left is not None:
            if not piece:
                raise Gone(f"cut, {self.left} bytes missing")
            self.left -= len(piece)
        return piece or None


class H2Session:
    """HTTP/2, any number of streams."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config)
        self.streams: dict[int, H2Answered] = {}
        self.window = asyncio.Event()
        self.conn.initiate_connection()
        # As browsers do: a wide connection window, so that streams do not starve each other.
        self.conn.increment_flow_control_window(1 << 24)
        self.flush()
        self.pump = asyncio.ensure_future(self._pump())

    def flush(self) -> None:
        if data := self.conn.data_to_send():
            self.writer.write(data)

    async def _pump(self) -> None:
        try:
            while data := await self.reader.read(65536):
                for event in self.conn.receive_data(data):
                    self._handle(event)
                self.flush()
        except (ConnectionError, ssl.SSLError):
            pass
        for stream in self.streams.values():
            stream.fail("connection closed")

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.window.set()
            return
        stream = self.streams.get(cast(int, getattr(event, "stream_id", 0) or 0))
        if stream is None:
            return
        match event:
            case h2.events.ResponseReceived():
                stream.begin(cast(Pairs, event.headers or ()))
            case h2.events.DataReceived():
                stream.pieces.put_nowait(event.data or b"")
                size = event.flow_controlled_length
                self.conn.acknowledge_received_data(size, stream.stream)
            case h2.events.StreamEnded():
                stream.pieces.put_nowait(None)
            case h2.events.StreamReset():
                stream.fail(f"reset {event.error_code}")

    async def send(
        self,
        target: str,
        body: bytes | None = b"",
        headers: Pairs = (),
        method: str = "POST",
    ) -> "H2Answered":
        """Send a request; body None: the caller goes on with `write`."""
        stream = self.conn.get_next_available_stream_id()
        answered = self.streams[stream] = H2Answered(self, stream)
        pairs = [
            (":method", method),
            (":scheme", "https"),
            (":path", target),
            (":authority", self.host),
            *headers,
        ]
        self.conn.send_headers(stream, pairs, end_stream=body == b"")
        self.flush()
        if body:
            await self.write(stream, body, end=True)
        return answered

    async def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        while data:
            room = min(
                self.conn.local_flow_control_window(stream),
                self.conn.max_outbound_frame_size,
            )
            if room <= 0:
                self.window.clear()
                await asyncio.wait_for(self.window.wait(), TIMEOUT)
                continue
            self.conn.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
            await self.writer.drain()
        if end:
            self.conn.end_stream(stream)
            self.flush()

    async def ask(
        self,
        target: str,
        body: bytes | None = b"",
        headers: Pairs = (),
        method: str = "POST",
    ) -> Answered:
        answered = await self.send(target, body, headers, method)
        return await answered.ready()

    async def close(self) -> None:
        self.pump.cancel()
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class H2Answered(Answered):
    def __init__(self, session: H2Session, stream: int) -> None:
        super().__init__(0, ())
        self.session = session
        self.stream = stream
        self.begun = asyncio.Event()
        self.error: str | None = None
        self.pieces: asyncio.Queue[bytes | Gone | None] = asyncio.Queue()

    def begin(self, headers: Pairs) -> None:
        self.headers = tuple(headers)
        self.status = int(self.header(":status") or 0)
        self.begun.set()

    def fail(self, reason: str) -> None:
        self.error = reason
        self.pieces.put_nowait(Gone(reason))
        self.begun.set()

    async def ready(self) -> "H2Answered":
        """Wait for the head."""
        await asyncio.wait_for(self.begun.wait(), TIMEOUT)
        if not self.status:
            raise Gone(f"no head: {self.error}")
        return self

    async def _next(self) -> bytes | None:
        piece = await self.pieces.get()
        if isinstance(piece, Gone):
            raise piece
        return piece

    def cancel(self) -> None:
        """Tell the other side that the answer is not wanted any more."""
        self.session.conn.reset_stream(self.stream, h2.errors.ErrorCodes.CANCEL)
        self.session.flush()


async def _tunnel(port: int, authority: str, headers: Pairs) -> socket.socket:
    """A socket past the proxy's answer to CONNECT."""
    wire = socket.socket()
    wire.setblocking(False)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await _connect(wire, port, authority, headers)
    except BaseException:  # also a client that leaves in the middle of it
        wire.close()
        raise
    return wire


async def _connect(
    wire: socket.socket, port: int, authority: str, headers: Pairs
) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(wire, ("127.0.0.1", port))
    lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}"]
    lines += [f"{name}: {value}" for name, value in headers]
    await loop.sock_sendall(wire, ("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await loop.sock_recv(wire, 1)  # not a byte more: TLS begins behind it
        if not piece:
            raise Gone(f"CONNECT was not answered: {head!r}")
        head += piece
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise Gone(f"CONNECT was refused: {head!r}")


@asynccontextmanager
async def reach(
    way: Way,
    proxy: int,
    *,
    ca: Path | None = None,
    host: str = "api.example.com",
    port: int | None = None,
    connect_headers: Pairs = (),
    alpn: Sequence[str] = (),
) -> AsyncIterator[Session]:
    """A session with the gateway at `proxy` (a port of 127.0.0.1), closed at the end.

    host, port: the one that a client of a proxy believes to talk to (BASE has none).
    ca: the proxy's certificate authority, needed inside CONNECT. alpn: what to offer
    there, best first; the default is just the way's own protocol.
    """
    session: Session
    if way in (Way.BASE, Way.ABSOLUTE):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
        if way is Way.BASE:
            session = H1Session(reader, writer, f"127.0.0.1:{proxy}")
        else:
            authority = host if port in (None, 80) else f"{host}:{port}"
            session = H1Session(reader, writer, authority, f"http://{authority}")
    else:
        assert ca, "inside CONNECT a client needs the proxy's CA"
        wanted = "h2" if way is Way.CONNECT_H2 else "http/1.1"
        wire = await _tunnel(proxy, f"{host}:{port or 443}", connect_headers)
        reader, writer = await asyncio.open_connection(
            sock=wire, ssl=client_context(ca, alpn or (wanted,)), server_hostname=host
        )
        authority = host if port in (None, 443) else f"{host}:{port}"
        spoken = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if way is Way.CONNECT_H2 and spoken != "h2":
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
            raise NoHttp2(f"the gateway speaks {spoken or 'HTTP/1.1'} here")
        if way is Way.CONNECT_H2:
            session = H2Session(reader, writer, authority)
        else:
            session = H1Session(reader, writer, authority)
    try:
        yield session
    finally:
        await session.close()
