"""Streams of the gateway: chunk by chunk, also after a failover, and how they end.

No clocks: a provider waits at a gate until the test has seen the chunk before.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fakes import (
    Answer,
    Answered,
    End,
    FakeProvider,
    Gate,
    H1Session,
    H2Answered,
    H2Session,
    Received,
    Way,
    answers,
)

from gateway import provider

from .conftest import Serve
from .failing import CHAT, client, priced

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
JSON = [("content-type", "application/json")]
DIALECTS = {"dialects": ["chat", "messages", "responses"]}


def body(model: str = "m", words: str = "Hello!", **more: Any) -> bytes:
    message = {"role": "user", "content": words}
    found = {"model": model, "messages": [message], "stream": True, **more}
    return json.dumps(found).encode()


def first_and_second(
    first: FakeProvider, second: FakeProvider, *models: str, **more: Any
) -> list[dict[str, Any]]:
    """The first one costs less, so it is asked first."""
    return [
        provider(fake, id, models=priced(price, *(models or ("m",))), **more)
        for fake, id, price in ((first, "A", 1), (second, "B", 2))
    ]


@pytest.mark.parametrize("failover", [False, True], ids=["first", "second"])
async def test_chunks_arrive_one_by_one(serve: Serve, failover: bool) -> None:
    """Each chunk is sent only when the client has seen the one before it."""
    pieces = ["one", "two", "three", "four"]
    with FakeProvider() as streaming, FakeProvider(answers.status(500)) as broken:
        first = broken if failover else streaming
        gateway = serve({"providers": first_and_second(first, streaming)})
        for way in Way:
            gate = Gate()
            streaming.default = answers.stream(pieces, gate=gate)
            async with client(gateway, way) as session:
                gate.release()
                answered = await session.ask(CHAT, body(), JSON)
                for number, piece in enumerate(pieces, 1):
                    await answered.until(f'"content": "{piece}"'.encode())
                    await gate.arrival(min(number + 1, len(pieces)))
                    # The next one has not left: nothing ran ahead, nothing was held.
                    assert answered.got.count(b'"content": "') == number + 1
                    gate.release()
                assert (await answered.body()).endswith(answers.DONE)
                tries = answered.header("x-gateway-attempts")
                assert tries == ("2" if failover else "1")


FAULTS = [
    answers.status(500),
    answers.rate_limited(),
    answers.error_event_first(),
    answers.status(404, b""),
    answers.empty_stream(),
]


async def test_fifty_streams_on_one_connection_a_third_fails_over(serve: Serve) -> None:
    """None waits for another: they end in the order in which the test lets them."""
    models = [f"m{i}" for i in range(50)]
    failing = models[::3]
    gates = {model: Gate() for model in models}

    def healthy(request: Received) -> Answer:
        gate = gates[request.json()["model"]]
        return answers.stream(["{nonce}", "end"], gate=gate)(request)

    def mixed(request: Received) -> Answer:
        model = request.json()["model"]
        if model in failing:
            return FAULTS[models.index(model) % len(FAULTS)]
        return healthy(request)

    with FakeProvider(mixed) as one, FakeProvider(healthy) as two:
        gateway = serve({"providers": first_and_second(one, two, *models)})
        async with client(gateway, Way.CONNECT_H2, fall_back=False) as session:
            assert isinstance(session, H2Session)
            streams: dict[str, H2Answered] = {}
            for model in models:
                sent = body(model, f"nonce-{model}")
                streams[model] = await session.send(CHAT, sent, JSON)
                gates[model].release()
            for model, stream in streams.items():
                await stream.ready()
                await stream.until(f'"content": "nonce-{model}"'.encode())
            ids = []
            for model in reversed(models):
                gates[model].release()
                stream = streams[model]
                assert (await stream.body()).endswith(answers.DONE)
                assert stream.got.count(b"nonce-") == 1
                who = stream.header("x-gateway-provider")
                assert who == ("B" if model in failing else "A")
                ids.append(stream.header("x-gateway-request-id") or "")
        rows = [row for id in ids for row in gateway.ended_one(id)]
        assert {row["outcome"] for row in rows} == {"ok"}
        assert sum(row["attempts"] for row in rows) == 50 + len(failing)
        assert len(two.requests) == len(failing)


async def test_client_leaves_mid_stream(serve: Serve) -> None:
    """The provider sees it, and the row has what was seen."""
    with FakeProvider() as fake:
        gateway = serve({"providers": [provider(fake, "a", free=True)]})
        ids = []
        for gone, way in enumerate(Way, 1):
            gate = Gate()
            fake.default = answers.stream(["one two three", "four"], gate=gate)
            gate.release()
            async with client(gateway, way) as session:
                answered = await session.ask(CHAT, body(), JSON)
                ids.append(answered.header("x-gateway-request-id") or "")
                await answered.until(b"one two three")
                if isinstance(answered, H2Answered):
                    answered.cancel()
                    await fake.until(lambda p, n=gone: p.count("left") == n)
            fake.wait(lambda p, n=gone: p.count("left") == n)
        for row in (row for id in ids for row in gateway.ended_one(id)):
            assert (row["outcome"], row["error"]) == (
                "cancelled",
                "client_disconnected",
            )
            assert (row["usage_source"], row["provider"]) == ("estimated", "a")
            assert row["input_tokens"] > 0
            assert 0 < row["output_tokens"] < 10
            [attempt] = gateway.rows(
                "select * from attempts where request = ?", row["id"]
            )
            assert (attempt["outcome"], attempt["counted"]) == ("cancelled", 1)
            assert attempt["tokens"] == row["total_tokens"]


async def test_client_leaves_before_an_answer(serve: Serve) -> None:
    with FakeProvider(answers.silence()) as silent, FakeProvider() as other:
        providers = first_and_second(silent, other)
        gateway = serve({"providers": [{**providers[0], "id": "silent"}, providers[1]]})
        async with client(gateway, Way.BASE) as session:
            assert isinstance(session, H1Session)
            await session.send(CHAT, body(), JSON)
            await silent.until(lambda p: p.count("request") == 1)
        silent.wait(lambda p: p.count("left") == 1)
        [row] = gateway.wait_rows(
            "select * from requests where provider = 'silent' and outcome <> 'in_flight'"
        )
        assert (row["outcome"], row["attempts"]) == ("cancelled", 1)
        assert other.requests == []


# -- cut after content -----------------------------------------------------------


def chat_content(tail: tuple[Any, ...]) -> Callable[[Received], Answer]:
    return answers.stream(["Hel"], tail=tail)


def message_content(tail: tuple[Any, ...]) -> Callable[[Received], Answer]:
    return answers.message_stream(["Hel"], tail=tail)


def response_content(tail: tuple[Any, ...]) -> Callable[[Received], Answer]:
    created = {"type": "response.created", "response": {"id": "r", "output": []}}
    said = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}
    steps = [answers.event(e, str(e["type"])) for e in (created, said)]
    return lambda _: Answer(
        headers=(answers.SSE,), body=(*steps, *tail), framing="chunked"
    )


SPOKEN = {
    CHAT: chat_content,
    MESSAGES: message_content,
    RESPONSES: response_content,
}
ENDS = {
    "closed": (End.CLOSE,),
    "reset": (End.RESET,),
    "mid-event": (b'event: x\ndata: {"id": "c", "choi', End.CLOSE),
    "stalled": (End.HANG,),
    "early": (b": bye\n\n",),
}
REASONS = {"stalled": "cut: stalled", "early": "cut: ended early"}


def error_of(target: str, event: bytes) -> dict[str, Any]:
    """The error that an SSE event holds, in the shape of its dialect."""
    lines = event.decode().split("\n")
    data: dict[str, Any] = json.loads(lines[-1].removeprefix("data: "))
    if target == CHAT:
        assert len(lines) == 1
    else:
        assert lines[0] == "event: error"
        assert data["type"] == "error"
    error: dict[str, Any] = data["error"]
    return error


async def test_cut_after_content(serve: Serve) -> None:
    """What came is delivered, then an error event and a clean end; nobody else is asked."""
    cases = {
        f"{end} {way} {target}": (end, way, target)
        for end in ENDS
        for way in Way
        for target in SPOKEN
    }

    def cut(request: Received) -> Answer:
        end, _, target = cases[request.json()["model"]]
        return SPOKEN[target](ENDS[end])(request)

    with FakeProvider(cut) as dying, FakeProvider() as other:
        routing = {"idleTimeoutSeconds": 2}
        providers = first_and_second(dying, other, *cases, **DIALECTS)
        gateway = serve({"routing": routing, "providers": providers})

        async def one(case: str) -> Answered:
            _, way, target = cases[case]
            async with client(gateway, way) as session:
                sent = body(case, input="Hello!", max_tokens=99)
                answered = await session.ask(target, sent, JSON)
                await answered.body()
                # The connection goes on.
                await (await session.ask(target, b"no JSON", JSON)).body()
                return answered

        told = await asyncio.gather(*map(one, cases))
        for (case, (end, _, target)), answered in zip(cases.items(), told, strict=True):
            whole = answered.got
            assert answered.status == 200, case
            assert whole.count(b"Hel") == 1, case
            assert whole.endswith(b"\n\n"), case
            for invented in (b"[DONE]", b"_stop", b"completed", b'"stop"'):
                assert invented not in whole, case
            error = error_of(target, whole.split(b"\n\n")[-2])
            assert "ended before its end" in error["message"], case
            id = answered.header("x-gateway-request-id") or ""
            [row] = gateway.ended_one(id)
            assert (row["outcome"], row["status"]) == ("truncated", 200), case
            assert (row["provider"], row["error"]) == ("A", "upstream_truncated"), case
            assert row["output_tokens"] > 0, case
            [tried] = gateway.rows("select * from attempts where request = ?", id)
            assert tried["outcome"] == "truncated", case
            assert tried["reason"] == REASONS.get(end, "cut: closed"), case
            assert tried["tokens"] == row["total_tokens"] > 0, case
        assert other.requests == []


async def test_an_error_event_after_content(serve: Serve) -> None:
    """The provider says itself that it failed: nothing is added, and the row says so."""
    wrong = answers.event({"error": {"message": "overloaded", "code": 529}})
    failing = answers.stream(["Hel"], tail=(wrong, answers.DONE))
    with FakeProvider(failing) as fake:
        gateway = serve({"providers": [provider(fake, "A")]})
        async with client(gateway, Way.BASE) as session:
            answered = await session.ask(CHAT, body(), JSON)
            assert (await answered.body()).endswith(wrong + answers.DONE)
        id = answered.header("x-gateway-request-id") or ""
        [row] = gateway.ended_one(id)
        assert (row["outcome"], row["error"]) == ("truncated", "upstream_truncated")
        [tried] = gateway.rows("select * from attempts where request = ?", id)
        assert tried["reason"] == "cut: error event"


async def test_a_stream_with_a_length_may_lose_an_event(serve: Serve) -> None:
    with FakeProvider(answers.stream(["Hel", "lo"], framing="length")) as fake:
        gateway = serve({"providers": [provider(fake, "A")]})
        for way in Way:
            async with client(gateway, way) as session:
                answered = await session.ask(CHAT, body(), JSON)
                assert (await answered.body()).endswith(answers.DONE)
                assert b"usage" not in answered.got
                assert answered.header("content-length") is None


async def test_cuts_are_strikes(serve: Serve) -> None:
    with FakeProvider(answers.cut_mid_stream()) as dying, FakeProvider() as other:
        gateway = serve({"providers": first_and_second(dying, other)})
        async with client(gateway, Way.BASE) as session:
            for _ in range(5):
                await (await session.ask(CHAT, body(), JSON)).body()
            other.default = answers.stream()
            answered = await session.ask(CHAT, body(), JSON)
            assert (await answered.body()).endswith(answers.DONE)
            assert answered.header("x-gateway-provider") == "B"
        _, _, route = gateway.get("/route?model=m")
        states = {c["provider"]: c["state"] for c in route["candidates"]}
        assert states == {"A": "failing", "B": "ready"}
