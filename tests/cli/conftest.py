"""A folder of one's own for a command, and one gateway for those that ask one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import FakeProvider, refused_port
from providers.fake_github import FakeGitHub

from gateway import GatewayProcess, provider
from llm_gateway.cli import main

VARIABLES = ("LLM_GATEWAY_CONFIG", "LLM_GATEWAY_DB", "SSL_CERT_FILE")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the command runs: nothing of this machine's is in reach, no gateway either."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(tmp_path / "home"))
    with refused_port() as port:
        monkeypatch.setenv("PORT", str(port))
        yield tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("explain", "m")`: exit code, what it printed, what it complained about."""

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(list(arguments))
        except SystemExit as e:  # argparse, or a last word
            if isinstance(e.code, str):
                return 1, capsys.readouterr().out, e.code
            code = int(e.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path, github: FakeGitHub
) -> Iterator[GatewayProcess]:
    pricing = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}
    with FakeProvider() as fake:
        config = {
            "providers": [
                provider(fake, "free", free=True, limits={"requestsPerDay": 2}),
                provider(fake, "vectors", "v", dialects=["embeddings"]),
                provider(fake, "paid", models=[{"name": "m", "pricing": pricing}]),
                {
                    "id": "pilot",
                    "type": "copilot",
                    "flatRate": {"costPerMonth": 10},
                    "models": [{"name": "gpt-4o"}],
                },
            ]
        }
        env = {
            "LLM_GATEWAY_GITHUB_URL": github.url,
            "LLM_GATEWAY_GITHUB_API_URL": github.url,
        }
        folder = tmp_path_factory.mktemp("gateway")
        with GatewayProcess(folder, config, confdir=confdir, env=env) as gateway:
            yield gateway


@pytest.fixture
def running(gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> GatewayProcess:
    """The gateway that the environment names, its state folder included."""
    monkeypatch.setenv("PORT", str(gateway.port))
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(gateway.home))
    return gateway
