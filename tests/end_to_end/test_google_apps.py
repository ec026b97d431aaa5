"""Google's apps by base URL and through the launcher, on a provider that speaks chat alone, one
that speaks Messages alone, and one that speaks their own API: a question, a stream, a tool and
its result, two calls at once, an answer in a form. Their own key reaches nobody.

Google's SDK for Python is always there. The others are installed by `.ci/run` beside the
programs, or by `make clients`, whose folder `LLM_GATEWAY_TEST_CLIENTS` names.
"""

import json
import os
import re
import runpy
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from examples import FULL_MATRIX, pairs
from fakes import FakeProvider
from fakes.outbound import OutboundProxy

from gateway import GatewayProcess, provider

from .conftest import Start
from .google_agent import HELLO, JUST_TALK, TOKENS, work

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
apps = pytest.mark.apps

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs" / "apps"
CLIENTS = os.environ.get("LLM_GATEWAY_TEST_CLIENTS", "")
NODE = Path(CLIENTS, "node") if CLIENTS else PROGRAMS
BIN = Path(CLIENTS, "py", "bin") if CLIENTS else ROOT / ".venv-apps" / "bin"
TIMEOUT = 120
KEY = "AIza-CANARY-APP"
HOST = "generativelanguage.googleapis.com"
WAYS = ("base url", "launcher")
FAKES = {
    "gemini-2.5-flash": "chat",
    "gemini-flash-latest": "messages",
    "gemini-3-flash-preview": "generateContent",
}
"""Names that all of the apps know -> what the provider of each speaks."""
PAID = "gemini-3.1-pro-preview"
"""One more, which costs."""
SAVER = {"name": "saver", "key": "key-of-saver", "policy": "free-only"}
"""Known by its key on the base URL, by its name on the proxy."""
NOTHING_FREE = re.compile("costs money, and the policy is free-only")


class Rig(NamedTuple):
    gateway: GatewayProcess
    fakes: dict[str, FakeProvider]
    way_out: OutboundProxy

    def others(self) -> list[str]:
        """What was asked for outside of the providers."""
        return [each for each in self.way_out.asked if HOST in each]

    def bytes_in(self) -> bytes:
        return b"".join(fake.bytes_in() for fake in self.fakes.values())


def slashed(dialect: str) -> str:
    """A name that the AI SDK puts into a path as it is, without `models/`."""
    return f"of-{dialect}/model:free"


def offering(fake: FakeProvider, dialect: str, name: str) -> dict[str, Any]:
    found = provider(fake, dialect, free=True, dialects=[dialect])
    aliases = [f"{name}*", slashed(dialect)]
    found["models"] = [{"name": "free-model", "aliases": aliases}]
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
        paid = provider(fakes["chat"], "paid", PAID, dialects=["chat"])
        config = {
            "network": {"proxy": way_out.url},
            "providers": [*offers, paid],
            "clients": [SAVER],
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


def refused(rig: Rig, way: str, folder: Path, *command: str) -> str:
    """What an app says that may use what is free alone, and asks for what costs."""
    before = len(rig.fakes["chat"].requests)
    key = SAVER["key"] if way == "base url" else KEY
    done = started(rig, way, folder, *command, key=key, client=SAVER["name"])
    assert done.returncode != 0, done.stdout
    assert len(rig.fakes["chat"].requests) == before
    assert rig.others() == []
    return done.stdout + done.stderr


class App(NamedTuple):
    name: str
    program: str
    package: str
    ways: tuple[str, ...] = WAYS
    also: tuple[str, ...] = ()
    """Names besides those that all know."""


APPS = (
    App("google-genai", "google_genai_program.py", "google/genai"),
    App("google-genai for Node", "google_genai_program.mjs", "@google/genai"),
    App(
        "AI SDK",
        "google_ai_sdk_program.mjs",
        "@ai-sdk/google",
        also=(slashed("chat"), slashed("generateContent")),
    ),
    App("LangChain", "google_langchain_program.py", "langchain_google_genai"),
    App("pydantic-ai", "google_pydantic_ai_program.py", "pydantic_ai"),
    App("llm", "google_llm_program.py", "llm_gemini.py", ("launcher",)),
)
CELLS = [(app, way) for app, way in pairs(APPS, WAYS) if way in app.ways]
"""What an app's program gets in one run: every fake, by the model's name."""


def was_served(said: dict[str, Any]) -> None:
    assert (said["plain"], said["streamed"]) == (HELLO, HELLO)
    assert "42" in said["called"]
    assert {"2", "42"} <= {*re.findall(r"\d+", said["parallel"])}
    assert said["object"] == {"title": "A title"}
    assert sorted(said["sums"])[-2:] == [42, 42]


@apps
@pytest.mark.parametrize(
    ("app", "way"), CELLS, ids=[f"{app.name}, {way}" for app, way in CELLS]
)
def test_an_app(rig: Rig, app: App, way: str, tmp_path: Path) -> None:
    command = program(app.program, app.package)
    if way == "launcher" and command[0] == "node":
        needs_node()
    names = [*FAKES, *app.also]
    said = json.loads(said_by(rig, way, tmp_path, *command, *names))
    assert [*said] == names
    for name in names:
        was_served(said[name])


def gemini_cli(way: str) -> list[str]:
    found = NODE / "node_modules" / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    needs(found)
    if way == "launcher":
        needs_node()
    return ["node", str(found), "--approval-mode", "yolo"]


@apps
@pytest.mark.parametrize(("name", "way"), pairs(FAKES, WAYS))
def test_gemini_cli(rig: Rig, name: str, way: str, tmp_path: Path) -> None:
    """Streams; two calls at once, a second turn on what it has kept of the first, and a
    question whose answer it gives as JSON of its own: it asks for no other form."""
    fake = rig.fakes[FAKES[name]]
    before = len(fake.requests)
    command = [*gemini_cli(way), "-m", name]
    said = said_by(rig, way, tmp_path, *command, "-p", "Change the files, TWICE")
    assert (tmp_path / "a.txt").read_text() == "changed\n"
    assert (tmp_path / "b.txt").read_text() == "changed\n"
    assert said.count("RAN") >= 2
    resumed = ("--resume", "latest", "-p", "And again")
    assert "RAN" in said_by(rig, way, tmp_path, *command, *resumed)
    assert len(fake.requests) >= before + 4
    question = ("--output-format", "json", "-p", f"Just say {JUST_TALK}")
    told = json.loads(said_by(rig, way, tmp_path, *command, *question))
    assert told["response"] == HELLO
    [used] = told["stats"]["models"].values()
    assert (used["tokens"]["prompt"], used["tokens"]["candidates"]) == TOKENS
    row = rig.gateway.rows("select * from requests order by ts desc limit 1")[0]
    assert (row["provider"], row["outcome"]) == (FAKES[name], "ok")
    assert (row["input_tokens"], row["output_tokens"]) == TOKENS


@pytest.mark.parametrize("way", WAYS)
def test_googles_sdk_for_python(rig: Rig, way: str) -> None:
    genai = pytest.importorskip("google.genai")
    talk = runpy.run_path(str(PROGRAMS / "google_genai_program.py"))["talk"]
    for name in FAKES:
        was_served(talk(client_of(rig, genai, way), name))
    assert b"CANARY-APP" not in rig.bytes_in()
    assert rig.others() == []


@pytest.mark.parametrize("way", WAYS)
def test_googles_sdk_shows_why_nothing_free_answers(rig: Rig, way: str) -> None:
    genai = pytest.importorskip("google.genai")
    before = len(rig.fakes["chat"].requests)
    client = client_of(rig, genai, way, key=SAVER["key"], user=SAVER["name"])
    for ask in (
        lambda: client.models.generate_content(model=PAID, contents="Hello"),
        lambda: [*client.models.generate_content_stream(model=PAID, contents="Hello")],
    ):
        with pytest.raises(genai.errors.APIError) as caught:
            ask()
        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        assert NOTHING_FREE.search(str(caught.value.message))
    assert len(rig.fakes["chat"].requests) == before
    assert rig.others() == []


@apps
@pytest.mark.parametrize("way", WAYS if FULL_MATRIX else WAYS[-1:])
def test_gemini_cli_shows_why_nothing_free_answers(
    rig: Rig, way: str, tmp_path: Path
) -> None:
    command = [*gemini_cli(way), "-m", PAID, "-p", "Hello"]
    assert NOTHING_FREE.search(refused(rig, way, tmp_path, *command))


@apps
@pytest.mark.parametrize(
    ("app", "way"),
    CELLS if FULL_MATRIX else CELLS[:1],
    ids=[f"{app.name}, {way}" for app, way in (CELLS if FULL_MATRIX else CELLS[:1])],
)
def test_an_app_shows_why_nothing_free_answers(
    rig: Rig, app: App, way: str, tmp_path: Path
) -> None:
    command = program(app.program, app.package)
    if way == "launcher" and command[0] == "node":
        needs_node()
    assert NOTHING_FREE.search(refused(rig, way, tmp_path, *command, PAID))


@apps
def test_llm_shows_why_nothing_free_answers(rig: Rig, tmp_path: Path) -> None:
    program("google_llm_program.py", "llm_gemini.py")
    command = [str(BIN / "llm"), "-m", PAID, "Hello"]
    assert NOTHING_FREE.search(refused(rig, "launcher", tmp_path, *command))


def client_of(
    rig: Rig, genai: Any, way: str, *, key: str = KEY, user: str = "me"
) -> Any:
    """The SDK's client in this process, its own settings left alone but for the way."""
    url = f"http://127.0.0.1:{rig.gateway.port}"
    if way == "base url":
        options = {"base_url": url}
    else:
        trusted = ssl.create_default_context(cafile=rig.gateway.ca)
        proxy = url.replace("//", f"//{user}:x@")
        options = {"client_args": {"proxy": proxy, "verify": trusted}}
    return genai.Client(api_key=key, vertexai=False, http_options=options)


def needs_node() -> None:
    """Whose own fetch knows proxies."""
    if node_version() < (22, 21):
        pytest.skip("needs Node 22.21")


def node_version() -> tuple[int, int]:
    if not shutil.which("node"):
        return 0, 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major, minor, _ = said.removeprefix("v").split(".", 2)
    return int(major), int(minor)
