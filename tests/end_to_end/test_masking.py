"""A provider that repeats the key it was sent: no client, log or ledger gets to see it."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli
import pytest
import zstandard
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, chat, provider
from llm_gateway.streaming.content_coding import decoder

from .conftest import Start

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


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-Gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate, bare": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "gzip, br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
}
UNREADABLE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "unknown": ("lzma", bytes),
    "not what it says": ("br", lambda body: b"\x8b\x02\x80" + body + b"\x03"),
    "cut": ("gzip", lambda body: gzip.compress(body)[:-1]),
    "a bomb": ("zstd", lambda body: zstandard.compress(body + b" " * (1 << 20))),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_error_bodies(
    gateway: GatewayProcess, fake: FakeProvider, spelling: str, encoding: str
) -> None:
    said = f'{{"error": {{"message": "Bad key {SPELLINGS[spelling](KEY)}."}}}}'
    name, encode = ENCODINGS[encoding]
    headers = (("content-encoding", name),) if name else ()
    fake.then(answers.status(400, encode(said.encode()), headers))
    status, head, found = gateway.chat()
    assert status == 400
    assert "content-encoding" not in head
    assert found["error"]["message"] == "Bad key ***."


@pytest.mark.parametrize("how", UNREADABLE)
def test_error_bodies_that_cannot_be_read(
    gateway: GatewayProcess, fake: FakeProvider, how: str
) -> None:
    name, encode = UNREADABLE[how]
    body = encode(f'{{"error": {{"message": "Bad key {KEY}."}}}}'.encode())
    fake.then(answers.status(400, body, (("content-encoding", name),)))
    status, head, found = gateway.chat()
    assert status == 400
    assert "content-encoding" not in head
    message = found["error"]["message"]
    assert "cannot be read" in message
    assert not is_there(message)


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("member", ["code", "type", "status", "error_code"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_error_codes(
    gateway: GatewayProcess, fake: FakeProvider, status: int, member: str
) -> None:
    """They are repeated in messages of ours, in events and in the ledger."""
    error = {"message": "no", member: KEY}
    headers = (("x-request-id", KEY), ("retry-after", "1"), ("x-amzn-errortype", KEY))
    body = json.dumps({"error": error, member: KEY}).encode()
    fake.then(answers.status(status, body, headers))
    _, head, found = gateway.chat()
    assert not is_there(json.dumps([head, found]))
    _, _, events = gateway.ask("GET", "/usage/current")
    assert not is_there(events.decode())


HEADERS = ("content-type", "x-request-id", "request-id", "cache-control", "retry-after")
"""Those of good answers that pass."""


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_headers_of_good_answers(
    gateway: GatewayProcess, fake: FakeProvider, spelling: str, stream: bool
) -> None:
    def answer(request: Received) -> Answer:
        made = (answers.stream() if stream else answers.ok())(request)
        spelled = SPELLINGS[spelling](KEY)
        said = [(name, f"a {spelled}, b") for name in HEADERS[1:]]
        kind = dict(made.headers)["content-type"]
        said.append((HEADERS[0], f"{kind}; a={spelled}"))
        return replace(made, headers=tuple(said))

    fake.then(answer)
    status, head, found = streamed(gateway) if stream else plainly(gateway)
    assert status == 200
    assert b"Hel" in found or b"choices" in found
    assert not is_there(json.dumps(head))
    assert head["x-request-id"] == "a ***, b"
    assert head["content-type"].endswith("***")


def test_a_key_that_was_fetched(
    start: Start, fake: FakeProvider, tmp_path: Path
) -> None:
    """It stands in no configuration."""
    token = tmp_path / "token"
    token.write_text(KEY)
    token.chmod(0o600)
    entry = {"id": "v", "type": "google-vertex", "accessTokenFile": str(token)}
    entry |= {"project": "p", "baseURL": f"{fake.base_url}/v1"}
    gateway = start({"providers": [{**entry, "models": [{"name": "m"}], "free": True}]})
    gateway.wait_log("Try: curl")
    fake.then(answers.ok())
    status, _, _ = gateway.chat()
    assert status == 200
    assert fake.requests[-1].header("authorization") == f"Bearer {KEY}"
    said = json.dumps({"error": {"message": f"Bad key {KEY}.", "code": KEY}}).encode()
    fake.then(answers.status(400, said, (("x-request-id", KEY),)))
    _, head, found = gateway.chat()
    assert found["error"]["message"] == "Bad key ***."
    assert not is_there(json.dumps([head, found]))
    fake.then(answers.stream(tail=(answers.event(said.decode()),)))
    _, _, found = streamed(gateway)
    assert b"***" in found
    assert not is_there(found.decode())


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
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_error_events_in_compressed_streams(
    gateway: GatewayProcess, fake: FakeProvider, size: int, encoding: str
) -> None:
    """What is compressed cannot be changed: it ends before the event."""
    name, encode = ENCODINGS[encoding]
    event = answers.event(f'{{"error": {{"message": "Bad key {KEY}.", "code": 401}}}}')
    plain = answers.chat_chunk({"content": "Hel"}) + event
    coded = encode(plain)
    pieces = tuple(coded[at : at + size] for at in range(0, len(coded), size))
    headers = [("content-type", "text/event-stream")]
    headers += [("content-encoding", name)] if name else []
    fake.then(Answer(headers=tuple(headers), body=pieces))
    status, head, found = streamed(gateway)
    assert status == 200
    if head.get("content-encoding") in (None, "identity"):
        assert found == plain.replace(KEY.encode(), b"***")
    else:
        undone = decoder(name)
        assert undone is not None
        assert not is_there(undone.feed(found).decode())
        assert coded.startswith(found)


def plainly(
    gateway: GatewayProcess, **more: object
) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps(chat(**more)).encode()
    headers = {"content-type": "application/json"}
    return gateway.ask("POST", "/v1/chat/completions", body, headers)


def streamed(gateway: GatewayProcess) -> tuple[int, dict[str, str], bytes]:
    return plainly(gateway, stream=True)


TOLD = json.dumps({"message": f"Incorrect API key provided: {KEY}", "code": 401})
SAID: dict[str, bytes] = {
    "an event without the word": f"data: {TOLD}\n\n".encode(),
    "a comment": f": key {KEY}\n\n".encode(),
    "an id": f"id: {KEY}\ndata: {TOLD}\n\n".encode(),
    "a large event": f'data: {{"error": "{"x" * (1 << 20)} {KEY}"}}\n\n'.encode(),
    "no event": TOLD.encode(),
    "an event that breaks off": f"data: {TOLD[:-1]}".encode(),
    "UTF-16": TOLD.encode("utf-16-le"),
    "UTF-16, the other end first": TOLD.encode("utf-16-be"),
}
PATHS = ("/v1/chat/completions", "/v1/messages")


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", SAID)
def test_whatever_is_said_in_mid_stream(
    gateway: GatewayProcess, fake: FakeProvider, how: str, path: str
) -> None:
    said = SAID[how]
    pieces = tuple(said[at : at + 50_000] for at in range(0, len(said), 50_000))
    cut = (said[:45], said[45:]) if len(pieces) == 1 else pieces
    make = answers.message_stream if "messages" in path else answers.stream
    fake.then(make(tail=cut))
    body = json.dumps(chat(stream=True, max_tokens=9)).encode()
    headers = {"content-type": "application/json"}
    status, _, found = gateway.ask("POST", path, body, headers)
    assert status == 200
    assert b"Hel" in found
    assert not is_there(found.replace(b"\0", b"").decode("latin-1"))


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("coding", ["compress", "lzma"])
def test_answers_in_an_unknown_coding_end_before_it(
    gateway: GatewayProcess, fake: FakeProvider, coding: str, stream: bool
) -> None:
    """Nobody here can read them, and whoever does not care about the name can."""
    kind = "text/event-stream" if stream else "application/json"
    headers = (("content-type", kind), ("content-encoding", coding))
    event = answers.chat_chunk({"content": "Hel"})
    fake.then(Answer(headers=headers, body=(event, SAID["a comment"], event)))
    status, head, found = streamed(gateway) if stream else plainly(gateway)
    assert status in (200, 502)
    assert not is_there(json.dumps(head) + found.decode())
    assert event.startswith(found) or status == 502


@pytest.mark.usefixtures("forgiven")
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_plain_answers(
    gateway: GatewayProcess, fake: FakeProvider, encoding: str
) -> None:
    name, encode = ENCODINGS[encoding]
    said = {"model": KEY, "choices": [{"message": {"content": "hi"}}]}
    headers = [("content-type", "application/json")]
    headers += [("content-encoding", name)] if name else []
    body = encode(json.dumps(said).encode())
    fake.then(Answer(headers=tuple(headers), body=(body,)))
    status, _, found = plainly(gateway)
    assert status == 200
    assert json.loads(found)["model"] == "***"


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.usefixtures("forgiven")
def test_error_bodies_in_wide_characters(
    gateway: GatewayProcess, fake: FakeProvider, coding: str, status: int
) -> None:
    said = json.dumps({"error": {"message": f"Bad key {KEY}.", "code": "x"}})
    headers = (("content-type", f"application/json; charset={coding}"),)
    fake.then(answers.status(status, said.encode(coding), headers))
    _, head, found = plainly(gateway)
    text = found.replace(b"\0", b"").decode("latin-1")
    assert not is_there(json.dumps(head) + text)


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
