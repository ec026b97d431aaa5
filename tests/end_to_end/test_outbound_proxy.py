"""The way out leads through a proxy: four kinds, with and without a password, to providers
over http, TLS and HTTP/2 whose names nobody but the proxy can resolve."""

import asyncio
import base64
import html
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fakes import Authority, FakeProvider, Way, reach
from fakes.outbound import OutboundProxy

from gateway import GatewayProcess, chat, provider

from .conftest import Start

RESOLVER = str(Path(__file__).parents[1] / "fakes" / "addresses.py")
PASSWORD = "CANARY-of-the-proxy"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
KINDS = ["http", "https", "socks5", "socks5h"]
SPEAKING = ["plain", "tls", "h2"]
NAMES = {
    "plain": "http://plain.internal:8000/v1",
    "tls": "https://tls.provider.test/v1",
    "h2": "https://h2.provider.test/v1",
}
"""`socks5` has us look the name up: the test's resolver knows it as an address of its own."""
ADDRESSES = {
    "plain.internal": "198.51.100.1",
    "tls.provider.test": "198.51.100.2",
    "h2.provider.test": "198.51.100.3",
    "other.provider.test": "198.51.100.4",
}


class Setting:
    """One gateway; its proxies by kind and `+password`; its providers by what they speak."""

    gateway: GatewayProcess
    asked_names: Path

    def __init__(self) -> None:
        self.proxies: dict[str, OutboundProxy] = {}
        self.providers: dict[str, FakeProvider] = {}

    def serve(self, proxy: str, **network: Any) -> None:
        """All providers by way of this one."""
        entries = [
            provider(fake, name, f"{name}-model", baseURL=NAMES[name])
            for name, fake in self.providers.items()
        ]
        config = {
            "providers": entries,
            "network": {"proxy": proxy, **network},
            "intercept": {"hosts": ["other.provider.test"]},
        }
        self.gateway.write_config(config)
        status, _, said = self.gateway.ask(
            "POST", "/admin/reload", headers=self.gateway.admin
        )
        assert status == 200, said


@pytest.fixture(scope="module")
def setting(
    start_shared: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("authority")
    authority = Authority(folder)
    found = Setting()
    found.asked_names = folder / "asked"
    found.asked_names.touch()
    with ExitStack() as stack:
        hosts = tuple(ADDRESSES)
        tls = authority.server_context(*hosts)
        h2 = authority.server_context(*hosts, alpn=("h2",))
        for name, context in (("plain", None), ("tls", tls), ("h2", h2)):
            fake = FakeProvider(tls=context, name=name)
            found.providers[name] = stack.enter_context(fake)
        ports = {
            "plain.internal": found.providers["plain"].port,
            "tls.provider.test": found.providers["tls"].port,
            "h2.provider.test": found.providers["h2"].port,
            "other.provider.test": found.providers["tls"].port,
        }
        names = ports | {ADDRESSES[name]: port for name, port in ports.items()}
        for kind in KINDS:
            for user in ("", "me"):
                proxy = OutboundProxy(
                    kind,
                    names,
                    user=user,
                    password=PASSWORD if user else "",
                    tls=authority.server_context() if kind == "https" else None,
                )
                key = f"{kind}+password" if user else kind
                found.proxies[key] = stack.enter_context(proxy)
        found.gateway = start_shared(
            {"providers": []},
            trust=authority.ca,
            env={
                "TEST_ADDRESSES": json.dumps({k: [v] for k, v in ADDRESSES.items()}),
                "TEST_ASKED": str(found.asked_names),
                "SSL_CERT_FILE": str(authority.ca),
            },
            arguments=("-s", RESOLVER),
        )
        yield found


WAYS = [f"{kind}{more}" for kind in KINDS for more in ("", "+password")]


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_proxy_leads_to_every_kind_of_provider(
    setting: Setting, way: str
) -> None:
    proxy = setting.proxies[way]
    setting.serve(proxy.url)
    before = len(proxy.asked)
    setting.asked_names.write_text("")
    for speaking in SPEAKING:
        for stream in (False, True):
            status, headers, body = setting.gateway.chat(
                f"{speaking}-model", stream=stream
            )
            assert (status, headers["x-gateway-provider"]) == (200, speaking), body
            assert headers["x-gateway-attempts"] == "1"
    asked = set(proxy.asked[before:])
    expected = {
        "CONNECT plain.internal:8000",
        "CONNECT tls.provider.test:443",
        "CONNECT h2.provider.test:443",
    }
    if way.startswith("socks5") and not way.startswith("socks5h"):
        expected = {
            f"CONNECT {ADDRESSES[t.split()[1].rpartition(':')[0]]}:{t.rpartition(':')[2]}"
            for t in expected
        }
    else:
        assert "provider.test" not in setting.asked_names.read_text()
    assert asked == expected
    head = b"".join(proxy.heads)
    assert b"sk-CANARY" not in head
    assert b"Hello!" not in head


def test_a_warm_request_opens_no_new_connection(setting: Setting) -> None:
    proxy = setting.proxies["http"]
    setting.serve(proxy.url)
    for speaking in ("plain", "tls"):
        setting.gateway.chat(f"{speaking}-model")
        setting.gateway.chat(f"{speaking}-model")
        before = len(proxy.asked)
        for _ in range(5):
            assert setting.gateway.chat(f"{speaking}-model")[0] == 200
        assert len(proxy.asked) - before <= 1  # one may be opened ahead


def test_nothing_pooled_crosses_from_one_way_to_another(setting: Setting) -> None:
    for way in ("https", "socks5h", "http+password", "http"):
        proxy = setting.proxies[way]
        setting.serve(proxy.url)
        before = len(proxy.asked)
        assert setting.gateway.chat("tls-model")[0] == 200
        assert len(proxy.asked) > before


def test_an_apps_own_traffic_goes_the_same_way(setting: Setting) -> None:
    """Through the gateway's proxy: what passes, and a tunnel that nobody reads."""
    proxy = setting.proxies["socks5h"]
    setting.serve(proxy.url)

    async def go() -> int:
        async with reach(
            Way.CONNECT_H1,
            setting.gateway.port,
            ca=setting.gateway.ca,
            host="other.provider.test",
            port=443,
        ) as session:
            body = json.dumps(chat("unknown")).encode()
            answered = await session.ask("/v1/chat/completions", body)
            await answered.body()
            return answered.status

    before = len(proxy.asked)
    assert asyncio.run(go()) == 200
    assert proxy.asked[before:] == ["CONNECT other.provider.test:443"]


def test_a_raw_tunnel_goes_the_same_way(setting: Setting) -> None:
    proxy = setting.proxies["http+password"]
    setting.serve(proxy.url)

    async def go() -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", setting.gateway.port
        )
        writer.write(b"CONNECT plain.internal:8000 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        return answer

    before = len(proxy.asked)
    assert asyncio.run(go()).startswith(b"HTTP/1.1 ")
    assert proxy.asked[before:] == ["CONNECT plain.internal:8000"]


@pytest.mark.parametrize("way", ["http", "socks5h"])
def test_this_machine_is_out_of_reach_by_way_of_a_proxy(
    setting: Setting, way: str
) -> None:
    """Whoever looks names up there may be this machine, and reads numbers as we would."""
    proxy = setting.proxies[way]
    setting.serve(proxy.url)
    before = len(proxy.asked)
    for host in ("127.1", "127.0.0.1.", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]"):
        for target in (f"CONNECT {host}:9", f"GET http://{host}:9/"):
            with socket.create_connection(
                ("127.0.0.1", setting.gateway.port), 20
            ) as wire:
                wire.sendall(f"{target} HTTP/1.1\r\nhost: {host}:9\r\n\r\n".encode())
                answer = wire.recv(65536)
                if b" 200 " in answer.split(b"\r\n")[0]:
                    wire.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    answer = wire.recv(65536)
                assert b" 403 " in answer.split(b"\r\n")[0], (target, answer)
    assert proxy.asked[before:] == []


FAULTS = {
    "hang": "does not answer",
    "reset": "closed the connection unanswered",
    "407": "407",
    "garbage": "does not speak",
}


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("fault", [*FAULTS, "refuse", "hang after"])
def test_a_proxys_failure_is_the_proxys(
    setting: Setting, kind: str, fault: str
) -> None:
    proxy = setting.proxies[kind]
    setting.gateway.write_config("{}")
    config = {
        "providers": [
            provider(setting.providers["tls"], "tls", "tls-model", baseURL=NAMES["tls"])
        ],
        "network": {"proxy": proxy.url},
        "routing": {"connectTimeoutSeconds": 1},
    }
    setting.gateway.write_config(config)
    setting.gateway.ask("POST", "/admin/reload", headers=setting.gateway.admin)
    if fault == "refuse":
        proxy.stop()
    proxy.fault = fault
    try:
        for _ in range(5):
            status, _, body = setting.gateway.chat("tls-model")
            said = json.dumps(body)
            assert status == 502, said
            assert f"outbound proxy 127.0.0.1:{proxy.port}" in said
            assert setting.gateway.get("/health")[2]["degraded"]
            if fault in FAULTS and not (kind == "socks5h" and fault == "407"):
                assert FAULTS[fault] in said
    finally:
        proxy.fault = ""
        if fault == "refuse":
            proxy.start()
    # No strike: asked again at once, and it answers.
    status, headers, body = setting.gateway.chat("tls-model")
    assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
    assert setting.gateway.get("/health")[2]["degraded"] == []
    assert not setting.gateway.rows("select * from events where kind = 'circuit'")


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("fault", ["403", "502"])
def test_a_proxys_word_about_one_host_is_told_on(
    setting: Setting, kind: str, fault: str
) -> None:
    proxy = setting.proxies[kind]
    setting.serve(proxy.url)
    proxy.fault = fault
    try:
        status, _, body = setting.gateway.chat("tls-model")
    finally:
        proxy.fault = ""
    said = json.dumps(body)
    assert status == 502
    assert "the outbound proxy 127.0.0.1" in said
    if kind == "http":
        assert "Blocked by policy 7" in said
        assert "<" not in said


def test_the_password_is_nowhere(setting: Setting) -> None:
    proxy = setting.proxies["http+password"]
    gateway = setting.gateway
    setting.serve(proxy.url)
    proxy.password = "another"
    try:
        status, _, body = gateway.chat("h2-model")
    finally:
        proxy.password = PASSWORD
    assert status == 502
    token = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    shown = [json.dumps(body), *everything_shown(gateway, "/route?model=h2-model")]
    for text in shown:
        assert PASSWORD not in text
        assert token not in text
    assert "does not accept its user and password" in shown[0]


ODD = 'CANARY@of:the/%proxy&"<7>'
ESCAPED = quote(ODD, safe="")
ENVIRONMENTS: list[tuple[str, dict[str, str], bool]] = [
    # kind of proxy, the gateway's environment, whether it is used
    ("http", {"HTTPS_PROXY": f"http://me:{ESCAPED}@HOST"}, True),
    ("http", {"https_proxy": f"me:{ESCAPED}@HOST/", "HTTPS_PROXY": "http://127.0.0.1:9"}, True),
    ("socks5h", {"ALL_PROXY": f"socks5h://me:{ESCAPED}@HOST"}, True),
    ("socks5h", {"all_proxy": f"socks://me:{ESCAPED}@HOST"}, True),
    ("http", {"HTTPS_PROXY": f"http://me:{ESCAPED}@HOST", "NO_PROXY": "a.test,.PROVIDER.test"}, False),
    ("http", {"HTTPS_PROXY": f"http://me:{ESCAPED}@HOST", "no_proxy": "*"}, False),
    ("http", {"HTTP_PROXY": f"http://me:{ESCAPED}@HOST"}, False),
    ("http", {"HTTPS_PROXY": f"ftp://me:{ESCAPED}@HOST"}, False),
]  # fmt: skip


def spellings(password: str) -> list[str]:
    return [
        password,
        quote(password),
        quote(password, safe=""),
        html.escape(password),
        json.dumps(password),
        base64.b64encode(password.encode()).decode(),
        base64.b64encode(f"me:{password}".encode()).decode(),
        password.encode().hex(),
    ]


def everything_shown(gateway: GatewayProcess, *paths: str) -> Iterator[str]:
    yield gateway.log()
    for path in ("/health", "/config", "/admin/config", "/providers", *paths):
        yield str(gateway.get(path, gateway.admin)[2])
    named = "select name from sqlite_master where type in ('table', 'view')"
    for row in gateway.rows(named):
        yield str(gateway.rows(f"select * from {row['name']}"))


@pytest.mark.parametrize(("kind", "env", "used"), ENVIRONMENTS)
def test_the_environment_of_the_gateway(
    start: Start, tmp_path: Path, kind: str, env: dict[str, str], used: bool
) -> None:
    """Whatever its password is made of, and however a page of the proxy repeats it."""
    authority = Authority(tmp_path)
    host = "tls.provider.test"
    variables = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
    none = {spelled: None for name in variables for spelled in (name, name.lower())}
    with (
        FakeProvider(tls=authority.server_context(host)) as fake,
        OutboundProxy(kind, {host: fake.port}, user="me", password=ODD) as proxy,
    ):
        given = {
            k: v.replace("HOST", f"127.0.0.1:{proxy.port}") for k, v in env.items()
        }
        gateway = start(
            {"providers": [provider(fake, "a", "m", baseURL=f"https://{host}:9/v1")]},
            trust=authority.ca,
            env={**none, **given, "TEST_ADDRESSES": json.dumps({host: []})},
            arguments=("-s", RESOLVER),
        )
        proxy.names = {host: fake.port}
        assert gateway.chat("m")[0] == (200 if used else 502)
        assert proxy.asked == ([f"CONNECT {host}:9"] if used else [])
        shown = []
        if used:
            proxy.break_tunnels()
            proxy.fault = "403"
            for spelled in spellings(ODD):
                proxy.page = f"<p>Not for {spelled}, sorry</p>".encode()
                status, _, body = gateway.chat("m")
                assert status in (502, 503)
                shown.append(json.dumps(body))
        shown += everything_shown(gateway, "/route?model=m")
        for text in shown:
            for spelled in spellings(ODD):
                assert spelled not in text


def test_the_gateway_is_not_its_own_way_out(start: Start) -> None:
    """HTTPS_PROXY is exported for the apps in the shell from which it is started."""
    with FakeProvider() as fake:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        gateway = start(
            {"providers": [provider(fake, "a", "m")]},
            env={"HTTPS_PROXY": f"http://localhost:{port}", "https_proxy": None},
            arguments=("--listen-port", str(port)),
        )
        assert gateway.chat("m")[0] == 200
        lines = [ln for ln in gateway.log().splitlines() if "HTTPS_PROXY points" in ln]
        assert len(lines) == 1
        assert "this gateway itself" in lines[0]
        own = provider(fake, "a", "m", proxy=f"socks5h://127.0.0.1:{port}")
        gateway.write_config({"providers": [own]})
        gateway.wait_log('proxy of provider "a" is this gateway itself')
        status, headers, body = gateway.chat("m")
        assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
