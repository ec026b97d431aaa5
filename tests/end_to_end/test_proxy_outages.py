"""Outbound proxies that die in mid-stream, hang or refuse while a hundred ask, and ways that
change while streams run: who is blamed, who is answered, and what is left behind."""

import asyncio
import itertools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from fakes import Answered, Authority, FakeProvider, Way, answers, reach
from fakes.answers import SSE
from fakes.outbound import OutboundProxy
from fakes.steps import Answer, End, Gate

from gateway import GatewayProcess, chat, provider

from .conftest import Start

NAMES = {"one": "one.provider.test", "two": "two.provider.test"}
JSON = (("content-type", "application/json"),)
OWN = (("authorization", "Bearer sk-APP"), *JSON)


class Setting:
    gateway: GatewayProcess
    fakes: dict[str, FakeProvider]
    proxies: dict[str, OutboundProxy]
    turn = itertools.count(1)

    def serve(self, connect: float = 10, **ways: str) -> None:
        """Each provider by way of the proxy of that name."""
        entries = [
            provider(
                fake, name, f"{name}-model", baseURL=f"https://{NAMES[name]}/v1",
                apiKey=f"sk-{next(self.turn)}",  # another key: what was held against it is gone
                proxy=self.proxies[ways.get(name, "a")].url,
            )
            for name, fake in self.fakes.items()
        ]  # fmt: skip
        config = {
            "providers": entries,
            "network": {"proxy": self.proxies[ways.get("network", "a")].url},
            "intercept": {"hosts": list(NAMES.values())},
            "routing": {"connectTimeoutSeconds": connect, "deadlineSeconds": 30},
        }
        self.gateway.write_config(config)
        status, _, said = self.gateway.ask(
            "POST", "/admin/reload", headers=self.gateway.admin
        )
        assert status == 200, said

    def degraded(self) -> list[str]:
        found: list[str] = self.gateway.get("/health")[2]["degraded"]
        return found

    def circuits(self, provider: str) -> list[dict[str, Any]]:
        return self.gateway.rows(
            "select * from events where kind = 'circuit' and subject like ?",
            f"{provider}/%",
        )


@pytest.fixture(scope="module")
def setting(
    start_shared: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setting]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    found = Setting()
    with ExitStack() as stack:
        context = authority.server_context(*NAMES.values())
        found.fakes = {
            name: stack.enter_context(FakeProvider(tls=context)) for name in NAMES
        }
        ports = {NAMES[name]: fake.port for name, fake in found.fakes.items()}
        found.proxies = {
            name: stack.enter_context(OutboundProxy(kind, ports))
            for name, kind in (("a", "http"), ("b", "socks5h"))
        }
        found.gateway = start_shared({"providers": []}, trust=authority.ca)
        yield found


async def begun(session: Any, gate: Gate, model: str) -> Answered:
    """A stream whose first piece has come."""
    body = json.dumps(chat(model, stream=True)).encode()
    gate.release()
    answered: Answered = await session.ask("/v1/chat/completions", body, JSON)
    await answered.until(b"one")
    return answered


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_proxy_that_dies_in_mid_stream(setting: Setting, name: str) -> None:
    """The client is told, the provider gets no strike, and all is well when it is back."""
    setting.serve(one=name)
    proxy, fake, gateway = setting.proxies[name], setting.fakes["one"], setting.gateway

    async def cut() -> tuple[str, bytes]:
        gate = Gate()
        fake.then(answers.stream(["one", "two"], gate=gate))
        async with reach(Way.BASE, gateway.port) as session:
            answered = await begun(session, gate, "one-model")
            proxy.stop()
            got = await answered.body()
            gate.open()
            return answered.header("x-gateway-request-id") or "", got

    for _ in range(6):  # more than it takes for a circuit to open
        try:
            id, got = asyncio.run(cut())
        finally:
            gateway.wait_for(lambda: bool(setting.degraded()), "a degraded proxy")
            proxy.start()
        assert b"upstream_truncated" in got
        assert b"two" not in got
        [row] = gateway.ended_one(id)
        assert (row["outcome"], row["error"]) == ("truncated", "upstream_truncated")
        [attempt] = gateway.rows("select * from attempts where request = ?", id)
        assert attempt["reason"].startswith("cut: ")
    assert f"outbound proxy 127.0.0.1:{proxy.port} went away" in setting.degraded()
    status, headers, body = gateway.chat("one-model")
    assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
    assert setting.degraded() == []
    assert setting.circuits("one") == []


def test_a_provider_that_breaks_off_behind_a_living_proxy_is_to_blame(
    setting: Setting,
) -> None:
    setting.serve(two="a")
    gateway, fake = setting.gateway, setting.fakes["two"]
    piece = answers.chat_chunk({"content": "one"})
    fake.default = Answer(headers=(SSE,), body=(piece, End.RESET), framing="chunked")
    try:
        for _ in range(6):
            gateway.chat("two-model", stream=True)
        gateway.wait_for(lambda: bool(setting.circuits("two")), "a circuit that opens")
        assert "stream cut" in setting.circuits("two")[0]["message"]
        assert setting.degraded() == []
    finally:
        fake.default = answers.ok()


def descriptors(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize(
    "fault", ["refuse", "hang", "hang after", "407", "502", "reset"]
)
def test_a_hundred_requests_in_an_outage_leave_no_connection(
    setting: Setting, fault: str
) -> None:
    setting.serve(connect=1 if "hang" in fault else 10, one="a")
    gateway, proxy = setting.gateway, setting.proxies["a"]
    assert gateway.chat("one-model")[0] == 200
    proxy.break_tunnels()
    before = descriptors(gateway)
    proxy.fault = fault
    if fault == "refuse":
        proxy.stop()
    try:
        with ThreadPoolExecutor(25) as clients:
            seen = list(clients.map(lambda _: gateway.chat("one-model")[0], range(100)))
        # What a proxy says of one host is that provider's failure: after some it is left out.
        assert set(seen) <= {502, 503 if fault == "502" else 504}
    finally:
        proxy.fault = ""
        if fault == "refuse":
            proxy.start()
    gateway.wait_for(
        lambda: descriptors(gateway) <= before + 3, f"{before} open files again"
    )
    gateway.wait_for(lambda: proxy.tunnels <= 2, "tunnels that are closed")
    if fault == "502":
        setting.serve(one="a")
    status, headers, body = gateway.chat("one-model")
    assert (status, headers["x-gateway-attempts"]) == (200, "1"), body


def test_ways_change_while_streams_run(setting: Setting) -> None:
    """Each goes on where it is; who comes next goes the new way."""
    gateway = setting.gateway
    setting.serve(one="a", two="b", network="b")
    a, b = setting.proxies["a"], setting.proxies["b"]

    async def walk() -> None:
        gates = {name: Gate() for name in NAMES}
        for name, gate in gates.items():
            setting.fakes[name].then(answers.stream(["one", "two"], gate=gate))
        async with (
            reach(Way.BASE, gateway.port) as first,
            reach(Way.BASE, gateway.port) as second,
        ):
            streams = [
                await begun(session, gates[name], f"{name}-model")
                for session, name in ((first, "one"), (second, "two"))
            ]
            await asyncio.to_thread(setting.serve, one="b", two="a")
            before = len(a.asked), len(b.asked)
            for name in NAMES:
                found = await asyncio.to_thread(gateway.chat, f"{name}-model")
                assert found[0] == 200, (name, found, gateway.log()[-2000:])
            assert f"CONNECT {NAMES['one']}:443" in b.asked[before[1] :]
            assert f"CONNECT {NAMES['two']}:443" in a.asked[before[0] :]
            assert f"CONNECT {NAMES['one']}:443" not in a.asked[before[0] :]
            assert f"CONNECT {NAMES['two']}:443" not in b.asked[before[1] :]
            for gate in gates.values():
                gate.open()
            for answered in streams:
                assert (await answered.body()).endswith(b"data: [DONE]\n\n")

    asyncio.run(walk())


def test_what_only_passes_hears_of_the_proxy_too(setting: Setting) -> None:
    """An app's own request to a host that nobody reads, over plain HTTP."""
    setting.serve()
    gateway, proxy = setting.gateway, setting.proxies["a"]
    proxy.stop()
    try:
        url = "http://passes.test/x"
        status, _, body = gateway.ask("GET", url, headers={"host": "passes.test"})
    finally:
        proxy.start()
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (502, "upstream_unreachable")
    assert f"outbound proxy 127.0.0.1:{proxy.port} refuses" in error["message"]


def test_an_upload_that_only_passes_cannot_be_sent_again(setting: Setting) -> None:
    """Its client is told so: nobody here has kept what was sent already."""
    setting.serve()
    gateway, fake = setting.gateway, setting.fakes["one"]

    async def upload() -> tuple[int, Any]:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host=NAMES["one"], port=443
        ) as session:
            fake.then(answers.close())
            answered = await session.ask("/v1/files", b"x" * 500_000, OWN)
            return answered.status, json.loads(await answered.body())

    status, body = asyncio.run(upload())
    assert status == 502
    assert "send the request again yourself" in body["error"]["message"]
    assert "had left already" in body["error"]["message"]
