"""`StrictUpstream`: an HTTP/1.1 server that reads with h11 and takes nothing amiss lightly.

It writes down every request, with the connection that it came on, and every byte that h11
refuses as a request. Answers echo the nonces that they were asked with.
"""

import asyncio
import json
import re
import ssl
import threading
from dataclasses import dataclass, field

import h11

from .answers import chat_body

NONCE = re.compile(rb"nonce-[0-9]{7}-x")
"""Whole: one that a test spoiled is nobody's."""


@dataclass(frozen=True)
class Strict:
    """One well-formed request."""

    connection: int
    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def text(self) -> bytes:
        """All of it, as something to look for secrets in."""
        fields = b"".join(name + b":" + value + b"\n" for name, value in self.headers)
        return b"\n".join((self.method, self.target, fields, self.body))

    @property
    def nonces(self) -> frozenset[bytes]:
        return frozenset(NONCE.findall(self.text))


@dataclass
class StrictUpstream:
    tls: ssl.SSLContext | None = None
    port: int = 0
    requests: list[Strict] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What h11 says of bytes that are no request."""
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __enter__(self) -> "StrictUpstream":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self._server = server = asyncio.run_coroutine_threadsafe(
            serving, self._loop
        ).result(20)
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        # Transports need a few turns of the loop to be really closed.
        for _ in range(5):
            await asyncio.sleep(0)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        number = self.connections
        self._writers.append(writer)
        wire = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            while await self._exchange(number, wire, reader, writer):
                wire.start_next_cycle()
        except h11.RemoteProtocolError as error:
            # A peer that leaves in mid-request is no attack.
            if "closed" not in str(error):
                self.refused.append(str(error))
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _exchange(
        self,
        number: int,
        wire: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        request, body = None, b""
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        seen = Strict(
            number, request.method, request.target, tuple(request.headers), body
        )
        self.requests.append(seen)
        said = b" ".join(sorted(seen.nonces)).decode()
        answer = json.dumps(said).encode()
        if seen.target.endswith(b"/chat/completions"):
            answer = chat_body(said)
        elif seen.target.endswith(b"/completions"):
            choice = {"text": said, "index": 0, "finish_reason": "stop"}
            text = {"id": "c", "object": "text_completion", "choices": [choice]}
            answer = json.dumps(text).encode()
        head = h11.Response(
            status_code=200,
            headers=[
                ("content-type", "application/json"),
                ("content-length", str(len(answer))),
            ],
        )
        out = [head, h11.Data(answer), h11.EndOfMessage()]
        if request.method == b"HEAD":
            del out[1]
        writer.write(b"".join(wire.send(event) or b"" for event in out))
        await writer.drain()
        return wire.our_state is h11.DONE and wire.their_state is h11.DONE
