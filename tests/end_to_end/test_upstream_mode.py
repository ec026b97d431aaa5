"""A company lets nothing out but through its proxy: `--mode upstream:http://…`."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fakes import Authority, FakeProvider, Way, reach

from gateway import GatewayProcess, chat, provider

from .conftest import Start

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


class CompanyProxy:
    """Opens tunnels on loopback and remembers the first line of every request."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(wire,), daemon=True).start()

    def _carry(self, wire: socket.socket) -> None:
        with wire, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += wire.recv(1)
            line = head.split(b"\r\n")[0].decode()
            self.lines.append(line)
            method, target, _ = line.split()
            if method != "CONNECT":
                wire.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                return
            port = int(target.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as there:
                wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(there, wire), daemon=True)
                back.start()
                pump(wire, there)
                back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def company() -> Iterator[CompanyProxy]:
    company = CompanyProxy()
    yield company
    company.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def far(authority: Authority) -> Iterator[FakeProvider]:
    with FakeProvider(tls=authority.server_context()) as fake:
        yield fake


@pytest.fixture(scope="module")
def near() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start,
    company: CompanyProxy,
    authority: Authority,
    far: FakeProvider,
    near: FakeProvider,
) -> GatewayProcess:
    base = {"baseURL": f"https://localhost:{far.port}/v1"}
    config = {
        "intercept": {"hosts": ["localhost"]},
        "providers": [
            provider(far, "far", "far-model", "both", free=True, **base),
            provider(near, "near", "near-model", free=True),
            {"id": "sim", "type": "simulator", "models": [{"name": "sim-model"}]},
        ],
    }
    mode = {"mode": f"upstream:http://127.0.0.1:{company.port}"}
    return start_shared(config, trust=authority.ca, options=mode)


def test_our_own_pages_are_ours(gateway: GatewayProcess) -> None:
    for path in ("/health", "/v1/models", "/route?model=far-model"):
        assert gateway.get(path)[0] == 200


@BOTH
def test_a_provider_out_there_is_reached_through_it(
    gateway: GatewayProcess, company: CompanyProxy, far: FakeProvider, stream: bool
) -> None:
    status, headers, body = gateway.chat("far-model", stream=stream)
    assert (status, headers["x-gateway-provider"]) == (200, "far"), body
    assert f"CONNECT localhost:{far.port} HTTP/1.1" in company.lines


@BOTH
@pytest.mark.parametrize("model", ["near-model", "sim-model"])
def test_what_is_on_this_machine_is_not(
    gateway: GatewayProcess, company: CompanyProxy, model: str, stream: bool
) -> None:
    before = len(company.lines)
    for _ in range(2):
        status, _, body = gateway.chat(model, stream=stream)
        assert status == 200, body
    assert len(company.lines) == before


@pytest.mark.parametrize("model", ["near-model", "unknown", "far-model"])
def test_apps_behind_the_gateways_proxy(
    gateway: GatewayProcess, company: CompanyProxy, far: FakeProvider, model: str
) -> None:
    """Routed ones go where their provider is, all others to their own host."""

    async def go() -> int:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host="localhost", port=far.port
        ) as session:
            body = json.dumps(chat(model)).encode()
            answered = await session.ask("/v1/chat/completions", body)
            await answered.body()
            return answered.status

    before = len(company.lines)
    assert asyncio.run(go()) == 200
    opened = len(company.lines) - before
    # One to the provider may be warm already.
    assert opened >= 1 if model == "unknown" else opened <= (model == "far-model")
    assert f"CONNECT localhost:{far.port} HTTP/1.1" in company.lines


def test_it_fails_over_between_out_there_and_here(
    start: Start, authority: Authority, near: FakeProvider
) -> None:
    """Each attempt has a way of its own: a direct one leads nobody after it past the proxy."""
    proxy = CompanyProxy()
    with FakeProvider(tls=authority.server_context()) as far:
        config = {
            "providers": [
                {"id": "sim", "type": "simulator", "simulator": {"errorRate": 1}, "models": [{"name": "m"}]},
                provider(far, "far", "m", baseURL=f"https://localhost:{far.port}/v1"),
            ],
        }  # fmt: skip
        mode = {"mode": f"upstream:http://127.0.0.1:{proxy.port}"}
        gateway = start(config, trust=authority.ca, options=mode)
        status, headers, body = gateway.chat("m")
        assert (status, headers["x-gateway-attempts"]) == (200, "2"), body
        assert proxy.lines == [f"CONNECT localhost:{far.port} HTTP/1.1"]
    proxy.close()
