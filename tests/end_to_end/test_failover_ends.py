"""Several failures in a row, and what the client is told when nobody is left.

A chain is a model and the providers that have it, in the order in which they are asked:
each costs more than the one before.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, Script, Way, answers, refused_port

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import FORMS, SHORT, STREAM, Told, ask, client, error, priced

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
DIALECTS = {"dialects": ["chat", "messages", "responses"]}
REFUSED = answers.Answer(status=999)
"""Stands for a port where nobody listens."""


BAD = error("'messages' is no list", "invalid_value")
LONG = error("maximum context length is 8 tokens", "context_length_exceeded")
OOPS = error("something broke", "internal")
GOOD = answers.ok("good")
PAGE = Answer(502, (("content-type", "text/html"),), (b"<html>Bad gateway</html>",))


@dataclass(frozen=True)
class End:
    """A chain of failures, and the last word."""

    name: str
    scripts: tuple[Script, ...]
    status: int
    passed: Mapping[str, object] | None = None
    """The provider's body, as it came."""
    code: str | None = None
    """Of our own error."""
    says: tuple[str, ...] = ()
    """Parts of its message."""
    retry_after: tuple[int, int] | None = None
    tries: int = 0
    """0: all of them."""
    error: str = ""
    """In the row; else the code."""


ENDS = [
    End("refused", (REFUSED, REFUSED), 502, code="upstream_unreachable", says=("refused-1/m", "connect")),
    End("closed", (answers.close(), REFUSED), 502, code="upstream_unreachable", says=("closed before headers", "connect")),
    End("silent", (answers.silence(), answers.silence()), 504, code="upstream_unreachable", says=("no first byte",)),
    End("silent and refused", (answers.silence(), REFUSED), 502, code="upstream_unreachable"),
    End("limited", (answers.rate_limited("date"), answers.rate_limited()), 429, code="rate_limit_exceeded", says=("limited-1/m: cooling down: 429 fake_429",), retry_after=(1, 7)),
    End("limited and refused", (answers.rate_limited(), REFUSED), 429, code="rate_limit_exceeded", retry_after=(1, 7)),
    End("limited and broken", (answers.status(500, OOPS), answers.rate_limited()), 500, passed=OOPS, error="500 internal"),
    End("broken twice", (answers.status(500), answers.status(503, OOPS, [("retry-after", "9")])), 503, passed=OOPS, error="503 internal", retry_after=(9, 9)),
    End("empty 503", (answers.empty_503(),), 502, code="upstream_failed", says=("503",)),
    End("a page", (PAGE,), 502, code="upstream_failed", says=("a-page-1/m: 502",)),
    End("a large page", (answers.big_500(), REFUSED), 502, code="upstream_failed"),
    End("empty streams", (answers.empty_stream(), answers.broken_json()), 502, code="upstream_unreachable"),
    End("no key", (answers.status(401), answers.status(403)), 503, code="no_provider_available", says=("disabled: 401 fake_401",), retry_after=(3500, 3600)),
    End("no money", (answers.status(402),), 503, code="no_provider_available"),
    End("no model", (answers.status(404, error("…", "model_not_found")),), 503, code="no_provider_available", retry_after=(500, 600)),
    End("no dialect", (answers.status(405, b""),), 400, code="unsupported_dialect", says=("No provider here takes",)),
    End("bad request", (answers.status(400, BAD), GOOD), 400, passed=BAD, tries=1, error="400 invalid_value"),
    End("unprocessable", (answers.status(422, BAD), GOOD), 422, passed=BAD, tries=1, error="422 invalid_value"),
    End("limited, then bad", (answers.rate_limited(), answers.status(400, BAD), GOOD), 400, passed=BAD, tries=2, error="400 invalid_value"),
    End("too long for all", (answers.status(400, LONG), GOOD), 400, passed=LONG, tries=1, error="400 context_length_exceeded"),
    End("five refused", (REFUSED,) * 5, 502, code="upstream_unreachable", tries=4),
]  # fmt: skip


class Stage:
    """Chains of providers at one fake, told apart by their path."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._scripts: dict[str, Script] = {}
        self.refused = self._stack.enter_context(refused_port())
        self.fake = self._stack.enter_context(FakeProvider(self._answer))

    def close(self) -> None:
        self._stack.close()

    def _answer(self, request: Received) -> Answer:
        script = self._scripts[request.target.split("/")[1]]
        return script if isinstance(script, Answer) else script(request)

    def chain(self, model: str, *scripts: Script, **more: Any) -> list[dict[str, Any]]:
        found = []
        for number, script in enumerate(scripts, 1):
            id = f"{model}-{number}"
            self._scripts[id] = script
            entry = provider(self.fake, id, models=self.models(number, model), **more)
            port = self.refused if script is REFUSED else self.fake.port
            entry["baseURL"] = f"http://127.0.0.1:{port}/{id}/v1"
            found.append(entry)
        return found

    @staticmethod
    def models(price: float, model: str) -> list[dict[str, Any]]:
        return [{**priced(price, "m")[0], "mappedName": model}]

    def asked(self, id: str) -> list[Received]:
        found = tuple(self.fake.requests)
        return [r for r in found if r.target.startswith(f"/{id}/")]


def slug(name: str, *more: str) -> str:
    return "-".join([name, *more]).replace(" ", "-").replace(",", "")


TWO = (answers.rate_limited(), REFUSED)
WAYS = [(way, form) for way in Way for form in FORMS]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def gateway(start_shared: Start, stage: Stage) -> GatewayProcess:
    providers = []
    for end in ENDS:
        for way, form in WAYS:
            providers += stage.chain(slug(end.name, SHORT[way], form), *end.scripts)
    for dialect in SHAPES:
        providers += stage.chain(slug("d", dialect[4:7]), REFUSED, **DIALECTS)
    for way, form in WAYS:
        last = answers.stream(["{nonce}"]) if form == STREAM else answers.ok()
        providers += stage.chain(slug("two", SHORT[way], form), *TWO, last)
    routing = {
        "firstByteTimeoutSeconds": 2,
        "translate": False,
        "unknownModel": "reject",  # what nobody here takes is said, not passed on
    }
    return start_shared({"routing": routing, "providers": providers})


def body(model: str, form: str, **more: Any) -> bytes:
    message = {"role": "user", "content": f"nonce-{model}"}
    streamed = {"stream": True} if form == STREAM else {}
    return json.dumps(
        {"model": model, "messages": [message], **streamed, **more}
    ).encode()


async def put(
    gateway: GatewayProcess, model: str, form: str, way: Way = Way.BASE
) -> Told:
    async with client(gateway, way) as session:
        return await ask(session, body(model, form))


async def test_two_in_a_row(gateway: GatewayProcess, stage: Stage) -> None:
    async def one(way: Way, form: str) -> None:
        model = slug("two", SHORT[way], form)
        told = await put(gateway, model, form, way)
        assert told.status == 200, model
        assert told.headers["x-gateway-provider"] == f"{model}-3"
        assert told.headers["x-gateway-attempts"] == "3"
        assert f"nonce-{model}".encode() in told.body
        id = told.headers["x-gateway-request-id"]
        [row] = gateway.ended_one(id)
        assert (row["outcome"], row["attempts"]) == ("ok", 3)
        tries = gateway.rows("select * from attempts where request = ? order by n", id)
        assert [(t["provider"], t["outcome"], t["reason"]) for t in tries] == [
            (f"{model}-1", "failed", "429 fake_429"),
            (f"{model}-2", "failed", "connect"),
            (f"{model}-3", "ok", ""),
        ]

    await asyncio.gather(*(one(*case) for case in WAYS))


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
async def test_last_word(gateway: GatewayProcess, stage: Stage, end: End) -> None:
    models = [slug(end.name, SHORT[way], form) for way, form in WAYS]
    answered = await asyncio.gather(
        *(
            put(gateway, model, form, way)
            for model, (way, form) in zip(models, WAYS, strict=True)
        )
    )
    for model, told in zip(models, answered, strict=True):
        tries = end.tries or len(end.scripts)
        assert told.status == end.status, told.body
        assert told.headers["content-type"] == "application/json"
        # A kept connection that turns out closed is one more, on a fresh one.
        more = 1 if end.name == "closed" else 0
        attempts = int(told.headers["x-gateway-attempts"])
        assert 0 <= attempts - tries <= more
        said_by = told.headers.get("x-gateway-provider")
        if end.passed is None:
            assert said_by is None
        else:
            assert said_by in {f"{model}-{n}" for n in range(1, attempts + 1)}
        if end.passed is not None:
            assert told.json() == end.passed
        else:
            said = told.json()["error"]
            assert said["code"] == end.code
            for part in end.says:
                assert part in said["message"].replace(
                    f"{model}-", f"{slug(end.name)}-"
                )
        if end.retry_after is not None:
            soonest, latest = end.retry_after
            assert soonest <= int(told.headers["retry-after"]) <= latest
        else:
            assert end.passed is None or "retry-after" not in told.headers
        if GOOD in end.scripts:
            assert stage.asked(f"{model}-{len(end.scripts)}") == []
        id = told.headers["x-gateway-request-id"]
        [row] = gateway.ended_one(id)
        assert (row["outcome"], row["status"]) == ("error", end.status)
        assert (row["attempts"], row["provider"]) == (attempts, said_by)
        assert row["error"] == (end.error or end.code)
        rows = gateway.rows("select outcome from attempts where request = ?", id)
        repaired = ["repaired"] * (attempts - tries)
        assert sorted(r["outcome"] for r in rows) == ["failed"] * tries + repaired


SHAPES = {
    CHAT: {"type": "server_error", "param": None, "code": "upstream_unreachable"},
    RESPONSES: {"type": "server_error", "param": None, "code": "upstream_unreachable"},
    MESSAGES: {"type": "api_error"},
}


@pytest.mark.parametrize("target", SHAPES)
async def test_our_own_error_speaks_the_clients_dialect(
    gateway: GatewayProcess, target: str
) -> None:
    async with client(gateway, Way.BASE) as session:
        sent = body(slug("d", target[4:7]), STREAM, input="Hello!", max_tokens=9)
        told = await ask(session, sent, target)
    assert told.status == 502
    said = told.json()
    assert "No provider of" in said["error"].pop("message")
    whole = {"error": SHAPES[target]}
    assert said == ({"type": "error", **whole} if target == MESSAGES else whole)
