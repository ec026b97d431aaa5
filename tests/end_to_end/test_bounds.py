"""What strangers and providers can make the gateway hold: memory, time, connections.

The numbers are those of docs/limits.md. With LLM_GATEWAY_TEST_MB=400 the large
answers are as large as that.
"""

import asyncio
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fakes import (
    Answer,
    Authority,
    End,
    FakeProvider,
    Gate,
    Way,
    answers,
    client_context,
    reach,
)

from gateway import GatewayProcess, chat, provider

from .conftest import Start

MIB = 1 << 20
SIZE = int(os.environ.get("LLM_GATEWAY_TEST_MB", "128")) * MIB
HELD = 32 * MIB
ROOM = 24 * MIB
"""What is no buffer of ours: code that is loaded at first use, free lists of Python and of
the C library (pieces of 64 KB are too small to be given back to the system at once), 0 to
10 MB as a rule."""
MOST_FOR_HELD = HELD + ROOM if sys.version_info >= (3, 12) else 2 * HELD + 32 * MIB
"""For an answer that was held and then goes out. Each piece is forgotten once it is handed
to asyncio, which keeps it as it is until the client takes it; in Python 3.11 it copies all
that waits into one buffer, while the C library still has the pages of the pieces."""
JSON = ("content-type", "application/json")
KEY = "ck-bob-1234567890abcdef"
USAGE = (
    b'"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}'
)
START = b'{"model": "m", "choices": [{"message": {"role": "assistant", "content": "'


def large(framing: str = "length", size: int = SIZE) -> Answer:
    filling = b"x" * MIB
    return Answer(
        headers=(JSON,),
        body=(START, *(filling for _ in range(size // MIB)), USAGE),
        framing=framing,
    )


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, fake: FakeProvider, authority: Authority
) -> GatewayProcess:
    config = {
        "intercept": {"hosts": ["localhost"]},
        "providers": [provider(fake, "a", free=True)],
    }
    gateway = start_shared(config, trust=authority.ca)
    gateway.wait_log("Try: curl")
    assert gateway.chat()[0] == 200
    return gateway


@pytest.fixture(scope="module")
def strict(start_shared: Start, fake: FakeProvider) -> GatewayProcess:
    """Beyond loopback: with keys; and with little patience."""
    config = {
        "clients": [{"name": "bob", "key": KEY}],
        "providers": [provider(fake, "a", free=True)],
    }
    gateway = start_shared(
        config,
        arguments=(
            *("--listen-host", "0.0.0.0"),
            *("-s", str(Path(__file__).with_name("short_patience.py"))),
        ),
    )
    gateway.wait_log("Try: curl")
    return gateway


class Watched:
    """The most memory that a gateway took meanwhile."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.before = self.peak = gateway.rss()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self.over.wait(0.01):
            self.peak = max(self.peak, self.gateway.rss())

    def __enter__(self) -> "Watched":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    @property
    def more(self) -> int:
        return self.peak - self.before


def raw(gateway: GatewayProcess, *requests: str | bytes, body: bytes = b"") -> bytes:
    """Everything that comes back until the gateway closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
        for request in requests:
            wire.sendall(request.encode() if isinstance(request, str) else request)
        if body:
            wire.sendall(body)
        got = []
        while piece := wire.recv(1 << 20):
            got.append(piece)
        return b"".join(got)


def asked(gateway: GatewayProcess, line: str, *headers: str) -> str:
    lines = [line, f"host: 127.0.0.1:{gateway.port}", *headers]
    return "\r\n".join([*lines, "", ""])


# -- large answers -----------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_plain_answer_streams(
    gateway: GatewayProcess, fake: FakeProvider, framing: str
) -> None:
    rows = len(gateway.rows("select id from requests"))
    fake.then(large(framing))
    body = json.dumps(chat()).encode()
    with Watched(gateway) as memory:
        status, headers, got = gateway.ask(
            "POST", "/v1/chat/completions", body, {"content-type": "application/json"}
        )
    assert status == 200
    assert len(got) == len(START) + SIZE + len(USAGE)
    assert got.startswith(START)
    assert got.endswith(USAGE)
    assert headers["x-gateway-provider"] == "a"
    assert memory.more < MOST_FOR_HELD
    row = gateway.ended(rows + 1)[-1]
    assert (row["outcome"], row["usage_source"]) == ("ok", "reported")
    assert (row["input_tokens"], row["output_tokens"]) == (7, 5)


def test_so_does_one_that_passes(gateway: GatewayProcess, authority: Authority) -> None:
    """A model that nobody offers, with the app's own key."""

    body = json.dumps(chat("unknown")).encode()
    tls = authority.server_context()
    got, last = 0, b""
    with FakeProvider(large("close", 64 * MIB), tls=tls) as site:
        there = f"localhost:{site.port}"
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            wire.sendall(f"CONNECT {there} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            assert b" 200 " in wire.recv(65536)
            trust = client_context(gateway.ca)
            with (
                Watched(gateway) as memory,
                trust.wrap_socket(wire, server_hostname="localhost") as inside,
            ):
                inside.sendall(
                    f"POST /v1/chat/completions HTTP/1.1\r\nhost: {there}\r\n"
                    f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                while piece := inside.recv(1 << 20):
                    got, last = got + len(piece), (last + piece)[-200:]
    assert got > 64 * MIB
    assert USAGE in last
    assert memory.more < ROOM
    [row] = gateway.wait_rows(
        "select * from requests where host = 'localhost' and status = 200",
        lambda rows: bool(rows) and rows[0]["outcome"] == "passthrough",
    )
    assert (row["input_tokens"], row["output_tokens"]) == (7, 5)


def test_so_does_what_is_no_llm_request(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    fake.then(large("close"))
    there = f"127.0.0.1:{fake.port}"
    with Watched(gateway) as memory:
        got = raw(
            gateway,
            f"GET http://{there}/file HTTP/1.1\r\nhost: {there}\r\nconnection: close\r\n\r\n",
        )
    assert len(got) > SIZE
    assert memory.more < ROOM


ENDLESS = [b"x-%d: " % n + b"y" * 60_000 + b"\r\n" for n in range(32)]


@pytest.mark.parametrize(
    "said",
    [
        (b"HTTP/1.1 200 OK\r\n", *ENDLESS),
        (b"HTTP/1.1 200 OK\r\nx: ", *[b"y" * 60_000] * 32),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n1;",
            *[b"y" * 60_000] * 32,
        ),
    ],
    ids=["fields", "one field", "a chunk's size"],
)
def test_a_head_without_end_is_a_failure(
    gateway: GatewayProcess, fake: FakeProvider, said: tuple[bytes, ...]
) -> None:
    fake.then(Answer(before=(*said, End.HANG)))
    with Watched(gateway) as memory:
        status, _, answer = gateway.chat()
    assert status == 502
    assert "protocol error" in answer["error"]["message"]
    assert memory.more < ROOM


SAYS_HI = b'{"choices": [{"message": {"role": "assistant", "content": "hi"}}]}'
MALFORMED = {
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n",
    "one that begins as an interim answer's": b"HTTP/1.1 1000 OK\r\n",
    "a status with a sign": b"HTTP/1.1 +200 OK\r\n",
    "a status with a zero more": b"HTTP/1.1 0200 OK\r\n",
    "a body that is compressed on the way": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n",
    "a body up to the end, compressed": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n",
    "a coding of old": b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n",
}  # fmt: skip


@pytest.mark.parametrize("how", MALFORMED)
def test_a_malformed_head_is_a_failure(
    gateway: GatewayProcess, fake: FakeProvider, how: str
) -> None:
    """Nothing of it reaches a client, who could only take it for something else."""
    kind = b"content-type: application/json\r\n\r\n"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SAYS_HI), SAYS_HI)
    fake.then(Answer(before=(MALFORMED[how] + kind + body, End.CLOSE)))
    status, head, answer = gateway.chat()
    assert status == 502
    assert "transfer-encoding" not in head
    assert "protocol error" in answer["error"]["message"]
    assert gateway.chat()[0] == 200


# -- answers of our own ------------------------------------------------------------

HEADS = [
    ("/health", 200),
    ("/v1/models", 200),
    ("/v1/models/m", 200),
    ("/usage/current", 200),
    ("/", 200),
    ("/v1/chat/completions", 405),
    ("/config", 401),
    ("http://10.1.2.3/", 403),
    ("http://127.0.0.1:9/", 403),
    ("http://x.invalid/", 502),
]


@pytest.mark.parametrize(("target", "status"), HEADS)
def test_head_has_no_body(gateway: GatewayProcess, target: str, status: int) -> None:
    got = raw(
        gateway,
        asked(gateway, f"HEAD {target} HTTP/1.1"),
        asked(gateway, "GET /v1/models HTTP/1.1", "connection: close"),
    )
    head, _, rest = got.partition(b"\r\n\r\n")
    assert int(head.split(b" ")[1]) == status
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    assert int(length[1]) > 0 or target == "/"
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("way", [Way.CONNECT_H1, Way.CONNECT_H2])
def test_nor_have_errors_through_the_proxy(gateway: GatewayProcess, way: Way) -> None:
    async def ask() -> tuple[int, bytes]:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        async with reach(
            way, gateway.port, ca=gateway.ca, host="localhost", port=port
        ) as session:
            answered = await session.ask("/v1/files", b"", (), "HEAD")
            return answered.status, await answered.body()

    assert asyncio.run(ask()) == (502, b"")


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("streamed", [False, True])
def test_http_1_0_gets_no_chunks(
    gateway: GatewayProcess,
    fake: FakeProvider,
    streamed: bool,
    framing: str,
    connection: str,
) -> None:
    def answer(request) -> Answer:
        made = (answers.stream() if streamed else answers.ok("plain"))(request)
        return Answer(headers=made.headers, body=made.body, framing=framing)

    fake.then(answer)
    body = json.dumps(chat(stream=streamed)).encode()
    head = asked(
        gateway,
        "POST /v1/chat/completions HTTP/1.0",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"connection: {connection}",
    )
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
        wire.sendall(head.encode() + body)
        end = b"[DONE]\n\n" if streamed else b"}}"
        got = b""
        while not got.endswith(end) and (piece := wire.recv(65536)):
            got += piece
    head_, _, content = got.partition(b"\r\n\r\n")
    assert b" 200 " in head_
    assert b"transfer-encoding" not in head_.lower()
    assert content.startswith(b"data: " if streamed else b"{")
    assert content.endswith(end)


def test_a_stream_to_http_1_0_ends_where_the_connection_does(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    fake.then(answers.stream())
    body = json.dumps(chat(stream=True)).encode()
    length = f"content-length: {len(body)}"
    got = raw(
        gateway,
        asked(gateway, "POST /v1/chat/completions HTTP/1.0", length, JSON_LINE),
        body=body,
    )
    assert got.endswith(b"data: [DONE]\n\n")
    assert b"\r\nconnection: close" in got


JSON_LINE = "content-type: application/json"


@pytest.mark.parametrize(
    ("field", "gone"),
    [
        (b"content-type: application/json\rset-cookie: a=b", b"set-cookie"),
        (b"content-type: application/json;\r\n\tx=y", b"x=y"),
        (b"x-request-id: a\x00b", b"x-request-id"),
        (b"retry-after: 1\rx: y", b"retry-after"),
        (b"x-request-id: " + b"a" * 100_000, b"x-request-id"),
    ],
)
def test_a_providers_header_cannot_break_the_answer(
    gateway: GatewayProcess, fake: FakeProvider, field: bytes, gone: bytes
) -> None:
    content = answers.chat_body("good")
    head = b"HTTP/1.1 200 OK\r\n%s\r\ncontent-length: %d\r\n\r\n" % (
        field,
        len(content),
    )
    fake.then(Answer(before=(head + content, End.CLOSE)))
    body = json.dumps(chat()).encode()
    got = raw(
        gateway,
        asked(
            gateway,
            "POST /v1/chat/completions HTTP/1.1",
            f"content-length: {len(body)}",
            JSON_LINE,
            "connection: close",
        ),
        body=body,
    )
    head, _, answer = got.partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert answer == content
    assert gone not in head
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", head)
    assert len(head) < 2000
    if field.startswith(b"content-type"):
        assert b"content-type: application/json\r\n" in head


# -- strangers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "framing", [f"content-length: {31 * MIB}", "transfer-encoding: chunked"]
)
def test_an_upload_without_a_key_costs_nothing(
    strict: GatewayProcess, framing: str
) -> None:
    head = asked(strict, "POST /v1/chat/completions HTTP/1.1", framing, JSON_LINE)
    start = b"" if framing.startswith("content-length") else b"1800000\r\n"
    wires = []
    with Watched(strict) as memory:
        for _ in range(12):
            wire = socket.create_connection(("127.0.0.1", strict.port), 20)
            wires.append(wire)
            wire.sendall(head.encode() + start)
            assert wire.recv(65536).startswith(b"HTTP/1.1 401 ")
            with suppress(ConnectionError):
                for _ in range(24):
                    wire.sendall(b"x" * MIB)
    for wire in wires:
        wire.close()
    assert memory.more < ROOM


def test_a_small_one_is_refused_in_step(strict: GatewayProcess) -> None:
    body = json.dumps(chat()).encode()
    request = asked(
        strict,
        "POST /v1/chat/completions HTTP/1.1",
        f"content-length: {len(body)}",
        JSON_LINE,
    ).encode()
    last = asked(strict, "GET /health HTTP/1.1", "connection: close")
    got = raw(strict, request + body, request + body, last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"401", b"401", b"200"]


def test_a_large_one_with_a_key_is_served(strict: GatewayProcess) -> None:
    asks = {"authorization": f"Bearer {KEY}"}
    messages = [{"role": "user", "content": "x" * MIB}]
    status, _, _ = strict.chat(headers=asks, messages=messages)
    assert status == 200


SLOW = [
    b"",
    b"GET",
    b"\x16\x03\x01",
    b"GET /health HTTP/1.1\r\nhost: x",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 1000,
    b"CONNECT api.openai.com:443 HTTP/1.1\r\n",
]


@pytest.mark.parametrize("said", SLOW, ids=range(len(SLOW)))
def test_a_head_takes_no_more_than_its_time(
    strict: GatewayProcess, said: bytes
) -> None:
    got = raw(strict, said)
    assert got == b"" or got.startswith(b"HTTP/1.1 408 ")
    assert got != b"" or b"HTTP" not in said


def test_nor_does_a_body_or_the_time_between(strict: GatewayProcess) -> None:
    got = raw(strict, asked(strict, "GET /health HTTP/1.1"))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.count(b"HTTP/1.1") == 1
    body = asked(
        strict,
        "POST /v1/chat/completions HTTP/1.1",
        f"authorization: Bearer {KEY}",
        "content-length: 500",
        JSON_LINE,
    )
    assert raw(strict, body, b"{").startswith(b"HTTP/1.1 408 ")


def test_an_answer_may_take_longer(strict: GatewayProcess, fake: FakeProvider) -> None:
    """Longer than any of the bounds: while others are sent away, it goes on."""
    gate = Gate()
    fake.then(Answer(headers=(JSON,), body=(gate, answers.chat_body("late"))))
    body = json.dumps(chat()).encode()
    head = asked(
        strict,
        "POST /v1/chat/completions HTTP/1.1",
        f"authorization: Bearer {KEY}",
        f"content-length: {len(body)}",
        JSON_LINE,
        "connection: close",
    )
    with socket.create_connection(("127.0.0.1", strict.port), 20) as wire:
        wire.sendall(head.encode() + body)
        gate.wait_arrived()
        for _ in range(3):
            raw(strict, b"GET")  # closed when its time is over
        gate.open()
        got = b""
        while piece := wire.recv(65536):
            got += piece
    assert b"late" in got


def test_a_crowd_keeps_nobody_out(strict: GatewayProcess) -> None:
    crowd = []
    for number in range(80):
        wire = socket.create_connection(("127.0.0.1", strict.port), 20)
        crowd.append(wire)
        with suppress(ConnectionError):
            wire.sendall(SLOW[number % len(SLOW)])
        if number % 10 == 9:
            assert strict.get("/health")[0] == 200
    for wire in crowd:
        wire.close()
    assert strict.get("/health")[0] == 200
