"""A real Datasette with the plugin, in a process of its own, on a port of its own."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from child_processes import default_interrupt

ADDON = Path(__file__).parents[2] / "addon"

# The plugin as an installed package would load it, whether it is installed or not.
LOADER = """
from datasette.plugins import pm

from llm_gateway import dashboard

if not pm.is_registered(dashboard):
    pm.register(dashboard, name="llm_gateway")
"""


@dataclass
class Served:
    url: str
    """http://127.0.0.1:PORT"""
    sign_in: str
    """The one-use link that makes root of whoever opens it."""
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)


@contextmanager
def datasette(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> Iterator[Served]:
    """`datasette` with the plugin; `folder` is for its plugins folder and for its cwd."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "loader.py").write_text(LOADER)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "datasette", "serve"),
            *("-h", "127.0.0.1", "-p", "0", "--root", "--plugins-dir", str(plugins)),
            *("--setting", "suggest_facets", "off"),
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ADDON), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=default_interrupt,
    )
    assert process.stdout is not None
    served = Served("", "", process)
    token = ""
    for line in process.stdout:
        served.output.append(line)
        if found := re.search(r"/-/auth-token\?token=\w+", line):
            token = found[0]
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
            served.url = found[1]
            break
    else:
        process.wait()
        raise RuntimeError("Datasette did not start:\n" + "".join(served.output))
    served.sign_in = served.url + token
    reading = threading.Thread(target=served.output.extend, args=[process.stdout])
    reading.start()
    try:
        yield served
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(10)
        process.stdout.close()
