"""Through the proxy: what is not ours stays closed, this machine stays out of reach."""

import asyncio
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fakes import (
    Answer,
    Answered,
    Authority,
    FakeProvider,
    Way,
    answers,
    client_context,
    reach,
    refused_port,
)

from gateway import GatewayProcess, chat, provider

from .conftest import Start

JSON = ("content-type", "application/json")
OWN = ("authorization", "Bearer sk-APP-CANARY")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, fake: FakeProvider, authority: Authority
) -> GatewayProcess:
    config = {
        "intercept": {"hosts": ["localhost"]},
        "server": {"allowedTunnels": ["127.0.0.2/31", "allowed.test"]},
        "providers": [provider(fake, "a", free=True)],
    }
    gateway = start_shared(config, trust=authority.ca)
    gateway.wait_log("Try: curl")
    return gateway


def connected(gateway: GatewayProcess, authority: str) -> socket.socket:
    """A raw socket in a tunnel."""
    wire = socket.create_connection(("127.0.0.1", gateway.port), 20)
    wire.sendall(f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = wire.recv(1)
        assert piece, head
        head += piece
    assert b" 200 " in head.split(b"\r\n")[0] + b" ", head
    return wire


def answer_to(wire: socket.socket, raw: bytes) -> bytes:
    """Send, and read the head of the answer; whatever came when the peer hung up."""
    found = b""
    try:
        wire.sendall(raw)
        while b"\r\n\r\n" not in found and (piece := wire.recv(65536)):
            found += piece
    except ConnectionError:
        pass
    return found


# -- TLS that is not ours ----------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "sni"),
    [
        ("127.0.0.2", "elsewhere.example"),
        ("localhost", "elsewhere.example"),
        ("localhost", None),
        ("127.0.0.3", None),
    ],
)
def test_the_client_sees_the_hosts_own_certificate(
    gateway: GatewayProcess, authority: Authority, host: str, sni: str | None
) -> None:
    """Also where a tunnel leads to an LLM host: what counts is what TLS is asked for."""
    certificate = authority.issue(
        "elsewhere.example", "127.0.0.2", "127.0.0.3", "localhost"
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    seen = gateway.log()
    with FakeProvider(answers.ok("private"), tls=tls, host="0.0.0.0") as site:
        trust = client_context(authority.ca)
        trust.check_hostname = sni is not None
        with (
            connected(gateway, f"{host}:{site.port}") as wire,
            trust.wrap_socket(wire, server_hostname=sni) as inside,
        ):
            shown = inside.getpeercert(binary_form=True)
            assert shown is not None
            body = json.dumps(chat()).encode()
            inside.sendall(
                b"POST /v1/chat/completions?CANARY-PATH HTTP/1.1\r\n"
                b"host: elsewhere.example\r\nauthorization: Bearer CANARY-OWN\r\n"
                b"content-length: %d\r\n\r\n%s" % (len(body), body)
            )
            assert b" 200 " in inside.recv(65536)
        own = ssl.PEM_cert_to_DER_cert(certificate.read_text().split("-----\n", 2)[2])
        assert hashlib.sha256(shown).digest() == hashlib.sha256(own).digest()
        assert site.requests[0].header("authorization") == "Bearer CANARY-OWN"
    assert gateway.log() == seen
    for file in gateway.folder.glob("usage.db*"):
        assert b"CANARY" not in file.read_bytes()
        assert b"elsewhere.example" not in file.read_bytes()


def test_tls_that_is_none_harms_nobody(gateway: GatewayProcess) -> None:
    hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b"
    with FakeProvider(mute=True) as site:
        for raw in (
            hello + b"\x00" * 43,
            hello + b"\xff" * 43,
            b"\x16\x03\x01\x00\x00",
            b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
            b"\x16\x03\x03\x00\x04\x01\x00\x00\x00",
            b"\x15\x03\x01\x00\x02\x02\x28",
        ):
            with connected(gateway, f"localhost:{site.port}") as wire:
                wire.sendall(raw)
            with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
                wire.sendall(raw)
    assert gateway.chat()[0] == 200


# -- hosts of LLMs -----------------------------------------------------------------


@pytest.mark.parametrize("way", [Way.CONNECT_H1, Way.CONNECT_H2, Way.ABSOLUTE])
@pytest.mark.parametrize(
    "host", ["api.openai.com", "API.OpenAI.com", "api.anthropic.com"]
)
def test_the_named_host_is_not_needed(
    gateway: GatewayProcess, fake: FakeProvider, way: Way, host: str
) -> None:
    """There is no network here: a provider of the configuration answers."""

    async def ask() -> None:
        async with reach(way, gateway.port, ca=gateway.ca, host=host) as session:
            for stream in (False, True):
                body = json.dumps(chat(stream=stream)).encode()
                fake.then(answers.stream() if stream else answers.ok())
                answered = await session.ask("/v1/chat/completions", body, (OWN, JSON))
                assert answered.status == 200
                assert answered.header("x-gateway-provider") == "a"
                await answered.body()

    asyncio.run(ask())
    assert b"sk-APP-CANARY" not in fake.bytes_in()
    assert fake.requests[-1].header("authorization") == "Bearer sk-CANARY-a"


def through(gateway: GatewayProcess, site: FakeProvider, way: Way, *asked) -> Answered:
    """One request to localhost, which is an LLM host here."""

    async def ask() -> Answered:
        async with reach(
            way, gateway.port, ca=gateway.ca, host="localhost", port=site.port
        ) as session:
            answered = await session.ask(*asked)
            await answered.body()
            return answered

    return asyncio.run(ask())


def echo(request) -> Answer:
    return Answer(
        status=201,
        headers=(("content-type", "text/x"), ("set-cookie", "a=b"), ("x-own", "1")),
        body=(request.body or b"nothing",),
    )


@pytest.mark.parametrize("way", [Way.CONNECT_H1, Way.CONNECT_H2])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models", b""),
        ("POST", "/v1/files?purpose=x", bytes(range(256)) * 2000),
        ("POST", "/v1/audio/speech", b'{"input": "CANARY-PROMPT"}'),
        ("DELETE", "/v1/files/file-CANARY", b""),
        ("GET", "/v1/chat/completions", b""),
        ("POST", "/v1/responses/resp_1/cancel", b""),
        ("OPTIONS", "/v1/chat/completions", b""),
        ("GET", "/dashboard", b""),
    ],
)
def test_other_requests_pass_untouched(
    gateway: GatewayProcess,
    authority: Authority,
    way: Way,
    method: str,
    path: str,
    body: bytes,
) -> None:
    h2 = ("h2",) if way is Way.CONNECT_H2 else ()
    with FakeProvider(echo, tls=authority.server_context(alpn=h2)) as site:
        headers = (
            OWN,
            ("x-odd", "1"),
            ("cookie", "c=d"),
            ("origin", "https://x.example"),
        )
        answered = through(gateway, site, way, path, body, headers, method)
        assert answered.status == 201
        assert answered.got == (body or b"nothing")
        assert answered.header("set-cookie") == "a=b"
        assert answered.header("x-own") == "1"
        [seen] = site.requests
        assert (seen.method, seen.target, seen.body) == (method, path, body)
        for name, value in headers:
            assert seen.header(name) == value
        assert not any("gateway" in name for name, _ in seen.headers)
        rows = gateway.wait_rows(
            "select * from requests where host = 'localhost' order by ts desc limit 1",
            lambda rows: bool(rows) and rows[0]["status"] == 201,
        )
        assert (rows[0]["outcome"], rows[0]["dialect"]) == ("passthrough", "other")
        assert b"sk-CANARY" not in site.bytes_in()


def test_an_upload_over_http2_is_framed_once_for_http1(
    gateway: GatewayProcess, authority: Authority
) -> None:
    """What came after its end would be taken for the beginning of the next request."""
    with FakeProvider(echo, tls=authority.server_context()) as site:
        through(gateway, site, Way.CONNECT_H2, "/v1/files", b"upload", (OWN,), "POST")
        site.stop()
        head, _, body = site.bytes_in().partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert body == b"6\r\nupload\r\n0\r\n\r\n"


def test_an_unreachable_host_is_an_error_in_json(gateway: GatewayProcess) -> None:
    with refused_port() as port:
        site = FakeProvider()
        site.port = port
        answered = through(
            gateway, site, Way.CONNECT_H1, "/v1/models", b"", (OWN,), "GET"
        )
    assert answered.status == 502
    assert answered.header("content-type") == "application/json"
    error = json.loads(answered.got)["error"]
    assert (error["code"], error["type"]) == ("upstream_unreachable", "server_error")


def test_a_host_with_a_wrong_certificate_gets_nothing(
    gateway: GatewayProcess, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    contexts = (
        stranger.server_context("localhost"),
        authority.server_context("other.example"),
    )
    for tls in contexts:
        with FakeProvider(tls=tls) as site:
            answered = through(
                gateway, site, Way.CONNECT_H1, "/v1/models", b"", (OWN,), "GET"
            )
            assert answered.status == 502
            assert site.requests == []
            assert site.bytes_in() == b""


# -- plain HTTP --------------------------------------------------------------------

INSIDE = [
    "127.0.0.1",
    "localhost",
    "LocalHost",
    "localhost.",
    "127.1",
    "127.0.0.1.",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[fe80::1]",
    "[fe80::1%25lo]",
]


@pytest.mark.parametrize("host", INSIDE)
def test_this_machine_is_out_of_reach(gateway: GatewayProcess, host: str) -> None:
    """In every spelling, by every way that is not TLS."""
    with FakeProvider(host="0.0.0.0") as secret:
        there = f"{host}:{secret.port}"
        plain = f"GET / HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
        absolute = f"GET http://{there}/ HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            # Some of these are no host at all, or are known to nobody.
            assert status(answer_to(wire, absolute)) in (403, 400, 502)
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            assert status(answer_to(wire, plain)) in (403, 400)
        for raw in (
            plain,
            absolute,
            b"\r\n" + plain,
            b"G\r\n" + plain,
            b"\x00" + plain,
        ):
            with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
                head = f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
                found = answer_to(wire, head)
                if status(found) == 200:
                    assert status(answer_to(wire, raw)) in (403, 400, 502, None)
        assert secret.journal == []


HELLO = (
    b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
    + b"R" * 32
    + bytes.fromhex("00000213010100" + "0000")
)
"""TLS begins like this; no name is asked for."""
NETWORKS = [
    "10.1.2.3",
    "172.31.255.254",
    "192.168.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "[fd00:ec2::254]",
    "[fd12::1]",
    "[::ffff:10.1.2.3]",
    "[64:ff9b::a01:203]",
    "[2002:a01:203::1]",
    "167838211",
    "0xa010203",
    "012.1.2.3",
    "10.66051",
]


@pytest.mark.parametrize(
    "host", [*(h for h in INSIDE if h.lower() != "localhost"), *NETWORKS]
)
def test_tls_is_no_way_in_either(gateway: GatewayProcess, host: str) -> None:
    """Fifty bytes of a greeting are no proof of TLS: refused before, with the reason."""
    with FakeProvider(host="0.0.0.0", mute=True) as secret:
        there = f"{host}:{secret.port}"
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            head = f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
            answer = answer_to(wire, head)
            if status(answer) == 200:  # intercepted: `localhost.`
                assert host == "localhost."
                return
            assert status(answer) in (403, 400, 502)
            if status(answer) == 403:
                assert b"application/json" in answer
        absolute = f"GET https://{there}/ HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            assert status(answer_to(wire, absolute)) in (403, 400, 502)
        assert secret.journal == []


def test_the_refusal_says_what_to_write(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
        wire.sendall(b"CONNECT 10.1.2.3:443 HTTP/1.1\r\nhost: x\r\n\r\n")
        got = b""
        while b"}}" not in got and (piece := wire.recv(65536)):
            got += piece
    error = json.loads(got.partition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == "forbidden"
    assert "10.1.2.3" in error["message"]
    assert "server.allowedTunnels" in error["message"]


def greeted(wire: socket.socket, site: socket.socket) -> bytes:
    """What arrives at the other end of a tunnel."""
    wire.sendall(HELLO)
    site.settimeout(20)
    peer, _ = site.accept()
    with peer:
        peer.settimeout(20)
        return peer.recv(65536)


def test_what_is_allowed_inside_is_reached(gateway: GatewayProcess) -> None:
    with (
        socket.create_server(("127.0.0.2", 0)) as site,
        connected(gateway, f"127.0.0.2:{site.getsockname()[1]}") as wire,
    ):
        assert greeted(wire, site) == HELLO


def test_a_tunnel_goes_to_the_address_that_was_judged(
    start_shared: Start, fake: FakeProvider
) -> None:
    """A name that leads elsewhere the second time it is asked for."""
    gateway = start_shared(
        {
            "server": {"allowedTunnels": ["127.0.0.2"]},
            "providers": [provider(fake, "a", free=True)],
        },
        arguments=("-s", str(Path(__file__).with_name("rebinding.py"))),
    )
    with socket.create_server(("127.0.0.2", 0)) as site:
        port = site.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)) as secret:
            with connected(gateway, f"tunnel.test:{port}") as wire:
                assert greeted(wire, site) == HELLO
            raw = f"GET http://plain.test:{port}/ HTTP/1.1\r\nhost: x\r\n\r\n".encode()
            with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
                wire.sendall(raw)
                peer, _ = site.accept()
                with peer:
                    assert peer.recv(65536).startswith(b"GET / HTTP/1.1")
            secret.settimeout(0)
            with pytest.raises(BlockingIOError):
                secret.accept()
    for name, expected in (
        ("inside.test", 403),
        ("mixed.test", 403),
        ("gone.test", 502),
    ):
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            head = f"CONNECT {name}:443 HTTP/1.1\r\nhost: x\r\n\r\n".encode()
            assert status(answer_to(wire, head)) == expected


def status(answer: bytes) -> int | None:
    """None: the peer hung up without a word."""
    return int(answer.split(b" ")[1]) if answer else None


def test_the_name_that_counts_is_the_one_that_is_connected_to(
    gateway: GatewayProcess, fake: FakeProvider, authority: Authority
) -> None:
    """Whatever other names a request holds."""
    there = f"127.0.0.1:{fake.port}"
    with (
        FakeProvider() as secret,
        FakeProvider(tls=authority.server_context()) as site,
    ):
        other = f"127.0.0.1:{secret.port}"
        for raw in (
            f"GET http://{there}/x HTTP/1.1\r\nhost: {other}\r\n\r\n",
            f"GET http://{other}/x HTTP/1.1\r\nhost: {there}\r\n\r\n",
            f"GET http://{there}@{other}/x HTTP/1.1\r\nhost: {there}\r\n\r\n",
            f"GET http://{other}#@{there}/x HTTP/1.1\r\nhost: {there}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
                answer_to(wire, raw.encode())
        # Inside TLS, where it would be sent on encrypted at best.
        target = f"http://{other}/v1/models"
        through(gateway, site, Way.CONNECT_H1, target, b"", (OWN,), "GET")
        assert secret.journal == []


def test_a_provider_on_this_machine_can_be_reached(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    there = f"127.0.0.1:{fake.port}"
    raw = f"GET http://{there}/own HTTP/1.1\r\nhost: {there}\r\nx-a: b\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
        assert status(answer_to(wire, raw)) == 200
    assert fake.requests[-1].target == "/own"
    assert fake.requests[-1].header("authorization") is None
    with connected(gateway, there) as wire:
        raw = f"GET /tunnel HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
        assert status(answer_to(wire, raw)) == 200
    assert fake.requests[-1].target == "/tunnel"


def test_a_long_tunnel_is_not_kept_in_memory(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    """Something that is neither TLS nor HTTP, to an address that may be reached."""
    rounds, piece = 48, b"\x00" * (1 << 20)
    with socket.create_server(("127.0.0.2", 0)) as site:
        port = site.getsockname()[1]

        def swallow() -> None:
            with site.accept()[0] as peer:
                got = 0
                while got < rounds * len(piece) and (data := peer.recv(1 << 20)):
                    got += len(data)
                peer.sendall(b"%d" % got)

        thread = threading.Thread(target=swallow)
        thread.start()
        with connected(gateway, f"127.0.0.2:{port}") as wire:
            wire.sendall(piece)
            held = gateway.rss()
            for _ in range(rounds - 1):
                wire.sendall(piece)
            assert int(wire.recv(100)) == rounds * len(piece)
            assert gateway.rss() - held < 24 << 20
        thread.join()


RAW = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"G\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"\x17\x03\x03\x00\x05hello",
]


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_what_is_read_gets_nothing_that_cannot_be(
    gateway: GatewayProcess, raw: bytes
) -> None:
    """Neither TLS nor HTTP, to providers and LLM hosts: closed, and the log says it."""
    with FakeProvider(mute=True) as other:
        before = gateway.config_path.read_text()
        entry = provider(other, "raw", baseURL=f"http://127.0.0.1:{other.port}/v1")
        config = json.loads(before)
        config["providers"].append(entry)
        gateway.write_config(config)
        assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200
        said = len(gateway.log())
        hosts = (f"127.0.0.1:{other.port}", f"localhost:{other.port}")
        for there in (*hosts, "api.openai.com:443"):
            with connected(gateway, there) as wire:
                wire.sendall(raw)
                wire.settimeout(20)
                with suppress(ConnectionError):
                    assert wire.recv(65536) == b""
            found = f"Closed a tunnel: The proxy speaks HTTP with {there.split(':')[0]}"
            gateway.wait_log(found)
        assert gateway.log()[said:].count("Closed a tunnel") == 3
        assert other.bytes_in() == b""
        gateway.write_config(before)
        assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200


def test_unless_it_is_allowed(start: Start, fake: FakeProvider) -> None:
    config = {
        "server": {"allowedTunnels": ["localhost", "127.0.0.0/31"]},
        "providers": [provider(fake, "a", free=True)],
    }
    gateway = start(config)
    gateway.wait_log("Try: curl")
    with FakeProvider(mute=True) as other:
        config["providers"].append(provider(other, "raw", free=True))
        gateway.write_config(config)
        assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200
        for host in ("127.0.0.1", "localhost"):
            with connected(gateway, f"{host}:{other.port}") as wire:
                wire.sendall(RAW[0] + host.encode())
                sent = RAW[0] + host.encode()
                other.wait(lambda f, sent=sent: sent in f.bytes_in())


def test_nor_does_what_is_inside_tls(
    gateway: GatewayProcess, authority: Authority
) -> None:
    with FakeProvider(tls=authority.server_context()) as site:
        trust = client_context(gateway.ca)
        with (
            connected(gateway, f"localhost:{site.port}") as wire,
            trust.wrap_socket(wire, server_hostname="localhost") as inside,
        ):
            inside.sendall(RAW[0])
            with suppress(ConnectionError, ssl.SSLError):
                assert inside.recv(65536) == b""
        assert site.bytes_in() == b""


def test_the_gateway_does_not_ask_itself(gateway: GatewayProcess) -> None:
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]"):
        there = f"{host}:{gateway.port}"
        raw = f"GET http://{there}/health HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            assert status(answer_to(wire, raw)) == 403
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
            head = f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n\r\n".encode()
            if status(answer_to(wire, head)) == 200:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    tls.wrap_socket(wire)
