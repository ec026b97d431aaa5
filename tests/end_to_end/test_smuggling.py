"""Whatever a client sends, an upstream gets well-formed requests, and nobody else's secrets.

Requests are composed of good parts with arbitrary bytes put in anywhere: request lines,
pseudo-headers, names, values, framing, cuts; HTTP/1 in all forms and HTTP/2; routed and
passed through. The upstream reads with h11 and takes nothing amiss lightly. After each
example another client asks with a key of the gateway's: its key and its prompt must have
gone out in one request of its own, on a connection that carries no app's own requests.

A few dozen examples for each of the three ways through the HTTP layer; for more, e.g.
`SMUGGLING_EXAMPLES=10000 HYPOTHESIS_PROFILE=explore pytest tests/end_to_end/test_smuggling.py`.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from fakes import Authority, StrictUpstream, Way, client_context, reach
from fakes import strict as strict_upstream
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import GatewayProcess
from llm_gateway.mitm_compat.h2_version import too_old

from .conftest import Start

EXAMPLES = int(os.environ.get("SMUGGLING_EXAMPLES", "60"))
WAYS = ("mitmproxy", "direct", "plain")
SCRIPT = Path(strict_upstream.__file__).with_name("scripts") / "ways.py"
KEY = b"sk-CANARY-provider"
ROUTED = (b"/completions", b"/files")
"""Ends of the paths that are asked with a provider's key."""
QUIET = 0.4
"""Seconds without a byte after which a client that waits for more gives up."""
PATIENCE = 10.0
CONNECTIONS = Path("/proc/net/tcp")

pytestmark = pytest.mark.timeout(180 if EXAMPLES <= 60 else 0)

numbers = itertools.count(1)


class Site:
    """One gateway, two providers (plain and TLS) that are also intercepted hosts."""

    def __init__(
        self,
        gateway: GatewayProcess,
        plain: StrictUpstream,
        tls: StrictUpstream,
    ) -> None:
        self.gateway, self.plain, self.tls = gateway, plain, tls
        self.checked = {id(plain): 0, id(tls): 0}
        self.late: set[bytes] = set()
        """Nonces of the client that has just left: on a busy machine a request of its own
        may still be on its way."""
        self.faults = 0
        """Those that tests asked for."""

    def new_nonce(self) -> bytes:
        return b"nonce-%07d-x" % next(numbers)

    def look(self, own: set[bytes]) -> list[strict_upstream.Strict]:
        """What the upstreams got since the last look, after all that has to hold of it."""
        found = []
        for upstream in (self.plain, self.tls):
            refused, upstream.refused = upstream.refused, []
            assert refused == []
            new = upstream.requests[self.checked[id(upstream)] :]
            self.checked[id(upstream)] += len(new)
            found += new
        for request in found:
            assert request.nonces <= own or request.nonces <= self.late, request
            if is_keyed(request):
                assert dict(request.headers)[b"authorization"] == b"Bearer " + KEY
                assert request.text.count(KEY) == 1, request
                assert request.target.endswith(ROUTED), request
                assert len(request.nonces) <= 1, request
        return [request for request in found if request.nonces <= own]

    def victim(self) -> None:
        """Another client, with a key of the gateway's and a prompt of its own."""
        for model, upstream in (("m", self.plain), ("t", self.tls)):
            nonce = self.new_nonce()
            say = [{"role": "user", "content": nonce.decode()}]
            body = {"model": model, "messages": say}
            status, _, said = self.gateway.post("/v1/chat/completions", body)
            assert status == 200, said
            assert said["choices"][0]["message"]["content"] == nonce.decode()
            # A late request of the client before this one may have lost its nonce.
            (got,) = [one for one in self.look({nonce}) if one.nonces]
            assert got.nonces == {nonce}
            assert got.body.count(nonce) == 1
            self.kinds(upstream)

    def kinds(self, upstream: StrictUpstream) -> None:
        """No connection carries both what an app composed and what the gateway did."""
        carried: dict[int, set[bool]] = {}
        for request in upstream.requests:
            carried.setdefault(request.connection, set()).add(is_keyed(request))
        assert [c for c, kinds in carried.items() if len(kinds) > 1] == []

    def well(self) -> None:
        log = self.gateway.log()
        assert "crashed" not in log, log
        assert log.count("A fault in the gateway") == self.faults, log


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=WAYS)
def site(
    request: pytest.FixtureRequest, start_shared: Start, authority: Authority
) -> Iterator[Site]:
    context = authority.server_context()
    with StrictUpstream() as plain, StrictUpstream(context) as tls:
        gateway = start_shared(
            {
                "intercept": {"hosts": ["localhost", "127.0.0.1"]},
                "providers": [
                    a_provider("p", f"http://127.0.0.1:{plain.port}/v1", "m"),
                    {
                        **a_provider("f", f"http://127.0.0.1:{plain.port}/v1", "f"),
                        "headers": {"x-fault": "1"},
                    },
                    a_provider("q", f"https://localhost:{tls.port}/v1", "t"),
                ],
            },
            trust=authority.ca,
            env={"WAY": request.param},
            arguments=("-s", str(SCRIPT)),
        )
        gateway.wait_log("Try: curl")
        site = Site(gateway, plain, tls)
        yield site
        site.well()


def is_keyed(request: strict_upstream.Strict) -> bool:
    return KEY in request.text


def a_provider(id: str, url: str, model: str) -> dict[str, Any]:
    return {
        "id": id,
        "type": "openai-compatible",
        "baseURL": url,
        "apiKey": KEY.decode(),
        "models": [{"name": model}],
        "free": True,
    }


# requests, good and spoiled

SECOND = b" HTTP/1.1\r\nhost: a\r\n\r\nPOST /v1/smuggled HTTP/1.1\r\nx: y"
ODD = st.one_of(
    st.sampled_from(
        [
            *(b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n ", b"\0", b"\x0b", b"\x0c"),
            *(b"\x7f", b"\x80", b"\xff", b":", b",", b"#", b"%0d%0a", b"\r\nx-a: b"),
            *(SECOND, SECOND.replace(b"\r\n", b"\n")),
        ]
    ),
    st.binary(min_size=1, max_size=3),
)


@st.composite
def maybe_spoiled(draw: st.DrawFn, good: bytes, once_in: int = 8) -> bytes:
    if draw(st.integers(1, once_in)) > 1:
        return good
    at = draw(st.integers(0, len(good)))
    return good[:at] + draw(ODD) + good[at:]


LENGTHS = ("right", "right", "right", "chunked", "chunked", "none", "short", "long")
LENGTHS += ("both", "two", "digits", "gzip", "twice", "spaced", "signed")


def framed(how: str, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Fields that say how long the body is, truly or not, and its bytes."""
    size = b"%d" % len(body)
    length, coding = b"content-length", b"transfer-encoding"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    known: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {
        "right": ([(length, size)], body),
        "chunked": ([(coding, b"chunked")], chunked),
        "none": ([], b""),
        "short": ([(length, b"%d" % (len(body) // 2))], body),
        "long": ([(length, b"%d" % (len(body) + 7))], body),
        "both": ([(length, size), (coding, b"chunked")], chunked),
        "two": ([(length, size), (length, b"%d" % (len(body) + 1))], body),
        "digits": ([(length, size.rjust(5000, b"0"))], body),
        "gzip": ([(coding, b"gzip, chunked")], chunked),
        "twice": ([(coding, b"chunked"), (coding, b"chunked")], chunked),
        "spaced": ([(coding, b"\x0bchunked")], chunked),
        "signed": ([(length, b"+" + size)], body),
    }
    return known[how]


HOPS = st.sampled_from(
    [
        (b"connection", b"content-length, x-named"),
        (b"connection", b"host, authorization"),
        (b"connection", b"close, transfer-encoding"),
        (b"Connection", b"Keep-Alive"),
        (b"te", b"trailers, gzip"),
        (b"upgrade", b"h2c"),
        (b"proxy-connection", b"keep-alive"),
        (b"trailer", b"x-named"),
        (b"expect", b"100-continue"),
    ]
)


@st.composite
def http1_request(draw: st.DrawFn, nonce: bytes, host: bytes, form: str) -> bytes:
    routed = draw(st.booleans())
    path = b"/v1/chat/completions" if routed else b"/v1/files"
    said = {"role": "user", "content": nonce.decode()}
    body = json.dumps({"model": "m", "messages": [said]}).encode()
    method = draw(st.sampled_from([b"POST", b"POST", b"GET", b"DELETE", b"HEAD"]))
    target = b"http://%s%s" % (host, path) if form == "absolute" else path
    version = draw(st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0"]))
    fields = [(b"Host", host)] * draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2]))
    fields += [(b"x-nonce", nonce), (b"authorization", b"Bearer sk-APP")]
    fields += draw(st.lists(HOPS, max_size=1))
    lengths, sent = framed(draw(st.sampled_from(LENGTHS)), body)
    fields += lengths
    line = [draw(maybe_spoiled(part)) for part in (method, target, version)]
    head = [b" ".join(line)]
    for name, value in fields:
        pair = draw(maybe_spoiled(name, 20)), draw(maybe_spoiled(value, 20))
        head.append(b": ".join(pair))
    return b"\r\n".join([*head, b"", sent])


@st.composite
def http2_fields(
    draw: st.DrawFn, nonce: bytes, host: bytes
) -> list[tuple[bytes, bytes]]:
    routed = draw(st.booleans())
    path = b"/v1/chat/completions" if routed else b"/v1/files"
    pseudo = [
        (b":method", draw(st.sampled_from([b"POST", b"GET", b"CONNECT"]))),
        (b":scheme", b"https"),
        (b":authority", host),
        (b":path", path),
    ]
    fields = [*draw(st.permutations(pseudo)), (b"x-nonce", nonce)]
    more = st.sampled_from(
        [
            (b"transfer-encoding", b"chunked"),
            (b"content-length", b"3"),
            (b"te", b"trailers"),
            (b"host", b"evil.example"),
            (b":path", b"/v1/other"),
            (b":protocol", b"websocket"),
            (b"X-Upper", b"a"),
            (b"cookie", b"a=b"),
        ]
    )
    fields += draw(st.lists(more, max_size=1))
    return [
        (draw(maybe_spoiled(name, 30)), draw(maybe_spoiled(value, 6)))
        for name, value in fields
    ]


FIRST = b"GET /v1/files HTTP/1.1\r\nHost: %s\r\nx-nonce: %s\r\n\r\n"


def connected(site: Site, target: bytes = b"") -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", site.gateway.port), PATIENCE)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target:
        wire.sendall(b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (target, target))
        assert b" 200 " in wire.recv(4096)
    return wire


def until_read(wire: socket.socket) -> None:
    """The gateway has taken from the kernel what was sent: what follows is another read.

    Linux says how many bytes wait on the other end; elsewhere pieces may come together.
    """
    gateway, client = wire.getpeername()[1], wire.getsockname()[1]
    ends = f"0100007F:{gateway:04X} 0100007F:{client:04X}"
    waits_until = time.monotonic() + QUIET
    while time.monotonic() < waits_until:
        try:
            table = CONNECTIONS.read_text()
        except OSError:
            return
        line = next((one for one in table.splitlines() if ends in one), "")
        if not line or line.split()[4].endswith(":00000000"):
            return
        os.sched_yield()


def until_quiet(wire: socket.socket, last: bytes) -> bytes:
    """To the end of the answer that echoes `last`, or of the client's patience."""
    got, wire_over = b"", False
    wire.settimeout(QUIET)
    with contextlib.suppress(OSError):
        while not wire_over and last not in got:
            piece = wire.recv(65536)
            got, wire_over = got + piece, not piece
    return got


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_http1(site: Site, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["direct", "absolute", "tunnel"]))
    host = b"127.0.0.1:%d" % (
        site.gateway.port if form == "direct" else site.plain.port
    )
    nonces = [site.new_nonce() for _ in range(data.draw(st.integers(1, 3)))]
    whole = b"".join(data.draw(http1_request(nonce, host, form)) for nonce in nonces)
    last = site.new_nonce()
    target = b"http://%s/v1/files" % host if form == "absolute" else b"/v1/files"
    whole += (
        b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nx-nonce: %s\r\n\r\n"
        % (target, host, last)
    )
    drawn = data.draw(st.lists(st.integers(1, 1 << 16), max_size=3))
    cuts = sorted(1 + at % (len(whole) - 1) for at in drawn)
    wire = connected(site, host if form == "tunnel" else b"")
    with wire, contextlib.suppress(OSError):
        if form == "tunnel":
            # What does not begin like HTTP is a tunnel of bytes, and nothing of ours.
            nonces.append(site.new_nonce())
            wire.sendall(FIRST % (host, nonces[-1]))
            until_quiet(wire, nonces[-1])
        for a, b in itertools.pairwise([0, *cuts, len(whole)]):
            wire.sendall(whole[a:b])
            until_read(wire)
        until_quiet(wire, last)
    site.look({*nonces, last})
    site.late = {*nonces, last}
    site.victim()


@pytest.mark.skipif(bool(too_old()), reason="no HTTP/2 with a library this old")
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_http2(site: Site, authority: Authority, data: st.DataObject) -> None:
    host = b"localhost:%d" % site.tls.port
    nonces = [site.new_nonce() for _ in range(data.draw(st.integers(1, 3)))]
    config = h2.config.H2Configuration(
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    http2 = h2.connection.H2Connection(config)
    http2.initiate_connection()
    context = client_context(site.gateway.ca, ("h2",))
    raw = connected(site, host)
    with context.wrap_socket(raw, server_hostname="localhost") as wire:
        assert wire.selected_alpn_protocol() == "h2"
        for number, nonce in zip(itertools.count(1, 2), nonces, strict=False):
            fields = data.draw(http2_fields(nonce, host))
            body = data.draw(st.sampled_from([b"", b"abc", nonce]))
            http2.send_headers(number, fields, end_stream=not body)
            if body:
                http2.send_data(number, body, end_stream=True)
        with contextlib.suppress(OSError, ssl.SSLError, h2.exceptions.H2Error):
            wire.sendall(http2.data_to_send())
            hear_streams(wire, http2, len(nonces))
    found = site.look(set(nonces))
    for nonce in nonces:
        assert sum(nonce in request.text for request in found) <= 1
    assert len(found) <= len(nonces)
    site.late = set(nonces)
    site.victim()


def hear_streams(
    wire: ssl.SSLSocket, http2: h2.connection.H2Connection, open_streams: int
) -> None:
    """Until each has an end, or all of them have."""
    wire.settimeout(2.0)
    while open_streams > 0:
        piece = wire.recv(65536)
        if not piece:
            return
        for event in http2.receive_data(piece):
            if isinstance(event, h2.events.ConnectionTerminated):
                return
            ended = (h2.events.StreamEnded, h2.events.StreamReset)
            open_streams -= isinstance(event, ended)
        wire.sendall(http2.data_to_send())


# heads that are refused: one answer each

GOOD = b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n"
REFUSED = {
    "content-length of 5000 digits": b"content-length: " + b"9" * 5000,
    "content-length and transfer-encoding": b"content-length: 1\r\ntransfer-encoding: chunked",
    "two content-lengths": b"content-length: 1\r\ncontent-length: 2",
    "signed content-length": b"content-length: +1",
    "gzip, chunked": b"transfer-encoding: gzip, chunked",
    "unknown coding": b"transfer-encoding: xchunked",
    "two hosts": b"host: other.example",
    "folded": b"x-a: b\r\n c",
    "no colon": b"nonsense",
    "space in a name": b"x a: b",
    "NUL in a value": b"x-a: b\0c",
    "CR in a value": b"x-a: b\rc",
}
LINES = {
    "control character in the path": b"GET /v1/fi\x01les HTTP/1.1",
    "DEL in the path": b"GET /v1/fi\x7fles HTTP/1.1",
    "beyond ASCII in the path": b"GET /v1/\xc3\xbc HTTP/1.1",
    "control character in the method": b"GE\x01T /v1/files HTTP/1.1",
    "no token as method": b"GE(T /v1/files HTTP/1.1",
    "HTTP/2.0 in HTTP/1": b"GET /v1/files HTTP/2.0",
    "HTTP/1.7": b"GET /v1/files HTTP/1.7",
    "space in the path": b"GET /v1/fi les HTTP/1.1",
    "two hosts in HTTP/1.0": b"GET /v1/files HTTP/1.0\r\nhost: other.example",
    "chunks in HTTP/1.0": b"GET /v1/files HTTP/1.0\r\ntransfer-encoding: chunked",
}


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("what", [*REFUSED, *LINES])
def test_a_refused_head_gets_exactly_one_answer(
    site: Site, what: str, before: int
) -> None:
    host = b"127.0.0.1:%d" % site.gateway.port
    line = LINES.get(what, b"POST /v1/chat/completions HTTP/1.1")
    more = b"\r\n" + REFUSED[what] if what in REFUSED else b""
    bad = b"%s\r\nHost: %s\r\nConnection: close%s\r\n\r\n" % (line, host, more)
    with connected(site) as wire, contextlib.suppress(ConnectionResetError):
        wire.sendall(GOOD % host * before + bad)
        got = b""
        while piece := wire.recv(65536):
            got += piece
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", got)
    assert statuses[:before] == [b"200"] * before, got
    assert len(statuses) == before + 1, got
    assert statuses[-1] in (b"400", b"505"), got
    assert got.rstrip().endswith(b"}"), got
    site.look(set())


@pytest.mark.parametrize("form", ["tunnel", "absolute"])
@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1\r\nhost: %s",
        b"HTTP/1.0\r\nhost: %s",
        b"HTTP/1.0\r\nhost: b.example\r\nx-a: %s",
        b"HTTP/1.0\r\ntransfer-encoding: chunked\r\nx-a: %s",
    ],
)
def test_one_that_passes_goes_nowhere(site: Site, form: str, line: bytes) -> None:
    host = b"127.0.0.1:%d" % site.plain.port
    path = b"http://%s/v1/files" % host if form == "absolute" else b"/v1/files"
    bad = b"GET %s %s\r\nHost: %s\r\n\r\n0\r\n\r\n" % (path, line % host, host)
    with connected(site, host if form == "tunnel" else b"") as wire:
        wire.sendall(bad)
        assert b" 400 " in wire.recv(65536)
    site.look(set())


# what only passes

OWN = b"GET /v1/files HTTP/1.1\r\nHost: %s\r\nx-nonce: %s\r\n"
HOP_BY_HOP = {
    "close": (b"connection: close", ()),
    "named": (b"connection: x-named\r\nx-named: a\r\nx-other: b", (b"x-other",)),
    "framing is not for the naming": (
        b"connection: content-length, host\r\ncontent-length: 2",
        (b"content-length",),
    ),
    "keep-alive": (b"keep-alive: timeout=5\r\nproxy-connection: keep-alive", ()),
    "te": (b"te: gzip", ()),
    "te: trailers": (b"te: trailers", (b"te",)),
    "trailer": (b"trailer: x-a", ()),
    "upgrade that is not asked for": (b"upgrade: websocket", ()),
    "upgrade": (
        b"connection: keep-alive, Upgrade\r\nupgrade: websocket",
        (b"connection", b"upgrade"),
    ),
}


@pytest.mark.parametrize("what", HOP_BY_HOP)
@pytest.mark.parametrize("segments", [1, 2])
def test_what_is_for_this_hop_stays_here(site: Site, what: str, segments: int) -> None:
    """In a tunnel too, whose first request may come along with CONNECT."""
    said, kept = HOP_BY_HOP[what]
    host, nonce = b"127.0.0.1:%d" % site.plain.port, site.new_nonce()
    body = b"{}" if b"content-length" in said else b""
    asked = OWN % (host, nonce) + said + b"\r\n\r\n" + body
    opening = b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (host, host)
    with connected(site) as wire:
        if segments == 2:
            wire.sendall(opening)
            assert b" 200 " in wire.recv(4096)
            wire.sendall(asked)
        else:
            wire.sendall(opening + asked)
        got = b""
        while nonce not in got and (piece := wire.recv(65536)):
            got += piece
        if what == "close":
            assert wire.recv(1) == b""
    (request,) = site.look({nonce})
    names = {name.lower() for name, _ in request.headers} - {b"host", b"x-nonce"}
    assert names == set(kept)
    assert dict(request.headers).get(b"connection") in (None, b"upgrade")


# faults of ours


@pytest.mark.parametrize("routed", [True, False])
def test_a_fault_ends_one_request_with_an_answer(site: Site, routed: bool) -> None:
    """And the log says where, and nothing of what the request held."""
    host, nonce = b"127.0.0.1:%d" % site.plain.port, site.new_nonce()
    asked = (
        b"GET http://%s/v1/x-fault HTTP/1.1\r\nHost: %s\r\n"
        b"authorization: Bearer sk-CANARY-app\r\nx-nonce: %s\r\n\r\n"
    ) % (host, host, nonce)
    if routed:
        body = json.dumps(
            {"model": "f", "messages": [{"role": "user", "content": "a"}]}
        )
        asked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\n" % (
            b"127.0.0.1:%d" % site.gateway.port
        ) + b"content-length: %d\r\n\r\n%s" % (len(body), body.encode())
    site.faults += 1
    with connected(site) as wire:
        wire.sendall(asked)
        got = b""
        while piece := wire.recv(65536):
            got += piece
    assert got.startswith(b"HTTP/1.1 500 "), got
    assert got.count(b"HTTP/1.1 ") == 1
    assert b'"internal_error"' in got
    site.look(set())
    site.gateway.wait_log("A fault in the gateway", site.faults)
    assert "sk-CANARY" not in site.gateway.log()
    site.victim()


@pytest.mark.skipif(bool(too_old()), reason="no HTTP/2 with a library this old")
async def test_a_fault_harms_no_other_stream(site: Site) -> None:
    site.faults += 1
    port, ca = site.gateway.port, site.gateway.ca
    nonces = [site.new_nonce().decode() for _ in range(3)]
    where = {"host": "localhost", "port": site.tls.port}
    async with reach(Way.CONNECT_H2, port, ca=ca, **where) as session:
        asked = [
            session.ask("/v1/files", b"", [("x-nonce", nonces[0])], "GET"),
            session.ask("/v1/x-fault", b"", [("x-nonce", nonces[1])], "GET"),
            session.ask("/v1/files", b"", [("x-nonce", nonces[2])], "GET"),
        ]
        answered = await asyncio.gather(*asked)
        assert [one.status for one in answered] == [200, 500, 200]
        assert nonces[0].encode() in await answered[0].body()
        assert b"internal_error" in await answered[1].body()
        assert nonces[2].encode() in await answered[2].body()
    site.look({nonce.encode() for nonce in nonces})


@pytest.mark.skipif(bool(too_old()), reason="no HTTP/2 with a library this old")
def test_trailers_of_a_request_are_left_out(site: Site) -> None:
    host, nonce = b"localhost:%d" % site.tls.port, site.new_nonce()
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    http2.initiate_connection()
    fields = [
        *((b":method", b"POST"), (b":scheme", b"https"), (b":authority", host)),
        *((b":path", b"/v1/files"), (b"x-nonce", nonce)),
    ]
    http2.send_headers(1, fields)
    http2.send_data(1, b"abc")
    http2.send_headers(1, [(b"x-trailer", b"1")], end_stream=True)
    context = client_context(site.gateway.ca, ("h2",))
    raw = connected(site, host)
    with context.wrap_socket(raw, server_hostname="localhost") as wire:
        wire.sendall(http2.data_to_send())
        hear_streams(wire, http2, 1)
    (request,) = site.look({nonce})
    assert request.body == b"abc"
    assert b"x-trailer" not in request.text
