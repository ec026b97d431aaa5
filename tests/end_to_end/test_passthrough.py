"""What an intercepted app gets when nobody here serves it: its own host, its own key."""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import brotli
import pytest
from fakes import Answered, Authority, FakeProvider, Way, answers, reach
from fakes.answers import JSON, SSE, event
from fakes.steps import Answer, End

from gateway import GatewayProcess, chat, provider

from .conftest import Start

HOST = "localhost"
OWN = (("authorization", "Bearer sk-APP"), ("content-type", "application/json"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def own(place: Authority) -> Iterator[FakeProvider]:
    with FakeProvider(tls=place.server_context()) as made:
        yield made


@pytest.fixture(scope="module")
def shared(start_shared: Start, place: Authority) -> GatewayProcess:
    return start_shared(config(), trust=place.ca)


LAST_WORDS = (
    b'{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]}',
    b'{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
    b"[DONE]",
)


def ask(
    gateway: GatewayProcess,
    own: FakeProvider,
    target: str,
    body: bytes,
    method: str,
    more: tuple[tuple[str, str], ...] = (),
) -> Answered:
    """One request to the app's own host, through CONNECT."""

    async def go() -> Answered:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host=HOST, port=own.port
        ) as session:
            answered = await session.ask(target, body, (*OWN, *more), method)
            await answered.body()
            return answered

    return asyncio.run(go())


def config(*providers: object, **routing: object) -> dict[str, object]:
    return {
        "intercept": {"hosts": [HOST]},
        "providers": list(providers),
        "routing": routing,
    }


def test_unknown_model_goes_to_the_apps_own_host(start: Start, authority) -> None:
    with FakeProvider(answers.ok("own"), tls=authority.server_context()) as own:
        gateway = start(config(), trust=authority.ca)
        body = json.dumps(chat("gpt-4o-mini")).encode()
        answered = ask(gateway, own, "/v1/chat/completions", body, "POST")
        assert answered.status == 200
        assert own.requests[0].header("authorization") == "Bearer sk-APP"
        assert own.requests[0].body == body
        [row] = gateway.ended(1)
        assert (row["outcome"], row["provider"], row["host"]) == (
            "passthrough",
            None,
            HOST,
        )
        assert row["requested_model"] == "gpt-4o-mini"
        assert row["usage_source"] == "reported"


def test_other_paths_pass_and_are_written_down(start: Start, authority) -> None:
    with FakeProvider(answers.ok("models"), tls=authority.server_context()) as own:
        gateway = start(config(), trust=authority.ca)
        assert ask(gateway, own, "/v1/models", b"", "GET").status == 200
        [row] = gateway.ended(1)
        assert (row["outcome"], row["dialect"]) == ("passthrough", "other")


@pytest.mark.parametrize("packed", ["plain", "compressed"])
@pytest.mark.parametrize(
    ("until", "error"),
    [("[DONE]", None), ('"stop"', None), ("Hel", "client_disconnected")],
)
def test_an_app_that_leaves_at_the_last_word(
    shared: GatewayProcess,
    own: FakeProvider,
    until: str,
    error: str | None,
    packed: str,
) -> None:
    """It has its whole answer; before that word it has not."""
    said = [b"data: %s\n\n" % one for one in LAST_WORDS]
    at = next(n for n, one in enumerate(said) if until.encode() in one)
    coding: tuple[tuple[str, str], ...] = ()
    pieces = said[: at + 1]
    if packed == "compressed":
        deflater = zlib.compressobj(wbits=31)
        pieces = [
            deflater.compress(b"".join(pieces)) + deflater.flush(zlib.Z_SYNC_FLUSH)
        ]
        coding = (("content-encoding", "gzip"),)
    hangs = Answer(headers=(SSE, *coding), body=(*pieces, End.HANG), framing="chunked")
    own.then(hangs)
    model = f"gpt-{until}-{packed}"

    async def go() -> None:
        async with reach(
            Way.CONNECT_H1, shared.port, ca=shared.ca, host=HOST, port=own.port
        ) as session:
            body = json.dumps(chat(model, stream=True)).encode()
            answered = await session.ask("/v1/chat/completions", body, OWN, "POST")
            await answered.until(pieces[-1][-8:])

    asyncio.run(go())
    [row] = shared.wait_rows(
        f"select * from requests where requested_model = '{model}' "
        "and outcome <> 'in_flight'"
    )
    assert (row["outcome"], row["error"]) == ("passthrough", error)


def test_free_only_rejects_what_nobody_here_offers(start: Start, authority) -> None:
    with FakeProvider(tls=authority.server_context()) as own:
        gateway = start(config(policy="free-only"), trust=authority.ca)
        body = json.dumps(chat("gpt-4o-mini")).encode()
        assert ask(gateway, own, "/v1/chat/completions", body, "POST").status == 404
        assert own.requests == []


@pytest.mark.parametrize("limit", [0, 5])
def test_exhausted_passes_when_told_to(start: Start, authority, limit: int) -> None:
    """Refused by our own limit, and by the provider's 429."""
    with (
        FakeProvider(answers.rate_limited()) as ours,
        FakeProvider(answers.ok("own"), tls=authority.server_context()) as own,
    ):
        entry = provider(ours, "a", free=True, limits={"requestsPerMinute": limit})
        gateway = start(config(entry, exhausted="passthrough"), trust=authority.ca)
        body = json.dumps(chat()).encode()
        answered = ask(gateway, own, "/v1/chat/completions", body, "POST")
        assert answered.status == 200
        assert own.requests[0].header("authorization") == "Bearer sk-APP"
        assert own.requests[0].body == body
        assert b"sk-APP" not in ours.bytes_in()
        assert b"CANARY" not in own.bytes_in()
        [row] = gateway.ended(1)
        assert (row["outcome"], row["host"]) == ("passthrough", HOST)
        assert row["attempts"] == (1 if limit else 0)


def test_exhausted_is_refused_by_default(start: Start, authority) -> None:
    with (
        FakeProvider(answers.rate_limited()) as ours,
        FakeProvider(tls=authority.server_context()) as own,
    ):
        gateway = start(config(provider(ours, "a", free=True)), trust=authority.ca)
        body = json.dumps(chat()).encode()
        assert ask(gateway, own, "/v1/chat/completions", body, "POST").status == 429
        assert own.requests == []


def test_unreachable_host_gets_json(start: Start, authority) -> None:
    own = FakeProvider(tls=authority.server_context())
    with own:
        pass
    gateway = start(config(), trust=authority.ca)
    body = json.dumps(chat("other")).encode()
    answered = ask(gateway, own, "/v1/chat/completions", body, "POST")
    assert answered.status == 502
    assert json.loads(answered.got)["error"]["code"] == "upstream_unreachable"


REFUSED = [
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("POST", "/v1/realtime/sessions"),
    ("POST", "/v1beta/models/gemini-2.5-flash:embedContent"),
    ("PUT", "/v1/anything"),
    ("POST", "/v1/vector_stores/vs_1/files"),
    ("POST", "/v1/files/../images/generations"),
    ("POST", "/v1/files/..%2fimages/generations"),
    ("POST", "/v1/images/generations;/files"),
]
FREE = [
    ("GET", "/v1/models"),
    ("DELETE", "/v1/files/file-1"),
    ("POST", "/v1/files"),
    ("POST", "/v1/messages/count_tokens?beta=true"),
    ("POST", "/api/event_logging/batch"),
]


@pytest.mark.parametrize(
    "settings", [{"policy": "free-only"}, {}], ids=["free-only", "asked for"]
)
def test_only_what_is_free_passes(start: Start, authority, settings) -> None:
    with FakeProvider(answers.ok("own"), tls=authority.server_context()) as own:
        asked = config(**settings)
        if not settings:
            asked["intercept"]["passthrough"] = "free"
        gateway = start(asked, trust=authority.ca)
        for method, path in FREE:
            assert ask(gateway, own, path, b"{}", method).status == 200, path
        seen = len(own.requests)
        for method, path in REFUSED:
            assert ask(gateway, own, path, b"{}", method).status == 403, path
        assert len(own.requests) == seen
        override = (("x-http-method-override", "POST"),)
        path = "/v1/images/generations"
        assert ask(gateway, own, path, b"{}", "GET", override).status == 403
        assert len(own.requests) == seen
        rows = gateway.ended(len(FREE) + len(REFUSED) + 1)
        refused = [r for r in rows if r["outcome"] == "refused"]
        assert [r["error"] for r in refused] == ["may_be_billed"] * (len(REFUSED) + 1)


WEBSOCKET = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
ROUTED = [
    "/v1/responses",
    "/v1/responses?model=gpt-5",
    "//v1/responses/",
    "/responses",
    "/v1/chat/completions",
    "/v1/messages?beta=true",
    "/v1/embeddings",
]
UNROUTED = ["/v1/realtime?model=gpt-realtime", "/v1/audio/live", "/ws", "/v1/models"]


@pytest.mark.parametrize(
    "settings", [{}, {"policy": "free-only"}], ids=["all", "free-only"]
)
def test_nothing_is_upgraded_where_requests_are_routed(
    start: Start, authority, settings
) -> None:
    """On the base URL and on an intercepted host: 426 makes apps go on by POST."""
    with FakeProvider(tls=authority.server_context()) as own:
        gateway = start(config(**settings), trust=authority.ca)
        for path in ROUTED:
            for spelled in ("websocket", "WebSocket", "h2c, websocket"):
                more = (*WEBSOCKET[:1], ("upgrade", spelled), *WEBSOCKET[2:])
                answered = ask(gateway, own, path, b"", "GET", more)
                assert answered.status == 426, path
                assert json.loads(answered.got)["error"]["message"]
                status, headers, _ = gateway.ask("GET", path, headers=dict(more))
                assert (status, headers["upgrade"]) == (426, "HTTP/1.1"), path
        assert own.requests == []


@pytest.mark.parametrize("asked", ["free-only", "passthrough"])
def test_no_socket_is_opened_where_only_what_is_free_passes(
    start: Start, authority, asked: str
) -> None:
    with FakeProvider(tls=authority.server_context()) as own:
        settings = config(**({"policy": asked} if asked == "free-only" else {}))
        if asked == "passthrough":
            settings["intercept"]["passthrough"] = "free"
        gateway = start(settings, trust=authority.ca)
        h2c = (("connection", "Upgrade"), ("upgrade", "h2c"))
        for more, said in ((WEBSOCKET, "WebSocket"), (h2c, "a protocol switch")):
            for path in UNROUTED:
                answered = ask(gateway, own, path, b"", "GET", more)
                error = json.loads(answered.got)["error"]
                assert (answered.status, error["code"]) == (403, "may_be_billed"), path
                assert said in error["message"]
        assert ask(gateway, own, "/v1/realtime", b"", "GET").status == 403
        assert own.requests == []
        rows = gateway.ended(2 * len(UNROUTED) + 1)
        assert {(r["outcome"], r["error"]) for r in rows} == {
            ("refused", "may_be_billed")
        }


def in_background(name: str) -> dict[str, Any]:
    return {"id": name, "status": "queued", "output": [], "usage": None}


def there(name: str, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 40, "output_tokens": 2, "total_tokens": 42}
    done = {"status": "completed", "usage": usage, "model": "gpt-5"}
    return in_background(name) | done | more


def streamed(name: str) -> Answer:
    text = {"type": "response.output_text.delta", "delta": "x"}
    last = {"type": "response.completed", "response": there(name)}
    return Answer(headers=(SSE,), body=(event(text), event(last)))


def squeezed(name: str) -> Answer:
    body = brotli.compress(json.dumps(there(name)).encode())
    return Answer(headers=(JSON, ("content-encoding", "br")), body=(body,))


FETCHED: dict[str, tuple[str, str, Callable[[str], Answer]]] = {
    "plain": ("GET", "", lambda name: answers.status(200, there(name))),
    "with more": (
        "GET", "?include[]=x", lambda name: answers.status(200, there(name))
    ),
    "streamed": ("GET", "?stream=true", streamed),
    "compressed": ("GET", "", squeezed),
    "cancelled": (
        "POST", "/cancel",
        lambda name: answers.status(200, there(name, status="cancelled")),
    ),
}  # fmt: skip
NOT_FETCHED: list[tuple[str, str, Any]] = [
    ("GET", "/input_items", {"object": "list", "data": []}),
    ("GET", "", {"id": "resp_5", "status": "in_progress", "output": [], "usage": None}),
    ("DELETE", "", {"id": "resp_5", "deleted": True}),
]


@pytest.mark.parametrize("restart", [False, True], ids=["running", "over a restart"])
def test_answers_in_the_background_are_settled_when_fetched(
    start: Start, authority, restart: bool
) -> None:
    with FakeProvider(tls=authority.server_context()) as own:
        gateway = start(config(), trust=authority.ca)
        body = json.dumps({"model": "gpt-5", "input": "x", "background": True}).encode()
        for n in range(len(FETCHED) + 1):
            own.then(answers.status(200, in_background(f"resp_{n}")))
            assert ask(gateway, own, "/v1/responses", body, "POST").status == 200
        rows = gateway.ended(len(FETCHED) + 1)
        assert {(r["usage_source"], r["cost_usd"]) for r in rows} == {("unknown", None)}
        bound = "select * from bound_ids"
        gateway.wait_rows(bound, lambda found: len(found) == len(rows))
        with ExitStack() as stack:
            if restart:
                gateway.stop()
                again = GatewayProcess(
                    gateway.folder, None, confdir=gateway.confdir, trust=authority.ca
                )
                gateway = stack.enter_context(again)
            for n, (method, more, answer) in enumerate(FETCHED.values()):
                for _ in range(2):  # who asks twice is not booked twice
                    own.then(answer(f"resp_{n}"))
                    path = f"/v1/responses/resp_{n}{more}"
                    assert ask(gateway, own, path, b"", method).status == 200
            for method, more, said in NOT_FETCHED:
                own.then(answers.status(200, said))
                path = f"/v1/responses/resp_5{more}"
                assert ask(gateway, own, path, b"", method).status == 200
            settled = gateway.wait_rows(
                "select * from requests where usage_source = 'reported'",
                lambda found: len(found) >= len(FETCHED),
            )
            asked = {r["id"] for r in rows}
            assert {(r["id"] in asked, r["dialect"], r["input_tokens"]) for r in settled} == {
                (True, "responses", 40)
            }  # fmt: skip
            everything = 3 * len(FETCHED) + 1 + len(NOT_FETCHED)
            gateway.ended(everything)
            [sums] = gateway.rows(
                "select sum(requests) n, sum(total_tokens) t from usage_day"
            )
            assert (sums["n"], sums["t"]) == (everything, 42 * len(FETCHED))


def test_gemini_passes_with_its_usage(start: Start, authority) -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
    answer = answers.status(200, {"candidates": [], "usageMetadata": usage})
    with FakeProvider(answer, tls=authority.server_context()) as own:
        gateway = start(config(), trust=authority.ca)
        path = "/v1beta/models/gemini-2.5-flash:generateContent"
        assert ask(gateway, own, path, b"{}", "POST").status == 200
        [row] = gateway.ended(1)
        assert (row["dialect"], row["outcome"]) == ("generateContent", "passthrough")
        assert row["requested_model"] == "gemini-2.5-flash"
        assert (row["input_tokens"], row["output_tokens"]) == (5, 3)
        # A stream without alt=sse is one JSON array of its events.
        events = json.dumps([{"candidates": [{}]}, {"usageMetadata": usage}])
        own.then(answers.status(200, events))
        path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?key=AIza-APP"
        assert ask(gateway, own, path, b"{}", "POST").status == 200
        assert own.requests[-1].target == path
        row = gateway.ended(2)[-1]
        assert (row["input_tokens"], row["output_tokens"]) == (5, 3)


def test_googles_apps_are_served_or_refused_here(start: Start, authority) -> None:
    """Intercepted, with a key of their own that goes nowhere under free-only."""
    own_key = "AIza-CANARY"
    with FakeProvider(tls=authority.server_context()) as own, FakeProvider() as other:
        free = provider(other, "free", "gemini-2.5-flash", free=True)
        priced = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 1}
        paid = provider(
            other, "paid", models=[{"name": "gemini-pro", "pricing": priced}]
        )
        gateway = start(config(free, paid, policy="free-only"), trust=authority.ca)
        more = (("x-goog-api-key", own_key),)
        body = b'{"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}'

        def asked(target: str) -> Answered:
            path = f"/v1beta/models/{target}?key={own_key}"
            return ask(gateway, own, path, body, "POST", more)

        other.then(answers.ok("Hello"))
        answered = asked("gemini-2.5-flash:generateContent")
        assert (answered.status, b"Hello" in answered.got) == (200, True)
        for model, status, word in (
            ("gemini-pro", 429, "RESOURCE_EXHAUSTED"),
            ("gemini-ultra", 404, "NOT_FOUND"),
        ):
            answered = asked(f"{model}:generateContent")
            error = json.loads(answered.got)["error"]
            assert (answered.status, error["code"], error["status"]) == (
                status,
                status,
                word,
            )
            assert model in error["message"]
        assert own.requests == []
        (sent,) = other.requests
        assert own_key not in repr((sent.target, sent.headers, sent.body))
