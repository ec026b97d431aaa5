"""Upstream connections: reused, gone stale, back again, given up, forgotten."""

import asyncio
import dataclasses

import pytest
from fakes import Answer, FakeProvider, Gate, H2Session, Way, answers

from transport.conftest import CHAT, Rig

H1_WAYS = [Way.BASE, Way.ABSOLUTE, Way.CONNECT_H1]


@pytest.mark.parametrize("way", H1_WAYS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_one_connection_for_all_requests(rig: Rig, way: Way, tls: bool) -> None:
    """Also after a failing answer that was collected whole."""
    context = rig.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        provider.then(answers.ok(), answers.rate_limited(), answers.ok())
        async with rig.client(way) as session:
            for to in ([provider], [provider, provider], [provider]):
                answered = await rig.ask(session, *to)
                assert answered.status == 200
                await answered.body()
        assert len(provider.requests) == 4
        assert provider.count("open") == 1


@pytest.mark.parametrize("way", H1_WAYS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_stale_connection_is_no_failure(rig: Rig, way: Way, tls: bool) -> None:
    """It takes the request and closes: once more on a fresh one, and nobody is told."""
    context = rig.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        async with rig.client(way) as session:
            await (await rig.ask(session, provider)).body()
            provider.then(answers.close())
            name = rig.name()
            answered = await rig.ask(session, provider, name=name)
            assert answered.status == 200
            assert answered.header("x-failed") == "[]"
            assert b"nonce-" in await answered.body()
            seen = await rig.control(f"_hooks/{name}")
            assert (seen["failures"], seen["resends"]) == ([], 1)
        assert [r.connection for r in provider.requests] == [1, 1, 2]


@pytest.mark.parametrize("way", H1_WAYS)
async def test_stale_twice_is_a_failure(rig: Rig, way: Way) -> None:
    with FakeProvider() as provider:
        async with rig.client(way) as session:
            await (await rig.ask(session, provider)).body()
            provider.then(answers.close(), answers.close())
            answered = await rig.ask(session, provider)
            assert answered.status == 502
            attempts = (await answered.json())["error"]["attempts"]
            assert [a["kind"] for a in attempts] == ["closed before headers"]


@pytest.mark.parametrize("way", H1_WAYS)
async def test_closed_after_the_answer(rig: Rig, way: Way) -> None:
    """The provider closes without having said so: the next request is fine."""
    with FakeProvider() as provider:
        plain = Answer(headers=(answers.JSON,), body=(b"{}",))
        provider.default = dataclasses.replace(plain, then_close=True)
        async with rig.client(way) as session:
            for _ in range(5):
                answered = await rig.ask(session, provider)
                assert answered.status == 200
                assert answered.header("x-failed") == "[]"
                await answered.body()


async def test_a_closed_http2_connection_is_no_failure(rig: Rig) -> None:
    context = rig.authority.server_context(alpn=("h2",))
    with FakeProvider(tls=context) as provider:
        async with rig.client(Way.CONNECT_H2) as session:
            await (await rig.ask(session, provider)).body()
            provider.then(answers.close())
            answered = await rig.ask(session, provider)
            assert answered.header("x-failed") == "[]"
            assert b"nonce-" in await answered.body()
        assert [r.connection for r in provider.requests] == [1, 1, 2]


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_provider_comes_back(rig: Rig, way: Way, tls: bool) -> None:
    """A connect error is not remembered on the client's connection."""
    context = rig.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        async with rig.client(way) as session:
            provider.stop()
            answered = await rig.ask(session, provider)
            assert answered.status == 502
            await answered.body()
            provider.start(provider.port)
            answered = await rig.ask(session, provider)
            assert answered.status == 200
            await answered.body()


async def test_a_slow_handshake_is_given_up_by_one_of_two(rig: Rig) -> None:
    """Two streams wait for one TLS connection; the impatient one leaves, both fail over."""
    with FakeProvider(mute=True) as mute, FakeProvider() as good:
        async with rig.client(Way.CONNECT_H2) as session:
            place = ("https", mute.host, mute.port)
            one, two = await asyncio.gather(
                rig.ask(session, place, good, connect=0.2),
                rig.ask(session, place, good, connect=0.5),
            )
            for answered in (one, two):
                assert answered.status == 200
                assert answered.header("x-failed") == '["connect timeout"]'
                await answered.body()
            assert mute.count("open") == 1
            await mute.until(lambda p: p.count("closed") == 1)


async def test_a_queued_request_never_leaves_after_its_time(rig: Rig) -> None:
    """An HTTP/2 provider takes one stream at a time: the second waits, and is taken back."""
    context = rig.authority.server_context(alpn=("h2",))
    gate = Gate()
    busy = FakeProvider(
        answers.stream(["one", "two"], gate=gate), tls=context, max_streams=1
    )
    with busy, FakeProvider() as good:
        async with rig.client(Way.CONNECT_H2) as session:
            gate.release()
            first = await rig.ask(session, busy)
            await first.until(b"one")
            name = rig.name()
            second = await rig.ask(session, busy, good, first=0.2, name=name)
            assert second.header("x-failed") == '["no first byte"]'
            await second.body()
            told = (await rig.control(f"_hooks/{name}"))["failures"][0]
            assert told["sent"] is False
            gate.open()
            await first.body()
            third = await rig.ask(session, busy)
            await third.body()
        assert len(busy.requests) == 2


async def test_late_words_of_an_abandoned_attempt(rig: Rig) -> None:
    """Attempts 1 and 2 share an HTTP/2 connection; 1 answers while 2 does."""
    context = rig.authority.server_context(alpn=("h2",))
    late, gate = Gate(), Gate()
    slow = Answer(headers=(answers.JSON,), before=(late,), body=(b"{}",))
    with FakeProvider(answers.stream(["{nonce}", "x"], gate=gate), tls=context) as one:
        one.then(slow)
        async with rig.client(Way.CONNECT_H2) as session:
            gate.release()
            answered = await rig.ask(session, one, one, first=0.2)
            await answered.until(b"nonce-")
            late.open()
            gate.open()
            assert (await answered.body()).endswith(answers.DONE)
            assert answered.header("content-type") == answers.SSE[1]


async def test_dead_connections_are_forgotten(rig: Rig) -> None:
    """HTTP/2 client, HTTP/1 upstream: a connection per request, and none is kept."""
    with FakeProvider() as provider:
        async with rig.client(Way.CONNECT_H2) as session:
            for _ in range(60):
                await (await rig.ask(session, provider)).body()
            state = await rig.control("_state")
            assert provider.count("open") == 60
            assert state["connections"] < 30
            assert state["timers"] < 30


@pytest.mark.parametrize("way", [Way.BASE, Way.CONNECT_H2])
async def test_memory_after_many_requests(rig: Rig, way: Way) -> None:
    """Flows, streams and timers do not pile up, failovers or not."""
    limited = FakeProvider(answers.rate_limited())
    with limited, FakeProvider(answers.stream(["{nonce}"])) as good:
        async with rig.client(way) as session:
            assert isinstance(session, H2Session) or way is Way.BASE
            name = rig.name()
            for number in range(300):
                to = [limited, good] if number % 3 == 0 else [good]
                answered = await session.ask(CHAT, b"{}", [rig.plan(*to, name=name)])
                await answered.body()
            state = await rig.control("_state")
            assert state["flows"] < 12
            assert state["streams"] < 8
            assert state["sources"] < 8
            assert state["timers"] < 30
            assert state["connections"] < 40


async def test_a_clock_that_waits_keeps_no_stream(rig: Rig) -> None:
    with FakeProvider() as provider:
        async with rig.client() as session:
            await (await rig.ask(session, provider)).body()
            state = await rig.control("_state")
            # One wake-up call under way, and the hook that this very question is in.
            assert (state["timers"], state["sources"]) == (1, 1)
