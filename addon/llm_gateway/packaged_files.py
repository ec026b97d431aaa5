"""Files that ship with the gateway: beside the clone's `addon/`, else in the package."""

import shlex
import shutil
import sys
from contextlib import suppress
from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """`config.example.jsonc` or `datasette-metadata.json`, wherever they lie."""
    beside = Path(__file__).parents[2] / name
    if beside.is_file():
        return beside
    return Path(str(files("llm_gateway") / "data" / name))


def example_config() -> str:
    return shipped("config.example.jsonc").read_text("utf-8")


def activation(command: str = "llm-gateway") -> str:
    """What to type so that the commands that we print are found; "" when they are.

    `source .venv/bin/activate` where we run from a virtual environment, else the folder
    that would have to be on PATH.
    """
    # Not resolved: in a virtual environment the interpreter is a link out of it.
    folder = Path(sys.executable).parent
    if shutil.which(command) or not (folder / command).exists():
        return ""
    if not (folder / "activate").exists():
        return f'export PATH="{folder}:$PATH"'
    with suppress(ValueError):
        folder = folder.relative_to(Path.cwd())
    return f"source {shlex.quote(str(folder / 'activate'))}"
