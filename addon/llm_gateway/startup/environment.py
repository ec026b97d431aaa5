"""Environment variables and configuration file of a start: checked, found, made.

What lives here: `check_environment`, `config_path`, and `NotStarted`, which is what a
start that cannot be ends with.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from llm_gateway.app.state import LEVELS
from llm_gateway.packaged_files import example_config
from llm_gateway.providers.github_client import GitHub


class NotStarted(Exception):
    """Why the gateway cannot start, in one message."""


def check_environment(env: Mapping[str, str], *, port_is_given: bool) -> None:
    """What is given there is meant: a mistake in it is no reason for a default."""
    port, level = env.get("PORT", ""), env.get("LOG_LEVEL", "")
    if port and not port_is_given:
        raise NotStarted(f"PORT={port} is not a port; write a number from 1 to 65535.")
    if level and level.lower() not in LEVELS:
        raise NotStarted(
            f"LOG_LEVEL={level} is no level; write one of {', '.join(LEVELS)}."
        )
    try:
        GitHub.from_environment(env)
    except ValueError as e:
        raise NotStarted(str(e)) from e


def config_path(named: str) -> tuple[Path, bool]:
    """Where the configuration is, and whether it was made just now. Raises NotStarted."""
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise NotStarted(
                f"{path}: there is no such file. Write one with `llm-gateway init "
                f"{path}`, or name another with --set gateway_config=FILE."
            )
        return path, False
    path = Path("config.jsonc")
    if made := not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(example_config())
    return path, made
