"""`run` and `env`: what a child inherits, what it ends with, what is said meanwhile."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
import pytest
from fakes import Authority, FakeProvider, answers

from gateway import GatewayProcess
from llm_gateway.cli.background_servers import in_front
from llm_gateway.cli.doctor_machine import certificates
from llm_gateway.cli.node_version import heeds_proxy, node_of, too_old
from llm_gateway.cli.run_env import (
    BEFORE,
    BUNDLE_VARIABLES,
    CA_VARIABLES,
    PROXY_VARIABLES,
    exports,
    unset_lines,
    variables,
)

from .conftest import Command

ADDON = Path(__file__).parents[2] / "addon"
DUMP = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def ca_folder(folder: Path) -> Path:
    """A folder in which mitmproxy has made its certificate authority before."""
    made = Authority(folder / "authority").ca
    found = folder / "confdir"
    found.mkdir()
    made.rename(found / "mitmproxy-ca-cert.pem")
    return found


def run(
    *command: str, options: Sequence[str] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since it becomes its child."""
    launcher = [sys.executable, "-m", "llm_gateway", "run", *options, "--", *command]
    kept = {k: v for k, v in os.environ.items() if k.lower() != "no_proxy"}
    env = {**kept, "PYTHONPATH": str(ADDON), **environ}
    return subprocess.run(launcher, env=env, capture_output=True, text=True, timeout=60)


def test_the_child_knows_the_gateway(
    ca_folder: Path, folder: Path, running: GatewayProcess
) -> None:
    options = ["--confdir", str(ca_folder), "--client", "me & you"]
    done = run(sys.executable, "-c", DUMP, options=options)
    assert (done.returncode, done.stderr) == (0, "")
    env = json.loads(done.stdout)
    for name in PROXY_VARIABLES:
        assert env[name] == f"http://me%20%26%20you:x@127.0.0.1:{running.port}"
    for name in BUNDLE_VARIABLES:
        assert env[name] == str(running.home / "ca-bundle.pem")
    for name in CA_VARIABLES:
        assert env[name] == str(ca_folder / "mitmproxy-ca-cert.pem")
    assert env["NO_PROXY"] == env["no_proxy"] == "localhost,127.0.0.1,::1"
    assert env["NODE_USE_ENV_PROXY"] == "1"
    bundle = certificates(running.home / "ca-bundle.pem")
    assert bundle >= certificates(ca_folder / "mitmproxy-ca-cert.pem")
    assert bundle >= certificates(Path(certifi.where()))


HERE = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, HERE),
        ({"NO_PROXY": ""}, HERE),
        ({"NO_PROXY": HERE, "no_proxy": HERE}, HERE),
        ({"NO_PROXY": ".corp.example"}, f".corp.example,{HERE}"),
        ({"no_proxy": "10.0.0.0/8, git:8443"}, f"10.0.0.0/8,git:8443,{HERE}"),
        ({"NO_PROXY": "a", "no_proxy": "b,a"}, f"a,b,{HERE}"),
        ({"NO_PROXY": "a b\tc,,"}, f"a,b,c,{HERE}"),
        ({"NO_PROXY": "LocalHost,::1,A,a"}, "localhost,::1,a,127.0.0.1"),
        ({"NO_PROXY": "*"}, HERE),
        ({"NO_PROXY": "a,*", "no_proxy": "*.b"}, f"a,*.b,{HERE}"),
        # What would let an LLM host by
        ({"NO_PROXY": "api.openai.com,.anthropic.com"}, HERE),
        ({"no_proxy": "API.OpenAI.com.,*.mistral.ai,a"}, f"a,{HERE}"),
        (
            {"NO_PROXY": "api.groq.com:443,api.groq.com:8443"},
            f"api.groq.com:8443,{HERE}",
        ),
        ({"NO_PROXY": "mine.openai.azure.com,openai.azure.com"}, HERE),
        ({"NO_PROXY": "com,.ai,corp.com"}, f"corp.com,{HERE}"),
        (
            {"NO_PROXY": "notopenai.com,openai.com.corp"},
            f"notopenai.com,openai.com.corp,{HERE}",
        ),
        ({"NO_PROXY": ".,*.,:443"}, f".,*.,:443,{HERE}"),
    ],
)
def test_hosts_that_the_user_reaches_directly_stay(
    environ: dict[str, str], expected: str
) -> None:
    found = variables(8080, Path("bundle"), Path("ca"), environ=environ)
    assert found["NO_PROXY"] == found["no_proxy"] == expected
    again = variables(8080, Path("bundle"), Path("ca"), environ=found)
    assert again["NO_PROXY"] == expected


@pytest.mark.parametrize("given", ["git.corp.example", "*", ".openai.com"])
def test_the_child_goes_around_the_gateway_to_them(
    confdir: Path, folder: Path, running: GatewayProcess, given: str
) -> None:
    options = ["--confdir", str(confdir)]
    done = run(sys.executable, "-c", DUMP, options=options, NO_PROXY=given)
    env = json.loads(done.stdout)
    hosts = [given] if given == "git.corp.example" else []
    assert env["no_proxy"].split(",") == [*hosts, *HERE.split(",")]
    assert (f"NO_PROXY holds {given}," in done.stderr) == (not hosts)


@pytest.mark.parametrize("user", ["cursor", "sk-gw-1", "a@b", "ü", "a b"])
def test_a_name_comes_with_a_password_part(user: str) -> None:
    """Bun sends nothing without one, and undici no name."""
    found = variables(8080, Path("bundle"), Path("ca"), user)
    for name in PROXY_VARIABLES:
        parts = urlsplit(found[name])
        assert (unquote(parts.username or ""), parts.password) == (user, "x")
        assert (parts.hostname, parts.port) == ("127.0.0.1", 8080)
    assert (
        variables(8080, Path("b"), Path("c"))["HTTPS_PROXY"] == "http://127.0.0.1:8080"
    )


@pytest.fixture
def old_node(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `node` on PATH that says to be of version 20, and can do nothing else."""
    node = folder / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\necho v20.11.1\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{node.parent}:{os.environ['PATH']}")
    return node


SAID = "Node 20.11.1 does not send `fetch` through a proxy"


@pytest.mark.parametrize(
    ("first_line", "warned"),
    [
        ("#!/usr/bin/env node", True),
        ("#!/usr/bin/env -S node --no-warnings", True),
        ("#!{node}", True),
        ("#!/bin/sh", False),
        ("#!/usr/bin/env python3", False),
        ("no script at all", False),
    ],
)
@pytest.mark.process
def test_an_app_on_an_old_node_goes_past_the_gateway_and_that_is_said(
    ca_folder: Path, folder: Path, old_node: Path, first_line: str, warned: bool
) -> None:
    app = folder / "bin" / "my-app"
    app.write_text(first_line.format(node=old_node) + "\n")
    app.chmod(0o755)
    said = too_old(node_of(["my-app"]), "http://127.0.0.1:8080/v1")
    assert (SAID in said) is warned
    assert ("http://127.0.0.1:8080/v1" in said) is warned


def test_run_says_it_and_runs_the_app_all_the_same(
    ca_folder: Path, old_node: Path, running: GatewayProcess
) -> None:
    done = run("node", "app.js", options=["--confdir", str(ca_folder)])
    assert (done.returncode, done.stdout) == (0, "v20.11.1\n")
    assert f"llm-gateway run: {SAID}" in done.stderr
    assert f"http://127.0.0.1:{running.port}/v1" in done.stderr


CODEX = """#!/bin/sh
if [ "$1" = --help ]; then echo "{help}"; else echo "$@"; fi
"""


@pytest.fixture
def codex(folder: Path) -> Path:
    """A `codex` that says which arguments it got."""
    found = folder / "bin" / "codex"
    found.parent.mkdir()
    found.write_text(CODEX.replace("{help}", "  --no-daemon  Run without the server"))
    found.chmod(0o755)
    return found


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ([], ["--no-daemon"]),
        (["-m", "smart", "Hello"], ["--no-daemon", "-m", "smart", "Hello"]),
        (["exec", "Hello"], ["--no-daemon", "exec", "Hello"]),
        (["--no-daemon", "Hello"], ["--no-daemon", "Hello"]),
        (["queue", "Hello"], ["queue", "Hello"]),
        (["app-server", "daemon", "start"], ["app-server", "daemon", "start"]),
        (["--remote", "ws://a.test"], ["--remote", "ws://a.test"]),
    ],
)
@pytest.mark.process
def test_an_app_does_its_work_itself(
    codex: Path, given: list[str], got: list[str]
) -> None:
    assert in_front([str(codex), *given]) == [str(codex), *got]


@pytest.mark.process
def test_an_older_app_and_any_other_is_started_as_it_is(codex: Path) -> None:
    other = codex.rename(codex.with_name("other"))
    assert in_front([str(other)]) == [str(other)]
    codex.write_text(CODEX.replace("{help}", "Usage: codex"))
    codex.chmod(0o755)
    assert in_front([str(codex)]) == [str(codex)]
    assert in_front([str(codex.with_name("codex-gone"))])[1:] == []


def test_run_gives_the_flag_and_says_so(
    ca_folder: Path, codex: Path, running: GatewayProcess
) -> None:
    done = run(str(codex), "Hello", options=["--confdir", str(ca_folder)])
    assert (done.returncode, done.stdout) == (0, "--no-daemon Hello\n")
    assert "gets --no-daemon: its server in the background" in done.stderr


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ((18, 20, 0), False), ((20, 99, 0), False), ((22, 20, 9), False), ((22, 21, 0), True),
        ((22, 30, 1), True), ((23, 11, 0), False), ((24, 0, 0), True), ((25, 1, 0), True),
    ],
)  # fmt: skip
def test_which_nodes_heed_the_variables(
    version: tuple[int, int, int], good: bool
) -> None:
    assert heeds_proxy(version) is good


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.process
def test_it_ends_as_its_child_ends_and_warns_where_no_gateway_is(
    ca_folder: Path, code: int
) -> None:
    done = run("sh", "-c", f"exit {code}", options=["--confdir", str(ca_folder)])
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr == (
        f"llm-gateway: nothing answers on port {os.environ['PORT']}; start it with "
        "`mitmdump -s addon/gateway.py` or `llm-gateway serve`\n"
    )


def test_another_program_on_the_port_is_no_gateway(
    command: Command, ca_folder: Path
) -> None:
    with FakeProvider(answers.status(404, "<h1>Not here</h1>")) as other:
        port = str(other.port)
        code, out, err = command("env", "--port", port, "--confdir", str(ca_folder))
    assert (code, out) == (1, "")
    assert f"another program listens on port {port}; start it with" in err


def test_a_command_that_is_not_there(command: Command, ca_folder: Path) -> None:
    code, out, err = command(
        "run", "--confdir", str(ca_folder), "--", "no-such-command"
    )
    assert (code, out) == (127, "")
    assert err == "llm-gateway run: no-such-command: command not found\n"


def test_no_command_at_all(command: Command) -> None:
    code, _, err = command("run")
    assert code == 2
    assert err.endswith("which command? llm-gateway run -- CMD ARGS…\n")


def test_a_colon_would_end_the_clients_name(command: Command) -> None:
    code, _, err = command("env", "--client", "a:b")
    assert code == 2
    assert "'a:b': leave out the colon" in err


@pytest.mark.process
def test_env_is_for_a_shell(ca_folder: Path, command: Command, folder: Path) -> None:
    odd = folder / "it's odd"
    ca_folder.rename(odd)
    _, out, _ = command("env", "--force", "--confdir", "it's odd")
    done = subprocess.run(
        ["sh", "-c", f"{out}\n{sys.executable} -c '{DUMP}'"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        timeout=60,
    )
    env = json.loads(done.stdout)
    ca = odd / "mitmproxy-ca-cert.pem"
    bundle = folder / "home" / "ca-bundle.pem"
    expected = variables(int(os.environ["PORT"]), bundle, ca)
    assert {name: env[name] for name in expected} == expected


def test_the_users_own_roots_stay_in_the_bundle(
    ca_folder: Path, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = Authority(folder / "company").ca
    monkeypatch.setenv("SSL_CERT_FILE", str(company))
    command("env", "--force", "--confdir", str(ca_folder))
    bundle = folder / "home" / "ca-bundle.pem"
    assert certificates(bundle) >= certificates(company)
    # Inside of such a shell SSL_CERT_FILE names the bundle.
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    before = bundle.read_text()
    command("env", "--force", "--confdir", str(ca_folder))
    assert certificates(bundle) >= certificates(company)
    assert len(bundle.read_text()) == len(before)


def test_the_authority_is_made_where_mitmproxy_never_ran(
    command: Command, folder: Path
) -> None:
    code, _, _ = command("env", "--force", "--confdir", "new")
    assert code == 0
    ca = (folder / "new" / "mitmproxy-ca-cert.pem").read_text()
    assert "BEGIN CERTIFICATE" in ca
    assert (folder / "new" / "mitmproxy-ca.pem").stat().st_mode & 0o077 == 0


def test_no_shell_is_sent_to_a_gateway_that_is_not_there(
    command: Command, ca_folder: Path
) -> None:
    code, out, err = command("env", "--confdir", str(ca_folder))
    assert (code, out) == (1, "")
    assert f"nothing answers on port {os.environ['PORT']}; start it with" in err
    assert "nothing is exported" in err
    assert "--force" in err
    code, out, err = command("env", "--force", "--confdir", str(ca_folder))
    assert code == 0
    assert f"export HTTPS_PROXY=http://127.0.0.1:{os.environ['PORT']}\n" in out
    assert "nothing answers" in err


def test_a_shell_is_sent_to_a_gateway_that_is_there(
    command: Command, ca_folder: Path, running: GatewayProcess
) -> None:
    code, out, err = command("env", "--confdir", str(ca_folder))
    assert (code, err) == (0, "")
    assert f"export HTTPS_PROXY=http://127.0.0.1:{running.port}\n" in out


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"HTTPS_PROXY": "http://company:3128", "NO_PROXY": "a.example, b.example"},
        {"SSL_CERT_FILE": "/etc/it's/roots.pem", "NODE_USE_ENV_PROXY": "0"},
    ],
)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.process
def test_a_shell_gets_back_what_it_had(before: dict[str, str], times: int) -> None:
    """Also one that was prepared twice."""
    environ = dict(before)
    lines: list[str] = []
    for _ in range(times):
        ours = variables(8080, Path("b.pem"), Path("ca.pem"), environ=environ)
        lines += (new := exports(ours, environ))
        environ |= ours
        environ[BEFORE] = shlex.split(new[-1].removeprefix(f"export {BEFORE}="))[0]
    lines += unset_lines(environ)
    done = subprocess.run(
        ["sh", "-c", "\n".join([*lines, "env"])],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **before},
        timeout=60,
    )
    left = dict(line.split("=", 1) for line in done.stdout.splitlines())
    names = {*variables(1, Path(), Path()), BEFORE}
    assert {k: v for k, v in left.items() if k in names} == before


def test_a_shell_that_has_nothing_to_give_back(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BEFORE, raising=False)
    code, out, err = command("env", "--unset")
    assert (code, out) == (0, "")
    assert "nothing is set" in err
    monkeypatch.setenv(BEFORE, "[not what it was")
    code, out, _ = command("env", "--unset")
    assert (code, "unset HTTPS_PROXY\n" in out) == (0, True)
