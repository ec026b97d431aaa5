"""The network as people have it: dead addresses beside living ones, connections that died
without a word."""

import gzip
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider
from fakes.binds import binds_of, bound
from fakes.black_hole import black_hole
from fakes.deaf import deafen

from gateway import GatewayProcess, chat, provider

from .conftest import Start
from .kept_client import Client

RESOLVER = str(Path(__file__).parents[1] / "fakes" / "addresses.py")


@pytest.fixture(scope="module")
def alive() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


ADDRESSES = {
    "live": ["127.0.0.1"],
    "two of one family": ["127.0.0.2", "127.0.0.1"],
    "dead IPv6": ["::1", "127.0.0.1"],
    "dead IPv4": ["127.0.0.2", "::1"],
}
"""Some are dead, and the living one is the last."""
EACH = 3
"""Names of each kind: a first connection is made once only."""


def name_of(kind: str, number: int) -> str:
    return f"{kind.replace(' ', '-').lower()}-{number}"


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file is there, the gateway's machine has no way to the world."""
    return tmp_path_factory.mktemp("network") / "offline"


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, alive: FakeProvider, offline: Path
) -> Iterator[GatewayProcess]:
    with ExitStack() as stack:
        six = stack.enter_context(FakeProvider(host="::1"))
        fakes = {
            kind: six if f[-1] == "::1" else alive for kind, f in ADDRESSES.items()
        }
        for kind, found in ADDRESSES.items():
            if kind in ("dead IPv6", "dead IPv4"):
                stack.enter_context(black_hole(found[0], fakes[kind].port))
        stack.enter_context(black_hole("127.0.0.2", alive.port))
        names = {
            "tunnel.test": ["127.0.0.2", "127.0.0.1"],
            "far.test": [],
            "near.localhost": ["127.0.0.1"],
        }
        entries = [
            provider(alive, "far", "far", baseURL="https://far.test/v1"),
            provider(alive, "near", "near", baseURL="http://near.localhost:9/v1"),
        ]
        for kind, fake in fakes.items():
            for number in range(EACH):
                name = name_of(kind, number)
                names[f"{name}.localhost"] = ADDRESSES[kind]
                base = f"http://{name}.localhost:{fake.port}/v1"
                entries.append(provider(fake, name, name, baseURL=base))
        config = {
            "server": {"allowedTunnels": ["127.0.0.0/8"]},
            "providers": entries,
        }
        yield start_shared(
            config,
            env={"TEST_ADDRESSES": json.dumps(names), "TEST_OFFLINE": str(offline)},
            arguments=("-s", RESOLVER),
        )


@pytest.fixture(scope="module")
def first_of_living(gateway: GatewayProcess) -> float:
    """Seconds that a first connection takes where all is well."""
    return min(seconds(gateway, name_of("live", number)) for number in range(EACH))


def seconds(gateway: GatewayProcess, model: str) -> float:
    began = time.monotonic()
    status, headers, body = gateway.chat(model)
    assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
    return time.monotonic() - began


@pytest.mark.parametrize("kind", list(ADDRESSES)[1:])
def test_a_name_with_a_dead_address_is_answered(
    gateway: GatewayProcess, first_of_living: float, kind: str
) -> None:
    """The first time a moment later, from then on at once; nobody gets a strike."""
    names = [name_of(kind, number) for number in range(EACH)]
    assert min(seconds(gateway, name) for name in names) < first_of_living + 0.4
    assert min(seconds(gateway, name) for name in names) < 0.2
    assert not gateway.rows("select * from events where kind = 'circuit'")


def test_a_tunnel_to_such_a_name_is_open_soon(
    gateway: GatewayProcess, alive: FakeProvider
) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as wire:
        wire.sendall(b"CONNECT tunnel.test:%d HTTP/1.1\r\nhost: x\r\n\r\n" % alive.port)
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        wire.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 ")
    assert time.monotonic() - began < 2


def test_without_a_network_nobody_gets_a_strike(
    gateway: GatewayProcess, offline: Path
) -> None:
    """More requests than it takes for a circuit to open; what is here still may get one."""
    offline.touch()
    for _ in range(6):
        status, _, body = gateway.chat("far")
        assert status == 502
        assert "this machine has no network" in json.dumps(body)
    assert "this machine has no network" in gateway.get("/health")[2]["degraded"]
    assert not gateway.rows("select * from events where kind = 'circuit'")
    assert "connect" in json.dumps(gateway.chat("near")[2])
    offline.unlink()
    assert gateway.get("/health")[2]["degraded"] == []
    for _ in range(6):
        assert "has no network" not in json.dumps(gateway.chat("far")[2])
    circuits = gateway.wait_rows("select * from events where kind = 'circuit'")
    assert {row["subject"].partition("/")[0] for row in circuits} == {"far"}
    told = gateway.rows("select message from events where subject = 'network'")
    assert len(told) == 2


STUCK = 70
"""More names than a gateway has threads for what reads files."""


def test_a_name_server_that_is_dead_holds_nothing_else_up(
    start: Start, alive: FakeProvider
) -> None:
    """Whoever has no name to look up is answered, whatever it needs a thread for, and the
    gateway ends when it is told to."""
    names = {f"stuck-{number}.test": None for number in range(STUCK)}
    entries = [
        provider(alive, f"p{number}", f"m{number}", baseURL=f"https://{name}/v1")
        for number, name in enumerate(names)
    ]
    gateway = start(
        {
            "routing": {"connectTimeoutSeconds": 1},
            "providers": [*entries, provider(alive, "near", "near")],
        },
        env={"TEST_ADDRESSES": json.dumps(names)},
        arguments=("-s", RESOLVER),
    )
    with ThreadPoolExecutor(STUCK) as clients:
        models = [f"m{number}" for number in range(STUCK)]
        assert set(clients.map(lambda m: gateway.chat(m)[0], models)) <= {502, 504}
    body = gzip.compress(json.dumps(chat("near")).encode())
    packed = {"content-encoding": "gzip"}
    assert gateway.post("/v1/chat/completions", body, packed)[0] == 200
    assert gateway.get("/usage/current")[0] == 200
    assert gateway.stop() == 0


# Connections that died without a word

CLOCK_STEPS = [3600, -3600, 86400, -86400]
IDLE_AT_ONCE = str(Path(__file__).with_name("idle_at_once.py"))


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock") / "off"


@pytest.fixture(scope="module")
def sleeper(
    start_shared: Start, alive: FakeProvider, clock_file: Path
) -> GatewayProcess:
    limited = {"limits": {"requestsPerMinute": 5, "requestsPerDay": 5}}
    config = {
        "providers": [
            provider(alive, "p", "m"),
            *(provider(alive, f"p{s}", f"m{s}", **limited) for s in CLOCK_STEPS),
        ]
    }
    return start_shared(
        config, arguments=("-s", IDLE_AT_ONCE), env={"CLOCK_FILE": str(clock_file)}
    )


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs socket filters")


@linux
@pytest.mark.parametrize("kept", [True, False], ids=["kept client", "new clients"])
def test_a_connection_that_died_silently_costs_two_seconds(
    sleeper: GatewayProcess, alive: FakeProvider, kept: bool
) -> None:
    with Client(sleeper, kept=kept) as client:
        assert client.chat()[0] == 200
        sent = len(alive.requests)
        for wire in alive.sockets():
            deafen(wire)
        status, attempts, took = client.chat()
        assert (status, attempts) == (200, "2")
        assert took < 3.5
        assert len(alive.requests) == sent + 1  # only once did anybody see it
        rows = sleeper.wait_rows(
            "select * from attempts where reason = 'repaired: stale connection'"
            " order by ts desc limit 1"
        )
        assert rows[0]["provider"] == "p"
        assert not sleeper.rows("select * from events where kind = 'circuit'")
        assert client.chat()[:2] == (200, "1")


@linux
@pytest.mark.parametrize("kept", [True, False], ids=["kept client", "new clients"])
def test_after_sleep_no_connection_is_used_again(
    sleeper: GatewayProcess, alive: FakeProvider, kept: bool
) -> None:
    with Client(sleeper, kept=kept) as client:
        assert client.chat()[0] == 200
        process: Any = sleeper.process
        before = sleeper.log().count("This machine slept")
        opened = len([e for e in alive.journal if e.kind == "open"])
        process.send_signal(signal.SIGUSR1)
        sleeper.wait_for(
            lambda: sleeper.log().count("This machine slept") > before,
            "word of the sleep",
        )
        assert client.chat()[:2] == (200, "1")
        assert len([e for e in alive.journal if e.kind == "open"]) == opened + 1


@pytest.mark.parametrize("step", CLOCK_STEPS)
def test_a_clock_that_is_set_lets_no_more_out(
    sleeper: GatewayProcess, alive: FakeProvider, clock_file: Path, step: int
) -> None:
    process: Any = sleeper.process

    def set_clock(off: int) -> None:
        before = len(sleeper.rows("select * from events where kind = 'clock'"))
        clock_file.write_text(str(off))
        process.send_signal(signal.SIGUSR2)
        sleeper.wait_rows(
            "select * from events where kind = 'clock'",
            lambda rows: len(rows) > before,
        )

    model = f"m{step}"
    sent = len(alive.requests)
    assert [sleeper.chat(model)[0] for _ in range(3)] == [200] * 3
    set_clock(step)
    assert [sleeper.chat(model)[0] for _ in range(4)] == [200, 200, 429, 429]
    set_clock(0)
    assert sleeper.chat(model)[0] == 429
    assert len(alive.requests) == sent + 5
    assert sleeper.chat("m")[0] == 200


# Where it listens


class Unspoken(GatewayProcess):
    """Started without `--listen-host`, as the README has it; a bind of every kind is noted."""

    def __init__(self, *args: Any, mode: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        at = self._command.index("--listen-host")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._command[at : at + 4] = ["--listen-port", str(port)]
        if mode:
            self._command += ["--mode", mode]


@pytest.mark.parametrize("mode", ["", "upstream:http://127.0.0.1:9"])
def test_the_port_is_never_open_to_others(
    tmp_path: Path, confdir: Path, mode: str
) -> None:
    """Not for the moments either until the configuration has been read."""
    config = {
        "providers": [{"id": "s", "type": "simulator", "models": [{"name": "m"}]}]
    }
    env = binds_of(tmp_path)
    with Unspoken(tmp_path, config, confdir=confdir, env=env, mode=mode) as gateway:
        assert gateway.chat("m")[0] == 200
    addresses = bound(tmp_path)
    assert "127.0.0.1" in addresses
    assert set(addresses) <= {"127.0.0.1", "::1"}


UNIMPORTABLE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise ImportError("not installed here")

sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize("name", ["llm_gateway.addon", "pydantic"])
def test_nothing_listens_where_the_gateway_cannot_be_loaded(
    tmp_path: Path, confdir: Path, name: str
) -> None:
    """A library is missing: mitmproxy alone would be an open proxy until it gives up."""
    env = binds_of(tmp_path)
    site = tmp_path / "sitecustomize.py"
    site.write_text(site.read_text() + UNIMPORTABLE.format(name=name))
    gateway = Unspoken(tmp_path, "{}", confdir=confdir, env=env)
    try:
        with pytest.raises(AssertionError, match="mitmdump ended early"):
            gateway.start()
        assert "not installed here" in gateway.log()
        assert gateway.process is not None
        assert gateway.process.returncode == 1
    finally:
        gateway.__exit__(None, None, None)
    assert not (tmp_path / "binds").exists() or bound(tmp_path) == []
