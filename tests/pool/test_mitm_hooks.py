"""Upstream connections pass from client to client: a real mitmdump, real providers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeProvider, Gate, MitmProcess, Way, answers
from transport.conftest import ADDON, Rig

ONE_SHOT = [Way.BASE, Way.ABSOLUTE, Way.CONNECT_H1]


@pytest.fixture(scope="module")
def process(confdir, authority) -> Iterator[MitmProcess]:
    path = os.pathsep.join(filter(None, [str(ADDON), os.environ.get("PYTHONPATH")]))
    with MitmProcess(
        Path(__file__).with_name("pool_script.py"),
        confdir=confdir,
        trust=authority.ca,
        env={"PYTHONPATH": path},
        verbosity="warn",
    ) as mitm:
        yield mitm


@pytest.fixture
def warm(process, authority) -> Iterator[Rig]:
    before = len(process.log())
    rig = Rig(process, authority)
    yield rig
    log = process.log()[before:]
    assert process.alive
    assert "crashed" not in log, log
    assert rig.complaints(log) == []


async def once(rig, way, provider, **order):
    """One client, one question, and it is gone. True: answered."""
    async with rig.client(way) as session:
        answered = await rig.ask(session, provider, **order)
        await answered.body()
        return answered.status == 200 and answered.header("x-failed") == "[]"


async def lying(rig, provider, n):
    """Wait until n connections to this provider lie there (and maybe a spare one)."""
    for _ in range(200):
        there = (await rig.control("_warm")).get(f"127.0.0.1:{provider.port}", 0)
        if there == n or (n and there == n + 1 and provider.base_url[:5] == "https"):
            return
    raise AssertionError(await rig.control("_warm"))


def used(provider):
    """On which connection each request came."""
    return [r.connection for r in provider.requests]


@pytest.mark.parametrize("way", ONE_SHOT)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_one_client_after_the_other(warm, way, tls):
    context = warm.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        for _ in range(2):
            assert await once(warm, way, provider)
            await lying(warm, provider, 1)
        assert used(provider) == [1, 1]


@pytest.mark.parametrize("way", ONE_SHOT)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_nothing_of_a_client_stays_when_it_has_gone(warm, way, tls):
    context = warm.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        for _ in range(5):
            assert await once(warm, way, provider)
        for _ in range(100):
            alive = await warm.control("_alive")
            if alive == 1:  # who asks
                return
        raise AssertionError(f"{alive} clients in memory")


async def test_a_stream_passes_its_connection_on(warm):
    with FakeProvider(answers.stream(["{nonce}", "x"])) as provider:
        for _ in range(3):
            assert await once(warm, Way.BASE, provider)
            await lying(warm, provider, 1)
        assert used(provider) == [1, 1, 1]


async def test_clients_of_http2_pass_theirs_on_after_each_answer(warm):
    context = warm.authority.server_context(alpn=("h2", "http/1.1"))
    with FakeProvider(tls=context) as provider:
        async with warm.client(Way.CONNECT_H2) as session:
            for _ in range(3):
                answered = await warm.ask(session, provider)
                assert answered.status == 200
                await answered.body()
        assert {r.version for r in provider.requests} == {"HTTP/1.1"}
        assert len(set(used(provider))) < 3


async def test_at_the_same_time_each_has_its_own(warm):
    gate = Gate()
    with FakeProvider() as provider:
        assert await once(warm, Way.BASE, provider)
        await lying(warm, provider, 1)
        provider.default = answers.stream(["{nonce}", "x"], gate=gate)
        async with warm.client() as one, warm.client() as other:
            first = await warm.ask(one, provider, judge="pass")
            second = await warm.ask(other, provider, judge="pass")
            gate.open()
            for answered in (first, second):
                assert answers.DONE in await answered.body()
        assert sorted(used(provider)) == [1, 1, 2]
        await lying(warm, provider, 2)


async def test_one_that_the_provider_closed_while_it_lay_there(warm):
    with FakeProvider() as provider:
        assert await once(warm, Way.BASE, provider)
        await lying(warm, provider, 1)
        provider.stop()
        provider.start(provider.port)
        await lying(warm, provider, 0)
        assert await once(warm, Way.BASE, provider)
        assert len(provider.requests) == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_one_that_closes_on_the_request_is_tried_anew_once(warm, tls):
    """As an idle connection that was closed before: nobody is told, one resend."""
    context = warm.authority.server_context() if tls else None
    with FakeProvider(tls=context) as provider:
        assert await once(warm, Way.BASE, provider)
        await lying(warm, provider, 1)
        provider.then(answers.close())
        name = warm.name()
        assert await once(warm, Way.BASE, provider, name=name)
        seen = await warm.control(f"_hooks/{name}")
        assert (seen["failures"], seen["resends"]) == ([], 1)
        assert used(provider)[:2] == [1, 1]
        assert used(provider)[2] > 1


async def test_all_of_them_closed_one_resend_on_a_new_one(warm):
    """Two lie there; neither is alive: the second is not even tried."""
    gate = Gate()
    with FakeProvider(answers.stream(["{nonce}"], gate=gate)) as provider:
        async with warm.client() as one, warm.client() as other:
            both = [await warm.ask(s, provider, judge="pass") for s in (one, other)]
            gate.open()
            for answered in both:
                await answered.body()
        await lying(warm, provider, 2)
        provider.default = answers.ok()
        provider.then(answers.close())
        assert await once(warm, Way.BASE, provider)
        assert used(provider)[-1] == 3


@pytest.mark.parametrize(
    "answer",
    [
        answers.rate_limited(),
        answers.status(500),
    ],
    ids=["429", "500"],
)
async def test_a_failure_that_was_read_whole_leaves_a_good_connection(warm, answer):
    with FakeProvider() as provider:
        provider.then(answer)
        async with warm.client() as session:
            await (await warm.ask(session, provider)).body()
        await lying(warm, provider, 1)


@pytest.mark.parametrize(
    "answer",
    [
        answers.headers_then_close("close"),
        answers.wrong_length(9),
        answers.silence(),
        answers.garbage(),
        answers.big_500(),
        answers.headers_then_silence(),
    ],
    ids=["until closed", "short", "silence", "garbage", "big", "head"],
)
async def test_what_is_not_at_rest_is_not_kept(warm, answer):
    with FakeProvider() as provider:
        provider.then(answer)
        async with warm.client() as session:
            await (await warm.ask(session, provider, first=0.2, idle=0.2)).body()
        await warm.control("_warm")
        await lying(warm, provider, 0)


async def test_a_client_that_leaves_in_mid_stream_takes_its_upstream_along(warm):
    gate = Gate()
    with FakeProvider(answers.stream(["{nonce}", "x"], gate=gate)) as provider:
        async with warm.client() as session:
            answered = await warm.ask(session, provider, judge="pass")
            gate.release()
            await answered.until(b"nonce-")
        provider.wait(lambda p: p.count("left") == 1)
        await lying(warm, provider, 0)


async def test_a_wrong_certificate_is_never_warm(warm):
    context = warm.authority.server_context("other.example")
    with FakeProvider(tls=context) as provider:
        for _ in range(3):
            assert not await once(warm, Way.BASE, provider)
        assert provider.requests == []
        await lying(warm, provider, 0)


async def test_tls_that_is_asked_for_again_has_a_spare_one(warm):
    """Wanted twice in a short time: the next one that comes finds one ahead."""
    context = warm.authority.server_context()
    gate = Gate()
    with FakeProvider(tls=context) as provider:
        assert await once(warm, Way.BASE, provider)
        await lying(warm, provider, 1)
        provider.default = answers.stream(["{nonce}", "x"], gate=gate)
        async with warm.client() as session:
            answered = await warm.ask(session, provider, judge="pass")
            await lying(warm, provider, 1)
            provider.default = answers.ok()
            assert await once(warm, Way.BASE, provider)
            gate.open()
            await answered.body()
        assert used(provider) == [1, 1, 2]


async def test_two_origins_never_share(warm):
    with FakeProvider() as one, FakeProvider() as other:
        for provider in (one, other, one, other):
            assert await once(warm, Way.BASE, provider)
            await lying(warm, provider, 1)
        assert (used(one), used(other)) == ([1, 1], [1, 1])
