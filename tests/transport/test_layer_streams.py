"""Streams through the HTTP layer: order, endings, and clients that leave.

No clocks: the provider waits at a gate until the test has seen the chunk before.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator

import pytest
from fakes import (
    Answer,
    End,
    FakeProvider,
    Gate,
    Gone,
    H1Session,
    H2Answered,
    H2Session,
    Session,
    Way,
    answers,
    refused_port,
)

from transport.conftest import CHAT, Rig

CONTENT = b'"content": "%s"'


@pytest.fixture
async def h2(rig: Rig) -> AsyncIterator[H2Session]:
    async with rig.client(Way.CONNECT_H2) as session:
        assert isinstance(session, H2Session)
        yield session


@pytest.mark.parametrize("failover", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("way", Way)
async def test_chunks_arrive_one_by_one(rig: Rig, way: Way, failover: bool) -> None:
    gate = Gate()
    pieces = ["one", "two", "three", "four"]
    streaming = FakeProvider(answers.stream(pieces, gate=gate))
    with streaming, FakeProvider(answers.rate_limited()) as limited:
        async with rig.client(way) as session:
            gate.release()
            to = [limited, streaming] if failover else [streaming]
            answered = await rig.ask(session, *to)
            for piece in pieces:
                await answered.until(CONTENT % piece.encode())
                await gate.arrival(min(pieces.index(piece) + 2, len(pieces)))
                # The next one has not even left: nothing was held back, nothing ran ahead.
                assert answered.got.count(b'"content": "') == pieces.index(piece) + 2
                gate.release()
            assert (await answered.body()).endswith(answers.DONE)


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
@pytest.mark.parametrize("how", [End.CLOSE, End.RESET])
@pytest.mark.parametrize("way", Way)
async def test_cut_after_content(rig: Rig, way: Way, how: End, alpn: str) -> None:
    """What came is delivered, then an error event and a clean end; no other attempt."""
    context = rig.authority.server_context(alpn=(alpn,))
    gate = Gate()
    dying = FakeProvider(answers.cut_mid_stream(how, gate=gate), tls=context)
    with dying, FakeProvider() as other:
        async with rig.client(way) as session:
            name = rig.name()
            answered = await rig.ask(session, dying, other, name=name)
            await answered.until(CONTENT % b"Hel")
            gate.release()
            body = await answered.body()
            assert body.count(b'data: {"error"') == 1
            assert body.endswith(b"\n\n")
            assert answers.DONE not in body
            assert await rig.hooks(name) == [
                "requestheaders",
                "request",
                "responseheaders",
                "error",
            ]
            # The client's connection goes on.
            again = await rig.ask(session, other)
            assert again.status == 200
            await again.body()
        assert len(other.requests) == 1


@pytest.mark.parametrize("way", Way)
async def test_stall_after_content_is_cut(rig: Rig, way: Way) -> None:
    with FakeProvider(answers.cut_mid_stream(End.HANG)) as stalling:
        async with rig.client(way) as session:
            name = rig.name()
            answered = await rig.ask(session, stalling, name=name, idle=0.2)
            assert b"no data for 0.2 s" in await answered.body()
            assert (await rig.hooks(name))[-2:] == ["responseheaders", "error"]
            await stalling.until(lambda p: p.count("left") == 1)


async def test_the_clock_goes_on_after_a_slow_hook(rig: Rig, h2: H2Session) -> None:
    """A stall is noticed, though its time had come while the addon was busy."""
    stalling = FakeProvider(answers.cut_mid_stream(End.HANG))
    with stalling, FakeProvider(answers.silence()) as silent:
        name = rig.name()
        asked = asyncio.ensure_future(
            rig.ask(h2, stalling, name=name, idle=0.2, act="slow head")
        )
        await settled(rig, name, "responseheaders")
        clock = await rig.ask(h2, silent, first=0.4)  # on the same clock, later
        assert clock.status == 504
        await rig.control(f"_go/{name}")
        assert b"no data for 0.2 s" in await (await asked).body()


@pytest.mark.parametrize("way", [Way.BASE, Way.CONNECT_H2])
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_cut_without_a_tail_is_visible(rig: Rig, way: Way, framing: str) -> None:
    """No tail wanted, or none possible: the client sees that something is missing."""
    dying = FakeProvider(answers.cut_mid_stream(End.CLOSE, framing=framing))
    with dying:
        dying.default = Answer(
            headers=(answers.SSE,),
            body=(answers.chat_chunk({"content": "Hel"}), End.CLOSE),
            framing=framing,
            length=5000,
        )
        async with rig.client(way) as session:
            name = rig.name()
            answered = await rig.ask(session, dying, name=name, cut=framing == "length")
            with pytest.raises(Gone):
                await answered.body()
            assert CONTENT % b"Hel" in answered.got
            assert (await rig.hooks(name))[-1] == "error"


@pytest.mark.parametrize("way", Way)
async def test_an_end_by_closing_becomes_chunked(rig: Rig, way: Way) -> None:
    """A provider that ends by closing does not cost the client its connection."""
    ending = FakeProvider(answers.stream(["{nonce}"], framing="close"))
    with ending:
        async with rig.client(way) as session:
            for _ in range(2):
                answered = await rig.ask(session, ending)
                assert b"nonce-" in await answered.body()
                if way is not Way.CONNECT_H2:
                    assert answered.header("transfer-encoding") == "chunked"


H1_FIRST = ("http/1.1", "h2")
"""As some clients offer it: they get HTTP/1, the upstream may take HTTP/2."""


async def test_http2_answers_get_a_frame_for_http1_clients(rig: Rig) -> None:
    """HTTP/2 needs no length: streams become chunked, whole answers are measured."""
    context = rig.authority.server_context(alpn=("h2",))
    with FakeProvider(answers.stream(["{nonce}"]), tls=context) as provider:
        async with rig.client(Way.CONNECT_H1, H1_FIRST) as session:
            answered = await rig.ask(session, provider)
            assert answered.header("transfer-encoding") == "chunked"
            assert b"nonce-" in await answered.body()
            answered = await rig.ask(session, provider, buffer=True)
            body = await answered.body()
            assert answered.header("content-length") == str(len(body))
        assert {r.version for r in provider.requests} == {"HTTP/2"}


async def test_empty_data_frames_end_nothing(rig: Rig) -> None:
    """An empty chunk would end the answer of an HTTP/1 client."""
    context = rig.authority.server_context(alpn=("h2",))
    one, two = (answers.chat_chunk({"content": text}) for text in ("one", "two"))
    script = Answer(headers=(answers.SSE,), body=(one, b"", two))
    with FakeProvider(script, tls=context) as provider:
        for way, alpn in ((Way.CONNECT_H1, H1_FIRST), (Way.CONNECT_H2, ())):
            async with rig.client(way, alpn) as session:
                answered = await rig.ask(session, provider)
                assert await answered.body() == one + two
        assert {r.version for r in provider.requests} == {"HTTP/2"}


@pytest.mark.parametrize("way", [Way.BASE, Way.CONNECT_H1])
async def test_hop_by_hop_headers_stay_behind(rig: Rig, way: Way) -> None:
    """The provider closes its connection after each answer; the client keeps its own."""
    closing = (("connection", "close"), ("keep-alive", "timeout=5"))
    with FakeProvider(answers.ok(headers=closing)) as provider:
        async with rig.client(way) as session:
            for _ in range(2):
                answered = await rig.ask(session, provider)
                await answered.body()
                assert answered.header("connection") is None
                assert answered.header("keep-alive") is None
        assert [r.connection for r in provider.requests] == [1, 2]


# clients that leave


async def leave(session: Session, answered: object) -> None:
    """Go away in the way that the protocol has for it."""
    if isinstance(answered, H2Answered):
        answered.cancel()
    else:
        assert isinstance(session, H1Session)
        session.writer.transport.abort()


@pytest.mark.parametrize("way", Way)
async def test_client_leaves_mid_stream(rig: Rig, way: Way) -> None:
    gate = Gate()
    with FakeProvider(answers.stream(["one", "two"], gate=gate)) as provider:
        async with rig.client(way) as session:
            name = rig.name()
            gate.release()
            answered = await rig.ask(session, provider, name=name)
            await answered.until(CONTENT % b"one")
            await leave(session, answered)
            await provider.until(lambda p: p.count("left") == 1)
            assert await settled(rig, name) == [
                "requestheaders",
                "request",
                "responseheaders",
                "error",
            ]


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_client_leaves_mid_stream_of_a_second_attempt(
    rig: Rig, h2: H2Session, alpn: str
) -> None:
    """The one that is cancelled is the second attempt, on the same connection."""
    context = rig.authority.server_context(alpn=(alpn,))
    gate = Gate()
    streaming = answers.stream(["one", "two"], gate=gate)
    with FakeProvider(streaming, tls=context) as provider:
        provider.then(answers.rate_limited())
        gate.release()
        answered = await rig.ask(h2, provider, provider)
        await answered.until(CONTENT % b"one")
        await leave(h2, answered)
        await provider.until(lambda p: p.count("left") == 1)


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize(
    "script",
    [answers.silence(), answers.stream([], tail=(End.HANG,)), answers.stalled_500()],
    ids=["waiting", "holding", "collecting"],
)
async def test_client_leaves_during_the_first_attempt(
    rig: Rig, way: Way, script: Answer
) -> None:
    with FakeProvider(script) as silent, FakeProvider() as other:
        async with rig.client(way) as session:
            name = rig.name()
            header = [rig.plan(silent, other, name=name)]
            assert isinstance(session, H1Session | H2Session)
            sent = await session.send(CHAT, b"{}", header)
            await silent.until(lambda p: len(p.requests) == 1)
            await leave(session, sent)
            await silent.until(lambda p: p.count("left") == 1)
            assert await settled(rig, name) == ["requestheaders", "request", "error"]
        assert other.requests == []


@pytest.mark.parametrize("way", Way)
async def test_client_leaves_while_connecting(rig: Rig, way: Way) -> None:
    with FakeProvider(mute=True) as mute, FakeProvider() as other:
        async with rig.client(way) as session:
            name = rig.name()
            place = ("https", mute.host, mute.port)
            header = [rig.plan(place, other, name=name, connect=60, deadline=60)]
            assert isinstance(session, H1Session | H2Session)
            sent = await session.send(CHAT, b"{}", header)
            await mute.until(lambda p: p.count("bytes") == 1)  # the ClientHello
            await leave(session, sent)
            await mute.until(lambda p: p.count("closed") == 1)
            assert await settled(rig, name) == ["requestheaders", "request", "error"]
        assert other.requests == []


@pytest.mark.parametrize("way", Way)
async def test_client_leaves_while_the_addon_thinks(rig: Rig, way: Way) -> None:
    """The addon chose a next provider, but nobody is there any more: nothing is sent."""
    with FakeProvider(answers.close()) as closing, FakeProvider() as other:
        async with rig.client(way) as session:
            name = rig.name()
            header = [rig.plan(closing, other, name=name, act="slow")]
            assert isinstance(session, H1Session | H2Session)
            sent = await session.send(CHAT, b"{}", header)
            await settled(rig, name, "failed: closed before headers")
            await leave(session, sent)
            if way is not Way.CONNECT_H2:
                await session.close()
            # A request on a new connection: the one that left has been noticed by then.
            await rig.control("_state")
            await rig.control(f"_go/{name}")
            assert (await settled(rig, name))[-1] == "error"
        assert other.requests == []


@pytest.mark.parametrize("way", Way)
async def test_client_leaves_before_the_head_is_out(rig: Rig, way: Way) -> None:
    """The addon is in `responseheaders`: the upstream is let go all the same."""
    gate = Gate()
    with FakeProvider(answers.stream(["one", "two"], gate=gate)) as provider:
        async with rig.client(way) as session:
            name = rig.name()
            header = [rig.plan(provider, name=name, act="slow head")]
            assert isinstance(session, H1Session | H2Session)
            gate.release()
            sent = await session.send(CHAT, b"{}", header)
            await settled(rig, name, "responseheaders")
            await leave(session, sent)
            await rig.control("_state")
            await rig.control(f"_go/{name}")
            await provider.until(lambda p: p.count("left") == 1)
            assert (await settled(rig, name))[-2:] == ["responseheaders", "error"]
            # The connection's own stream, and the one that asks.
            assert (await rig.control("_state"))["streams"] <= 2


@pytest.mark.parametrize("way", Way)
async def test_a_killed_flow(rig: Rig, way: Way) -> None:
    with FakeProvider(answers.close()) as closing:
        async with rig.client(way) as session:
            name = rig.name()
            with pytest.raises(Gone):
                await rig.ask(session, closing, name=name, act="kill")
            assert (await settled(rig, name))[-2:] == [
                "failed: closed before headers",
                "error",
            ]


@pytest.mark.parametrize("way", Way)
async def test_a_flow_killed_at_its_head(rig: Rig, way: Way) -> None:
    """The upstream is let go at once, and nothing of the stream is kept."""
    tail = (End.HANG,)
    with FakeProvider(answers.stream(["one"], tail=tail)) as streaming:
        async with rig.client(way) as session:
            name = rig.name()
            with pytest.raises(Gone):
                await rig.ask(session, streaming, name=name, act="kill head")
            await streaming.until(lambda p: p.count("left") == 1)
            assert (await settled(rig, name))[-2:] == ["responseheaders", "error"]
            assert (await rig.control("_state"))["streams"] <= 2


async def settled(rig: Rig, name: str, last: str = "error") -> list[str]:
    """The hooks of a flow, once the last one is there."""
    for _ in range(200):
        hooks = await rig.hooks(name)
        if hooks and hooks[-1] == last:
            break
    return hooks


# many at once


async def test_twelve_streams_none_waits_for_another(rig: Rig, h2: H2Session) -> None:
    """All are open at once, on one client connection, at one HTTP/1 address."""
    gate = Gate()
    tail = (gate, answers.DONE)
    with FakeProvider(answers.stream(["{nonce}"], tail=tail)) as provider:
        asked = [asyncio.ensure_future(rig.ask(h2, provider)) for _ in range(12)]
        answered = await asyncio.gather(*asked)
        await asyncio.gather(*(a.until(b"nonce-") for a in answered))
        assert provider.count("answered") == 0
        assert provider.count("open") == 12
        gate.open()
        bodies = await asyncio.gather(*(a.body() for a in answered))
        assert all(body.endswith(answers.DONE) for body in bodies)


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_fifty_streams_a_third_fails_over(
    rig: Rig, h2: H2Session, alpn: str
) -> None:
    context = rig.authority.server_context(alpn=(alpn,))
    gate = Gate()
    with contextlib.ExitStack() as stack:
        refused = ("http", "127.0.0.1", stack.enter_context(refused_port()))
        limited = stack.enter_context(FakeProvider(answers.rate_limited(), tls=context))
        good = stack.enter_context(
            FakeProvider(answers.stream(["{nonce}", "x"], gate=gate), tls=context)
        )

        async def one(number: int) -> tuple[bytes, bytes]:
            nonce = b"nonce-of-%d-" % number
            first = [[], [limited], [], [], [refused, limited], []][number % 6]
            body = b'{"say": "%s"}' % nonce
            answered = await rig.ask(h2, *first, good, body=body)
            assert answered.status == 200
            return nonce, await answered.body()

        asked = [asyncio.ensure_future(one(number)) for number in range(50)]
        await gate.arrival(50)  # all fifty have arrived before one goes on
        gate.open()
        for nonce, body in await asyncio.gather(*asked):
            assert nonce in body
            assert body.endswith(answers.DONE)
        assert len(good.requests) == 50
        if alpn == "h2":
            assert good.count("open") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("nap", [0.5, 1.2])
async def test_a_nap_of_ours_is_no_silence_of_the_provider(
    rig: Rig, way: Way, nap: float
) -> None:
    """A suspended machine: the answer came in time, it was only not read."""
    gate = Gate()
    slow = Answer(before=(gate,), headers=(answers.JSON,), body=(b'{"id": "slow"}',))
    with FakeProvider(slow) as provider:
        async with rig.client(way) as session:
            asked = asyncio.ensure_future(rig.ask(session, provider, first=0.3))
            await gate.arrival()
            process = rig.mitm.process
            assert process is not None
            process.send_signal(signal.SIGSTOP)
            try:
                gate.open()
                await provider.until(lambda p: p.count("answered") == 1)
                woken = time.monotonic() + nap
                while time.monotonic() < woken:
                    await asyncio.sleep(0.1)
            finally:
                process.send_signal(signal.SIGCONT)
            answered = await asked
            assert answered.status == 200
            assert await answered.body() == b'{"id": "slow"}'
            assert answered.header("x-failed") in (None, "[]")
