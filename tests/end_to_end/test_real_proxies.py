"""Outbound proxies as people have them lead to every kind of provider, for every kind of app:
tinyproxy, Squid, Dante and `ssh -D`, with and without a password.

Here each kind of proxy and each kind of request comes once; `make matrix` (FULL_MATRIX=1) has
them all with each other. What is not installed is skipped.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import Authority, FakeProvider, Way, answers, reach
from fakes.clients import Session
from fakes.echo_socket import EchoSocket, frame
from fakes.real_proxies import RealProxy, missing
from fakes.steps import Answer, Gate, Received

from gateway import GatewayProcess, chat, provider

from .conftest import Start

pytestmark = [pytest.mark.timeout(240), pytest.mark.process]
FULL = bool(os.environ.get("FULL_MATRIX"))
ADDON = Path(__file__).parents[2] / "addon"
RESOLVER = str(Path(__file__).parents[1] / "fakes" / "addresses.py")
PASSWORD = "CANARY-of-the-proxy"
PROMPT = "the prompt of nobody else"
OWN = (("authorization", "Bearer sk-APP"), ("content-type", "application/json"))
NAMES = {
    "plain": "plain.internal",
    "tls": "tls.provider.test",
    "h2": "h2.provider.test",
    "echo": "echo.provider.test",
}


class Kind(NamedTuple):
    program: str
    scheme: str
    password: bool

    def __str__(self) -> str:
        more = ", password" if self.password else ""
        return f"{self.program} {self.scheme}{more}"


KINDS = [
    Kind("tinyproxy", "http", True),
    Kind("squid", "https", True),
    Kind("dante", "socks5", True),
    Kind("ssh", "socks5h", False),
    Kind("tinyproxy", "http", False),
    Kind("squid", "http", False),
    Kind("squid", "http", True),
    Kind("squid", "https", False),
    Kind("dante", "socks5", False),
    Kind("dante", "socks5h", False),
    Kind("dante", "socks5h", True),
]
SHORT = 4
"""So many of them come in every run."""


class Setting:
    """The providers, and one gateway for all proxies, which are put in one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.stack = ExitStack()
        names = tuple(NAMES.values())
        tls = self.authority.server_context(*names)
        h2 = self.authority.server_context(*names, alpn=("h2",))
        self.providers = {
            name: self.stack.enter_context(FakeProvider(tls=context, name=name))
            for name, context in (("plain", None), ("tls", tls), ("h2", h2))
        }
        self.echo = self.stack.enter_context(EchoSocket(tls))
        self.gateway: GatewayProcess | None = None
        self.asked = folder / "asked"
        self.asked.touch()

    def port(self, name: str) -> int:
        return self.echo.port if name == "echo" else self.providers[name].port

    def config(self, proxy: str) -> dict[str, Any]:
        entries = [
            provider(
                fake,
                name,
                f"{name}-model",
                baseURL=f"http{'' if name == 'plain' else 's'}://{NAMES[name]}:{fake.port}/v1",
            )
            for name, fake in self.providers.items()
        ]
        return {
            "providers": entries,
            "network": {"proxy": proxy},
            "server": {"allowedTunnels": ["127.0.0.0/8"]},
            "intercept": {"hosts": ["*.provider.test"]},
        }

    def settings(self) -> dict[str, Any]:
        """Of every gateway here: `socks5` has us look the names up."""
        known = {name: ["127.0.0.1"] for name in NAMES.values()}
        return {
            "trust": self.authority.ca,
            "env": {
                "TEST_ADDRESSES": json.dumps(known),
                "TEST_ASKED": str(self.asked),
                "SSL_CERT_FILE": str(self.authority.ca),
            },
            "arguments": ("-s", RESOLVER),
        }


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    made = Setting(tmp_path_factory.mktemp("setting"))
    with made.stack:
        yield made


@pytest.fixture(scope="module", params=KINDS[: None if FULL else SHORT], ids=str)
def proxy(request: pytest.FixtureRequest, setting: Setting) -> Iterator[RealProxy]:
    kind: Kind = request.param
    if why := missing(kind.program):
        pytest.skip(why)
    hosts = dict.fromkeys(NAMES.values(), "127.0.0.1")
    certificate = (
        setting.authority.issue("127.0.0.1") if kind.scheme == "https" else None
    )
    folder = setting.folder / str(kind).replace(" ", "-")
    user = {"user": "me", "password": PASSWORD} if kind.password else {}
    with RealProxy(
        kind.program, hosts, folder, scheme=kind.scheme, certificate=certificate, **user
    ) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def gateway(setting: Setting, proxy: RealProxy, start_shared: Start) -> GatewayProcess:
    """Leads by way of this proxy: started once, and told by a reload."""
    config = setting.config(proxy.url)
    if setting.gateway is None:
        setting.gateway = start_shared(config, **setting.settings())
    found = setting.gateway
    found.write_config(config)
    status, _, said = found.ask("POST", "/admin/reload", headers=found.admin)
    assert status == 200, said
    setting.asked.write_text("")
    return found


def looked_up(setting: Setting) -> bool:
    return ".provider.test" in setting.asked.read_text()


def app(
    setting: Setting,
    gateway: GatewayProcess,
    way: Way = Way.CONNECT_H1,
    name: str = "tls",
) -> Any:
    return reach(
        way, gateway.port, ca=gateway.ca, host=NAMES[name], port=setting.port(name)
    )


async def piece_by_piece(
    session: Session, fake: FakeProvider, model: str, headers: Any = ()
) -> None:
    """The second piece is sent when the client has the first."""
    gate = Gate()
    fake.then(answers.stream(["one", "two"], gate=gate))
    body = json.dumps(chat(model, stream=True)).encode()
    gate.release()
    answered = await session.ask("/v1/chat/completions", body, headers)
    await answered.until(b"one")
    assert b"two" not in answered.got
    gate.release()
    assert (await answered.body()).endswith(b"data: [DONE]\n\n")
    gate.open()


def tell_size(request: Received) -> Answer:
    return answers.status(200, {"bytes": len(request.body)})


JSON = (("content-type", "application/json"),)


def test_base_url(setting: Setting, gateway: GatewayProcess, proxy: RealProxy) -> None:
    """Each kind of provider: plain, streamed, 5 MB up."""
    big = json.dumps(
        chat("m", messages=[{"role": "user", "content": PROMPT + "x" * 5_000_000}])
    )

    async def stream(name: str) -> None:
        async with reach(Way.BASE, gateway.port) as session:
            await piece_by_piece(
                session, setting.providers[name], f"{name}-model", JSON
            )

    for name, fake in setting.providers.items():
        message = [{"role": "user", "content": PROMPT}]
        status, headers, body = gateway.chat(f"{name}-model", messages=message)
        assert (status, headers["x-gateway-provider"]) == (200, name), body
        assert headers["x-gateway-attempts"] == "1"
        asyncio.run(stream(name))
        value = big.replace('"m"', f'"{name}-model"', 1).encode()
        status, _, body = gateway.post("/v1/chat/completions", value)
        assert status == 200, body
        assert len(fake.requests[-1].body) > 5_000_000
    if proxy.scheme != "socks5":
        assert not looked_up(setting)


def test_apps(setting: Setting, gateway: GatewayProcess, proxy: RealProxy) -> None:
    """Behind HTTPS_PROXY, with their own keys: plain, streamed, 5 MB up, in both protocols."""

    async def walk(way: Way, name: str) -> None:
        fake = setting.providers[name]
        async with app(setting, gateway, way, name) as session:
            body = json.dumps(chat("unknown")).encode()
            answered = await session.ask("/v1/chat/completions", body, OWN)
            await answered.body()
            assert answered.status == 200
            await piece_by_piece(session, fake, "unknown", OWN)
            fake.then(tell_size)
            answered = await session.ask("/v1/files", b"x" * 5_000_000, OWN)
            assert json.loads(await answered.body()) == {"bytes": 5_000_000}

    for way, name in ((Way.CONNECT_H1, "tls"), (Way.CONNECT_H2, "h2")):
        asyncio.run(walk(way, name))
        seen = setting.providers[name].requests[-1]
        assert seen.version == ("HTTP/2" if name == "h2" else "HTTP/1.1")
        assert seen.header("authorization") == "Bearer sk-APP"
    if proxy.scheme != "socks5":
        assert not looked_up(setting)


def test_a_web_socket(setting: Setting, gateway: GatewayProcess) -> None:
    async def walk() -> None:
        async with app(setting, gateway, name="echo") as session:
            session.writer.write(
                b"GET /v1/realtime HTTP/1.1\r\nhost: %s:%d\r\nconnection: Upgrade\r\n"
                b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"
                b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                % (NAMES["echo"].encode(), setting.echo.port)
            )
            head = await session.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101"), head
            for word in (b"hello", b"again"):
                session.writer.write(frame(word, b"abcd"))
                expected = frame(word)
                assert await session.reader.readexactly(len(expected)) == expected

    asyncio.run(walk())


def test_a_raw_tunnel(setting: Setting, gateway: GatewayProcess) -> None:
    port = setting.port("plain")

    async def walk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"CONNECT plain.internal:%d HTTP/1.1\r\nhost: x\r\n\r\n" % port)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        return answer

    assert asyncio.run(walk()).startswith(b"HTTP/1.1 200")


def test_the_launcher(
    setting: Setting, gateway: GatewayProcess, proxy: RealProxy
) -> None:
    """An app that knows nothing of all this."""
    program = (
        "import sys, urllib.request as r; "
        "print(r.urlopen(r.Request(sys.argv[1], b'{}', {'authorization': 'sk-APP'})).status)"
    )
    launcher = [sys.executable, "-m", "llm_gateway", "run"]
    launcher += ["--port", str(gateway.port), "--confdir", str(gateway.confdir), "--"]
    url = f"https://{NAMES['tls']}:{setting.port('tls')}/v1/audio/speech"
    environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environ |= {"PYTHONPATH": str(ADDON), "LLM_GATEWAY_HOME": str(gateway.home)}
    before = len(setting.providers["tls"].requests)
    done = subprocess.run(
        [*launcher, sys.executable, "-c", program, url],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "200", done.stderr
    assert len(setting.providers["tls"].requests) == before + 1


def test_upstream_mode(setting: Setting, proxy: RealProxy, start: Start) -> None:
    """`mitmdump --mode upstream:…`, the same providers and apps."""
    if proxy.scheme not in ("http", "https"):
        pytest.skip("mitmproxy's upstream mode knows HTTP proxies only")
    if proxy.scheme == "https" and not FULL:
        pytest.skip("one is enough here")
    options = {"mode": f"upstream:{proxy.scheme}://127.0.0.1:{proxy.port}"}
    if proxy.user:
        options["upstream_auth"] = f"{proxy.user}:{proxy.password}"
    gateway = start(setting.config("env"), options=options, **setting.settings())
    test_base_url(setting, gateway, proxy)
    test_apps(setting, gateway, proxy)
    test_a_web_socket(setting, gateway)
    test_a_raw_tunnel(setting, gateway)


def test_the_proxy_saw_hosts_and_ports_only(
    setting: Setting, gateway: GatewayProcess, proxy: RealProxy
) -> None:
    gateway.chat("tls-model", messages=[{"role": "user", "content": PROMPT}])
    said = proxy.log()
    if proxy.kind in ("tinyproxy", "squid"):
        assert f"{NAMES['tls']}:{setting.port('tls')}" in said
        assert "CONNECT" in said
    for secret in ("CANARY", "sk-APP", PROMPT):
        assert secret not in said
    for text in (gateway.log(), json.dumps(gateway.get("/health")[2])):
        assert PASSWORD not in text
