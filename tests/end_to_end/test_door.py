"""At the door: how apps spell paths, keys and names, and what they are told about dialects."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

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
)
from fakes.steps import Received

from gateway import GatewayProcess, chat, provider

from .conftest import Start

ODD = [
    "a b",
    "100%",
    "50%25",
    "%41",
    "é",
    "模型",
    "a%2Fb",
    'q"uo"te',
    "x;y,z",
    "~!*'()",
]
"""Names that no header can hold as they are, or that look encoded already."""
MESSAGES = {"max_tokens": 5, "messages": [{"role": "user", "content": "Hello!"}]}
OWN = (("authorization", "Bearer sk-APP"), ("content-type", "application/json"))


def chat_only(request: Received) -> Answer:
    """A small server: OpenAI's chat, and nothing else."""
    if request.target.partition("?")[0].endswith("/chat/completions"):
        return answers.ok()(request)
    return answers.status(404, {"detail": "Not Found"})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def local() -> Iterator[FakeProvider]:
    with FakeProvider(chat_only) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, fake: FakeProvider, local: FakeProvider, authority: Authority
) -> GatewayProcess:
    lab = {"baseURL": f"{fake.base_url}/v1", "apiKey": "sk-CANARY", "free": True}
    names = [{"name": f"up {n}", "mappedName": name} for n, name in enumerate(ODD)]
    config = {
        "intercept": {"hosts": ["localhost"]},
        "clients": [{"name": "ann", "key": "sk-GW-ann"}],
        "routing": {"translate": False},
        "providers": [
            provider(fake, "a", "m", "shared", free=True, dialects=["chat"]),
            provider(fake, "odd ü%", free=True, dialects=["chat"], models=names, apiKey="k"),
            provider(local, "local", "small", "shared", free=True),
            {**lab, "id": "claude", "type": "anthropic", "models": [{"name": "claude-x"}]},
            {**lab, "id": "gpt", "type": "openai", "models": [{"name": "gpt-x"}]},
        ],
    }  # fmt: skip
    gateway = start_shared(config, trust=authority.ca)
    gateway.wait_log("Try: curl")
    return gateway


# -- slashes and prefixes ----------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/health", "//health", "/health/", "/usage/current/", "//usage//current",
        "/usage/historical/?hours=1", "/usage/get/", "/usage/model/m/", "/usage//model/m",
        "/route/?model=m", "//route?model=m",
        "/v1/models", "/v1//models", "//v1/models", "/v1/models/", "/v1/models?limit=1000",
        "/v1//models/m", "/v1/models/m/", "/models", "/models/m", "/openai/v1/models",
        "/v1/v1/models",
    ],
)  # fmt: skip
def test_reading_routes_in_every_spelling(gateway: GatewayProcess, path: str) -> None:
    status, headers, _ = gateway.get(path)
    assert (status, headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "path", ["//config", "/config/", "/admin//reload/", "//api//x"]
)
def test_no_spelling_goes_past_the_admin_token(
    gateway: GatewayProcess, path: str
) -> None:
    for method in ("GET", "POST"):
        assert gateway.ask(method, path)[0] == 401


@pytest.mark.parametrize("path", ["//config", "/config/", "/admin//logging/level/"])
def test_with_the_token_they_are_the_same(gateway: GatewayProcess, path: str) -> None:
    assert gateway.get(path, gateway.admin)[0] == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1//messages/", "POST"), ("/v1/models/m/", "GET"), ("/health//", "GET")],
)
def test_a_wrong_method_is_told_the_right_one(
    gateway: GatewayProcess, path: str, allowed: str
) -> None:
    status, headers, _ = gateway.ask("PUT", path)
    assert (status, headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    ["/v1/messages", "/v1//messages", "/v1/messages/", "/messages", "/anthropic/messages", "/v1//messages//count_tokens"],
)  # fmt: skip
def test_messages_in_every_spelling(
    gateway: GatewayProcess, fake: FakeProvider, path: str
) -> None:
    status, _, body = gateway.post(
        path + "?beta=true", {"model": "claude-x", **MESSAGES}
    )
    assert status == 200, body
    below = "/count_tokens" if "count" in path else ""
    # The row says that this parameter may pass.
    assert fake.requests[-1].target == f"/v1/messages{below}?beta=true"


# -- Claude Code's contract with a gateway -----------------------------------------


def test_head_of_the_root(gateway: GatewayProcess) -> None:
    assert gateway.ask("HEAD", "/")[0] == 200


def test_models_in_anthropics_form(gateway: GatewayProcess) -> None:
    version = {"anthropic-version": "2023-06-01"}
    status, _, page = gateway.get("/v1/models?limit=2", version)
    assert (status, page["has_more"], len(page["data"])) == (200, True, 2)
    assert {"type", "id", "display_name", "created_at"} <= page["data"][0].keys()
    rest = gateway.get(f"/v1/models?after_id={page['last_id']}", version)[2]
    plain = gateway.get("/v1/models")[2]
    both = [m["id"] for m in page["data"] + rest["data"]]
    assert both == [m["id"] for m in plain["data"]]
    assert gateway.get("/v1/models/claude-x", version)[2]["type"] == "model"
    for path, status in (("/v1/models/gone", 404), ("/v1/models?limit=0", 400)):
        found = gateway.get(path, version)
        assert (found[0], found[2]["type"]) == (status, "error")


def test_headers_and_query_that_belong_to_the_provider_pass(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    given = {
        "anthropic-beta": "a-1",
        "anthropic-new-thing": "x",
        "anthropic-api-key": "sk-GW-ann",
        "x-api-key": "sk-GW-ann",
        "openai-organization": "org-1",
    }
    path = "/v1/messages?beta=true&key=sk-GW-ann"
    assert gateway.post(path, {"model": "claude-x", **MESSAGES}, given)[0] == 200
    seen = fake.requests[-1]
    assert (seen.header("anthropic-beta"), seen.header("anthropic-new-thing")) == (
        "a-1",
        "x",
    )
    assert seen.header("openai-organization") is None
    assert b"sk-GW-ann" not in fake.bytes_in()
    given = {
        "openai-organization": "org-1",
        "openai-project": "p",
        "idempotency-key": "i",
    }
    assert gateway.chat("gpt-x", given)[0] == 200
    assert {k: fake.requests[-1].header(k) for k in given} == given


# -- names -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
def test_names_in_headers_decode_to_what_they_are(
    gateway: GatewayProcess, name: str
) -> None:
    status, headers, body = gateway.chat(name)
    assert status == 200, body
    shown = headers["x-gateway-provider"], headers["x-gateway-model"]
    assert all(0x21 <= ord(c) < 0x7F for text in shown for c in text)
    assert tuple(map(unquote, shown)) == ("odd ü%", f"up {ODD.index(name)}")


@pytest.mark.parametrize("header", ["api-key", "x-api-key", "x-goog-api-key", "Authorization", "?key="])  # fmt: skip
def test_a_client_is_known_wherever_its_sdk_puts_the_key(
    gateway: GatewayProcess, header: str
) -> None:
    path, headers = "/v1/chat/completions", {}
    if header == "?key=":
        path += "?key=sk-GW-ann"
    else:
        headers = {header: "Bearer sk-GW-ann" if header[0] == "A" else "sk-GW-ann"}
    _, found, _ = gateway.post(path, chat(), headers)
    [row] = gateway.ended_one(found["x-gateway-request-id"])
    assert row["client"] == "ann"


def test_a_bundled_sdk_has_its_name(gateway: GatewayProcess) -> None:
    headers = {"user-agent": "ls/JS 5.23.2", "x-stainless-lang": "js"}
    _, found, _ = gateway.chat("m", headers)
    [row] = gateway.ended_one(found["x-gateway-request-id"])
    assert row["app"] == "openai-node"


# -- dialects ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("/v1/messages", {"model": "m", **MESSAGES}, "anthropic"),
        ("/v1/messages/count_tokens", {"model": "m", **MESSAGES}, "anthropic"),
        ("/v1/responses", {"model": "m", "input": "x"}, "openai"),
        ("/v1/responses", {"model": "m", "input": "x", "stream": True}, "openai"),
        ("/v1/embeddings", {"model": "m", "input": "x"}, "openai"),
        ("/v1/completions", {"model": "m", "prompt": "x"}, "openai"),
    ],
)
def test_a_dialect_that_nobody_speaks_is_400_and_says_what_to_do(
    gateway: GatewayProcess, path: str, body: Any, shape: str
) -> None:
    status, _, found = gateway.post(path, body)
    assert status == 400
    assert (found.get("type") == "error") is (shape == "anthropic")
    said = found["error"]["message"]
    assert said.startswith("No provider here takes ")
    assert "(a has it for /v1/chat/completions only)" in said


def test_one_that_turns_out_not_to_be_spoken_is_400_from_the_first_time_on(
    gateway: GatewayProcess, local: FakeProvider
) -> None:
    asked = [gateway.post("/v1/responses", {"model": "small", "input": "x"}) for _ in range(3)]  # fmt: skip
    assert [status for status, _, _ in asked] == [400] * 3
    assert {found["error"]["code"] for _, _, found in asked} == {"unsupported_dialect"}
    assert "OpenAI's /v1/responses for 'small'" in asked[0][2]["error"]["message"]
    assert sum(r.target.endswith("/responses") for r in local.requests) == 1
    assert gateway.chat("small")[0] == 200


@pytest.mark.parametrize("dialect", ["messages", "responses", "embeddings"])
def test_route_and_usage_model_for_one_dialect(
    gateway: GatewayProcess, dialect: str
) -> None:
    for path in ("/route?model=m&", "/usage/model/m?"):
        status, _, found = gateway.get(f"{path}dialect={dialect}")
        assert (status, found["error"]["code"]) == (400, "unsupported_dialect")
        status, _, found = gateway.get(f"{path}dialect=chat")
        assert status == 200
        assert "dialects" not in found
        assert gateway.get(f"{path}dialect=latin")[0] == 400
        gone = path.replace("m?", "gone?").replace("m&", "gone&")
        assert gateway.get(f"{gone}dialect={dialect}")[0] == 404


def test_route_and_usage_model_for_all_of_them(gateway: GatewayProcess) -> None:
    _, _, found = gateway.get("/route?model=claude-x")
    assert found["dialect"] == "chat"
    assert found["chosen"]["provider"] == "claude"
    blocks = found["dialects"]
    assert blocks["messages"]["chosen"]["provider"] == "claude"
    assert blocks["responses"]["chosen"] is None
    assert "No provider here takes" in blocks["responses"]["reason"]
    assert "Codex" in blocks["responses"]["apps"]
    _, _, found = gateway.get("/usage/model/claude-x")
    assert found["providerId"] == "claude"
    assert found["dialects"]["messages"] == {
        "providerId": "claude",
        "model": "claude-x",
    }
    assert found["dialects"]["responses"] is None


def test_the_start_log_says_who_answers_what(gateway: GatewayProcess) -> None:
    log = gateway.log()
    assert "chat: a, odd ü%, local, claude, gpt" in log
    assert "messages: claude" in log


# -- through the proxy -------------------------------------------------------------


def through(
    gateway: GatewayProcess, own: FakeProvider, path: str, body: Any, agent: str
) -> Answered:
    async def go() -> Answered:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host="localhost", port=own.port
        ) as session:
            headers = (*OWN, ("user-agent", agent))
            answered = await session.ask(path, json.dumps(body).encode(), headers, "POST")  # fmt: skip
            await answered.body()
            return answered

    return asyncio.run(go())


def notices(gateway: GatewayProcess, kind: str) -> list[dict[str, Any]]:
    found = gateway.get("/admin/notices", gateway.admin)[2]["notices"]
    return [notice for notice in found if notice["kind"] == kind]


def test_an_app_that_spends_its_own_key_for_a_model_that_is_here_is_told_of_once(
    gateway: GatewayProcess, authority: Authority
) -> None:
    body = {"model": "m", **MESSAGES}
    with FakeProvider(tls=authority.server_context()) as own:
        for _ in range(2):
            answered = through(gateway, own, "/v1/messages", body, "claude-cli/2.1")
            assert answered.status == 200
        assert own.requests[0].header("authorization") == "Bearer sk-APP"
        # Nobody has this one: that is no surprise.
        body = {"model": "x", **MESSAGES}
        through(gateway, own, "/v1/messages", body, "claude-cli/2.1")
        # They were expected to speak it, and do not: nobody pays for that.
        body = {"model": "small", "input": "x"}
        answered = through(gateway, own, "/v1/responses", body, "codex/1")
        assert answered.status == 400
        assert len(own.requests) == 3
    [notice] = notices(gateway, "own key")
    assert (notice["subject"], notice["count"]) == ("claude-cli", 2)
    assert gateway.log().count("claude-cli: asks for m,") == 1
    [event] = gateway.wait_rows("select * from events where kind = 'own key'")
    assert event["subject"] == "claude-cli"
    assert "not for Anthropic's /v1/messages" in event["message"]
    assert gateway.ask("GET", "/admin/notices")[0] == 401


def tunnel(gateway: GatewayProcess, host: str, agent: str) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", gateway.port), 20)
    wire.sendall(
        f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\nuser-agent: {agent}\r\n\r\n".encode()
    )
    assert b" 200 " in wire.recv(4096).split(b"\r\n")[0] + b" "
    return wire


@pytest.mark.parametrize("says_so", [True, False], ids=["alert", "hangs up"])
def test_a_client_that_does_not_trust_us_gets_a_hint_in_the_log_once(
    gateway: GatewayProcess, says_so: bool
) -> None:
    agent = "curl/8.5" if says_so else "Bun/1.3"
    name = agent.partition("/")[0].lower()
    for _ in range(3):
        with tunnel(gateway, "api.openai.com", agent) as wire:
            if says_so:
                trust = ssl.create_default_context()
                with pytest.raises(ssl.SSLCertVerificationError):
                    trust.wrap_socket(wire, server_hostname="api.openai.com")
            else:
                into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                trust = ssl.create_default_context()
                hello = trust.wrap_bio(into, out, server_hostname="api.openai.com")
                with pytest.raises(ssl.SSLWantReadError):
                    hello.do_handshake()
                wire.sendall(out.read())
                wire.recv(65536)
    gateway.wait_for(
        lambda: any(n["subject"] == name and n["count"] == 3 for n in notices(gateway, "trust")),
        "three failed handshakes",
    )  # fmt: skip
    hint = f"{name}: {'does' if says_so else 'probably does'} not trust the gateway's certificate for api.openai.com"
    assert gateway.log().count(hint) == 1


def test_a_login_that_is_private_to_its_product_is_tunnelled_by_name(
    gateway: GatewayProcess, authority: Authority
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.issue("chatgpt.com"))
    with FakeProvider(tls=tls) as site:
        wire = socket.create_connection(("127.0.0.1", gateway.port), 20)
        with wire:
            wire.sendall(
                b"CONNECT localhost:%d HTTP/1.1\r\nhost: x\r\n\r\n" % site.port
            )
            wire.recv(4096)
            trust = client_context(authority.ca)
            with trust.wrap_socket(wire, server_hostname="chatgpt.com") as inside:
                inside.sendall(b"GET / HTTP/1.1\r\nhost: chatgpt.com\r\n\r\n")
                assert b"HTTP/1.1 " in inside.recv(4096)
    [notice] = notices(gateway, "private host")
    assert "chatgpt.com (Codex signed in with ChatGPT)" in notice["message"]
    assert gateway.rows("select * from requests where host = 'chatgpt.com'") == []


def test_free_only_refuses_the_dialect_instead_of_passing(
    start: Start, fake: FakeProvider, authority: Authority, tmp_path: Path
) -> None:
    config = {
        "intercept": {"hosts": ["localhost"]},
        "providers": [provider(fake, "a", free=True, dialects=["chat"])],
        "routing": {"policy": "free-only", "translate": False},
    }
    gateway = start(config, trust=authority.ca)
    with FakeProvider(tls=authority.server_context()) as own:
        body = {"model": "m", **MESSAGES}
        answered = through(gateway, own, "/v1/messages", body, "claude-cli/2.1")
        assert answered.status == 400
        assert own.requests == []
    assert "messages: nobody, so no Claude Code" in gateway.log()
    assert gateway.get(f"/route?model={quote('m')}&dialect=messages")[0] == 400
