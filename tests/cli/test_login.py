"""`login copilot`, against a GitHub on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import Authority, refused_port
from fakes.outbound import OutboundProxy
from providers.fake_github import FakeGitHub, failed, granted, pending

from gateway import GatewayProcess
from llm_gateway.network import way_out

from .conftest import Command

SHOWN = "Open https://github.com/login/device and enter the code ABCD-1234"


def quick(github: FakeGitHub) -> FakeGitHub:
    """Polls need not be five seconds apart."""
    status, body = FakeGitHub().answer("/login/device/code")
    github.device = (status, {**body, "interval": 0.01})
    return github


@pytest.fixture
def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """A GitHub for a login without a gateway."""
    with FakeGitHub() as github:
        monkeypatch.setenv("LLM_GATEWAY_GITHUB_URL", github.url)
        monkeypatch.setenv("LLM_GATEWAY_GITHUB_API_URL", github.url)
        yield quick(github)


def test_it_waits_for_the_person_and_keeps_the_token(
    command: Command, alone: FakeGitHub, folder: Path
) -> None:
    alone.polls += [pending(), pending(), granted("gho_CANARY")]
    code, out, err = command("login", "copilot")
    assert (code, err) == (0, "")
    place = folder / "home" / "copilot" / "copilot.json"
    assert SHOWN in out.splitlines()
    assert out.endswith(f"Signed in. The token lies in {place}.\n")
    assert "CANARY" not in out
    assert json.loads(place.read_text()) == {"oauth_token": "gho_CANARY"}
    assert place.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("said", ["HTTPS_PROXY", "network", "provider", "none"])
@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_it_asks_by_the_way_out(
    command: Command,
    alone: FakeGitHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    said: str,
) -> None:
    """A name that only the proxy can resolve; `none` shows that it cannot be done without."""
    monkeypatch.setattr(way_out, "current", way_out.WayOut())
    port = int(alone.url.rpartition(":")[2])
    for name in ("LLM_GATEWAY_GITHUB_URL", "LLM_GATEWAY_GITHUB_API_URL"):
        monkeypatch.setenv(name, f"https://github.test:{port}")
    alone.polls.append(granted("gho_CANARY"))
    authority = Authority(folder / "authority")
    alone.over_tls(authority.server_context("github.test"))
    elsewhere = "http://127.0.0.1:9"
    with OutboundProxy(kind, {"github.test": port}, user="me", password="pw") as proxy:
        entry = {"id": "copilot", "type": "copilot", "models": [{"name": "m"}]}
        network = {"caFile": str(authority.ca), "proxy": elsewhere}
        if said == "HTTPS_PROXY":
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            network["proxy"] = "env"
        elif said == "network":
            network["proxy"] = proxy.url
        else:
            entry["proxy"] = proxy.url if said == "provider" else "none"
        path = folder / "config.jsonc"
        path.write_text(json.dumps({"providers": [entry], "network": network}))
        path.chmod(0o600)
        code, _, err = command("login", "copilot", "--config", str(path))
        if said == "none":
            assert code == 1
            assert "GitHub cannot be reached" in err
            assert proxy.asked == []
        else:
            assert (code, err) == (0, "")
            assert set(proxy.asked) == {f"CONNECT github.test:{port}"}
            assert b"CANARY" not in b"".join(proxy.heads)


def test_the_token_may_go_into_the_config_instead(
    command: Command, alone: FakeGitHub, folder: Path
) -> None:
    alone.polls.append(granted("gho_MINE"))
    code, out, _ = command("login", "copilot", "--print")
    assert code == 0
    assert out.endswith('"oauthToken": "gho_MINE"\n')
    assert list((folder / "home" / "copilot").iterdir()) == []


def test_it_is_for_the_first_copilot_of_the_config(
    command: Command, alone: FakeGitHub, folder: Path
) -> None:
    models = [{"name": "gpt-4o"}]
    providers = [{"id": "my/pilot", "type": "copilot", "models": models}]
    (folder / "config.jsonc").write_text(json.dumps({"providers": providers}))
    alone.polls.append(granted())
    assert command("login", "copilot")[0] == 0
    assert (folder / "home" / "copilot" / "my%2Fpilot.json").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("access_denied", "The login was refused on GitHub's page."),
        ("expired_token", "The code has expired; start the login again."),
    ],
)
def test_a_no(command: Command, alone: FakeGitHub, error: str, message: str) -> None:
    alone.polls += [pending(), failed(error)]
    code, _, err = command("login", "copilot")
    assert (code, err) == (1, message + "\n")


def test_no_github(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused_port() as port:
        monkeypatch.setenv("LLM_GATEWAY_GITHUB_URL", f"http://127.0.0.1:{port}")
        code, out, err = command("login", "copilot")
    assert (code, out) == (1, "")
    assert err == "GitHub cannot be reached (Connection refused).\n"
    monkeypatch.setenv("LLM_GATEWAY_GITHUB_URL", "ftp://example.com")
    code, _, err = command("login", "copilot")
    assert code == 1
    assert err.startswith("llm-gateway login: LLM_GATEWAY_GITHUB_URL does not begin")


def test_a_running_gateway_signs_in_itself(
    command: Command, running: GatewayProcess, github: FakeGitHub
) -> None:
    quick(github).polls += [pending(), granted("gho_CANARY")]
    assert running.get("/route?model=gpt-4o")[2]["chosen"] is None
    code, out, err = command("login", "copilot", "--provider", "pilot")
    assert (code, err) == (0, "")
    assert SHOWN in out.splitlines()
    said = f"Signed in. The gateway on port {running.port} uses it from now on.\n"
    assert out.endswith(said)
    chosen = running.get("/route?model=gpt-4o")[2]["chosen"]
    assert chosen["provider"] == "pilot"
    assert "CANARY" not in out + running.log()


def test_a_no_through_a_running_gateway(
    command: Command, running: GatewayProcess, github: FakeGitHub
) -> None:
    quick(github).polls.append(failed("access_denied"))
    code, _, err = command("login", "copilot", "--provider", "pilot")
    assert (code, err) == (1, "The login was refused on GitHub's page.\n")
