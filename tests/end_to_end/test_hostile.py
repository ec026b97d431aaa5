"""Requests that want to hurt: malformed, huge, deep, compressed, smuggled.

They are refused, or served as what they are. The process stays as it was, its loop is
never away for long, and whoever asks properly in between is answered.
"""

import asyncio
import gzip
import json
import os
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider

from gateway import GatewayProcess, chat, provider

from .conftest import Start
from .mutations import BODY, malformed

MIB = 1 << 20
LIMIT = 32 * MIB
"""The largest body that is read."""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def lag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lag") / "lag.json"


@pytest.fixture(scope="module")
def gateway(start_shared: Start, fake: FakeProvider, lag: Path) -> GatewayProcess:
    script = Path(__file__).with_name("lagging.py")
    gateway = start_shared(
        {"providers": [provider(fake, "a", free=True)]},
        env={"LAGGING_FILE": str(lag)},
        arguments=("-s", str(script)),
    )
    # What is imported late is imported before anybody looks at the clock.
    assert gateway.chat()[0] == 200
    gateway.get("/usage/historical")
    gateway.get("/v1/models")
    return gateway


MOST_BUSY = 0.4 if os.environ.get("LLM_GATEWAY_FASTPATH") == "off" else 0.2
"""Seconds. What is done on the loop and should not be takes longer than either; mitmproxy's
own way of reading 20,000 headers takes nearly a tenth, and more on a busy machine."""


@pytest.fixture
def quick(gateway: GatewayProcess, lag: Path) -> Iterator[None]:
    """The loop is never busy with one thing for long."""
    gateway.wait_for(lag.exists, "the first look")
    lag.unlink()
    yield
    assert gateway.chat()[0] == 200
    gateway.wait_for(lag.exists, "another look")
    found = json.loads(lag.read_text())
    print(f"busy {found['busy'] * 1000:.0f} ms, away {found['away'] * 1000:.0f} ms")
    assert found["busy"] < MOST_BUSY, found


class Raw:
    """A client that sends bytes."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.wire = socket.create_connection(("127.0.0.1", gateway.port), 20)
        self.got = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def send(self, raw: bytes) -> "Raw":
        with suppress(ConnectionError):  # refused while it was still talking
            self.wire.sendall(raw)
        return self

    def until(self, marker: bytes) -> bytes:
        with suppress(ConnectionError):
            while marker not in self.got and (piece := self.wire.recv(65536)):
                self.got += piece
        return self.got

    def status(self) -> int | None:
        """Of the first answer; None: the connection was closed without one."""
        head = self.until(b"\r\n\r\n")
        return int(head.split(b" ")[1]) if head else None


def post(
    gateway: GatewayProcess, *headers: str, path: str = "/v1/chat/completions"
) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{gateway.port}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# -- smuggling ---------------------------------------------------------------------

LENGTH = f"content-length: {len(BODY)}"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

SMUGGLED: list[tuple[str, tuple[str, ...], bytes, set[int | None]]] = [
    ("both lengths", (LENGTH, "transfer-encoding: chunked"), CHUNKED, {400}),
    ("two lengths", (LENGTH, "content-length: 3"), BODY, {400}),
    ("the same length twice", (LENGTH, LENGTH), BODY, {400}),
    ("a length with a sign", (f"content-length: +{len(BODY)}",), BODY, {400}),
    ("a length in hex", ("content-length: 0x10",), BODY, {400}),
    ("a length in other digits", ("content-length: \xb2",), BODY, {400}),
    ("a negative length", ("content-length: -1",), BODY, {400}),
    ("a space before the colon", ("host : x", LENGTH), BODY, {400}),
    ("two hosts", ("host: x", LENGTH), BODY, {400}),
    ("xchunked", ("transfer-encoding: xchunked",), CHUNKED, {400}),
    ("chunked twice", ("transfer-encoding: chunked, chunked",), CHUNKED, {400}),
    ("a tab before chunked", ("transfer-encoding:\tchunked",), CHUNKED, {200, 400}),
    ("a control before chunked", ("transfer-encoding: \x0bchunked",), CHUNKED, {200, 400}),
    ("a folded header", ("x-a: b\r\n c", LENGTH), BODY, {200, 400}),
    ("a bare CR", ("x-a: b\rtransfer-encoding: chunked", LENGTH), BODY, {400}),
    ("a NUL", ("x-a: b\x00", LENGTH), BODY, {400}),
    ("a DEL", ("x-a: b\x7f", LENGTH), BODY, {400}),
    ("a bad chunk", ("transfer-encoding: chunked",), b"zz\r\n", {400, None}),
    ("a negative chunk", ("transfer-encoding: chunked",), b"-1\r\n\r\n", {400, None}),
    ("no end of chunk", ("transfer-encoding: chunked",), b"1\r\nab\r\n0\r\n\r\n", {400, None}),
    ("a trailer", ("transfer-encoding: chunked",), CHUNKED[:-2] + b"x: y\r\n\r\n", {200, 400, None}),
    ("no name", (": x", LENGTH), BODY, {400}),
    ("no colon", ("nothing", LENGTH), BODY, {400}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [c[1:] for c in SMUGGLED],
    ids=[c[0] for c in SMUGGLED],
)
def test_smuggling(
    gateway: GatewayProcess,
    fake: FakeProvider,
    headers: tuple[str, ...],
    body: bytes,
    expected: set[int | None],
) -> None:
    """The provider sees one well-formed request, or none."""
    before, seen = len(fake.requests), len(fake.bytes_in())
    hidden = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
    with Raw(gateway) as raw:
        status = raw.send(post(gateway, *headers) + body + hidden).status()
    assert status in expected
    arrived = fake.requests[before:]
    assert len(arrived) == (status == 200)
    assert b"hidden" not in fake.bytes_in()[seen:]
    for request in arrived:
        assert request.body == BODY
        assert request.header("transfer-encoding") is None


def test_no_host_and_http_10(gateway: GatewayProcess) -> None:
    raw = b"GET /health HTTP/1.1\r\n\r\n"
    with Raw(gateway) as client:
        assert client.send(raw).status() == 400
    with Raw(gateway) as client:
        assert client.send(raw.replace(b"1.1", b"1.0")).status() in (400, 403)
    with Raw(gateway) as client:
        named = (
            f"GET /health HTTP/1.0\r\nhost: 127.0.0.1:{gateway.port}\r\n\r\n".encode()
        )
        assert client.send(named).status() == 200


# -- large heads -------------------------------------------------------------------


def padded(gateway: GatewayProcess, size: int) -> bytes:
    """A good request whose header fields take that many bytes, as the limit counts."""
    fields = {
        "host": f"127.0.0.1:{gateway.port}",
        "content-length": str(len(BODY)),
        "x": "",
    }
    left = size - sum(len(name) + len(value) + 4 for name, value in fields.items())
    return post(gateway, LENGTH, f"x: {'y' * left}") + BODY


@pytest.mark.parametrize(("size", "status"), [(65536, 200), (65537, 431), (MIB, 431)])
@pytest.mark.usefixtures("quick")
def test_large_headers(gateway: GatewayProcess, size: int, status: int) -> None:
    with Raw(gateway) as raw:
        assert raw.send(padded(gateway, size)).status() == status


@pytest.mark.parametrize(("count", "status"), [(197, 200), (199, 431), (20_000, 431)])
@pytest.mark.usefixtures("quick")
def test_many_headers(gateway: GatewayProcess, count: int, status: int) -> None:
    many = [f"x-{n}: y" for n in range(count)]
    with Raw(gateway) as raw:
        assert raw.send(post(gateway, LENGTH, *many) + BODY).status() == status


@pytest.mark.parametrize("path", ["/usage/historical?", "/v1/chat/completions?", "/"])
@pytest.mark.parametrize(("size", "status"), [(65537, 414), (MIB, 431)])
@pytest.mark.usefixtures("quick")
def test_a_long_request_line(
    gateway: GatewayProcess, path: str, size: int, status: int
) -> None:
    long = path + "a&" * (size // 2)
    with Raw(gateway) as raw:
        head = f"GET {long} HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\n\r\n"
        assert raw.send(head.encode()).status() == status


@pytest.mark.parametrize(
    "target",
    [
        b"/usage/historical?model=\xc1",
        b"/usage/historical?providerId=%ff",
        b"/usage/model/\xc1",
        b"/route?model=\xc1%c1",
        b"/\xc1",
        b"/config/\xc1",
    ],
)
def test_bytes_that_are_no_text(gateway: GatewayProcess, target: bytes) -> None:
    raw = b"GET %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % (target, gateway.port)
    # Bytes beyond ASCII are refused in a request line; escaped ones are somebody's name.
    expected = (200, 404) if target.isascii() else (400,)
    with Raw(gateway) as client:
        assert client.send(raw).status() in expected


def test_a_head_that_never_ends(gateway: GatewayProcess) -> None:
    """Whoever sends headers for ever is cut off long before memory is."""
    before = gateway.rss()
    with Raw(gateway) as raw:
        with suppress(ConnectionError):
            raw.wire.sendall(
                f"GET / HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\n".encode()
            )
            for _ in range(64):
                raw.wire.sendall(b"x: " + b"y" * MIB + b"\r\n")
        assert raw.status() in (400, 431, None)
    assert gateway.rss() - before < 48 * MIB


# -- large bodies ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/config", "/usage/simulate"])
@pytest.mark.parametrize("size", [LIMIT + 1, 10**15])
@pytest.mark.usefixtures("quick")
def test_a_body_that_says_it_is_too_large(
    gateway: GatewayProcess, path: str, size: int
) -> None:
    with Raw(gateway) as raw:
        head = post(gateway, f"content-length: {size}", path=path)
        assert raw.send(head + b"x" * 1000).status() == 413
        error = json.loads(raw.until(b"}}").partition(b"\r\n\r\n")[2])["error"]
        assert error["code"] == "request_too_large"


@pytest.mark.usefixtures("quick")
def test_a_body_that_turns_out_too_large(gateway: GatewayProcess) -> None:
    before = gateway.rss()
    with Raw(gateway) as raw:
        raw.send(post(gateway, "transfer-encoding: chunked"))
        for _ in range(LIMIT // MIB + 2):
            raw.send(b"%x\r\n%s\r\n" % (MIB, b"x" * MIB))
        assert raw.status() in (413, None)
    assert gateway.rss() - before < 3 * LIMIT


def large(size: int) -> bytes:
    """A good request of about that many bytes."""
    return json.dumps(chat(padding="x" * size)).encode()


def test_a_large_body_is_served(gateway: GatewayProcess, fake: FakeProvider) -> None:
    body = large(8 * MIB)
    assert gateway.post("/v1/chat/completions", body)[0] == 200
    assert fake.requests[-1].body == body


# -- expect, chunks, encodings -----------------------------------------------------


def test_expect_100_continue(gateway: GatewayProcess, fake: FakeProvider) -> None:
    expect = "expect: 100-continue"
    with Raw(gateway) as raw:
        raw.send(post(gateway, LENGTH, expect))
        assert raw.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        raw.got = b""
        assert raw.send(BODY).status() == 200
    assert fake.requests[-1].body == BODY
    assert fake.requests[-1].header("expect") is None
    with Raw(gateway) as raw:
        # Nobody is asked for a body that will be refused.
        raw.send(post(gateway, f"content-length: {LIMIT + 1}", expect))
        assert raw.status() == 413


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_body(gateway: GatewayProcess, fake: FakeProvider, size: int) -> None:
    pieces = [BODY[n : n + size] for n in range(0, len(BODY), size)]
    raw_body = (
        b"".join(b"%x;a=b\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    )
    with Raw(gateway) as raw:
        head = post(gateway, "transfer-encoding: chunked")
        assert raw.send(head + raw_body).status() == 200
    assert fake.requests[-1].body == BODY
    assert fake.requests[-1].header("content-length") == str(len(BODY))


def deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def bomb(size: int, wbits: int = 31) -> bytes:
    """Its end is missing: nobody may read that far."""
    packer = zlib.compressobj(9, wbits=wbits)
    start = packer.compress(b'{"model":"m","messages":[],"a":"')
    start += packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (size // MIB)


BROTLI_BOMB = bytes.fromhex("cb3f0000000f00e2b1ea3d1203")
"""The beginning of one: it must not even be looked at."""

ENCODED: list[tuple[str, str, bytes, int]] = [
    ("gzip", "gzip", gzip.compress(BODY), 200),
    ("x-gzip", "x-gzip", gzip.compress(BODY), 200),
    ("deflate", "deflate", deflated(BODY, 15), 200),
    ("raw deflate", "deflate", deflated(BODY, -15), 200),
    ("identity", "identity", BODY, 200),
    ("upper case", "GZIP", gzip.compress(BODY), 200),
    ("cut gzip", "gzip", gzip.compress(BODY)[:-9], 400),
    ("no gzip", "gzip", b"nothing", 400),
    ("nothing", "gzip", b"", 400),
    ("broken gzip", "gzip", gzip.compress(BODY)[:20] + b"\xff" * 20, 400),
    ("something behind", "gzip", gzip.compress(BODY) + b"{}", 400),
    ("gzip in gzip", "gzip, gzip", gzip.compress(gzip.compress(BODY)), 415),
    ("brotli", "br", BROTLI_BOMB, 415),
    ("zstd", "zstd", b"\x28\xb5\x2f\xfd", 415),
    ("base64", "base64", b"e30=", 415),
    ("zip codec", "zip", zlib.compress(BODY), 415),
    ("gzip bomb", "gzip", bomb(256 * MIB), 413),
    ("deflate bomb", "deflate", bomb(256 * MIB, 15), 413),
    ("raw deflate bomb", "deflate", bomb(256 * MIB, -15), 413),
    ("small gzip bomb", "gzip", bomb(8 * MIB), 413),
]


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [c[1:] for c in ENCODED],
    ids=[c[0] for c in ENCODED],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.usefixtures("quick")
def test_encoded_bodies(
    gateway: GatewayProcess,
    fake: FakeProvider,
    path: str,
    encoding: str,
    body: bytes,
    status: int,
) -> None:
    before = gateway.rss()
    found, _, told = gateway.post(path, body, {"content-encoding": encoding})
    assert found == status, told
    if found == 200:
        translated = path == "/v1/messages"
        assert translated or fake.requests[-1].body == BODY
        assert fake.requests[-1].header("content-encoding") is None
    assert gateway.rss() - before < 80 * MIB


# -- JSON --------------------------------------------------------------------------


def nested(start: bytes, end: bytes, depth: int) -> bytes:
    inner = start * depth + b"1" + end * depth
    return (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"a":' + inner + b"}"
    )


DEEP = [
    nested(b"[", b"]", 100_000),
    nested(b'{"a":', b"}", 100_000),
    b"[" * 100_000,
    b'{"model":"m","messages":' + b"[" * 100_000,
    b'{"model":"m","messages":[],"a":' + b"9" * 1_000_000 + b"}",
    b'{"model":"' + b"\\u0041" * 200_000 + b'","messages":[]}',
    b'{"model":"m","messages":[],'
    + b",".join(b'"k%d":0' % n for n in range(60_000))
    + b"}",
    b'{"model":"m","messages":[' + b"{}," * 200_000 + b"{}]}",
    b'{"model":"m","messages":[' + b"{}," * 8_000_000 + b"{}]}",
]


@pytest.mark.parametrize("body", DEEP, ids=[str(n) for n in range(len(DEEP))])
@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/usage/simulate"],
)
@pytest.mark.usefixtures("quick")
def test_deep_and_wide_json(gateway: GatewayProcess, path: str, body: bytes) -> None:
    """Refused, or passed on to somebody who may like it; never an error of ours."""
    status, _, told = gateway.post(path, body)
    assert status in (200, 400, 404, 413), told
    if status != 200:
        assert told["error"]["message"]


@pytest.mark.parametrize("path", ["/config", "/config?dry_run=1"])
def test_deep_json_in_a_configuration(gateway: GatewayProcess, path: str) -> None:
    for body in DEEP:
        for kind in ("application/json", "application/jsonc"):
            given = {**gateway.admin, "content-type": kind}
            status, _, told = gateway.post(path, body, given)
            assert status in (400, 413, 422), told
            assert len(json.dumps(told)) < 20_000
    assert gateway.get("/health")[0] == 200


# -- everything at once ------------------------------------------------------------


async def throw(
    gateway: GatewayProcess, fake: FakeProvider, count: int, seed: int
) -> dict[str, int]:
    """Malformed requests, 32 at a time; a good one after each fifty. Statuses seen."""
    seen: dict[str, int] = {}
    requests = enumerate(malformed(count, seed, gateway.port, fake.port))

    async def one(raw: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = b""
        try:
            writer.write(raw)
            async with asyncio.timeout(0.2):
                while b"\r\n\r\n" not in head and (piece := await reader.read(65536)):
                    head += piece
        except (TimeoutError, ConnectionError):
            pass  # it waits for more, or had enough
        finally:
            writer.close()
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        key = found[1].decode() if found else "closed" if head == b"" else "odd"
        seen[key] = seen.get(key, 0) + 1
        assert b"internal_error" not in head, raw
        assert key != "odd" or head.startswith(b"HTTP/"), (raw, head)

    async def worker() -> None:
        for n, raw in requests:
            await one(raw)
            if n % 50 == 0:
                status, _, body = await asyncio.to_thread(gateway.chat)
                assert (status, body["object"]) == (200, "chat.completion")

    await asyncio.gather(*(worker() for _ in range(32)))
    return seen


def many(gateway: GatewayProcess, fake: FakeProvider, count: int, seed: int) -> None:
    asyncio.run(throw(gateway, fake, 300, seed + 1))  # buffers and caches have grown
    before = gateway.rss()
    seen = asyncio.run(throw(gateway, fake, count, seed))
    growth = (gateway.rss() - before) / MIB
    print(f"{count} malformed requests, seed {seed}: {seen}, {growth:.1f} MiB more")
    assert growth < 20
    assert gateway.alive
    assert set(seen) <= {
        *("200", "204", "400", "401", "403", "404", "405", "407", "413", "414", "415", "422"),
        *("429", "431", "500", "501", "502", "503", "504", "505", "100", "closed", "odd"),
    }  # fmt: skip
    assert gateway.chat()[0] == 200
    for line in ("Traceback", "Addon error", "Internal error", "has crashed"):
        assert line not in gateway.log()
    fake.requests.clear()
    fake.journal.clear()


def test_malformed_requests(gateway: GatewayProcess, fake: FakeProvider) -> None:
    many(gateway, fake, 1500, 20261123)


@pytest.mark.chaos
def test_ten_thousand_malformed_requests(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    """Another ten thousand with LLM_GATEWAY_TEST_SEED=n."""
    many(gateway, fake, 10_000, int(os.environ.get("LLM_GATEWAY_TEST_SEED", "7")))


def test_nothing_was_left_behind(gateway: GatewayProcess) -> None:
    """After all of that: nobody waits, every row has an end."""
    found: dict[str, Any] = gateway.get("/health")[2]
    assert (found["status"], found["degraded"]) == ("ok", [])
    gateway.wait_rows(
        "select * from requests where outcome = 'in_flight'", lambda rows: not rows
    )
