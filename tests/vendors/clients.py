"""Real clients: which are installed, and how they are run. One process serves many jobs.

`LLM_GATEWAY_TEST_CLIENTS` names a folder with a virtual environment (`py`) and Node packages
(`node/node_modules`); without it, what the tests' own Python has, and what lies beside the
programs.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from . import warm
from .talk import BYE, LAST, SUMS, Move

PROGRAMS = Path(__file__).with_name("programs")
FOLDER = os.environ.get("LLM_GATEWAY_TEST_CLIENTS", "")
RAN = sorted([a, b] for pairs in SUMS.values() for a, b in pairs)


class Client(NamedTuple):
    name: str
    dialect: str
    program: str
    needs: tuple[str, ...]
    """Modules or packages."""
    way: str = ""
    streams: tuple[bool, ...] = (False, True)

    @property
    def missing(self) -> str:
        """What has to be installed; "": it can run."""
        if self.program.endswith(".mjs"):
            if not shutil.which("node"):
                return "node"
            found = [n for n in self.needs if not (_modules() / n).exists()]
        else:
            found = [n for n in self.needs if not _has(n)]
        return ", ".join(found)

    @property
    def command(self) -> list[str]:
        if self.program.endswith(".mjs"):
            return ["node", str(_beside_modules(self.program)), self.way]
        return [_python(), str(PROGRAMS / self.program), self.way]

    def _streams(self, move: Move, stream: bool | None) -> bool:
        wanted = bool(move.number % 2) if stream is None else stream
        return wanted if wanted in self.streams else self.streams[0]

    def run(
        self,
        url: str,
        moves: Iterable[Move],
        stream: bool | None,
        timeout: float = 3600,
    ) -> dict[int, str]:
        """Number of a move -> what went wrong; only those that went wrong.

        stream None: conversations with odd numbers, where the client has both ways."""
        jobs = [
            {
                "number": m.number,
                "model": m.model,
                "text": m.text,
                "stream": self._streams(m, stream),
            }
            for m in moves
        ]
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("proxy")}
        named = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
        keys = dict.fromkeys(named, "sk-CANARY-APP")
        bases = {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url}
        quiet = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "PYTHONWARNINGS": "ignore"}
        env = {**clean, **keys, **bases, **quiet, "GATEWAY_URL": url}
        done = self._done(json.dumps(jobs), env, timeout)
        wrong = {job["number"]: "no word of it" for job in jobs}
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                said = json.loads(line)
                wrong[said["number"]] = _wrong(said)
        if all(wrong.values()):
            print(done.stderr[-2000:], file=sys.stderr)
        return {number: text for number, text in wrong.items() if text}

    def _done(
        self, text: str, env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        if self.program.endswith(".py") and {*self.needs} <= warm.IMPORTED.keys():
            return warm.run(self.command, self.needs, text, env, timeout)
        return subprocess.run(
            self.command,
            input=text,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


def _wrong(said: dict[str, Any]) -> str:
    if "error" in said:
        return str(said["error"])
    if sorted(said["ran"]) != RAN:
        return f"ran {said['ran']}"
    return "" if said["said"] == [LAST, BYE] else f"said {said['said']}"


def _python() -> str:
    return str(Path(FOLDER, "py", "bin", "python")) if FOLDER else sys.executable


def _modules() -> Path:
    return Path(FOLDER, "node", "node_modules") if FOLDER else PROGRAMS / "node_modules"


def _beside_modules(program: str) -> Path:
    """Node looks for packages beside the program."""
    if not FOLDER:
        return PROGRAMS / program
    for each in PROGRAMS.glob("*.mjs"):
        shutil.copy(each, _modules().parent / each.name)
    return _modules().parent / program


@cache
def _has(module: str) -> bool:
    code = (
        f"import importlib.util as u; raise SystemExit(u.find_spec({module!r}) is None)"
    )
    return subprocess.run([_python(), "-c", code], capture_output=True).returncode == 0


_OPENAI, _LANGCHAIN = ("openai",), ("langchain", "langchain_openai")
_AI_SDK = (
    "ai",
    "zod",
    "@ai-sdk/openai",
    "@ai-sdk/openai-compatible",
    "@ai-sdk/anthropic",
)
_GENAI, _AI_GOOGLE = ("google.genai",), (*_AI_SDK, "@ai-sdk/google")

CLIENTS = (
    Client("openai", "chat", "openai_program.py", _OPENAI, "append"),
    Client("openai, model_dump", "chat", "openai_program.py", _OPENAI, "dump"),
    Client("openai, by hand", "chat", "openai_program.py", _OPENAI, "by_hand", (True,)),
    Client("openai for Node", "chat", "openai_program.mjs", _OPENAI, "push"),
    Client(
        "openai for Node, runTools", "chat", "openai_program.mjs", _OPENAI, "runTools"
    ),
    Client("langchain", "chat", "langchain_program.py", _LANGCHAIN, "chat"),
    Client("pydantic-ai", "chat", "pydantic_ai_program.py", ("pydantic_ai",), "chat"),
    Client("openai-agents", "chat", "agents_program.py", ("agents",), "chat"),
    Client("ai, openai.chat", "chat", "ai_sdk_program.mjs", _AI_SDK, "chat"),
    Client(
        "ai, openai-compatible", "chat", "ai_sdk_program.mjs", _AI_SDK, "compatible"
    ),
    Client("anthropic", "messages", "anthropic_program.py", ("anthropic",), "none"),
    Client(
        "anthropic, a budget",
        "messages",
        "anthropic_program.py",
        ("anthropic",),
        "enabled",
    ),
    Client(
        "anthropic, adaptive",
        "messages",
        "anthropic_program.py",
        ("anthropic",),
        "adaptive",
    ),
    Client(
        "anthropic for Node",
        "messages",
        "anthropic_program.mjs",
        ("@anthropic-ai/sdk",),
    ),
    Client(
        "langchain-anthropic",
        "messages",
        "langchain_program.py",
        ("langchain", "langchain_anthropic"),
        "messages",
    ),
    Client(
        "pydantic-ai, messages",
        "messages",
        "pydantic_ai_program.py",
        ("pydantic_ai", "anthropic"),
        "messages",
    ),
    Client("ai, anthropic", "messages", "ai_sdk_program.mjs", _AI_SDK, "messages"),
    Client("openai, responses", "responses", "responses_program.py", _OPENAI),
    Client("openai for Node, responses", "responses", "responses_program.mjs", _OPENAI),
    Client(
        "langchain, responses",
        "responses",
        "langchain_program.py",
        _LANGCHAIN,
        "responses",
    ),
    Client(
        "pydantic-ai, responses",
        "responses",
        "pydantic_ai_program.py",
        ("pydantic_ai",),
        "responses",
    ),
    Client(
        "openai-agents, responses",
        "responses",
        "agents_program.py",
        ("agents",),
        "responses",
    ),
    Client(
        "ai, openai.responses", "responses", "ai_sdk_program.mjs", _AI_SDK, "responses"
    ),
    Client("google-genai", "generateContent", "genai_program.py", _GENAI, "contents"),
    # Streamed, its versions below 2 lose all calls of a turn but the last, whoever answers.
    Client(
        "google-genai, chat",
        "generateContent",
        "genai_program.py",
        _GENAI,
        "chat",
        (False,),
    ),
    Client(
        "google-genai for Node",
        "generateContent",
        "genai_program.mjs",
        ("@google/genai",),
    ),
    Client(
        "langchain-google-genai",
        "generateContent",
        "langchain_program.py",
        ("langchain", "langchain_google_genai"),
        "google",
    ),
    Client(
        "pydantic-ai, google",
        "generateContent",
        "pydantic_ai_program.py",
        ("pydantic_ai", "google.genai"),
        "google",
    ),
    Client("ai, google", "generateContent", "ai_sdk_program.mjs", _AI_GOOGLE, "google"),
)
