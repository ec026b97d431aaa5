"""What a failure says, and about whom: no request takes a provider away from others.

One gateway, one fake that plays a script per provider (told apart by the path).
"""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Gate, Pause, Received, Script, answers
from fakes.steps import TIMEOUT

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import error, priced

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"
ALL = ["chat", "completions", "embeddings", "responses", "messages"]
SSE = ("content-type", "text/event-stream")


def event(value: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def chunk(delta: object, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"object": "chat.completion.chunk", "choices": [choice]})


def streamed(*body: bytes | Gate | Pause, kind: str | None = SSE[1]) -> Answer:
    headers = (("content-type", kind),) if kind else ()
    return Answer(headers=headers, body=body, framing="chunked")


def plain(value: object) -> Answer:
    return Answer(headers=(answers.JSON,), body=(json.dumps(value).encode(),))


# what a model says when it is asked for the model `x`, to others it answers well
ONE_MODELS_TROUBLE: dict[str, Answer] = {
    "404 of an upstream": answers.status(404, error("Provider returned error", "404")),
    "404 bare": answers.status(404, {"detail": "Not Found"}),
    "404 of nobody": answers.status(404, {"error": {"message": "Resource not found", "code": "404"}}),
    "404 empty": answers.status(404, b""),
    "404 of a function": answers.status(404, {"status": 404, "title": "Not Found", "detail": "Function '12': Not found for account 'abc'"}),
    "404 of a feature": answers.status(404, error("No endpoints found that support tool use", "")),
    "404 of an id": answers.status(404, error("Previous response with id 'x' not found.", "")),
    "404 of the model": answers.status(404, error("The model `x` does not exist", "model_not_found")),
    "404 of the endpoint": answers.status(404, error("This model is only supported in v1/responses and not in v1/chat/completions.", "")),
    "405 of a firewall": Answer(405, (("content-type", "text/html"),), (b"<html>Not Allowed</html>",)),
    "410": answers.status(410, b""),
    "400 of a schema": answers.status(400, error("Invalid schema for function 'get_billing_info'", "invalid_function_parameters")),
    "400 about money": answers.status(400, error("Your credit balance is too low to access the API", "")),
    "400 about a key": answers.status(400, error("API key not valid.", "")),
    "400 about a model": answers.status(400, error("x is not a valid model ID", "")),
    "422 about an account": answers.status(422, error("Your billing is not active", "")),
    "402 for a large request": answers.status(402, error("This request requires more credits, or fewer max_tokens.", "")),
    "401 of an item": answers.status(401, error("input item ID does not belong to this connection", "")),
    "403 of a file": answers.status(403, error("You do not have permission to access the File f.", "")),
    "403 of a moderation": answers.status(403, {"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}),
    "403 of a flag": answers.status(403, error("Input was flagged by moderation", "403")),
    "403 of a tuned model": answers.status(403, error("You do not have permission to access tuned model tunedModels/x.", "PERMISSION_DENIED")),
    "403 of a container": answers.status(403, error("Your organization does not have access to the container: c", "permission_error")),
    "403 of a firewall": answers.status(403, "<!DOCTYPE html><h1>Sorry, you have been blocked</h1>"),
    "403 of a firewall in JSON": answers.status(403, {"message": "Request blocked by Web Application Firewall"}),
    "403 of streaming": answers.status(403, error("Your organization must be verified to stream this model.", "unsupported_value")),
    "401 of a tool's server": answers.status(401, error("Authentication error while communicating with MCP server 'x'.", "authentication_error")),
    "429 of a payload": answers.status(429, error("Request payload size exceeds the limit: 20971520 bytes.", "RESOURCE_EXHAUSTED")),
    "413": answers.status(413, error("Request Entity Too Large", "")),
    "500 of a template": answers.status(500, error("Jinja Exception: conversation roles must alternate", "")),
    "500 too long": answers.status(500, error("the request exceeds the available context size.", "")),
}  # fmt: skip

NO_ANSWERS: dict[str, tuple[str, object]] = {
    "empty object": (CHAT, {}),
    "no choices": (CHAT, {"choices": [], "usage": {"prompt_tokens": 1}}),
    "wrapped": (CHAT, {"code": 500, "message": "internal error", "data": None}),
    "detail": (CHAT, {"detail": "Internal error"}),
    "finish error": (CHAT, {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}),
    "completions": (COMPLETIONS, {"choices": []}),
    "embeddings": (EMBEDDINGS, {"object": "list", "data": []}),
    "responses": (RESPONSES, {"object": "response", "status": "failed", "output": []}),
    "messages": (MESSAGES, {"type": "message", "content": [], "stop_reason": None}),
}  # fmt: skip

KINDS = [
    "Text/Event-Stream",
    "text/event-stream;charset=UTF-8",
    "text/plain; charset=utf-8",
    "application/json",
    "application/octet-stream",
    "application/x-ndjson",
    None,
]
HELLO = (chunk({"content": "hello"}), chunk({}, "stop"), answers.DONE)

LAST_WORDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "done": (CHAT, HELLO),
    "finish": (CHAT, HELLO[:2]),
    "completions": (
        COMPLETIONS,
        (event({"choices": [{"text": "hello", "finish_reason": "stop"}]}),),
    ),
    "responses": (
        RESPONSES,
        (
            event({"type": "response.output_text.delta", "delta": "hello"}),
            event({"type": "response.completed", "response": {}}, "response.completed"),
        ),
    ),
    "messages": (
        MESSAGES,
        (
            event({"type": "content_block_delta", "delta": {"text": "hello"}}),
            event({"type": "message_stop"}, "message_stop"),
        ),
    ),
}

EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"
INTERIM = {
    "one": (EARLY,),
    "several": (b"HTTP/1.1 100 Continue\r\n\r\n" + EARLY * 3,),
    "in pieces": tuple(EARLY[i : i + 7] for i in range(0, len(EARLY), 7)),
}


def slug(name: str) -> str:
    return name.replace(" ", "-")


class Stage:
    """Scripts by the first part of the path, at one fake."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._scripts: dict[str, Script] = {}
        self.gates: dict[str, Gate] = {}
        self.fake = self._stack.enter_context(FakeProvider(self._answer))

    def close(self) -> None:
        self._stack.close()

    def _answer(self, request: Received) -> Answer:
        script = self._scripts[request.target.split("/")[1]]
        return script if isinstance(script, Answer) else script(request)

    def entry(self, id: str, script: Script, **more: Any) -> dict[str, Any]:
        self._scripts[id] = script
        found = provider(self.fake, id, **more)
        return found | {"baseURL": f"{self.fake.base_url}/{id}/v1"}

    def asked(self, id: str) -> int:
        found = tuple(self.fake.requests)
        return sum(r.target.startswith(f"/{id}/") for r in found)


def only(bad: Answer) -> Script:
    """`bad` for the model `x`, a good answer for any other."""

    def script(request: Received) -> Answer:
        return bad if request.json()["model"] == "x" else answers.ok()(request)

    return script


def named(id: str, *models: str) -> list[dict[str, Any]]:
    """Its models, which clients know as `ID-MODEL`."""
    return [{"name": m, "mappedName": f"{id}-{m}"} for m in models]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def gateway(start_shared: Start, stage: Stage) -> GatewayProcess:
    providers = []
    for name, bad in ONE_MODELS_TROUBLE.items():
        id = slug(f"t {name}")
        models = named(id, "x", "y")
        providers.append(stage.entry(id, only(bad), free=True, models=models))
    for name, (_, body) in NO_ANSWERS.items():
        id = slug(f"n {name}")
        more = {"free": True, "dialects": ALL, "models": named(id, "m")}
        providers.append(stage.entry(id, plain(body), **more))
    for number, kind in enumerate(KINDS):
        id = f"k-{number}"
        gates = [Gate() for _ in HELLO]
        stage.gates |= {f"{id}-{n}": gate for n, gate in enumerate(gates)}
        steps = [step for pair in zip(gates, HELLO, strict=True) for step in pair]
        script = streamed(*steps, kind=kind)
        providers.append(stage.entry(id, script, free=True, models=named(id, "m")))
    for name, (_, pieces) in LAST_WORDS.items():
        id = slug(f"w {name}")
        gate = stage.gates[id] = Gate()
        more = {"free": True, "dialects": ALL, "models": named(id, "m")}
        providers.append(stage.entry(id, streamed(*pieces, gate), **more))
    for name, before in INTERIM.items():
        id = slug(f"i {name}")
        script = answers.ok("hello")(Received(0, 0, 0, "", "", (), b"{}", ""))
        head = Answer(headers=script.headers, body=script.body, before=before)
        providers.append(stage.entry(id, head, free=True, models=named(id, "m")))
    pings = streamed(
        *(step for _ in range(200) for step in (b": ping\n\n", Pause(0.05)))
    )
    providers.append(stage.entry("pings", pings, free=True, models=named("pings", "m")))
    ids = [
        ("x-request-id", "req-1"),
        ("request-id", "req-2"),
        ("x-generation-id", "gen-1"),
        ("retry-after", "7"),
        ("retry-after-ms", "7000"),
        ("x-should-retry", "false"),
        ("set-cookie", "a=b"),
    ]
    failing = answers.status(400, error("bad", "invalid_value"), ids)
    providers.append(
        stage.entry("org", _of_organization, type="openai", free=True, models=named("org", "m"))
    )  # fmt: skip
    providers += [
        stage.entry("ids-bad", failing, type="openrouter", free=True, models=named("ids-bad", "m")),
        stage.entry("ids-good", answers.ok("hello", ids), type="openrouter", free=True, models=named("ids-good", "m")),
    ]  # fmt: skip
    spare = [{**priced(9, "m")[0], "aliases": ["n-*", "pings-*"]}]
    providers.append(stage.entry("spare", _by_dialect, dialects=ALL, models=spare))
    return start_shared({"routing": {"deadlineSeconds": 6}, "providers": providers})


def _of_organization(request: Received) -> Answer:
    for name in ("organization", "project"):
        if request.header(f"openai-{name}"):
            said = f"OpenAI-{name.title()} header should match {name} for API key"
            return answers.status(401, error(said, f"mismatched_{name}"))
    return answers.ok()(request)


def _by_dialect(request: Received) -> Answer:
    if request.json().get("stream") and request.target.endswith("/chat/completions"):
        return streamed(*HELLO)
    return answers.ok("hello")(request)


def asked(model: str, path: str, **more: Any) -> dict[str, Any]:
    if path == EMBEDDINGS:
        return {"model": model, "input": "hi"}
    if path == RESPONSES:
        return {"model": model, "input": "hi", **more}
    if path == COMPLETIONS:
        return {"model": model, "prompt": "hi", **more}
    messages = [{"role": "user", "content": "hi"}]
    return {"model": model, "messages": messages, "max_tokens": 9, **more}


@pytest.mark.parametrize("name", ONE_MODELS_TROUBLE)
def test_one_models_trouble_is_not_the_providers(
    gateway: GatewayProcess, name: str
) -> None:
    id = slug(f"t {name}")
    assert gateway.chat(f"{id}-y")[0] == 200
    for _ in range(6):
        assert gateway.chat(f"{id}-x")[0] >= 400
    status, _, said = gateway.chat(f"{id}-y")
    assert status == 200, said


@pytest.mark.parametrize("name", ["organization", "project"])
def test_an_account_that_the_client_names_is_its_own_mistake(
    gateway: GatewayProcess, name: str
) -> None:
    status, _, said = gateway.chat("org-m", {f"openai-{name}": "theirs"})
    assert (status, said["error"]["code"]) == (401, f"mismatched_{name}")
    assert gateway.chat("org-m")[0] == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_200_without_an_answer_moves_on(
    gateway: GatewayProcess, stage: Stage, name: str, stream: bool
) -> None:
    path, _ = NO_ANSWERS[name]
    id = slug(f"n {name}")
    before = stage.asked(id)
    more = {"stream": True} if stream and path in (CHAT, MESSAGES) else {}
    status, headers, _ = gateway.post(path, asked(f"{id}-m", path, **more))
    assert status == 200
    assert headers["x-gateway-provider"] == "spare"
    assert stage.asked(id) == before + 1


class Client:
    """A client that reads what it likes, and leaves when it likes."""

    def __init__(self, gateway: GatewayProcess, path: str, value: object) -> None:
        body = json.dumps(value).encode()
        where = ("127.0.0.1", gateway.port)
        self.socket = socket.create_connection(where, timeout=TIMEOUT)
        self.got = b""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def read_to(self, needle: bytes) -> bytes:
        while needle not in self.got:
            data = self.socket.recv(65_536)
            assert data, self.got
            self.got += data
        return self.got


def row_of(gateway: GatewayProcess, model: str) -> dict[str, Any]:
    sql = "select * from requests where requested_model = ? and outcome <> 'in_flight'"
    [row] = gateway.wait_rows(sql, bool, model)
    return row


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_a_stream_is_one_whatever_its_content_type_says(
    gateway: GatewayProcess, stage: Stage, number: int
) -> None:
    id = f"k-{number}"
    gates = [stage.gates[f"{id}-{n}"] for n in range(len(HELLO))]
    gates[0].open()
    with Client(gateway, CHAT, asked(f"{id}-m", CHAT, stream=True)) as client:
        # The first event is here while the second has not left.
        head = client.read_to(b"hello").partition(b"\r\n\r\n")[0]
        for gate in gates:
            gate.open()
        client.read_to(b"[DONE]")
    assert b"event-stream" in head.lower()
    row = row_of(gateway, f"{id}-m")
    assert (row["outcome"], row["streamed"]) == ("ok", 1)


@pytest.mark.parametrize("name", LAST_WORDS)
def test_who_leaves_at_the_last_word_has_the_whole_answer(
    gateway: GatewayProcess, stage: Stage, name: str
) -> None:
    path, pieces = LAST_WORDS[name]
    id = slug(f"w {name}")
    with Client(gateway, path, asked(f"{id}-m", path, stream=True)) as client:
        client.read_to(pieces[-1].strip())
    # The provider has not ended its answer, and will not before the row is there.
    row = row_of(gateway, f"{id}-m")
    stage.gates[id].open()
    assert (row["outcome"], row["error"], row["status"]) == ("ok", None, 200)
    [tried] = gateway.rows("select * from attempts where request = ?", row["id"])
    assert (tried["outcome"], tried["reason"]) == ("ok", "")


@pytest.mark.parametrize("name", INTERIM)
def test_interim_answers_are_passed_over(gateway: GatewayProcess, name: str) -> None:
    for _ in range(2):
        status, headers, said = gateway.chat(f"{slug(f'i {name}')}-m")
        assert (status, headers["x-gateway-attempts"]) == (200, "1"), said
        assert said["choices"][0]["message"]["content"] == "hello"


def test_pings_keep_nobody_waiting_while_another_could_answer(
    gateway: GatewayProcess,
) -> None:
    status, headers, _ = gateway.chat("pings-m", stream=True)
    assert (status, headers["x-gateway-provider"]) == (200, "spare")
    [tried] = gateway.wait_rows(
        "select * from attempts where provider = 'pings' and outcome = 'failed'"
    )
    assert tried["reason"] == "deadline"
    assert 2_500 <= tried["duration_ms"] <= 5_000


@pytest.mark.parametrize(("id", "status"), [("ids-bad", 400), ("ids-good", 200)])
def test_ids_for_the_providers_support_reach_the_client(
    gateway: GatewayProcess, id: str, status: int
) -> None:
    found, headers, _ = gateway.chat(f"{id}-m")
    assert found == status
    for name, value in (
        ("x-request-id", "req-1"),
        ("request-id", "req-2"),
        ("x-generation-id", "gen-1"),
        ("retry-after", "7"),
        ("retry-after-ms", "7000"),
        ("x-should-retry", "false"),
    ):
        assert headers[name] == value
    assert "set-cookie" not in headers


def test_in_a_storm_of_bad_requests_the_good_ones_are_served(
    start_shared: Start, stage: Stage
) -> None:
    """One client sends every bad request there is, another good ones for all models:
    a good one is never refused, and nothing is remembered of the bad ones."""
    bad = {slug(name): answer for name, answer in ONE_MODELS_TROUBLE.items()} | {
        "no-answer": plain({}),
        "error": plain({"error": {"message": "overloaded"}}),
        "empty-stream": answers.empty_stream(),
        "500": answers.status(500),
        "cut": Answer(headers=(SSE,), body=(HELLO[0],), framing="chunked"),
    }

    def script(request: Received) -> Answer:
        trouble = request.json().get("user")
        return bad[trouble] if trouble else answers.ok("hello")(request)

    entries = [
        stage.entry(f"storm-{n}", script, models=named(f"storm-{n}", "a", "b", "x"))
        for n in range(3)
    ]
    gateway = start_shared(
        {
            "routing": {"sticky": False},
            "providers": [entry | {"free": True} for entry in entries],
            "clients": [
                {"name": name, "key": f"sk-CANARY-{name}"} for name in ("good", "bad")
            ],
        }
    )
    models = [f"storm-{n}-{m}" for n in range(3) for m in ("a", "b", "x")]
    keys = {
        name: {"authorization": f"Bearer sk-CANARY-{name}"} for name in ("good", "bad")
    }
    for model in models:
        assert gateway.chat(model, keys["good"])[0] == 200
    over = threading.Event()
    refused: list[tuple[str, int, Any]] = []

    def good() -> None:
        while not over.is_set():
            for model in models:
                status, _, said = gateway.chat(model, keys["good"])
                if status != 200:
                    refused.append((model, status, said))

    asking = threading.Thread(target=good)
    asking.start()
    try:
        for trouble in bad:
            for n, model in enumerate(models):
                more = {"stream": True} if n % 2 else {}
                gateway.chat(model, keys["bad"], user=trouble, **more)
    finally:
        over.set()
        asking.join()
    assert refused == []
