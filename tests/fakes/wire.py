"""One connection to a fake provider, spoken in HTTP/1.1 or, if ALPN says so, HTTP/2.

`Wire` takes bytes in and hands requests to a `Speaker`; a `Speaker` is where an answer
goes: `H1Speaker` one after the other on the connection, `H2Speaker` one per stream.
Strict on nothing: what comes in is recorded, what goes out is what the script says.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .steps import Answer, End, Gate, Pause, Received

if TYPE_CHECKING:
    from .provider import FakeProvider

Pairs = tuple[tuple[str, str], ...]


class Speaker(Protocol):
    async def raw(self, data: bytes) -> None: ...
    async def head(self, answer: Answer) -> None: ...
    async def data(self, data: bytes) -> None: ...
    async def end(self, answer: Answer) -> None: ...
    def close(self) -> None: ...
    def reset(self) -> None: ...


async def play(speaker: Speaker, answer: Answer) -> None:
    """Play an answer to its end, good or bad."""
    for step in answer.before:
        match step:
            case bytes():
                await speaker.raw(step)
            case _:
                if await _wait_or_end(speaker, step):
                    return
    await speaker.head(answer)
    for step in answer.body:
        match step:
            case bytes():
                await speaker.data(step)
            case _:
                if await _wait_or_end(speaker, step):
                    return
    await speaker.end(answer)


async def _wait_or_end(speaker: Speaker, step: Gate | Pause | End) -> bool:
    match step:
        case Gate():
            await step.pass_through()
        case Pause():
            await asyncio.sleep(step.seconds)
        case End.CLOSE:
            speaker.close()
            return True
        case End.RESET:
            speaker.reset()
            return True
        case End.HANG:
            await asyncio.Event().wait()
    return False


class Wire(asyncio.Protocol):
    """Reads, records, dispatches."""

    transport: asyncio.Transport

    def __init__(self, provider: "FakeProvider") -> None:
        self.provider = provider
        self.number = 0
        self.buffer = bytearray()
        self.arrived = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.busy = 0
        """Answers under way."""
        self.h2: H2 | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self.provider.opened(self)
        if self.provider.greeting:
            self.transport.write(self.provider.greeting)
        if self.provider.mute:
            return
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            self.h2 = H2(self)
        else:
            self.spawn(self._serve_h1())

    def data_received(self, data: bytes) -> None:
        self.provider.note(self.number, "bytes", bytes(data))
        if self.h2:
            self.h2.feed(data)
        else:
            self.buffer += data
            self.arrived.set()

    def connection_lost(self, error: Exception | None) -> None:
        for task in self.tasks:
            task.cancel()
        self.provider.note(self.number, "left" if self.busy else "closed")
        self.provider.lost(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def write(self, data: bytes) -> None:
        await self.writable.wait()
        self.transport.write(data)

    def abort(self) -> None:
        self.transport.abort()

    def reset(self) -> None:
        """Close with RST."""
        wire = self.transport.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _until(self, marker: bytes) -> bytes:
        while (at := self.buffer.find(marker)) < 0:
            self.arrived.clear()
            await self.arrived.wait()
        return self._take(at + len(marker))

    async def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.arrived.clear()
            await self.arrived.wait()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    async def _read_h1(self) -> Received:
        raw = await self._until(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ", 2)
        pairs: Pairs = tuple(
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        )
        names = {name.lower(): value for name, value in pairs}
        body = b""
        if names.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in names.get("transfer-encoding", ""):
            while size := int((line := await self._until(b"\r\n")).split(b";")[0], 16):
                data = await self._exactly(size + 2)
                raw += line + data
                body += data[:-2]
            raw += line + await self._exactly(2)
        elif length := int(names.get("content-length", "0")):
            body = await self._exactly(length)
            raw += body
        return self.provider.received(
            self.number, 0, method, target, pairs, body, version, raw
        )

    async def _serve_h1(self) -> None:
        while True:
            request = await self._read_h1()
            answer = self.provider.answer_for(request)
            self.busy = 1
            await play(H1Speaker(self, request), answer)
            self.busy = 0
            self.provider.note(self.number, "answered")
            if answer.then_close or answer.framing == "close":
                self.transport.close()


class H1Speaker:
    def __init__(self, wire: Wire, request: Received) -> None:
        self.wire = wire
        self.request = request
        self.chunked = False

    async def raw(self, data: bytes) -> None:
        await self.wire.write(data)

    async def head(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} Fake"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        self.chunked = answer.framing == "chunked"
        if self.chunked:
            lines.append("transfer-encoding: chunked")
        elif answer.framing == "length":
            size = answer.size() if answer.length is None else answer.length
            lines.append(f"content-length: {size}")
        await self.wire.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def data(self, data: bytes) -> None:
        if self.chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        await self.wire.write(data)

    async def end(self, answer: Answer) -> None:
        if self.chunked:
            await self.wire.write(b"0\r\n\r\n")

    def close(self) -> None:
        self.wire.transport.close()

    def reset(self) -> None:
        self.wire.reset()


class H2:
    """The HTTP/2 half of a `Wire`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config)
        self.requests: dict[int, tuple[Pairs, bytearray]] = {}
        self.running: dict[int, asyncio.Task[None]] = {}
        self.window = asyncio.Event()
        self.conn.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: wire.provider.max_streams,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
            },
        )
        self.conn.initiate_connection()
        self.flush()

    def flush(self) -> None:
        if data := self.conn.data_to_send():
            self.wire.transport.write(data)

    def feed(self, data: bytes) -> None:
        try:
            events = self.conn.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self.wire.transport.close()
            return
        for event in events:
            self._handle(event)
        self.flush()

    def _handle(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                pairs = cast(Pairs, tuple((k, v) for k, v in event.headers or ()))
                self.requests[event.stream_id] = (pairs, bytearray())
            case h2.events.DataReceived():
                stream = event.stream_id
                self.requests[stream][1].extend(event.data or b"")
                size = event.flow_controlled_length
                self.conn.acknowledge_received_data(size, stream)
            case h2.events.StreamEnded():
                self._dispatch(event.stream_id)
            case h2.events.StreamReset():
                self._left(event.stream_id)
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.window.set()
            case h2.events.ConnectionTerminated():
                self.wire.transport.close()

    def _dispatch(self, stream: int) -> None:
        pairs, body = self.requests.pop(stream)
        pseudo = dict(pairs[:4])
        request = self.wire.provider.received(
            self.wire.number,
            stream,
            pseudo.get(":method", ""),
            pseudo.get(":path", ""),
            pairs,
            bytes(body),
            "HTTP/2",
        )
        self.wire.busy += 1
        task = self.wire.spawn(self._answer(stream, request))
        self.running[stream] = task

    async def _answer(self, stream: int, request: Received) -> None:
        answer = self.wire.provider.answer_for(request)
        try:
            await play(H2Speaker(self, stream), answer)
        finally:
            self.running.pop(stream, None)
        self.wire.busy -= 1
        self.wire.provider.note(self.wire.number, "answered", stream=stream)
        if answer.then_close:
            self.wire.transport.close()

    def _left(self, stream: int) -> None:
        self.requests.pop(stream, None)
        if task := self.running.pop(stream, None):
            task.cancel()
            self.wire.busy -= 1
            self.wire.provider.note(self.wire.number, "left", stream=stream)


class H2Speaker:
    def __init__(self, half: H2, stream: int) -> None:
        self.half = half
        self.stream = stream

    async def raw(self, data: bytes) -> None:
        self.half.wire.transport.write(data)

    async def head(self, answer: Answer) -> None:
        pairs = [(":status", str(answer.status)), *answer.headers]
        if answer.length is not None:
            pairs.append(("content-length", str(answer.length)))
        self.half.conn.send_headers(self.stream, pairs)
        self.half.flush()

    async def data(self, data: bytes) -> None:
        conn = self.half.conn
        if not data:
            conn.send_data(self.stream, b"")
            self.half.flush()
        while data:
            room = min(
                conn.local_flow_control_window(self.stream),
                conn.max_outbound_frame_size,
            )
            if room <= 0:
                self.half.window.clear()
                await self.half.window.wait()
                continue
            conn.send_data(self.stream, data[:room])
            data = data[room:]
            await self.half.wire.writable.wait()
            self.half.flush()

    async def end(self, answer: Answer) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.half.conn.end_stream(self.stream)
            self.half.flush()

    def close(self) -> None:
        self.half.wire.transport.close()

    def reset(self) -> None:
        code = h2.errors.ErrorCodes.INTERNAL_ERROR
        self.half.conn.reset_stream(self.stream, code)
        self.half.flush()
