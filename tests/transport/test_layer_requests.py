"""What is sent: framing, big bodies, streamed bodies, and bodies that are too big."""

import asyncio

import pytest
from fakes import (
    Answer,
    End,
    FakeProvider,
    Gate,
    H1Session,
    H2Session,
    Way,
    answers,
    refused_port,
)

from transport.conftest import CHAT, Rig

MIB = 1 << 20
LIMIT = 2_000_000
"""As the script sets it."""


@pytest.mark.parametrize("way", Way)
async def test_a_big_body_is_sent_again_whole(rig: Rig, way: Way) -> None:
    body = b'{"say": "nonce-big", "pad": "' + b"x" * MIB + b'"}'
    limited = FakeProvider(answers.rate_limited())
    with limited, FakeProvider(answers.ok("y" * MIB)) as good:
        async with rig.client(way) as session:
            answered = await rig.ask(session, limited, good, body=body)
            assert answered.status == 200
            assert len(await answered.body()) > MIB
        for provider in (limited, good):
            request = provider.requests[0]
            assert request.body == body
            assert request.header("content-length") == str(len(body))


async def test_a_body_without_a_length_gets_one(rig: Rig) -> None:
    """HTTP/2 needs no content-length, and chunks have none; HTTP/1 upstreams need it."""
    with FakeProvider() as provider:
        async with rig.client(Way.CONNECT_H2) as session:
            answered = await rig.ask(session, provider, body=b'{"say": "nonce-1"}')
            assert b"nonce-1" in await answered.body()
        async with rig.client() as session:
            assert isinstance(session, H1Session)
            headers = [rig.plan(provider), ("transfer-encoding", "chunked")]
            await session.send(CHAT, None, headers)
            session.writer.write(b"5\r\nnonce\r\n2\r\n-2\r\n0\r\n\r\n")
            answered = await session.answer()
            assert b"nonce-2" in await answered.body()
        bodies = (b'{"say": "nonce-1"}', b"nonce-2")
        for request, body in zip(provider.requests, bodies, strict=True):
            assert request.body == body
            assert request.header("content-length") == str(len(body))
            assert request.header("transfer-encoding") is None


@pytest.mark.parametrize("way", Way)
async def test_streamed_request(rig: Rig, way: Way) -> None:
    """Upload, judge "pass": the first half is there before the second is sent."""
    with FakeProvider() as provider:
        async with rig.client(way) as session:
            name = rig.name()
            plan = rig.plan(provider, upload=True, judge="pass", name=name)
            if isinstance(session, H2Session):
                sent = await session.send(CHAT, None, [plan])
                await session.write(sent.stream, b"nonce-")
                await provider.until(lambda p: b"nonce-" in p.bytes_in())
                await session.write(sent.stream, b"up", end=True)
                answered = await sent.ready()
            else:
                assert isinstance(session, H1Session)
                await session.send(CHAT, None, [plan, ("content-length", "8")])
                session.writer.write(b"nonce-")
                await provider.until(lambda p: b"nonce-" in p.bytes_in())
                session.writer.write(b"up")
                answered = await session.answer()
            assert b"nonce-up" in await answered.body()
            assert await rig.hooks(name) == [
                "requestheaders",
                "request",
                "responseheaders",
                "response",
            ]


@pytest.mark.parametrize("way", Way)
async def test_streamed_request_connect_fails_over(rig: Rig, way: Way) -> None:
    """Nothing of the body is gone yet: another provider can have it."""
    with refused_port() as port, FakeProvider() as good:
        async with rig.client(way) as session:
            refused = ("http", "127.0.0.1", port)
            order = {"upload": True, "judge": "pass"}
            answered = await rig.ask(session, refused, good, body=b"nonce-up", **order)
            assert b"nonce-up" in await answered.body()


@pytest.mark.parametrize("way", Way)
async def test_streamed_request_unreachable(rig: Rig, way: Way) -> None:
    """The client gets the addon's JSON, though it is still sending."""
    with refused_port() as port:
        async with rig.client(way) as session:
            name = rig.name()
            refused = ("http", "127.0.0.1", port)
            order = {"upload": True, "judge": "pass", "name": name}
            answered = await rig.ask(session, refused, body=b"x" * 300_000, **order)
            assert answered.status == 502
            attempt = (await answered.json())["error"]["attempts"][0]
            assert (attempt["kind"], attempt["replayable"]) == ("connect", True)
            assert await rig.hooks(name) == [
                "requestheaders",
                "failed: connect",
                "response",
            ]


@pytest.mark.parametrize("way", Way)
async def test_streamed_request_cannot_be_replayed(rig: Rig, way: Way) -> None:
    """Its bytes are gone: the next provider is not asked."""
    with FakeProvider(answers.close()) as closing, FakeProvider() as good:
        async with rig.client(way) as session:
            order = {"upload": True, "judge": "pass"}
            answered = await rig.ask(session, closing, good, body=b"x" * 99, **order)
            assert answered.status == 502
            attempt = (await answered.json())["error"]["attempts"][0]
            assert attempt["kind"] == "closed before headers"
            assert attempt["replayable"] is False
        assert good.requests == []


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("declared", [True, False])
async def test_too_large(rig: Rig, way: Way, declared: bool) -> None:
    """Refused at the first byte when its length is known, else when it has come."""
    body = b"x" * (LIMIT + 1)
    with FakeProvider() as provider:
        async with rig.client(way) as session:
            name = rig.name()
            plan = rig.plan(provider, name=name)
            if isinstance(session, H2Session):
                length = [("content-length", str(len(body)))] if declared else []
                sent = await session.send(CHAT, None, [plan, *length])
                writing = asyncio.ensure_future(session.write(sent.stream, body[:-100]))
                if not declared:
                    await writing
                    await session.write(sent.stream, body[-100:], end=True)
                answered = await sent.ready()
                writing.cancel()
            else:
                assert isinstance(session, H1Session)
                if declared:
                    length = [("content-length", str(len(body)))]
                    await session.send(CHAT, None, [plan, *length])
                    session.writer.write(body[:100])
                else:
                    chunked = [("transfer-encoding", "chunked")]
                    await session.send(CHAT, None, [plan, *chunked])
                    session.writer.write(b"%x\r\n%s\r\n" % (len(body), body))
                answered = await session.answer()
                assert answered.header("connection") == "close"
            assert answered.status == 413
            assert f"{LIMIT} bytes" in (await answered.json())["error"]["message"]
            assert await rig.hooks(name) == ["requestheaders", "response"]
        assert provider.requests == []


@pytest.mark.parametrize("way", [Way.BASE, Way.CONNECT_H2])
async def test_the_limit_is_for_buffered_requests_only(rig: Rig, way: Way) -> None:
    body = b"nonce-big " + b"x" * LIMIT
    with FakeProvider(answers.ok("y" * (LIMIT + 1))) as provider:
        async with rig.client(way) as session:
            order = {"upload": True, "judge": "pass"}
            answered = await rig.ask(session, provider, body=body, **order)
            assert answered.status == 200
            assert len(await answered.body()) > LIMIT
        assert len(provider.requests[0].body) == len(body)


async def test_exactly_the_limit(rig: Rig) -> None:
    with FakeProvider() as provider:
        async with rig.client() as session:
            answered = await rig.ask(session, provider, body=b"x" * LIMIT)
            assert answered.status == 200
            await answered.body()


@pytest.mark.parametrize("way", [Way.BASE, Way.CONNECT_H2])
async def test_client_leaves_during_an_upload(rig: Rig, way: Way) -> None:
    with FakeProvider() as provider:
        async with rig.client(way) as session:
            name = rig.name()
            plan = rig.plan(provider, upload=True, judge="pass", name=name)
            assert isinstance(session, H1Session | H2Session)
            length = ("content-length", "99")
            sent = await session.send(CHAT, None, [plan, length])
            if isinstance(session, H2Session):
                await session.write(sent.stream, b"nonce-")
                await provider.until(lambda p: b"nonce-" in p.bytes_in())
                sent.cancel()
            else:
                session.writer.write(b"nonce-")
                await provider.until(lambda p: b"nonce-" in p.bytes_in())
                session.writer.transport.abort()
            await provider.until(lambda p: p.count("closed") == 1)
        assert (await rig.hooks(name))[-1] == "error"


async def test_upgrade_after_a_stale_connection(rig: Rig) -> None:
    """101 and raw bytes both ways, on an attempt that is not the first of its request."""
    gate = Gate()
    switch = Answer(
        before=(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n",
            gate,
            b"hello",
            End.CLOSE,
        )
    )
    with FakeProvider() as provider:
        async with rig.client() as session:
            assert isinstance(session, H1Session)
            await (await rig.ask(session, provider)).body()
            provider.then(answers.close(), switch)
            plan = rig.plan(provider, judge="pass")
            upgrade = [plan, ("upgrade", "echo"), ("connection", "upgrade")]
            await session.send(CHAT, b"", upgrade)
            answered = await session.answer()
            assert answered.status == 101
            session.writer.write(b"ping")
            await provider.until(lambda p: b"ping" in p.bytes_in())
            gate.release()
            assert await session.reader.read(5) == b"hello"
