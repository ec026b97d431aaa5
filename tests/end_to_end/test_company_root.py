"""A company reads TLS on its way out, with a root certificate of its own: where that is
trusted all works, elsewhere the error says what to do."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import Authority, FakeProvider, MitmProcess, Way, answers, reach
from fakes.steps import Answer, Gate, Received

from gateway import GatewayProcess, chat, provider

from .conftest import Start

SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


class Company(NamedTuple):
    proxy: MitmProcess
    """mitmproxy itself, on its own: it reads TLS, as such proxies do."""
    fake: FakeProvider
    root: Path

    def config(self, **network: Any) -> dict[str, Any]:
        entry = provider(
            self.fake,
            "far",
            "m",
            baseURL=f"https://localhost:{self.fake.port}/v1",
            proxy=f"http://127.0.0.1:{self.proxy.port}",
        )
        return {"providers": [entry], "network": network}


def answer(request: Received) -> Answer:
    if request.method == "GET":
        return answers.status(200, {"data": [{"id": "m"}]})
    return answers.ok()(request)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    authority = Authority(folder / "world")
    script = folder / "streaming.py"
    script.write_text("def responseheaders(flow): flow.response.stream = True")
    proxy = MitmProcess(script, confdir=folder / "conf", trust=authority.ca)
    with FakeProvider(answer, tls=authority.server_context()) as fake, proxy:
        yield Company(proxy, fake, folder / "conf" / "mitmproxy-ca-cert.pem")


@pytest.fixture(scope="module")
def gateway(start_shared: Start, company: Company) -> GatewayProcess:
    return start_shared(company.config(), env={"SSL_CERT_FILE": None})


def reload(gateway: GatewayProcess, config: dict[str, Any]) -> None:
    gateway.write_config(config)
    status, _, said = gateway.ask("POST", "/admin/reload", headers=gateway.admin)
    assert status == 200, said


def test_without_it_the_error_says_what_to_do(
    gateway: GatewayProcess, company: Company
) -> None:
    reload(gateway, company.config())
    for stream in (False, True):
        status, _, body = gateway.chat("m", stream=stream)
        said = json.dumps(body)
        assert status == 502
        assert "certificate" in said
        assert "network.caFile" in said


def test_it_is_trusted_where_the_configuration_names_it(
    gateway: GatewayProcess, company: Company
) -> None:
    for _ in range(2):  # and no longer than that
        reload(gateway, company.config(caFile=str(company.root)))
        for stream in (False, True):
            status, headers, body = gateway.chat("m", stream=stream)
            assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
        reload(gateway, company.config())
        assert gateway.chat("m")[0] == 502


def test_streams_run_on_when_it_is_trusted_no_longer(
    gateway: GatewayProcess, company: Company
) -> None:
    """And the connection of a client that stays opens a new one for its next request."""
    gate = Gate()
    company.fake.then(answers.stream(["one", "two"], gate=gate))
    reload(gateway, company.config(caFile=str(company.root)))

    async def walk() -> None:
        json_type = (("content-type", "application/json"),)
        async with reach(Way.BASE, gateway.port) as session:
            path, body = "/v1/chat/completions", json.dumps(chat(stream=True)).encode()
            gate.release()
            answered = await session.ask(path, body, json_type)
            await answered.until(b"one")
            await asyncio.to_thread(reload, gateway, company.config())
            gate.open()
            assert (await answered.body()).endswith(b"data: [DONE]\n\n")
            answered = await session.ask(path, body, json_type)
            await answered.body()
            assert answered.status == 502

    asyncio.run(walk())


def test_it_is_trusted_where_the_environment_names_it(
    start: Start, company: Company
) -> None:
    gateway = start(company.config(), env={"SSL_CERT_FILE": str(company.root)})
    assert gateway.chat("m")[0] == 200


class OnItsOwnMachine(GatewayProcess):
    """With a system store that holds one more root than ours."""

    def __init__(self, *args: Any, store: Path, **more: Any) -> None:
        super().__init__(*args, **more)
        script = f'mount --bind "$1" {SYSTEM.resolve()} && shift && exec "$@"'
        own = ["unshare", "-m", "sh", "-c", script, "sh", str(store)]
        self._command = [*own, *self._command]


def test_it_is_trusted_where_the_system_trusts_it(
    tmp_path: Path, confdir: Path, company: Company
) -> None:
    if not SYSTEM.exists() or shutil.which("unshare") is None:
        pytest.skip("no store, or no unshare")
    tried = subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    if tried.returncode != 0:
        pytest.skip("mount namespaces need root here")
    store = tmp_path / "store.crt"
    store.write_bytes(SYSTEM.read_bytes() + b"\n" + company.root.read_bytes())
    unset = {"SSL_CERT_FILE": None, "SSL_CERT_DIR": None}
    with OnItsOwnMachine(
        tmp_path, company.config(), confdir=confdir, env=unset, store=store
    ) as gateway:
        assert gateway.chat("m")[0] == 200


@pytest.mark.process
@pytest.mark.parametrize("named", [True, False])
def test_doctor_trusts_it_likewise(
    company: Company, tmp_path: Path, named: bool
) -> None:
    config = company.config(**({"caFile": str(company.root)} if named else {}))
    path = tmp_path / "config.jsonc"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SSL_CERT_")}
    environ |= {"LLM_GATEWAY_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "llm_gateway", "doctor", "--config", str(path)]
    done = subprocess.run(
        [*command, "--confdir", str(tmp_path / "conf")],
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
        cwd=tmp_path,
    )
    said = [line for line in done.stdout.splitlines() if "far" in line.split()[:2]]
    assert len(said) == 1, done.stdout
    assert ("certificate" in said[0]) is not named
    assert f"http://127.0.0.1:{company.proxy.port}: far" in done.stdout
    if named:
        assert f"1 models, by way of 127.0.0.1:{company.proxy.port}" in said[0]
