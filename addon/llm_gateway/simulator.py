"""A provider to try things with: answers chat completions without any key.

What lives here: a small HTTP/1.1 server on a loopback port of its own, inside the
gateway's process. The gateway reaches it the way it reaches every provider, so what
one sees with it (limits, failover, streams, ledger) is the real thing.

What this file does not know: the gateway around it. It answers whoever asks.
"""

import asyncio
import json
import random
import socket
from urllib.parse import unquote

from llm_gateway.config.models import Config
from llm_gateway.config.models import Simulator as Settings

WORDS = [
    "This",
    "answer",
    "comes",
    "from",
    "the",
    "simulator",
    "built",
    "into",
    "the",
    "gateway",
    "so",
    "you",
    "can",
    "watch",
    "routing",
    "limits",
    "failover",
    "streams",
    "and",
    "the",
    "ledger",
    "at",
    "work",
    "without",
    "any",
    "key",
    "or",
    "cost",
]
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


class Simulator:
    """`providers` maps provider ids to settings and may be replaced at any time."""

    def __init__(self) -> None:
        self.providers: dict[str, Settings] = {}
        # Bound at once, so that the catalog can be made before the loop serves it.
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def configure(self, config: Config) -> None:
        """Behave as the config's providers of type simulator say."""
        self.providers = {
            provider.id: provider.simulator or Settings()
            for provider in config.providers
            if provider.type == "simulator"
        }

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, sock=self._socket, limit=HEAD_LIMIT
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await self._answer_one(reader, writer):
                pass
        except (
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,  # the end: Python 3.11 would complain about it
            ValueError,
        ):
            pass
        finally:
            writer.close()

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Read one request, answer it. False when the connection is over."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                raise
            return False
        request_line, _, header_text = head.partition(b"\r\n")
        path = request_line.split(b" ")[1].decode()
        length = 0
        for line in header_text.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = min(int(value), BODY_LIMIT)
        body = await reader.readexactly(length)
        provider = unquote(path.lstrip("/").partition("/")[0])
        settings = self.providers.get(provider)
        if settings is None or not path.endswith("/chat/completions"):
            _write_json(
                writer, 404, _error("not_found", f"nothing is simulated at {path}")
            )
        else:
            await self._complete(writer, settings, body)
        await writer.drain()
        return True

    async def _complete(
        self, writer: asyncio.StreamWriter, settings: Settings, body: bytes
    ) -> None:
        try:
            asked = json.loads(body)
            model = str(asked["model"])
        except (ValueError, KeyError, TypeError):
            _write_json(writer, 400, _error("invalid_request_error", "no model"))
            return
        await asyncio.sleep(settings.latency_ms / 1000)
        if settings.error_rate and random.random() < settings.error_rate:
            _write_json(
                writer, settings.error_status, _error("simulated", "simulated failure")
            )
            return
        most = asked.get("max_completion_tokens") or asked.get("max_tokens")
        tokens = settings.output_tokens
        if isinstance(most, int) and most > 0:
            tokens = min(tokens, most)
        usage = {
            "prompt_tokens": max(1, len(body) // 4),
            "completion_tokens": tokens,
            "total_tokens": max(1, len(body) // 4) + tokens,
        }
        words = [WORDS[i % len(WORDS)] for i in range(tokens)]
        pause = 1 / settings.tokens_per_second if settings.tokens_per_second else 0
        base = {"id": f"chatcmpl-sim-{random.getrandbits(48):012x}", "model": model}
        if asked.get("stream") is True:
            options = asked.get("stream_options") or {}
            await _stream(
                writer,
                base,
                words,
                pause,
                usage if options.get("include_usage") else None,
            )
            return
        await asyncio.sleep(pause * tokens)
        message = {"role": "assistant", "content": " ".join(words)}
        _write_json(
            writer,
            200,
            {
                **base,
                "object": "chat.completion",
                "created": 0,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            },
        )


async def _stream(
    writer: asyncio.StreamWriter,
    base: dict[str, str],
    words: list[str],
    pause: float,
    usage: dict[str, int] | None,
) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )

    def send(data: str) -> None:
        event = f"data: {data}\n\n".encode()
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")

    def chunk(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return json.dumps(
            {
                **base,
                "object": "chat.completion.chunk",
                "created": 0,
                "choices": [choice],
            }
        )

    send(chunk({"role": "assistant", "content": ""}))
    for n, word in enumerate(words):
        send(chunk({"content": word if n == 0 else f" {word}"}))
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
    send(chunk({}, "stop"))
    if usage is not None:
        send(
            json.dumps(
                {
                    **base,
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "choices": [],
                    "usage": usage,
                }
            )
        )
    send("[DONE]")
    writer.write(b"0\r\n\r\n")


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": code, "code": code, "param": None}}


def _write_json(writer: asyncio.StreamWriter, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    reason = REASONS.get(status, "Error")
    writer.write(
        f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
