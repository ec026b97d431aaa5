"""Web pages, other machines and whoever has no key: what each of them gets."""

import asyncio
import base64
import http.client
import itertools
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fakes import FakeProvider, Gone, Way, reach

from gateway import GatewayProcess, chat, provider
from llm_gateway.admin.routes import ROUTES
from llm_gateway.cli.ask import ask

from .conftest import Start

APP = "https://app.example"
ROUTED = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
]
NAMED = [
    ("GET", "/v1/models/m"),
    ("GET", "/usage/model/m"),
    ("GET", "/config/nothing"),
    ("GET", "/nothing"),
]
"""Not in the table of routes: a name is part of them, or nobody knows them."""


@dataclass(frozen=True)
class Good:
    """What to send to a route, and what it then answers to those who may ask."""

    body: bytes | None = None
    status: int = 200
    query: str = ""


GOOD: dict[tuple[str, str], Good] = {
    ("GET", "/route"): Good(query="?model=m"),
    ("GET", "/config/nothing"): Good(status=404),
    ("GET", "/nothing"): Good(status=404),
    ("POST", "/usage/simulate"): Good(b'{"providerId": "a", "tokens": 1}'),
    ("POST", "/config"): Good(b'{"providers": []}', query="?dry_run=1"),
    ("POST", "/config/set"): Good(b'{"providers": []}', query="?dry_run=1"),
    ("POST", "/config/restore"): Good(b'{"id": "none"}', 404),
    ("POST", "/admin/reload"): Good(b"{}"),
    ("POST", "/admin/quirks/forget"): Good(b'{"provider": "nobody"}'),
    ("POST", "/admin/logging/level"): Good(b'{"level": "info"}'),
    ("POST", "/api/copilot/auth/start"): Good(b"{}", 400),
    ("POST", "/api/copilot/auth/poll"): Good(b"{}", 400),
    ("POST", "/route"): Good(
        b'{"model": "m", "dialect": "chat", "body": {"messages": []}}'
    ),
    # One that shares nothing with others is told so.
    ("GET", "/admin/cluster"): Good(None, 404),
    ("POST", "/admin/cluster/fold"): Good(b"{}", 404),
    ("POST", "/admin/cluster/settle"): Good(b"{}", 400),
    # Routed: an answer of the routing itself shows that the guard let it in.
    **{route: Good(b'{"model": "nobody", "messages": []}', 404) for route in ROUTED},
    ("POST", "/v1/embeddings"): Good(b'{"model": "nobody", "input": "x"}', 404),
    ("POST", "/v1/completions"): Good(b'{"model": "nobody", "prompt": "x"}', 404),
    ("POST", "/v1/responses"): Good(b'{"model": "nobody", "input": "x"}', 404),
}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start, fake: FakeProvider) -> GatewayProcess:
    server = {"allowedOrigins": [APP], "allowedHosts": ["gateway.lan"]}
    return start_shared({"server": server, "providers": [provider(fake, "a")]})


class Asking:
    """One connection, on which every header is the test's own."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def __enter__(self) -> "Asking":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        asked = self.connection
        asked.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            asked.putheader(name, value)
        if body is not None:
            asked.putheader("content-length", str(len(body)))
        asked.endheaders(body)
        answer = asked.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()


# -- the matrix --------------------------------------------------------------------

HOSTS = ("127.0.0.1:{port}", "evil.example:{port}")
ORIGINS = (None, "http://127.0.0.1:{port}", "https://evil.example", "null", APP)
SITES = (None, "same-origin", "cross-site")
TYPES = ("application/json", "application/jsonc", "text/plain", None)
TOKENS = (None, "wrong", "right")


@dataclass(frozen=True)
class Cell:
    method: str
    path: str
    host: str
    origin: str | None
    site: str | None
    type: str | None
    token: str | None

    @property
    def expected(self) -> int | None:
        """The refusal; None: it is let in. Written down apart from the code."""
        api = self.path.startswith("/v1/")
        admin = self.path.startswith(("/config", "/admin/", "/api/", "/nothing"))
        listed = self.origin == APP and api
        if self.host.startswith("evil"):
            return 403
        if self.origin not in (None, ORIGINS[1]) and not listed:
            return 403
        if self.site == "cross-site" and not listed:
            return 403
        if self.method == "POST" and not api:
            jsonc = self.type == "application/jsonc" and self.path.startswith("/config")
            if self.type != "application/json" and not jsonc:
                return 415
        if admin and self.token != "right":
            return 401
        return None

    def headers(self, port: int, token: str) -> dict[str, str]:
        given = {
            "host": self.host.format(port=port),
            "origin": self.origin.format(port=port) if self.origin else None,
            "sec-fetch-site": self.site,
            "content-type": self.type,
            "authorization": {
                None: None,
                "wrong": f"Bearer {'x' * 43}",
                "right": f"Bearer {token}",
            }[self.token],
        }
        return {name: value for name, value in given.items() if value is not None}


def cells(method: str, path: str) -> Iterator[Cell]:
    types = TYPES if method == "POST" else (None,)
    for cell in itertools.product(HOSTS, ORIGINS, SITES, types, TOKENS):
        yield Cell(method, path, *cell)


@pytest.mark.parametrize(("method", "path"), [*ROUTES, *ROUTED, *NAMED])
def test_every_route_and_every_stranger(
    gateway: GatewayProcess, fake: FakeProvider, method: str, path: str
) -> None:
    good = GOOD.get((method, path), Good(b"{}" if method == "POST" else None))
    token = gateway.admin["authorization"].removeprefix("Bearer ")
    _, before, _ = gateway.get("/config", gateway.admin)
    simulated = gateway.rows("select count(*) as n from requests where simulated = 1")
    let_in, asked = 0, len(fake.requests)
    with Asking(gateway.port) as asking:
        for cell in cells(method, path):
            status, headers, body = asking.ask(
                method,
                path + good.query,
                cell.headers(gateway.port, token),
                good.body,
            )
            expected = cell.expected
            let_in += expected is None
            assert status == (expected or good.status), (cell, body)
            cors = {n: v for n, v in headers.items() if n.startswith("access-control")}
            if cell.origin == APP and expected is None and path.startswith("/v1/"):
                assert cors["access-control-allow-origin"] == APP
            else:
                assert cors == {}, cell
            if expected is not None and cell.method != "HEAD":
                assert json.loads(body)["error"]["message"]
    _, after, _ = gateway.get("/config", gateway.admin)
    assert after["x-config-hash"] == before["x-config-hash"]
    assert gateway.get("/admin/logging/level", gateway.admin)[2] == {"level": "info"}
    assert len(fake.requests) == asked
    if path == "/usage/simulate":
        more = simulated[0]["n"] + let_in
        gateway.wait_rows(
            "select count(*) as n from requests where simulated = 1",
            lambda rows: rows == [{"n": more}],
        )


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("app.localhost:{port}", 200),
        ("gateway.lan:{port}", 200),
        ("gateway.lan", 403),
        ("localhost", 403),
        ("localhost:1", 403),
        ("127.0.0.1", 403),
        ("localhost.:{port}", 403),
        ("127.1:{port}", 403),
        ("2130706433:{port}", 403),
        ("0.0.0.0:{port}", 403),
        ("localhost.evil.example:{port}", 403),
        ("evil.example#localhost:{port}", 403),
        ("10.0.0.1:{port}", 403),
    ],
)
def test_hosts(gateway: GatewayProcess, host: str, status: int) -> None:
    """DNS rebinding: the address is ours, the name is not."""
    given = {"host": host.format(port=gateway.port)}
    with Asking(gateway.port) as asking:
        found, _, body = asking.ask("GET", "/health", given, None)
    # What is no host at all is refused before anybody asks whose it is.
    assert found in ((200,) if status == 200 else (400, 403)), body


# -- browser apps ------------------------------------------------------------------


def test_a_preflight_of_an_allowed_origin(gateway: GatewayProcess) -> None:
    asked = {
        "origin": APP,
        "sec-fetch-site": "cross-site",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-os",
    }
    for path in ("/v1/chat/completions", "/v1/models", "/v1/messages"):
        status, headers, body = gateway.ask("OPTIONS", path, headers=asked)
        assert (status, body) == (204, b"")
        assert headers["access-control-allow-origin"] == APP
        assert "POST" in headers["access-control-allow-methods"]
        allowed = headers["access-control-allow-headers"]
        assert "authorization" in allowed
        assert "x-stainless-os" in allowed
        assert headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in headers
    for path in ("/config", "/health", "/admin/reload", "/usage/current", "/"):
        status, headers, _ = gateway.ask("OPTIONS", path, headers=asked)
        assert status == 403
        assert not any(name.startswith("access-control") for name in headers)
    for origin in ("https://evil.example", "null", f"{APP}.evil.example", f"{APP}:444"):
        status, headers, _ = gateway.ask(
            "OPTIONS", "/v1/chat/completions", headers={**asked, "origin": origin}
        )
        assert status == 403
        assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (chat(), 200),
        (chat(stream=True), 200),
        (chat("nobody"), 404),
        (b"no json", 400),
        (b"x" * (33 << 20), 413),
    ],
)
def test_a_page_can_read_every_answer(
    gateway: GatewayProcess, body: Any, status: int
) -> None:
    """Errors too: a page that cannot read them shows "network error" to people."""
    page = {"origin": APP, "sec-fetch-site": "cross-site"}
    found, headers, _ = gateway.post("/v1/chat/completions", body, page)
    assert found == status
    assert headers["access-control-allow-origin"] == APP
    assert "x-gateway-request-id" in headers["access-control-expose-headers"]


def test_a_page_of_another_site_costs_nothing(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    """The simple requests of a browser, which need no preflight."""
    asked = len(fake.requests)
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        page = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        status, _, _ = gateway.post(
            "/v1/chat/completions", chat(), {**page, "content-type": kind}
        )
        assert status == 403
    assert len(fake.requests) == asked


# -- beyond loopback ---------------------------------------------------------------

EVERYWHERE = ("--listen-host", "0.0.0.0")


@pytest.mark.parametrize("mode", ["regular", "regular@0.0.0.0:0"])
def test_without_client_keys_it_stays_on_this_machine(
    start: Start, fake: FakeProvider, mode: str
) -> None:
    arguments = EVERYWHERE if mode == "regular" else ("--mode", mode)
    with pytest.raises(AssertionError, match="needs client keys") as ended:
        start({"providers": [provider(fake, "a")]}, arguments=arguments)
    assert "The gateway does not start." in str(ended.value)


def test_socks_beyond_loopback_has_no_way_to_ask_for_a_key(
    start: Start, fake: FakeProvider
) -> None:
    clients = [{"name": "me", "key": "sk-CLIENT-key"}]
    with pytest.raises(AssertionError, match="socks5"):
        start(
            {"providers": [provider(fake, "a")], "clients": clients},
            arguments=("--mode", "socks5@0.0.0.0:0"),
        )


@pytest.fixture(scope="module")
def public(start_shared: Start, fake: FakeProvider) -> GatewayProcess:
    """Listens everywhere, as somebody told it to."""
    config = {
        "providers": [provider(fake, "a", free=True)],
        "clients": [{"name": "me", "key": "sk-CLIENT-key"}],
    }
    return start_shared(config, arguments=EVERYWHERE)


def code(public: GatewayProcess, raw: str) -> tuple[int, bytes]:
    """Status of the answer to raw bytes, and the whole of it."""
    with socket.create_connection(("127.0.0.1", public.port), 20) as wire:
        wire.sendall(raw.replace("\n", "\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = wire.recv(65536)
            if not piece:
                break
            head += piece
        return int(head.split(b" ")[1]), head


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer sk-CLIENT-wrong"}, 401),
        ({"authorization": "Bearer me"}, 401),
        ({"x-api-key": "sk-CLIENT-wrong"}, 401),
        ({"authorization": "Bearer sk-CLIENT-key"}, 200),
        ({"x-api-key": "sk-CLIENT-key"}, 200),
    ],
)
def test_a_key_for_every_request(
    public: GatewayProcess, fake: FakeProvider, given: dict[str, str], status: int
) -> None:
    before = len(fake.requests)
    found, headers, body = public.chat(headers=given)
    assert found == status
    assert len(fake.requests) == before + (status == 200)
    assert b"sk-CLIENT" not in fake.bytes_in()
    if status == 401:
        assert body["error"]["code"] == "invalid_api_key"
        found, _, body = public.post("/v1/messages", chat(), given)
        assert (found, body["type"]) == (401, "error")
    else:
        id = headers["x-gateway-request-id"]
        rows = public.wait_rows("select * from requests where id = ?", bool, id)
        assert rows[0]["client"] == "me"


def test_what_strangers_may_see(public: GatewayProcess) -> None:
    key = {"authorization": "Bearer sk-CLIENT-key"}
    assert public.get("/health")[0] == 200
    for method, path in (*ROUTES, *NAMED):
        if path == "/health":
            continue
        good = GOOD.get((method, path), Good(b"{}" if method == "POST" else None))
        asked = path + good.query
        kind = {"content-type": "application/json"}
        admin = path.startswith(("/config", "/admin/", "/api/", "/nothing"))
        assert public.ask(method, asked, good.body, kind)[0] == 401, path
        with_key = public.ask(method, asked, good.body, {**kind, **key})[0]
        assert with_key == (401 if admin else good.status), path
        with_token = public.ask(method, asked, good.body, {**kind, **public.admin})[0]
        assert with_token == good.status, path
    # The token is for managing; it is nobody's client key.
    assert public.chat(headers=public.admin)[0] == 401


def test_the_command_line_shows_the_token_where_it_is_asked(
    public: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(public.home / "elsewhere"))
    assert ask(public.port, "/route?model=m")[0] == 401
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(public.home))
    assert ask(public.port, "/route?model=m")[0] == 200


@pytest.mark.parametrize(
    ("user", "status"), [(None, 407), ("", 407), ("me", 407), ("sk-CLIENT-key", 200)]
)
def test_a_key_for_the_proxy(
    public: GatewayProcess, user: str | None, status: int
) -> None:
    given = "" if user is None else f"proxy-authorization: {basic(user)}\n"
    with FakeProvider() as site:
        # A provider is the one address inside that plain HTTP reaches.
        config = {
            "providers": [provider(site, "site", "other")],
            "clients": [{"name": "me", "key": "sk-CLIENT-key"}],
        }
        public.write_config(config)
        assert public.post("/admin/reload", b"", public.admin)[0] == 200
        there = f"127.0.0.1:{site.port}"
        plain = f"GET http://{there}/x HTTP/1.1\nhost: {there}\n{given}\n"
        found, head = code(public, plain)
        assert found == status
        assert len(site.requests) == (status == 200)
        assert b"proxy-authorization" not in site.bytes_in().lower()
        if status == 407:
            assert b'proxy-authenticate: Basic realm="llm-gateway"' in head
            found, _ = code(
                public, f"CONNECT {there} HTTP/1.1\nhost: {there}\n{given}\n"
            )
            assert found == 407
            # And no way around it on the connection that was refused.
            twice = f"CONNECT {there} HTTP/1.1\nhost: {there}\n{given}\n{plain}"
            assert code(public, twice)[0] == 407
            assert len(site.requests) == 0
            return

        async def tunnelled() -> int:
            async with reach(
                Way.CONNECT_H1,
                public.port,
                ca=public.ca,
                host="api.openai.com",
                connect_headers=[("proxy-authorization", basic("sk-CLIENT-key"))],
            ) as session:
                body = json.dumps(chat("other")).encode()
                given = [("content-type", "application/json")]
                answered = await session.ask("/v1/chat/completions", body, given)
                await answered.body()
                return answered.status

        assert asyncio.run(tunnelled()) == 200


def test_a_client_that_is_gone_from_the_configuration_is_a_stranger(
    public: GatewayProcess, fake: FakeProvider
) -> None:
    config = {"providers": [provider(fake, "a", free=True)]}
    public.write_config({**config, "clients": [{"name": "me", "key": "sk-CLIENT-new"}]})
    assert public.post("/admin/reload", b"", public.admin)[0] == 200
    old, new = ({"x-api-key": f"sk-CLIENT-{key}"} for key in ("key", "new"))
    assert public.chat(headers=old)[0] == 401
    assert public.chat(headers=new)[0] == 200
    public.write_config(config)
    assert public.post("/admin/reload", b"", public.admin)[0] == 200
    assert public.chat(headers=new)[0] == 401

    async def tunnel() -> None:
        given = [("proxy-authorization", basic("sk-CLIENT-new"))]
        async with reach(
            Way.CONNECT_H1, public.port, ca=public.ca, connect_headers=given
        ):
            pass

    with pytest.raises(Gone, match="407"):
        asyncio.run(tunnel())
