"""The README does what it says: its commands run, its tables are the code's.

A command that is added to the README has to be added here, too, with what it shows.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import GatewayProcess
from llm_gateway.cli import COMMANDS
from llm_gateway.config.docs import reference
from llm_gateway.config.load import parse_config
from llm_gateway.ledger import schema

ROOT = Path(__file__).parents[1]
ADDON = ROOT / "addon"
README = (ROOT / "README.md").read_text("utf-8")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

START = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/mitmdump -s addon/gateway.py"
DEVELOP = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest -n auto --dist loadfile"

SHOWN: dict[str, str] = {
    "curl http://127.0.0.1:8080/v1/chat/completions": '"choices"',
    "curl http://127.0.0.1:8080/v1/messages": '"stop_reason"',
    "echo ": "; translated to chat",
    'sqlite3 usage.db "select provider, model,': "|sim-",
    'sqlite3 usage.db "select * from daily_cost"': "",
    'sqlite3 usage.db "select * from savings"': "",
    'sqlite3 usage.db "select * from failures limit 20"': "",
    "llm-gateway report --days 7 --by provider": "total",
    "datasette usage.db -m datasette-metadata.json": '"datasette"',
}
"""How each command of the README's blocks begins, in order, and what it prints."""

RECIPES: dict[str, tuple[str, ...]] = {
    "llm-gateway explain demo\n": ("demo (policy", "; translated to chat", "That is for chat"),
    "llm-gateway explain demo --dialect chat": ("demo (policy",),
    "llm-gateway doctor --offline": ("dialects", "messages: translated: "),
    "curl -s 'http://127.0.0.1:8080/route?model=demo'": ('"dialects":', '"dialect":"chat"'),
    "llm-gateway run --client me -- curl -s": ('"status":"ok"',),
    "OPENAI_API_KEY=me codex -c": (),
    "llm-gateway run --client codex": ("codex: HTTPS_PROXY=http://codex:x@127.0.0.1:8080",),
    "ANTHROPIC_BASE_URL=": ("claude: ANTHROPIC_BASE_URL=http://127.0.0.1:8080",),
    "llm-gateway run --client claude -- claude": ("claude: HTTPS_PROXY=http://claude:x@127.0.0.1:8080",),
    "GOOGLE_GEMINI_BASE_URL=": ("gemini: GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080",),
    "llm-gateway run --client gemini -- gemini": ("gemini: HTTPS_PROXY=http://gemini:x@127.0.0.1:8080",),
    "OPENAI_API_BASE=": ("aider: OPENAI_API_BASE=http://127.0.0.1:8080/v1",),
    "llm-gateway run --client aider -- aider": ("aider: HTTPS_PROXY=http://aider:x@127.0.0.1:8080",),
    "COPILOT_PROVIDER_BASE_URL=": ("copilot: COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:8080/v1",),
    "OPENAI_BASE_URL=": ("qwen: OPENAI_BASE_URL=http://127.0.0.1:8080/v1",),
    "llm-gateway run --client llm -- llm -m gpt": ("llm: HTTPS_PROXY=http://llm:x@127.0.0.1:8080",),
    "llm-gateway run --client llm -- llm -m gemini": ("llm: HTTPS_PROXY=http://llm:x@127.0.0.1:8080",),
}  # fmt: skip
"""How each command of docs/apps.md begins, in order, and what it prints; an app that it
starts is a stub that prints the variables it was given."""
STUBS = ("codex", "claude", "gemini", "aider", "copilot", "qwen", "llm")

OURS_ALONE = {"LLM_GATEWAY_CHILD", "LLM_GATEWAY_DASHBOARD_HOSTS", "LLM_GATEWAY_URL"}
"""Variables by which the gateway and its dashboard know each other."""


def block_commands(page: str = README) -> list[str]:
    """The commands in ```bash blocks, continued lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    text = "".join(blocks).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def indented_commands() -> list[str]:
    """Those in paragraphs of their own, four spaces in."""
    prose = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", README, flags=re.DOTALL)
    return re.findall(r"(?<=\n\n) {4}(\S.*)(?=\n\n)", prose)


def test_the_two_commands_that_do_all_the_set_up() -> None:
    assert indented_commands() == [START, DEVELOP]
    # .ci/run does what the second one says, on two interpreters.
    steps = (ROOT / ".ci" / "run").read_text()
    wanted = ['"$2" -m venv "$1"', "/bin/pip\" install -q -e '.[test]'", '/bin/pytest"']
    places = [steps.find(step) for step in wanted]
    assert -1 not in places
    assert places == sorted(places)


def test_every_other_command_is_known_here() -> None:
    found = block_commands()
    assert len(found) == len(SHOWN)
    for command, beginning in zip(found, SHOWN, strict=True):
        assert command.startswith(beginning)


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[GatewayProcess]:
    """The gateway as the first command starts it: it writes its own configuration."""
    folder = tmp_path_factory.mktemp("readme")
    with GatewayProcess(folder, None, confdir=confdir) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, gateway: GatewayProcess
) -> dict[str, str]:
    """A shell in the virtual environment, with or without the package installed in it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "llm-gateway"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llm_gateway "$@"\n')
    command.chmod(0o755)
    shutil.copy(ROOT / "datasette-metadata.json", gateway.folder)
    return {
        **os.environ,
        "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ADDON),
        "LLM_GATEWAY_HOME": str(gateway.home),
        "PORT": str(gateway.port),
    }


def run(command: str, gateway: GatewayProcess, env: dict[str, str]) -> str:
    tool = next(word for word in command.split() if "=" not in word)
    if shutil.which(tool, path=env["PATH"]) is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        ["sh", "-c", command.replace(":8080", f":{gateway.port}")],
        cwd=gateway.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_line_in_the_log_works(
    gateway: GatewayProcess, environment: dict[str, str]
) -> None:
    gateway.wait_log("Try: curl ")
    line = gateway.log().split("Try: ")[1].splitlines()[0]
    answer = json.loads(run(line, gateway, environment))
    assert answer["choices"][0]["message"]["role"] == "assistant"
    gateway.ended(1)


@pytest.mark.parametrize("number", range(len(SHOWN)), ids=list(SHOWN))
def test_the_command_runs(
    gateway: GatewayProcess, environment: dict[str, str], number: int
) -> None:
    command = block_commands()[number]
    beginning = list(SHOWN)[number]
    if command.startswith("datasette "):
        command += " --get /-/versions.json"  # else it would serve until it is stopped
    assert SHOWN[beginning] in run(command, gateway, environment)


def test_every_recipes_command_is_known_here() -> None:
    found = block_commands((ROOT / "docs" / "apps.md").read_text("utf-8"))
    assert len(found) == len(RECIPES)
    for command, beginning in zip(found, RECIPES, strict=True):
        assert f"{command}\n".startswith(beginning)


@pytest.mark.parametrize("number", range(len(RECIPES)), ids=list(RECIPES))
def test_the_recipes_command_runs(
    gateway: GatewayProcess, environment: dict[str, str], number: int, tmp_path: Path
) -> None:
    command = block_commands((ROOT / "docs" / "apps.md").read_text("utf-8"))[number]
    for name in STUBS:
        stub = tmp_path / name
        stub.write_text(
            f'#!/bin/sh\nenv | grep -E "_PROXY|_BASE" | sed "s/^/{name}: /"\n'
        )
        stub.chmod(0o755)
    env = environment | {
        "PATH": f"{tmp_path}:{environment['PATH']}",
        "HOME": str(tmp_path),
        "PORT": str(gateway.port),
    }
    if "doctor" in command:
        command += " || true"  # what else it finds is this machine's business
    said = run(command, gateway, env).replace(f":{gateway.port}", ":8080")
    for shown in list(RECIPES.values())[number]:
        assert shown in said


def test_every_subcommand_that_is_spoken_of_exists() -> None:
    for page in PAGES:
        named = set(re.findall(r"\bllm-gateway ([a-z]+)", page.read_text("utf-8")))
        assert named <= COMMANDS.keys(), page.name


def test_every_key_of_the_configuration_is_in_the_reference() -> None:
    assert reference() in README


def test_the_example_is_a_good_configuration() -> None:
    text = (ROOT / "config.example.jsonc").read_text("utf-8")
    loaded = parse_config(text, {}, "config.example.jsonc")
    assert loaded.warnings == ()
    assert len(loaded.config.providers) > 3


def test_every_table_is_mentioned() -> None:
    database = Database(memory=True)
    schema.MIGRATIONS.apply(database)
    names = [*database.table_names(), *database.view_names()]
    missing = [
        n
        for n in names
        if not n.startswith(("_", "sqlite_")) and f"`{n}`" not in README
    ]
    database.close()
    assert missing == []


def test_every_option_and_variable_is_mentioned() -> None:
    sources = [path.read_text("utf-8") for path in ADDON.rglob("*.py")]
    start = (ADDON / "llm_gateway" / "bootstrap.py").read_text("utf-8")
    options = set(re.findall(r'"(gateway_[a-z_]+)"', start))
    assert len(options) >= 3
    variables = {n for s in sources for n in re.findall(r"LLM_GATEWAY_[A-Z_]+", s)}
    said = "".join(page.read_text("utf-8") for page in PAGES)
    missing = {n for n in options | variables - OURS_ALONE if n not in said}
    assert missing == set()


@pytest.mark.skipif(
    importlib.util.find_spec("cogapp") is None, reason="cogapp is not installed"
)
@pytest.mark.process
def test_what_is_made_from_the_code_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *map(str, PAGES)],
        env={**os.environ, "PYTHONPATH": str(ADDON)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
