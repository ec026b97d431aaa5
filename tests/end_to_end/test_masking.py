"""A provider that repeats the key it was sent: no client, log or ledger gets to see it."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fakes import FakeProvider, answers

from gateway import GatewayProcess, chat, provider

KEY = "sk-proj-CANARY/masked+0123456789"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "escaped in JSON": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "half escaped": lambda key: key.replace("k", "\\u006B").replace("/", "\\/"),
    "in a URL": lambda key: quote(key, safe=""),
    "in base64": lambda key: base64.b64encode(f"x:{key}".encode()).decode(),
    "in hex": lambda key: key.encode().hex(),
}


ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def is_there(text: str) -> bool:
    """Is the key, or a longer part of it, in the text in one of the spellings?"""
    parts = (KEY[8:20], KEY[-12:])
    plain = ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    found = [text, text.replace("\\/", "/"), plain]
    needles = [*parts, *(part.encode().hex() for part in parts), "CANARY", "%2B0123"]
    needles += [base64.b64encode(f"x:{KEY}".encode()).decode()[4:20]]
    return any(needle in shown for shown in found for needle in needles)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


def config(fake: FakeProvider, id: str) -> dict[str, Any]:
    dialects = ["chat", "messages", "responses"]
    return {
        "logLevel": "trace",
        "routing": {"maxAttempts": 1},
        "providers": [provider(fake, id, apiKey=KEY, free=True, dialects=dialects)],
    }


@pytest.fixture
def forgiven(gateway: GatewayProcess, fake: FakeProvider) -> None:
    """A provider of another name, which has not failed yet."""
    gateway.write_config(config(fake, f"p{len(fake.requests)}"))
    assert gateway.ask("POST", "/admin/reload", headers=gateway.admin)[0] == 200


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path, fake: FakeProvider
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("masking")
    with GatewayProcess(folder, config(fake, "a"), confdir=confdir) as made:
        yield made
        log = made.log()
        assert "Traceback" not in log
        assert not is_there(log)
        for path in made.folder.glob("usage.db*"):
            assert not is_there(path.read_bytes().decode("latin-1"))


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: b"\x8b\x02\x80" + body + b"\x03",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_error_bodies(
    gateway: GatewayProcess, fake: FakeProvider, spelling: str, encoding: str
) -> None:
    said = f'{{"error": {{"message": "Bad key {SPELLINGS[spelling](KEY)}."}}}}'
    headers = (("content-encoding", encoding),) if encoding else ()
    body = ENCODINGS[encoding](said.encode())
    fake.then(answers.status(400, body, headers))
    status, head, found = gateway.chat()
    assert status == 400
    assert "content-encoding" not in head
    message = found["error"]["message"]
    assert not is_there(message)
    if encoding == "br":
        assert "cannot be read" in message
    else:
        assert message == "Bad key ***."


EVENTS = {
    "chat": ("/v1/chat/completions", '{{"error": {{"message": "Bad key {0}.", "code": 401}}}}', ""),
    "a finish reason": ("/v1/chat/completions", '{{"id": "c", "error": {{"message": "{0}"}}, "choices": [{{"index": 0, "delta": {{}}, "finish_reason": "error"}}]}}', ""),
    "no JSON": ("/v1/chat/completions", "Error: bad key {0}", "error"),
    "messages": ("/v1/messages", '{{"type": "error", "error": {{"type": "api_error", "message": "Bad key {0}."}}}}', "error"),
}  # fmt: skip


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("cut", [0, 1, 30, 60])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", EVENTS)
def test_error_events_in_mid_stream(
    gateway: GatewayProcess, fake: FakeProvider, kind: str, spelling: str, cut: int
) -> None:
    path, data, name = EVENTS[kind]
    event = answers.event(data.format(SPELLINGS[spelling](KEY)), name or None)
    tail = (event[:cut], event[cut:]) if cut else (event,)
    make = answers.message_stream if "messages" in path else answers.stream
    fake.then(make(tail=tail))
    body = json.dumps(chat(stream=True, max_tokens=9)).encode()
    status, _, found = gateway.ask(
        "POST", path, body, {"content-type": "application/json"}
    )
    assert status == 200
    assert b"Hel" in found
    assert b"***" in found
    assert not is_there(found.decode())


@pytest.mark.usefixtures("forgiven")
def test_an_answer_that_speaks_of_errors_stays(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    pieces = ("an error in ", "sk-0123456789abcdefghij", " at 100%25 \\u0041")
    fake.then(answers.stream(pieces))
    body = json.dumps(chat(stream=True)).encode()
    status, _, found = gateway.ask(
        "POST", "/v1/chat/completions", body, {"content-type": "application/json"}
    )
    assert status == 200
    for piece in pieces:
        assert json.dumps(piece).encode() in found
