"""Does this Node.js send `fetch` through the proxy variables (NODE_USE_ENV_PROXY)?

Older ones ignore them without a word: the app works, past the gateway, with its own key.

What lives here: which Node would run a command, its version, and the verdict as a
sentence. What this file does not know: the gateway, the child's environment.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

Version = tuple[int, int, int]

FIRST = "22.21 or 24"
NODE_TIMEOUT_SECONDS = 5.0
"""Seconds for `node --version`; slower than that nobody waits for it."""
_NODE = re.compile(r"(?:node|nodejs)(?:\.exe)?")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def heeds_proxy(version: Version) -> bool:
    """NODE_USE_ENV_PROXY came with 24.0 and, later, with 22.21; 23 never had it."""
    return version >= (24, 0, 0) or (22, 21, 0) <= version < (23, 0, 0)


def node_of(command: Sequence[str]) -> str | None:
    """The Node executable that runs this command, None when it is no Node program.

    Also by the first line of a script: `npx`, `npm` and most apps that npm installs.
    """
    found = shutil.which(command[0]) if command else None
    if found is None:
        return None
    if _NODE.fullmatch(Path(found).name):
        return found
    try:
        with open(found, "rb") as file:
            first = file.read(256).partition(b"\n")[0]
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    try:
        words = shlex.split(first[2:].decode("utf-8", "replace"))
    except ValueError:
        return None
    for word in words:
        if _NODE.fullmatch(Path(word).name):
            return word if "/" in word else shutil.which(word)
    return None


def version_of(node: str) -> Version | None:
    """Of an executable; None when it does not say."""
    try:
        done = subprocess.run(
            [node, "--version"],
            capture_output=True,
            text=True,
            timeout=NODE_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.match(done.stdout.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def too_old(node: str | None, base_url: str) -> str:
    """What to tell about this Node; "" when it heeds the variables, or is none."""
    version = version_of(node) if node else None
    if version is None or heeds_proxy(version):
        return ""
    return (
        f"Node {'.'.join(map(str, version))} does not send `fetch` through a proxy "
        f"({FIRST} and later do): such an app goes past the gateway. Use a newer Node, "
        f"or set the app's base URL to {base_url}."
    )
