"""Real apps against a provider that speaks chat alone: Codex, Claude Code, opencode, Cline, the Agents
SDK and the AI SDK run a tool and read its result, by base URL and through the launcher.

They are installed beside the programs by `.ci/run`, and skipped where they are not.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import pairs
from fakes import FakeProvider
from vendors.agents import APPS, BIN, KEY, TIMEOUT, environment

from gateway import GatewayProcess, provider

from .chat_agent import work
from .conftest import Start

pytestmark = [pytest.mark.process, pytest.mark.apps, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / ".venv-apps" / "bin" / "python"
WAYS = ("base url", "launcher")


@pytest.fixture(scope="module")
def model() -> Iterator[FakeProvider]:
    with FakeProvider(work) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start, model: FakeProvider) -> GatewayProcess:
    free = provider(model, "free", free=True, dialects=["chat"])
    free["models"] = [{"name": "free-model", "aliases": ["*"]}]
    return start_shared({"providers": [free], "intercept": {"passthrough": "free"}})


def needs(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"{path.name} is not installed: see .ci/run")
    return str(path)


def around(gateway: GatewayProcess, way: str, folder: Path) -> dict[str, str]:
    """The environment of an app."""
    url = f"http://127.0.0.1:{gateway.port}"
    found = environment(folder / "home", folder, url if way == "base url" else "")
    if way == "launcher":
        found |= {"LLM_GATEWAY_HOME": str(gateway.home)}
        found |= {"PYTHONPATH": str(ROOT / "addon")}
    return found


def run(gateway: GatewayProcess, way: str, folder: Path, *command: str) -> str:
    """What the app prints, started as its user would."""
    if way == "launcher":
        port, confdir = str(gateway.port), str(gateway.confdir)
        begin = [sys.executable, "-m", "llm_gateway", "run"]
        begin += ["--port", port, "--confdir", confdir, "--client", "me", "--"]
        command = (*begin, *command)
    done = subprocess.run(
        command,
        env=around(gateway, way, folder),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr + gateway.log()
    return done.stdout


def since(model: FakeProvider, before: int) -> list[dict[str, Any]]:
    """Bodies that the provider got; nobody's own key was among it."""
    assert b"CANARY-APP" not in model.bytes_in()
    return [request.json() for request in model.requests[before:]]


def translated(gateway: GatewayProcess) -> str:
    """How the newest answer was translated."""
    row = gateway.rows("select * from requests where outcome = 'ok' order by ts desc")[
        0
    ]
    assert (row["provider"], row["input_tokens"], row["output_tokens"]) == (
        "free",
        1200,
        40,
    )
    return str(row["translated"])


def results(bodies: list[dict[str, Any]]) -> list[str]:
    """Of the tools that the app ran, in its last request."""
    return [m["content"] for m in bodies[-1]["messages"] if m["role"] == "tool"]


def codex(gateway: GatewayProcess, way: str, *more: str) -> list[str]:
    command = [needs(BIN / "codex"), "exec", "--skip-git-repo-check"]
    command += ["-s", "danger-full-access", *more]
    if way == "base url":
        base = f"http://127.0.0.1:{gateway.port}/v1"
        command += ["-c", f'openai_base_url="{base}"']
    return command


@pytest.mark.parametrize("way", WAYS)
def test_codex_with_its_own_model_runs_its_freeform_tool(
    gateway: GatewayProcess, model: FakeProvider, way: str, tmp_path: Path
) -> None:
    before = len(model.requests)
    said = run(gateway, way, tmp_path, *codex(gateway, way), "Change the file")
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    bodies = since(model, before)
    assert any("RAN" in result for result in results(bodies))
    assert "Done:" in said
    assert translated(gateway) == "responses>chat"
    # Its context is full: it has the past summed up, and goes on from there.
    full = ("-c", "model_auto_compact_token_limit=1", "resume", "--last", "And again")
    assert "Done:" in run(gateway, way, tmp_path, *codex(gateway, way), *full)
    assert "What came before" in json.dumps(since(model, before)[-1]["messages"])


@pytest.mark.parametrize("way", WAYS)
def test_codex_with_a_name_that_it_does_not_know_runs_parallel_calls(
    gateway: GatewayProcess, model: FakeProvider, way: str, tmp_path: Path
) -> None:
    before = len(model.requests)
    command = codex(gateway, way, "-m", "smart")
    said = run(gateway, way, tmp_path, *command, "Change the file, TWICE")
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert (tmp_path / "b.txt").read_text() == "changed\n"
    assert ["RAN" in result for result in results(since(model, before))] == [True, True]
    assert "Done:" in said
    # A second turn of the same session, from what Codex has kept.
    again = run(gateway, way, tmp_path, *command, "resume", "--last", "And again")
    assert "Done:" in again
    roles = [m["role"] for m in since(model, before)[-1]["messages"]]
    assert roles.count("tool") == 3
    assert translated(gateway) == "responses>chat"


@pytest.mark.parametrize("way", WAYS)
def test_claude_code(
    gateway: GatewayProcess, model: FakeProvider, way: str, tmp_path: Path
) -> None:
    before = len(model.requests)
    command = [needs(BIN / "claude"), "--allowedTools", "Bash", "-p"]
    said = run(gateway, way, tmp_path, *command, "Change the file")
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert said.startswith("Done:")
    bodies = since(model, before)
    assert any("RAN" in result for body in bodies for result in results([body]))
    again = run(gateway, way, tmp_path, *command, "--continue", "And again")
    assert again.startswith("Done:")
    assert translated(gateway) == "messages>chat"


@pytest.mark.parametrize(
    ("name", "way"), pairs(["openai/gpt-5", "anthropic/claude-sonnet-4-5"], WAYS)
)
def test_opencode(
    gateway: GatewayProcess, model: FakeProvider, way: str, name: str, tmp_path: Path
) -> None:
    opencode = needs(BIN / "opencode")
    before = len(model.requests)
    config: dict[str, Any] = {"permission": {"bash": "allow"}, "autoupdate": False}
    maker = name.partition("/")[0]
    if way == "base url":
        base = {"baseURL": f"http://127.0.0.1:{gateway.port}/v1"}
        config["provider"] = {maker: {"options": base}}
    (tmp_path / "opencode.json").write_text(json.dumps(config))
    said = run(gateway, way, tmp_path, opencode, "run", "-m", name, "Change the file")
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert "Done:" in said
    bodies = since(model, before)
    assert any("RAN" in result for body in bodies for result in results([body]))
    dialect = {"openai": "responses", "anthropic": "messages"}[maker]
    assert translated(gateway) == f"{dialect}>chat"


def test_cline_set_to_openai_compatible(
    gateway: GatewayProcess, model: FakeProvider, tmp_path: Path
) -> None:
    cline = needs(BIN / "cline")
    before = len(model.requests)
    base = f"http://127.0.0.1:{gateway.port}/v1"
    maker, place = "openai-compatible", ("--data-dir", str(tmp_path / "data"))
    set_up = (cline, "auth", "-p", maker, "-k", KEY, "-m", "smart", "-b", base, *place)
    run(gateway, "base url", tmp_path, *set_up)
    ask = (cline, "-P", maker, "-m", "smart", *place, "Change the file")
    said = run(gateway, "base url", tmp_path, *ask)
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert "Done:" in said
    bodies = since(model, before)
    assert any("RAN" in result for body in bodies for result in results([body]))
    assert translated(gateway) == "None"


def test_cline_on_its_own_host_through_the_launcher(
    gateway: GatewayProcess, model: FakeProvider, tmp_path: Path
) -> None:
    """Its built-in OpenAI provider, which speaks Responses."""
    cline = needs(BIN / "cline")
    before = len(model.requests)
    maker, place = "openai-native", ("--data-dir", str(tmp_path / "data"))
    set_up = (cline, "auth", "-p", maker, "-k", KEY, "-m", "gpt-5", *place)
    run(gateway, "launcher", tmp_path, *set_up)
    ask = (cline, "-P", maker, "-m", "gpt-5", *place, "Change the file")
    said = run(gateway, "launcher", tmp_path, *ask)
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert "Done:" in said
    bodies = since(model, before)
    assert any("RAN" in result for body in bodies for result in results([body]))
    assert translated(gateway) == "responses>chat"


@pytest.mark.parametrize("way", WAYS)
def test_the_agents_sdk(
    gateway: GatewayProcess, model: FakeProvider, way: str, tmp_path: Path
) -> None:
    before = len(model.requests)
    program = str(APPS / "agents_program.py")
    said = json.loads(run(gateway, way, tmp_path, needs(AGENTS), program))
    assert said["turns"] == ["Done: 42", "Done: 2 ", "Done: 42"]
    # Parallel calls run in threads, in any order.
    assert sorted(said["sums"]) == [2, 42, 42, 42]
    since(model, before)
    assert translated(gateway) == "responses>chat"


@pytest.mark.parametrize("way", WAYS)
def test_the_ai_sdk(
    gateway: GatewayProcess, model: FakeProvider, way: str, tmp_path: Path
) -> None:
    """Node's own fetch knows proxies from 22.21 on."""
    needs(APPS / "node_modules" / "ai")
    if way == "launcher" and node_version() < (22, 21):
        pytest.skip("needs Node 22.21")
    before = len(model.requests)
    program = str(APPS / "ai_sdk_program.mjs")
    said = json.loads(run(gateway, way, tmp_path, "node", program))
    assert said == {
        "plain": "Done: 42",
        "streamed": "Done: 2 ",
        "thought": "Let me think.|Let me think.",
        "again": "Done: 42",
        "sums": [42, 42, 2, 42],
        "object": {"title": "A title"},
    }
    since(model, before)
    assert translated(gateway) == "responses>chat"


def node_version() -> tuple[int, int]:
    if not shutil.which("node"):
        return 0, 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major, minor, _ = said.removeprefix("v").split(".", 2)
    return int(major), int(minor)
