"""Apps that ask their models from a server of their own in the background.

It keeps the environment of whoever started it first. One that was started outside goes past
the gateway without a word, with the app's own key, whatever `llm-gateway run` sets for the
command; and one that was started by `run` stays when the gateway is gone. Such an app has a
flag with which it does its work itself.

What lives here: which apps, their flag, and the command with it. What this file does not
know: the gateway, the child's environment.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HELP_TIMEOUT_SECONDS = 5.0
"""Seconds for `APP --help`; slower than that nobody waits for it."""


class InFront(NamedTuple):
    flag: str
    """Stands right behind the app's name, whatever follows."""
    but: frozenset[str] = frozenset()
    """Words of commands that are about the server itself."""


APPS: Mapping[str, InFront] = {
    "codex": InFront(
        "--no-daemon",
        frozenset({"queue", "app-server", "remote-control", "exec-server", "--remote"}),
    )
}
"""Name of a program -> how it works without its server. Codex: since 0.17x."""


def in_front(command: Sequence[str]) -> list[str]:
    """The command with the flag, where it is such an app and its version knows the flag."""
    app = APPS.get(Path(command[0]).stem)
    if app is None or app.flag in command or not app.but.isdisjoint(command[1:]):
        return [*command]
    if not _knows(command[0], app.flag):
        return [*command]
    return [command[0], app.flag, *command[1:]]


def _knows(program: str, flag: str) -> bool:
    try:
        done = subprocess.run(
            [program, "--help"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=HELP_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return flag in done.stdout
