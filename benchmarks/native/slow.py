"""`upstream` and `load` where no C compiler is: same arguments, same answers, slower.

Good enough to see that everything works; ratios measured with it say less, because the
clients take more of the machine than the gateway does.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from pathlib import Path

HEAD = {"id": "chatcmpl-bench", "created": 1700000000, "model": "bench"}
DONE = "[DONE]"


def plain(size: int) -> bytes:
    message = {"role": "assistant", "content": ("token " * (size // 6 + 1))[:size]}
    usage = {"prompt_tokens": 12, "completion_tokens": 24, "total_tokens": 36}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = HEAD | {"object": "chat.completion", "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


def event(
    delta: dict[str, str] | None, finish: str | None = None, **more: object
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    choices = [choice] if delta is not None else []
    chunk = HEAD | {"object": "chat.completion.chunk", "choices": choices} | more
    return framed(json.dumps(chunk))


def framed(data: str) -> bytes:
    raw = b"data: " + data.encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(raw), raw)


def answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def body_of(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if found := re.search(rb"(?i)\ncontent-length: *(\d+)", head):
        return await reader.readexactly(int(found[1]))
    if not re.search(rb"(?i)\ntransfer-encoding:", head):
        return b""
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await body_of(reader, head)
            found = re.search(rb'"bench-([a-z0-9]+)-?(\d*)-?(\d*)', body)
            kind, *numbers = found.groups() if found else (b"plain", b"", b"")
            if kind == b"400":
                error = b'{"error":{"message":"long","code":"context_length_exceeded"}}'
                writer.write(answer("400 Bad Request", error))
            elif kind == b"stream":
                await stream(writer, *map(int, numbers), b"include_usage" in body)
            else:
                if kind == b"after":
                    await asyncio.sleep(int(numbers[0]) / 1e6)
                size = int(numbers[0]) if kind == b"down" else 100
                writer.write(answer("200 OK", plain(size)))
            await writer.drain()
            if re.search(rb"(?i)\nconnection: *close", head):
                break
    writer.close()


async def stream(
    writer: asyncio.StreamWriter, chunks: int, micros: int, usage: bool
) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(chunks):
        await asyncio.sleep(began + n * micros / 1e6 - loop.time())
        role = {"role": "assistant"} if n == 0 else {}
        writer.write(event(role | {"content": " token"}))
    writer.write(event({}, "stop"))
    if usage:
        total = {"completion_tokens": chunks, "total_tokens": chunks + 12}
        writer.write(event(None, usage={"prompt_tokens": 12} | total))
    writer.write(framed(DONE) + b"0\r\n\r\n")


async def upstream(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Load:
    def __init__(
        self, port: int, request: bytes, seconds: float, count: int, new: bool
    ):
        self.port, self.request, self.new = port, request, new
        self.ends = time.perf_counter() + seconds
        self.left = count or sys.maxsize
        self.done = self.errors = self.status = self.bytes = 0
        self.total: list[float] = []
        self.first: list[float] = []

    async def client(self) -> None:
        reader = writer = None
        while self.left > 0 and time.perf_counter() < self.ends:
            self.left -= 1
            began = time.perf_counter()
            try:
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", self.port
                    )
                writer.write(self.request)
                close = await self.answer(reader, began)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self.errors += 1
                close = True
            if (close or self.new) and writer is not None:
                writer.close()
                reader = writer = None

    async def answer(self, reader: asyncio.StreamReader, began: float) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        if not 200 <= status < 300:
            self.errors, self.status = self.errors + 1, self.status or status
        if found := re.search(rb"(?i)\ncontent-length: *(\d+)", head):
            self.bytes += len(await reader.readexactly(int(found[1])))
            self.first.append((time.perf_counter() - began) * 1e3)
        else:
            size, first = None, True
            while size != 0:
                size = int(await reader.readline(), 16)
                if first:
                    self.first.append((time.perf_counter() - began) * 1e3)
                    first = False
                self.bytes += len(await reader.readexactly(size + 2))
        self.done += 1
        self.total.append((time.perf_counter() - began) * 1e3)
        return bool(re.search(rb"(?i)\nconnection: *close", head))


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[round(q * (len(values) - 1))] if values else 0.0


async def load(arguments: list[str]) -> None:
    port, path, clients, seconds, count, new = arguments
    began = time.perf_counter()
    run = Load(
        int(port), Path(path).read_bytes(), float(seconds), int(count), new == "1"
    )
    await asyncio.gather(*(run.client() for _ in range(int(clients))))
    result = {"requests": run.done, "errors": run.errors, "status": run.status}
    result |= {"seconds": time.perf_counter() - began, "bytes": run.bytes}
    result |= {"p50": quantile(run.total, 0.5), "p99": quantile(run.total, 0.99)}
    result |= {
        "first_p50": quantile(run.first, 0.5),
        "first_p99": quantile(run.first, 0.99),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    asyncio.run(upstream(int(rest[0])) if what == "upstream" else load(rest))
