"""Connections that are dead and do not say so: processes that were stopped while their kernels
go on, packets that are dropped one way or both, addresses that changed. The clock that goes on
in sleep is moved by hand (`idle_at_once.py`), the one that stands still is the machine's own."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import FakeProvider, answers
from fakes.deaf import deafen
from fakes.own_network import OwnNetwork, missing
from fakes.steps import Answer, Received
from fakes.workers import Upstream

from gateway import GatewayProcess, provider

from .conftest import Start
from .kept_client import Client

IDLE_AT_ONCE = str(Path(__file__).with_name("idle_at_once.py"))
pytestmark = pytest.mark.process


def sleep(gateway: GatewayProcess) -> None:
    """Returns when the gateway has seen that an hour is missing."""
    process: Any = gateway.process
    before = gateway.log().count("This machine slept")
    process.send_signal(signal.SIGUSR1)
    gateway.wait_for(
        lambda: gateway.log().count("This machine slept") > before, "word of the sleep"
    )


def attempts_of(gateway: GatewayProcess, id: str) -> list[tuple[str, str, str]]:
    gateway.ended_one(id)
    rows = gateway.rows(
        "select provider, outcome, reason from attempts where request = ? order by n",
        id,
    )
    return [(row["provider"], row["outcome"], row["reason"] or "") for row in rows]


def asked(gateway: GatewayProcess) -> tuple[str, str, str, float]:
    """Who answered, with what, which request that was, and the seconds it took."""
    gateway.get("/health")  # by then it has put the last one's connections by
    began = time.monotonic()
    status, headers, body = gateway.chat("m")
    took = time.monotonic() - began
    assert status == 200, body
    said = body["choices"][0]["message"]["content"]
    return (
        headers["x-gateway-provider"],
        said,
        headers["x-gateway-request-id"],
        took,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
@pytest.mark.parametrize("who", ["the same", "another"])
def test_an_upstream_that_was_stopped_while_this_machine_slept(
    start: Start, tmp_path: Path, who: str
) -> None:
    """Its kernel goes on acknowledging on the connections that lie here, so that nothing but
    the sleep itself tells that they are dead."""
    with Upstream(tmp_path) as upstream, FakeProvider() as spare:
        config = {
            "providers": [
                provider(spare, "p", "m", baseURL=f"{upstream.base_url}/v1"),
                provider(spare, "spare", "m"),
            ]
        }
        gateway = start(config, arguments=("-s", IDLE_AT_ONCE))
        first = upstream.worker()
        assert [asked(gateway)[:2] for _ in range(2)] == [("p", "worker 1")] * 2
        first.stop()
        if who == "the same":
            second = upstream.worker()
        else:
            upstream.refuse()
        sleep(gateway)
        name, said, id, took = asked(gateway)
        assert took < 3
        rows = attempts_of(gateway, id)
        if who == "the same":
            assert (name, said) == ("p", "worker 2")
            assert rows == [("p", "ok", "")]
            assert second.seen == 1
        else:
            assert name == "spare"
            assert [row[:2] for row in rows] == [("p", "failed"), ("spare", "ok")]
            assert len(spare.requests) == 1
        first.go_on()
        first.wait("left")  # it reads what there is, and the end of it
        assert first.seen == 2
        booked = gateway.rows("select outcome from attempts where outcome = 'ok'")
        assert len(booked) == first.seen + 1


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="needs TCP_INFO")
def test_a_peer_that_never_heard_that_its_answer_came(start: Start) -> None:
    """It says its last words again and again, and each time acknowledges what it heard
    before: nothing of that is an acknowledgement of the request that goes out now."""

    def last_words(request: Received) -> Answer:
        for wire in fake.sockets():
            deafen(wire)
        return heard(request)

    heard: Any = answers.ok()
    with FakeProvider() as fake:
        gateway = start(
            {"providers": [provider(fake, "p", "m")]}, arguments=("-s", IDLE_AT_ONCE)
        )
        fake.then(last_words)
        asked(gateway)
        _, _, id, took = asked(gateway)
        assert took < 3
        repaired = ("p", "repaired", "repaired: stale connection")
        assert attempts_of(gateway, id) == [repaired, ("p", "ok", "")]
        assert len(fake.requests) == 2


class Unheard(NamedTuple):
    """What a kernel has sent to a port, and nobody has acknowledged."""

    bytes: int
    repeated: int

    @staticmethod
    def at(port: int) -> "Unheard":
        """In the network of this thread. Also of sockets that were closed."""
        lines = Path("/proc/thread-self/net/tcp").read_text().splitlines()
        found = [
            Unheard(int(fields[4].partition(":")[0], 16), int(fields[6], 16))
            for fields in map(str.split, lines)
            if fields[2].endswith(f":{port:04X}")
        ]
        return max(found, default=Unheard(0, 0))


@pytest.mark.skipif(
    not os.path.exists("/proc/thread-self/net/tcp"), reason="needs Linux"
)
def test_a_gateway_that_was_stopped_meanwhile(start: Start) -> None:
    """Both the request before it, which was answered, and the one that nobody hears were
    looked after, and all clocks strike at once when it goes on: the second is repaired."""
    with FakeProvider() as fake:
        gateway = start(
            {"providers": [provider(fake, "p", "m")]}, arguments=("-s", IDLE_AT_ONCE)
        )
        process: Any = gateway.process
        with Client(gateway, kept=False) as client:
            for _ in range(2):
                assert client.chat()[0] == 200
            client.leave()
        for wire in fake.sockets():
            deafen(wire)
        with ThreadPoolExecutor(1) as thread:
            unheard = thread.submit(asked, gateway)
            gateway.wait_for(lambda: Unheard.at(fake.port).bytes > 0, "a request")
            process.send_signal(signal.SIGSTOP)
            try:
                gateway.wait_for(
                    lambda: Unheard.at(fake.port).repeated > 3, "2 seconds"
                )
            finally:
                process.send_signal(signal.SIGCONT)
            _, _, id, _ = unheard.result()
        repaired = ("p", "repaired", "repaired: stale connection")
        assert attempts_of(gateway, id) == [repaired, ("p", "ok", "")]


@pytest.mark.parametrize("kept", [True, False], ids=["kept client", "new clients"])
@pytest.mark.parametrize("what", ["slept", "paused"])
def test_no_connection_outlives_a_time_away(
    start: Start, tmp_path: Path, kept: bool, what: str
) -> None:
    """Not the one that a client's own connection holds on to either, and at once: whoever
    asks first is the first to know. A virtual machine that was paused knows by its wall
    clock only, which is set when it goes on."""
    clock_file = tmp_path / "off"
    with FakeProvider() as fake:
        gateway = start(
            {"providers": [provider(fake, "p", "m")]},
            arguments=("-s", IDLE_AT_ONCE),
            env={"CLOCK_FILE": str(clock_file)},
        )
        process: Any = gateway.process
        with Client(gateway, kept=kept) as client:
            assert client.chat()[:2] == (200, "1")
            before = fake.requests[-1].connection
            if what == "slept":
                process.send_signal(signal.SIGUSR1)
            else:
                clock_file.write_text("3600")
                process.send_signal(signal.SIGUSR2)
                gateway.wait_rows("select * from events where kind = 'clock'")
            assert client.chat()[:2] == (200, "1")
            assert fake.requests[-1].connection != before


# -- packets that are dropped


class Setting:
    def __init__(self, machine: OwnNetwork, stack: ExitStack, start: Start) -> None:
        self.machine = machine
        self.fake, self.spare = FakeProvider(), FakeProvider()
        for one in (self.fake, self.spare):
            machine.run(one.start)
            stack.callback(one.stop)
        config = {
            "routing": {"connectTimeoutSeconds": 1},
            "providers": [
                provider(self.fake, "p", "m"),
                provider(self.spare, "spare", "m"),
            ],
        }
        self.gateway = machine.run(
            start, config, arguments=("-s", IDLE_AT_ONCE), forked=False
        )

    def asked(self) -> tuple[str, str, str, float]:
        return self.machine.run(asked, self.gateway)

    def attempts(self, id: str) -> list[tuple[str, str, str]]:
        return attempts_of(self.gateway, id)

    def drop(self, *what: str) -> None:
        self.machine.command(
            "iptables", "-A", "OUTPUT", *("-p", "tcp"), *what, "-j", "DROP"
        )

    def drop_parked(self, *, sent: bool, answered: bool) -> None:
        """What goes to the provider, and what comes from it, on connections of now."""
        for wire in self.fake.sockets():
            peer = str(wire.getpeername()[1])
            mine = str(self.fake.port)
            if sent:
                self.drop("--sport", peer, "--dport", mine)
            if answered:
                self.drop("--sport", mine, "--dport", peer)


@pytest.fixture(scope="module")
def network(start_shared: Start) -> Iterator[Setting]:
    if why := missing():
        pytest.skip(why)
    with OwnNetwork() as machine, ExitStack() as stack:
        yield Setting(machine, stack, start_shared)


@pytest.fixture
def setting(network: Setting) -> Iterator[Setting]:
    """With one connection that lies there."""
    assert network.asked()[0] == "p"
    yield network
    network.machine.command("iptables", "-F", "OUTPUT")


@pytest.mark.parametrize("slept", [False, True], ids=["awake", "slept"])
@pytest.mark.parametrize(
    ("sent", "answered"), [(True, True), (True, False), (False, True)]
)
def test_a_connection_whose_packets_are_dropped(
    setting: Setting, sent: bool, answered: bool, slept: bool
) -> None:
    """As after sleep, or in a middlebox that forgot. Whoever gets a request, and can tell
    nobody, has got it twice in the end, and there is a row for each."""
    before = len(setting.fake.requests)
    setting.drop_parked(sent=sent, answered=answered)
    if slept:
        sleep(setting.gateway)
    name, _, id, took = setting.asked()
    assert name == "p"
    assert took < 3
    repaired = [] if slept else [("p", "repaired", "repaired: stale connection")]
    assert setting.attempts(id) == [*repaired, ("p", "ok", "")]
    got_twice = not sent and not slept
    assert len(setting.fake.requests) - before == (2 if got_twice else 1)
    # What was not heard is said no more (the end of a connection counts as one byte): it
    # would arrive when the network is back.
    assert setting.machine.run(Unheard.at, setting.fake.port).bytes <= 1
    assert setting.asked()[3] < 1  # the next one has nothing to wait for
    assert not setting.gateway.rows("select * from events where kind = 'circuit'")


def test_an_upstream_all_of_whose_packets_are_dropped(setting: Setting) -> None:
    """Another provider answers, when the time to connect is over."""
    before = len(setting.fake.requests), len(setting.spare.requests)
    setting.drop("--dport", str(setting.fake.port))
    sleep(setting.gateway)
    name, _, id, took = setting.asked()
    assert name == "spare"
    assert took < 3
    assert [row[:2] for row in setting.attempts(id)] == [
        ("p", "failed"),
        ("spare", "ok"),
    ]
    after = len(setting.fake.requests), len(setting.spare.requests)
    assert after == (before[0], before[1] + 1)
