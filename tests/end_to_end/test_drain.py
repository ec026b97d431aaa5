"""SIGTERM: who is being served is served to the end, who comes is told to come back."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from fakes import (
    Answer,
    Answered,
    FakeProvider,
    Gate,
    H2Answered,
    H2Session,
    Received,
    Way,
    answers,
)

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import CHAT, ask, client

JSON = [("content-type", "application/json")]


def body(nonce: str) -> bytes:
    message = {"role": "user", "content": nonce}
    return json.dumps({"model": "m", "messages": [message], "stream": True}).encode()


def held(gate: Gate) -> Callable[[Received], Answer]:
    """A piece at once, the rest when the gate is open."""
    rest = (answers.chat_chunk({"content": "end"}), answers.USAGE, answers.DONE)
    return answers.stream(["{nonce}"], tail=(gate, *rest))


def draining(gateway: GatewayProcess) -> bool:
    return bool(gateway.get("/health")[2]["status"] == "draining")


def ended(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return gateway.process.wait(20)


async def fifty(stack: AsyncExitStack, gateway: GatewayProcess) -> dict[str, Answered]:
    """Streams of which the first piece has arrived: 20 on one HTTP/2 connection."""
    found: dict[str, Answered] = {}
    h2 = await stack.enter_async_context(
        client(gateway, Way.CONNECT_H2, fall_back=False)
    )
    assert isinstance(h2, H2Session)
    for number in range(50):
        nonce = f"nonce-{number}"
        if number < 20:
            found[nonce] = await h2.send(CHAT, body(nonce), JSON)
            continue
        way = (Way.BASE, Way.ABSOLUTE, Way.CONNECT_H1)[number % 3]
        session = await stack.enter_async_context(client(gateway, way))
        found[nonce] = await session.ask(CHAT, body(nonce), JSON)
    for nonce, answered in found.items():
        if isinstance(answered, H2Answered):
            await answered.ready()
        await answered.until(f'"content": "{nonce}"'.encode())
    return found


async def test_fifty_streams_complete(start: Start) -> None:
    gate = Gate()
    with FakeProvider(held(gate)) as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        async with AsyncExitStack() as stack:
            waiting = await stack.enter_async_context(client(gateway, Way.CONNECT_H1))
            assert (await ask(waiting, b"{}")).status == 400
            streams = await fifty(stack, gateway)
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(
                gateway.wait_for, lambda: draining(gateway), "the drain"
            )
            late = await stack.enter_async_context(client(gateway, Way.BASE))
            for session in (waiting, late):
                told = await ask(session, body("nonce-late"))
                assert told.status == 503
                assert told.headers["retry-after"] == "5"
                assert told.json()["error"]["code"] == "draining"
            gate.open()
            for nonce, answered in streams.items():
                whole = await answered.body()
                assert whole.endswith(answers.DONE)
                assert f'"content": "{nonce}"'.encode() in whole
        assert await asyncio.to_thread(ended, gateway) == 0
        assert len(fake.requests) == 50
        rows = gateway.rows("select * from requests")
        assert [row["outcome"] for row in rows] == ["ok"] * 50
        assert all(row["output_tokens"] == 3 for row in rows)
        tried = gateway.rows("select distinct outcome from attempts")
        assert tried == [{"outcome": "ok"}]


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(start: Start, last: signal.Signals) -> None:
    with FakeProvider(held(Gate())) as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        async with client(gateway, Way.BASE) as session:
            answered = await session.ask(CHAT, body("nonce-1"), JSON)
            await answered.until(b"nonce-1")
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(
                gateway.wait_for, lambda: draining(gateway), "the drain"
            )
            gateway.process.send_signal(last)
            assert await asyncio.to_thread(ended, gateway) == 0
        [row] = gateway.rows("select * from requests")
        assert (row["outcome"], row["error"]) == ("truncated", "gateway_stopped")
        assert row["output_tokens"] > 0
        [tried] = gateway.rows("select * from attempts")
        assert (tried["outcome"], tried["reason"]) == ("truncated", "gateway stopped")
        assert gateway.rows("select * from events where kind = 'circuit'") == []


@pytest.mark.parametrize("only", [signal.SIGTERM, signal.SIGINT])
def test_nothing_to_wait_for(start: Start, only: signal.Signals) -> None:
    with FakeProvider() as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        assert gateway.chat()[0] == 200
        assert gateway.process is not None
        gateway.process.send_signal(only)
        assert ended(gateway) == 0
        assert [r["outcome"] for r in gateway.rows("select * from requests")] == ["ok"]
