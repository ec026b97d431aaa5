"""Secrets, prompts and answers: where they are found after everything has been used.

Every value that must not be written down or shown holds the word CANARY. At the end
nobody knows any of them but who has to: a provider its own key and what it was asked.
"""

import asyncio
import base64
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fakes import Answer, Authority, FakeProvider, Received, Way, answers, reach

from gateway import GatewayProcess, provider

from .conftest import Start

PROMPT = "CANARY-PROMPT-7f3a"
ANSWER = "CANARY-ANSWER-91bc"
KEYS = {
    "one": "sk-proj-CANARY-one-0123456789",
    "two": "CANARY.two/with+odd=chars&more",
    "three": "CANARY-three-0123456789",
    "header": "CANARY-header-0123456789",
    "client": "CANARY-client-0123456789",
    "base": "sk-CANARY-base-0123456789abcdef",
    "app": "sk-CANARY-app-0123456789abcdef",
}
JSON = ("content-type", "application/json")


def spellings(secret: str) -> list[bytes]:
    """A secret as it stands, and as it might stand somewhere."""
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret[:14]}
    forms |= {
        base64.b64encode((pad + secret).encode()).decode()[4:-4]
        for pad in ("", "a", "ab")
    }
    return [form.encode() for form in forms]


def leaks(text: bytes, *, but: tuple[str, ...] = ()) -> list[str]:
    """Names of the secrets in a text."""
    known = {**KEYS, "prompt": PROMPT, "answer": ANSWER}
    return [
        name
        for name, secret in known.items()
        if name not in but and any(form in text for form in spellings(secret))
    ]


def talkative(status: int, key: str) -> Answer:
    """A provider that repeats in its error whatever it was told."""
    said = f"Incorrect API key provided: {key}. You asked: {PROMPT}"
    error = {"message": said, "type": key, "code": key, "param": key}
    return answers.status(status, {"error": error}, (("x-request-id", key),))


def repeating(request: Received) -> Answer:
    return answers.ok(ANSWER)(request)


def messages(**more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": PROMPT}]
    return {"model": "m", "messages": said, "max_tokens": 50, **more}


PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": messages(user=PROMPT, metadata={"x": PROMPT}),
    "/v1/completions": {"model": "m", "prompt": PROMPT},
    "/v1/embeddings": {"model": "m", "input": PROMPT},
    "/v1/responses": {"model": "m", "input": PROMPT, "instructions": PROMPT},
    "/v1/messages": messages(system=PROMPT),
}


class Shown:
    """Everything that a client was shown, for the end."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.errors: list[tuple[str, bytes]] = []
        self.pages: list[tuple[str, bytes]] = []

    def note(self, what: str, status: int, headers: Any, body: bytes) -> None:
        whole = f"{headers}".encode() + b"\n" + body
        (self.errors if status >= 400 else self.pages).append((what, whole))

    def ask(self, path: str, body: Any, **headers: str) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"}
        given["authorization"] = f"Bearer {KEYS['base']}"
        status, found, told = self.gateway.ask("POST", path, raw, given | headers)
        if status >= 400 or path.startswith("/usage"):
            self.note(path, status, found, told)
        else:
            assert leaks(f"{found}".encode()) == []
        return status

    def look(self, path: str) -> None:
        admin = self.gateway.admin
        self.note(path, *self.gateway.ask("GET", path, headers=admin))


def config(fakes: dict[str, FakeProvider], n: int = 0) -> dict[str, Any]:
    """`n`: the same once more, so that what failed before is forgiven."""
    dialects = ["chat", "completions", "embeddings", "responses", "messages"]
    two = provider(
        fakes["two"],
        "two",
        apiKeys=[KEYS["two"], KEYS["three"]],
        headers={"X-Own": KEYS["header"], "X-Try": str(n)},
        dialects=dialects,
        models=[{"name": "m", "pricing": {"inputCostPerMillionTokens": 1}}],
    )
    del two["apiKey"]
    one = provider(fakes["one"], "one", free=True, headers={"X-Try": str(n)})
    return {
        "logLevel": "trace",
        "intercept": {"hosts": ["localhost"]},
        "clients": [{"name": "me", "key": KEYS["client"]}],
        "budget": {"costPerDay": 1000},
        "providers": [
            {**one, "apiKey": KEYS["one"], "dialects": dialects},
            two,
            provider(fakes["three"], "three", "other", apiKey=KEYS["three"]),
        ],
    }


@pytest.fixture
def fakes(tmp_path: Path) -> Iterator[dict[str, FakeProvider]]:
    authority = Authority(tmp_path / "authority")
    tls = authority.server_context()
    found = {name: FakeProvider(repeating) for name in ("one", "two", "three")}
    found["own"] = FakeProvider(repeating, tls=tls)
    for fake in found.values():
        fake.start()
    yield found
    for fake in found.values():
        fake.stop()


def use_everything(
    shown: Shown, gateway: GatewayProcess, fakes: dict[str, FakeProvider]
) -> None:
    one, two = fakes["one"], fakes["two"]
    for path, body in PATHS.items():
        assert shown.ask(path, body) == 200
    one.then(answers.stream([ANSWER]), answers.stream([ANSWER]))
    for more in ({}, {"stream_options": {"include_usage": True}}):
        assert shown.ask("/v1/chat/completions", messages(stream=True, **more)) == 200
    one.then(answers.message_stream([ANSWER]))
    assert shown.ask("/v1/messages", messages(stream=True)) == 200
    me = {"authorization": f"Bearer {KEYS['client']}"}
    assert shown.ask("/v1/chat/completions", messages(), **me) == 200
    assert (
        shown.ask("/v1/chat/completions", messages(), **{"x-api-key": KEYS["client"]})
        == 200
    )
    # What goes wrong, with providers that tell everything they know.
    for path in PATHS:
        for status in (400, 422):
            # They speak of a key, so the next one is asked, to the last.
            one.then(talkative(status, KEYS["one"]))
            two.then(talkative(status, KEYS["two"]), talkative(status, KEYS["two"]))
            assert shown.ask(path, PATHS[path]) >= 400
    for status in (401, 402, 403, 404, 408, 429, 500, 503, 529):
        one.then(talkative(status, KEYS["one"]))
        two.then(talkative(status, KEYS["two"]), talkative(status, KEYS["two"]))
        assert shown.ask("/v1/chat/completions", messages()) >= 400
        gateway.write_config(config(fakes, status))
        assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200
    for bad in (
        answers.garbage(), answers.broken_json(), answers.close(), answers.empty_stream(),
        answers.cut_mid_stream(pieces=[ANSWER]),
    ):  # fmt: skip
        one.then(bad)
        shown.ask("/v1/chat/completions", messages(stream=True))
    for odd in (
        b"{" + PROMPT.encode(),
        b"",
        PROMPT.encode(),
        b"\x00" + PROMPT.encode(),
    ):
        assert shown.ask("/v1/chat/completions", odd) == 400
    assert shown.ask("/v1/chat/completions", messages(stream=PROMPT)) in (200, 400)
    assert (
        shown.ask("/v1/chat/completions", messages(), **{"content-encoding": "br"})
        == 415
    )
    assert shown.ask("/usage/simulate", {"providerId": "one"}) == 200
    assert shown.ask("/usage/simulate", {"providerId": "zz"}) == 400


async def use_proxy(gateway: GatewayProcess, own: FakeProvider) -> None:
    app = (("authorization", f"Bearer {KEYS['app']}"), JSON)
    user = base64.b64encode(f"{KEYS['client']}:".encode()).decode()
    for way in (Way.CONNECT_H1, Way.CONNECT_H2):
        async with reach(
            way,
            gateway.port,
            ca=gateway.ca,
            host="localhost",
            port=own.port,
            connect_headers=[("proxy-authorization", f"Basic {user}")],
        ) as session:
            for target, body, method in (
                ("/v1/chat/completions", messages(), "POST"),
                ("/v1/chat/completions", messages() | {"model": "unknown"}, "POST"),
                (f"/v1/files?key={KEYS['app']}", {"x": PROMPT}, "POST"),
                ("/v1/models", None, "GET"),
            ):
                raw = b"" if body is None else json.dumps(body).encode()
                answered = await session.ask(target, raw, app, method)
                assert answered.status == 200
                await answered.body()


def pages_of(port: int) -> Iterator[tuple[str, bytes]]:
    """Every page of the dashboard that nobody has to sign in for, its tables as JSON."""
    base = f"http://127.0.0.1:{port}"
    fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(path: str) -> bytes:
        try:
            with fetch(base + path, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as e:
            with e:
                return bytes(e.read())

    meta = (
        "metadata",
        "plugins",
        "settings",
        "databases",
        "config",
        "versions",
        "threads",
    )
    for name in meta:
        yield name, get(f"/-/{name}.json")
    for path in (
        "/",
        "/-/gateway",
        "/-/gateway/history",
        "/-/gateway/config",
        "/usage",
    ):
        yield path, get(path)
    tables = json.loads(get("/usage.json"))["tables"]
    assert len(tables) > 8
    for table in tables:
        yield table["name"], get(f"/usage/{table['name']}.json?_size=max&_shape=array")


def test_nobody_learns_what_is_not_theirs(
    start: Start, fakes: dict[str, FakeProvider], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway = start(
        config(fakes),
        trust=tmp_path / "authority" / "ca.pem",
        options={"gateway_dashboard_port": str(port)},
        env={"LOG_LEVEL": "trace"},
    )
    shown = Shown(gateway)
    use_everything(shown, gateway, fakes)
    asyncio.run(use_proxy(gateway, fakes["own"]))
    for path in (
        "/health", "/v1/models", "/usage/current", "/usage/historical", "/route?model=m",
        "/config", "/config?format=text", "/config/get", "/config/schema", "/usage/model/m",
    ):  # fmt: skip
        shown.look(path)
    broken = gateway.config_path.read_text().replace('"apiKeys": [', '"apiKeys": [5, ')
    gateway.write_config(broken)
    shown.note("refused", *gateway.ask("POST", "/admin/reload", b"", gateway.admin))
    shown.look("/health")
    given = {"content-type": "application/jsonc", **gateway.admin}
    for body in (broken, broken[:200], broken.replace("apiKeys", "apiKey")):
        told = gateway.ask("POST", "/config", body.encode(), given)
        shown.note("POST /config", *told)

    gateway.wait_for(lambda: _answers(port), "the dashboard")
    for name, page in pages_of(port):
        assert leaks(page) == [], name
    for what, body in shown.pages:
        assert leaks(body) == [], (what, body)
    for what, body in shown.errors:
        # Whoever asked may be told by a provider what it asked.
        assert leaks(body, but=("prompt",)) == [], (what, body)
    assert len(shown.errors) >= 30

    assert gateway.wait_rows("select * from requests where host = 'localhost'")
    for file in gateway.folder.glob("usage.db*"):
        assert leaks(file.read_bytes()) == [], file.name
    assert leaks(gateway.log().encode()) == []
    whose = {
        "one": ("one", "prompt"),
        "two": ("two", "three", "header", "prompt"),
        "three": ("three",),
        "own": ("app", "prompt"),
    }
    for name, fake in fakes.items():
        assert leaks(fake.bytes_in(), but=whose[name]) == [], name


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
