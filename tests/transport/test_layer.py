"""The HTTP layer on each way in: who answers after who failed, plain and streamed.

One row per way to fail; the failing provider comes first, a good one second. What is
asserted is the answer, what the addon was told, and that every hook came once.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes import (
    UNENCODABLE,
    UNRESOLVABLE,
    Answer,
    End,
    FakeProvider,
    Script,
    Way,
    answers,
    refused_port,
    unanswered_port,
)

from transport.conftest import Place, Rig

ANSWERED = ["responseheaders", "response"]


@dataclass(frozen=True)
class Row:
    """One way to fail, and what the addon hears of it."""

    name: str
    script: Script | None
    kind: str
    status: int | None = None
    sent: bool = True
    report: dict[str, object] = field(default_factory=dict)
    order: dict[str, object] = field(default_factory=dict)


ROWS = [
    # before a request can be sent
    Row("refused", None, "connect", sent=False),
    Row("unencodable", None, "cannot resolve", sent=False),
    Row("unanswered", None, "connect timeout", sent=False, order={"connect": 0.2}),
    Row("mute", None, "connect timeout", sent=False, order={"connect": 0.2}),
    Row("no tls", None, "tls", sent=False),
    Row("untrusted", None, "tls", sent=False),
    Row("wrong name", None, "tls", sent=False),
    # before the headers
    Row("close", answers.close(), "closed before headers"),
    Row("reset", answers.reset(), "closed before headers"),
    Row("garbage", answers.garbage(), "protocol error"),
    Row("invalid", answers.invalid_header(), "protocol error", 200),
    Row("100", Answer(100, framing="none"), "protocol error", 100),
    Row("silence", answers.silence(), "no first byte", order={"first": 0.2}),
    Row("deadline", answers.silence(), "deadline", order={"deadline": 0.2}),
    # a status
    Row("429", answers.rate_limited(), "status", 429, report={"complete": True}),
    Row("401", answers.status(401), "status", 401),
    Row("402", answers.status(402), "status", 402),
    Row("403", answers.status(403), "status", 403),
    Row("404", answers.status(404), "status", 404),
    Row("529", answers.status(529), "status", 529),
    Row("302", answers.status(302, b""), "status", 302),
    Row("empty 503", answers.empty_503(), "status", 503, report={"size": 0}),
    Row(
        "big 500",
        answers.big_500(),
        "status",
        500,
        report={"size": 65536, "complete": False},
    ),
    Row("410", answers.status(410), "judged", 410),
    # a good status, and no answer
    Row("head only", answers.headers_then_close(), "closed before headers", 200),
    Row("head, eof", answers.headers_then_close("close"), "judged", 200),
    Row("short", answers.wrong_length(9), "closed before headers", 200),
    Row("broken json", answers.broken_json(), "judged", 200),
    Row("error event", answers.error_event_first(), "judged", 200),
    Row("empty stream", answers.empty_stream(), "judged", 200),
    Row(
        "head, silence",
        answers.headers_then_silence(),
        "no first byte",
        200,
        order={"first": 0.2},
    ),
    Row(
        "role, silence",
        answers.stream([], tail=(End.HANG,)),
        "no first byte",
        200,
        order={"idle": 0.2},
    ),
]


@contextlib.contextmanager
def failing(row: Row, rig: Rig, tmp: Any) -> Iterator[Place]:
    """A place at which a request fails as the row says."""
    with contextlib.ExitStack() as stack:

        def start(script: Script | None = None, **options: Any) -> FakeProvider:
            return stack.enter_context(FakeProvider(script, **options))

        match row.name:
            case "refused":
                yield "http", "127.0.0.1", stack.enter_context(refused_port())
            case "unencodable":
                yield "https", UNENCODABLE, 443
            case "unanswered":
                yield "http", "127.0.0.1", stack.enter_context(unanswered_port())
            case "mute":
                yield "https", "127.0.0.1", start(mute=True).port
            case "no tls":
                port = start(greeting=b"220 ready\r\n").port
                yield "https", "127.0.0.1", port
            case "untrusted":
                other = type(rig.authority)(tmp)
                yield start(tls=other.server_context())
            case "wrong name":
                yield start(tls=rig.authority.server_context("example.org"))
            case _:
                yield start(row.script)


KIN = {"402", "403", "404", "529", "empty 503", "302", "wrong name", "broken json"}
"""Much like a row that runs on all ways: two ways are enough."""


@pytest.mark.parametrize(
    ("row", "way"),
    [
        pytest.param(row, way, id=f"{row.name}-{way}")
        for row in ROWS
        for way in ((Way.BASE, Way.CONNECT_H2) if row.name in KIN else Way)
    ],
)
async def test_next_answers(rig: Rig, row: Row, way: Way, tmp_path: Any) -> None:
    with failing(row, rig, tmp_path) as bad, FakeProvider() as provider:
        async with rig.client(way) as session:
            for form in (answers.ok(), answers.stream(["{nonce}", "!"])):
                provider.default = form
                name = rig.name()
                answered = await rig.ask(session, bad, provider, name=name, **row.order)
                body = await answered.body()
                assert answered.status == 200
                assert answered.header("x-failed") == f'["{row.kind}"]'
                assert answers.nonce_of(provider.requests[-1].body).encode() in body

            seen = await rig.control(f"_hooks/{name}")
            assert seen["hooks"] == [
                "requestheaders",
                "request",
                f"failed: {row.kind}",
                *ANSWERED,
            ]
            told = seen["failures"][0]
            assert (told["status"], told["sent"]) == (row.status, row.sent)
            assert told["replayable"] is True
            assert row.report.items() <= told.items()
        assert [r.header("x-attempt") for r in provider.requests] == ["2", "2"]


@pytest.mark.parametrize("way", Way)
async def test_first_answers(rig: Rig, way: Way) -> None:
    with FakeProvider() as provider:
        async with rig.client(way) as session:
            for form in (answers.ok(), answers.stream(["{nonce}", "!"])):
                provider.default = form
                name = rig.name()
                answered = await rig.ask(session, provider, name=name)
                body = await answered.body()
                assert answered.status == 200
                assert answers.nonce_of(provider.requests[-1].body).encode() in body
                assert await rig.hooks(name) == ["requestheaders", "request", *ANSWERED]


@pytest.mark.parametrize("way", Way)
async def test_two_fail_in_a_row_and_one_twice(rig: Rig, way: Way) -> None:
    limited = FakeProvider(answers.rate_limited())
    with refused_port() as port, limited, FakeProvider() as good:
        async with rig.client(way) as session:
            refused = ("http", "127.0.0.1", port)
            answered = await rig.ask(session, refused, limited, limited, good)
            assert answered.status == 200
            assert answered.header("x-failed") == '["connect", "status", "status"]'
            assert b"nonce-" in await answered.body()
    assert [r.header("x-attempt") for r in limited.requests] == ["2", "3"]


@pytest.mark.parametrize("way", Way)
async def test_all_fail_and_the_connection_goes_on(rig: Rig, way: Way) -> None:
    limited = FakeProvider(answers.rate_limited())
    with refused_port() as port, limited, FakeProvider(answers.close()) as closing:
        async with rig.client(way) as session:
            refused = ("http", "127.0.0.1", port)
            name = rig.name()
            answered = await rig.ask(session, refused, limited, closing, name=name)
            assert answered.status == 502
            told = (await answered.json())["error"]["attempts"]
            kinds = ["connect", "status", "closed before headers"]
            assert [attempt["kind"] for attempt in told] == kinds
            assert await rig.hooks(name) == [
                "requestheaders",
                "request",
                *(f"failed: {kind}" for kind in kinds),
                *ANSWERED,
            ]
            limited.default = answers.ok()
            again = await rig.ask(session, limited)
            assert again.status == 200
            await again.body()


@pytest.mark.parametrize("way", Way)
async def test_all_silent(rig: Rig, way: Way) -> None:
    with FakeProvider(answers.silence()) as one:
        async with rig.client(way) as session:
            answered = await rig.ask(session, one, one, first=0.2)
            assert answered.status == 504
            await answered.body()
        one.wait(lambda p: p.count("left") == 2)


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answers.rate_limited(), "status"),
        (answers.big_500(), "status"),
        (answers.error_event_first(), "judged"),
        (answers.broken_json(), "judged"),
        (answers.close(), "closed before headers"),
        (answers.reset(), "closed before headers"),
        (answers.headers_then_close(), "closed before headers"),
        (answers.silence(), "no first byte"),
    ],
    ids=["429", "500", "error event", "json", "close", "reset", "head", "silence"],
)
async def test_same_tls_provider_again(
    rig: Rig, way: Way, alpn: str, script: Script, kind: str
) -> None:
    """Both attempts at one provider, over TLS, HTTP/1 or HTTP/2 as the client's ALPN allows."""
    context = rig.authority.server_context(alpn=(alpn,))
    with FakeProvider(answers.stream(["{nonce}"]), tls=context) as provider:
        provider.then(script)
        async with rig.client(way) as session:
            answered = await rig.ask(session, provider, provider, first=0.3)
            assert answered.header("x-failed") == f'["{kind}"]'
            assert b"nonce-" in await answered.body()
            spoken = "HTTP/2" if (way, alpn) == (Way.CONNECT_H2, "h2") else "HTTP/1.1"
            assert {r.version for r in provider.requests} == {spoken}


async def test_unresolvable_name(rig: Rig) -> None:
    """In a sandbox the resolver may hang instead: then the connect timeout says so."""
    with FakeProvider() as good:
        async with rig.client() as session:
            place = ("http", UNRESOLVABLE, 80)
            answered = await rig.ask(session, place, good, connect=3)
            assert answered.status == 200
            assert answered.header("x-failed") in (
                '["cannot resolve"]',
                '["connect timeout"]',
            )
            await answered.body()


async def test_a_failing_body_is_waited_for_three_seconds(rig: Rig) -> None:
    with FakeProvider(answers.stalled_500()) as bad, FakeProvider() as good:
        async with rig.client() as session:
            name = rig.name()
            answered = await rig.ask(session, bad, good, name=name)
            await answered.body()
            told = (await rig.control(f"_hooks/{name}"))["failures"][0]
            assert (told["kind"], told["status"]) == ("status", 500)
            assert (told["body"], told["complete"]) == ('{"er', False)
        bad.wait(lambda p: p.count("left") == 1)


async def test_more_than_may_be_held_passes(rig: Rig) -> None:
    with FakeProvider(answers.ok("x" * 5000)) as provider:
        async with rig.client() as session:
            answered = await rig.ask(session, provider, held=1000)
            assert answered.status == 200
            assert len(await answered.body()) > 5000


async def test_an_inspector_that_fails_lets_pass(rig: Rig) -> None:
    with FakeProvider(answers.status(418)) as provider:
        async with rig.client() as session:
            answered = await rig.ask(session, provider)
            assert answered.status == 418
            await answered.body()
    rig.expect_traceback("a judge that fails")


@pytest.mark.parametrize("way", Way)
async def test_an_addon_that_fails_is_a_bare_502(rig: Rig, way: Way) -> None:
    with FakeProvider(answers.close()) as provider:
        async with rig.client(way) as session:
            answered = await rig.ask(session, provider, act="crash")
            assert answered.status == 502
            assert (await answered.json())["error"]["type"] == "api_error"
    rig.expect_traceback("an addon that fails")


async def test_flows_without_a_plan_are_mitmproxys(rig: Rig) -> None:
    with FakeProvider(answers.stream(["{nonce}"])) as provider:
        async with rig.client() as session:
            answered = await rig.ask(session, provider, judge="none")
            assert b"nonce-" in await answered.body()
            provider.default = answers.garbage()
            answered = await rig.ask(session, provider, judge="none")
            assert answered.status == 502
            assert b"Cannot parse HTTP response" in await answered.body()
