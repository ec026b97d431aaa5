"""Coding agents as their users start them: Codex, Claude Code, opencode.

Where `.ci/run` puts them, an environment that holds nothing of this machine's user, and
the commands that ask once and go on with the same session.
"""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, TimeoutExpired, run
from typing import NamedTuple

from .chat_vendors import VENDORS as CHAT
from .messages_vendors import VENDORS as MESSAGES
from .responses_vendors import VENDORS as RESPONSES
from .stage import speaking
from .talk import BYE, LAST, MORE, Move

APPS = Path(__file__).parents[1] / "end_to_end" / "programs" / "apps"
BIN = APPS / "node_modules" / ".bin"
KEY = "sk-CANARY-APP"
TIMEOUT = 240
"""Seconds: some of them start slowly, more so where other tests run."""


def environment(home: Path, folder: Path, url: str = "") -> dict[str, str]:
    """No variable leads elsewhere. url: the gateway's, for apps that have one for it."""
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    bases = {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url}
    return {
        **kept,
        "HOME": str(home),
        "PWD": str(folder),
        "CODEX_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "OPENAI_API_KEY": KEY,
        "CODEX_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        **(bases if url else {}),
    }


class Agent(NamedTuple):
    """An app that is asked twice in one session. command: (gateway, model, whether it goes
    on, text, its folder) -> arguments."""

    name: str
    dialect: str
    program: str
    command: Callable[[str, str, bool, str, Path], list[str]]
    most: int = 0
    """Vendors of its dialect that are enough where time is short, because it starts slowly,
    twice a conversation; 0: all."""

    @property
    def missing(self) -> str:
        return "" if (BIN / self.program).exists() else self.program

    def run(
        self, url: str, moves: Iterable[Move], folder: Path, workers: int = 2
    ) -> dict[int, str]:
        """Number of a move -> what went wrong; only those that went wrong.

        Neighbours are not on their way at once: what one was taught the other would be, too.
        """
        todo = list(moves)
        share = -(-len(todo) // workers)

        def some(worker: int) -> list[tuple[int, str]]:
            home = folder / f"home-{self.program}-{worker}"
            return [
                (m.number, self._converse(url, m, home, folder))
                for m in todo[worker * share : (worker + 1) * share]
            ]

        with ThreadPoolExecutor(workers) as pool:
            done = [pair for pairs in pool.map(some, range(workers)) for pair in pairs]
        return {number: wrong for number, wrong in done if wrong}

    def _converse(self, url: str, move: Move, home: Path, folder: Path) -> str:
        place = folder / f"{self.program}-{move.number}"
        place.mkdir()
        for again, text, wanted in ((False, move.text, LAST), (True, MORE, BYE)):
            command = self.command(url, move.model, again, text, place)
            try:
                done = run(
                    [str(BIN / command[0]), *command[1:]],
                    env=environment(home, place, url),
                    cwd=place,
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=STDOUT,
                    text=True,
                    timeout=TIMEOUT,
                )
            except TimeoutExpired as late:
                return f"no end: {str(late.stdout)[-1500:]}"
            if done.returncode or wanted not in done.stdout:
                return f"{move} {done.returncode}: {done.stdout[-1500:]}"
        return ""


def _codex(url: str, model: str, again: bool, text: str, folder: Path) -> list[str]:
    command = ["codex", "exec", "--skip-git-repo-check", "-s", "danger-full-access"]
    command += ["-m", model, "-c", f'openai_base_url="{url}/v1"']
    return [*command, *(["resume", "--last"] if again else []), text]


def _claude(url: str, model: str, again: bool, text: str, folder: Path) -> list[str]:
    command = ["claude", "--allowedTools", "Bash", "--model", model, "-p"]
    return [*command, *(["--continue"] if again else []), text]


def _opencode(url: str, model: str, again: bool, text: str, folder: Path) -> list[str]:
    options = {"baseURL": f"{url}/v1", "apiKey": KEY}
    maker = {
        "npm": "@ai-sdk/openai-compatible",
        "options": options,
        "models": {model: {"tool_call": True, "reasoning": True}},
    }
    config = {"permission": {"bash": "allow"}, "autoupdate": False}
    (folder / "opencode.json").write_text(
        json.dumps({**config, "provider": {"mine": maker}})
    )
    command = ["opencode", "run", "-m", f"mine/{model}"]
    return [*command, *(["-c"] if again else []), text]


AGENTS = (
    Agent("opencode", "chat", "opencode", _opencode, most=4),
    Agent("Claude Code", "messages", "claude", _claude),
    Agent("Codex", "responses", "codex", _codex),
)

VENDORS = (
    *speaking("chat", CHAT),
    *speaking("messages", MESSAGES),
    *speaking("responses", RESPONSES),
)

ROUTING = {"answerModel": "requested"}
"""Claude Code forgets thoughts of an answer that names another model than it asked for."""
