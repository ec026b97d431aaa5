"""Google's apps by base URL and through the launcher, on a provider that speaks chat alone, one
that speaks Messages alone, and one that speaks their own API: a question, a stream, a tool and
its result, two calls at once, an answer in a form. Their own key reaches nobody.

Google's SDK for Python is always there. The others are installed by `.ci/run` beside the
programs, or by `make clients`, whose folder `LLM_GATEWAY_TEST_CLIENTS` names.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import FakeProvider
from fakes.outbound import OutboundProxy

from gateway import GatewayProcess, provider

from .conftest import Start
from .google_agent import HELLO, TOKENS, work

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
apps = pytest.mark.apps

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs" / "apps"
CLIENTS = os.environ.get("LLM_GATEWAY_TEST_CLIENTS", "")
NODE = Path(CLIENTS, "node") if CLIENTS else PROGRAMS
BIN = Path(CLIENTS, "py", "bin") if CLIENTS else ROOT / ".venv-apps" / "bin"
TIMEOUT = 240
KEY = "AIza-CANARY-APP"
HOST = "generativelanguage.googleapis.com"
WAYS = ("base url", "launcher")
FAKES = {
    "gemini-2.5-flash": "chat",
    "gemini-flash-latest": "messages",
    "gemini-3-flash-preview": "generateContent",
}
"""Names that all of the apps know -> what the provider of each speaks."""


class Rig(NamedTuple):
    gateway: GatewayProcess
    fakes: dict[str, FakeProvider]
    way_out: OutboundProxy

    def others(self) -> list[str]:
        """What was asked for outside of the providers."""
        return [each for each in self.way_out.asked if HOST in each]

    def bytes_in(self) -> bytes:
        return b"".join(fake.bytes_in() for fake in self.fakes.values())


def offering(fake: FakeProvider, dialect: str, name: str) -> dict[str, Any]:
    found = provider(fake, dialect, free=True, dialects=[dialect])
    found["models"] = [{"name": "free-model", "aliases": [f"{name}*"]}]
    if dialect == "generateContent":
        found |= {"type": "google", "baseURL": f"{fake.base_url}/v1beta/openai"}
    return found


@pytest.fixture(scope="module")
def rig(start_shared: Start) -> Iterator[Rig]:
    """One gateway, whose way to everybody but its providers is on record."""
    fakes = {dialect: FakeProvider(work) for dialect in FAKES.values()}
    with OutboundProxy("http", {}) as way_out:
        for fake in fakes.values():
            fake.__enter__()
        offers = [offering(fakes[d], d, name) for name, d in FAKES.items()]
        paid = provider(fakes["chat"], "paid", "gemini-9-paid", dialects=["chat"])
        config = {
            "network": {"proxy": way_out.url},
            "providers": [*offers, paid],
            "clients": [{"name": "saver", "key": "saver-key", "policy": "free-only"}],
        }
        yield Rig(start_shared(config), fakes, way_out)
        for fake in fakes.values():
            fake.__exit__(None, None, None)


def needs(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"{path.name} is not installed: see .ci/run")
    return str(path)


def program(name: str, package: str) -> list[str]:
    if name.endswith(".py"):
        found = list((BIN.parent / "lib").glob(f"python3*/site-packages/{package}"))
        if not found:
            pytest.skip(f"{package} is not installed: see .ci/run")
        return [needs(BIN / "python"), str(PROGRAMS / name)]
    needs(NODE / "node_modules" / package)
    if NODE != PROGRAMS:  # Node looks for packages beside the program
        shutil.copy(PROGRAMS / name, NODE / name)
    return ["node", str(NODE / name)]


def environment(rig: Rig, way: str, folder: Path, key: str = KEY) -> dict[str, str]:
    """Nothing of this machine's user, and no variable that leads elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("PYTHON")
    }
    home = folder / "home"
    (home / ".gemini").mkdir(parents=True, exist_ok=True)
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    settings["privacy"] = {"usageStatisticsEnabled": False}
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    found = kept | {
        "HOME": str(home),
        "PWD": str(folder),
        "GEMINI_API_KEY": key,
        "GOOGLE_API_KEY": key,
        "LLM_GEMINI_KEY": key,
        "LLM_USER_PATH": str(home),
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    if way == "base url":
        url = f"http://127.0.0.1:{rig.gateway.port}"
        return found | {"GOOGLE_GEMINI_BASE_URL": url}
    return found | {"LLM_GATEWAY_HOME": str(rig.gateway.home)}


def started(
    rig: Rig, way: str, folder: Path, *command: str, key: str = KEY, client: str = "me"
) -> "subprocess.CompletedProcess[str]":
    """The app, as its user would start it."""
    if way == "launcher":
        port, confdir = str(rig.gateway.port), str(rig.gateway.confdir)
        begin = [str(Path(sys.executable).with_name("llm-gateway")), "run"]
        begin += ["--port", port, "--confdir", confdir, "--client", client, "--"]
        command = (*begin, *command)
    return subprocess.run(
        command,
        env=environment(rig, way, folder, key),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def said_by(rig: Rig, way: str, folder: Path, *command: str) -> str:
    done = started(rig, way, folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr + rig.gateway.log()
    assert b"CANARY-APP" not in rig.bytes_in()
    assert rig.others() == []
    return done.stdout


class App(NamedTuple):
    name: str
    program: str
    package: str
    ways: tuple[str, ...] = WAYS


APPS = (
    App("google-genai", "google_genai_program.py", "google/genai"),
    App("google-genai for Node", "google_genai_program.mjs", "@google/genai"),
    App("AI SDK", "google_ai_sdk_program.mjs", "@ai-sdk/google"),
    App("LangChain", "google_langchain_program.py", "langchain_google_genai"),
    App("pydantic-ai", "google_pydantic_ai_program.py", "pydantic_ai"),
    App("llm", "google_llm_program.py", "llm_gemini.py", ("launcher",)),
)
CELLS = [(app, way) for app in APPS for way in app.ways]


@apps
@pytest.mark.parametrize(
    ("app", "way"), CELLS, ids=[f"{app.name}, {way}" for app, way in CELLS]
)
def test_an_app(rig: Rig, app: App, way: str, tmp_path: Path) -> None:
    command = program(app.program, app.package)
    if way == "launcher" and command[0] == "node" and node_version() < (22, 21):
        pytest.skip("needs Node 22.21")
    said = json.loads(said_by(rig, way, tmp_path, *command, *FAKES))
    for name in FAKES:
        shown = said[name]
        assert (shown["plain"], shown["streamed"]) == (HELLO, HELLO), name
        assert "42" in shown["called"], name
        assert {"2", "42"} <= {*re.findall(r"\d+", str(shown["parallel"]))}, name
        assert shown["object"] == {"title": "A title"}, name


def node_version() -> tuple[int, int]:
    if not shutil.which("node"):
        return 0, 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major, minor, _ = said.removeprefix("v").split(".", 2)
    return int(major), int(minor)
