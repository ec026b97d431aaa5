"""How Datasette is started with the dashboard: command, environment, metadata.

What lives here: one command line for both who start it, the gateway and `llm-gateway
dashboard`, on Datasette 0.65 and 1.0. Datasette itself is not imported: this runs in the
gateway's process.

What this file does not know: processes (child.py, cli/dashboard.py).
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llm_gateway import private_files
from llm_gateway.private_files import NotPrivate

PACKAGE = Path(__file__).parents[1]
METADATA_NAME = "datasette-metadata.json"
HOST = "127.0.0.1"

SETTINGS = {
    "suggest_facets": "off",
    "sql_time_limit_ms": "2000",
    "allow_download": "off",
    "default_page_size": "50",
}
"""What metadata cannot say: a table page of a million rows has to be quick."""

PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR"),
        *("TEMP", "TMP", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
        *(
            "VIRTUAL_ENV",
            "LD_LIBRARY_PATH",
            "DYLD_LIBRARY_PATH",
            "COVERAGE_PROCESS_START",
        ),
        *("LLM_GATEWAY_URL", "LLM_GATEWAY_DASHBOARD_HOSTS"),
    }
)
PASSED_PREFIXES = ("LC_", "PYTHON", "DATASETTE_")
"""Environment variables that the child inherits."""

CONFIG_KEYS = frozenset(
    {"queries", "plugins", "settings", "permissions", "allow", "allow_sql"}
)
"""Datasette 1.0 takes these from its configuration and no longer from metadata."""


def metadata_file() -> Path | None:
    """The repository's file beside a clone, else the one in the installed package."""
    for path in (
        PACKAGE.parents[1] / METADATA_NAME,
        PACKAGE / "data" / METADATA_NAME,
    ):
        if path.is_file():
            return path
    return None


def is_v1() -> bool:
    return not version("datasette").startswith("0.")


def arguments(
    database: Path, port: int, folder: Path, *, v1: bool | None = None
) -> list[str]:
    """The command line; `folder` takes the files that are made for it.

    A database that does not exist yet is left out: the plugin adds it when it appears.
    """
    command = [
        *(sys.executable, "-m", "datasette", "serve"),
        *((str(database),) if database.is_file() else ()),
        *("-h", HOST, "-p", str(port), "--root"),
        *("--plugins-dir", str(PACKAGE / "dashboard" / "loader")),
    ]
    for name, value in SETTINGS.items():
        command += ["--setting", name, value]
    found = metadata_file()
    if found is None:
        return command
    whole = named(json.loads(found.read_text("utf-8")), database.stem)
    parts = {"-m": whole}
    if is_v1() if v1 is None else v1:
        metadata, config = split(whole)
        parts = {"-m": metadata, "-c": config}
    for option, part in parts.items():
        path = folder / f"datasette{option}.json"
        path.write_text(json.dumps(part), "utf-8")
        command += [option, str(path)]
    return command


def environment(
    database: Path,
    home: Path,
    *,
    gateway_url: str = "",
    hosts: Sequence[str] = (),
    base: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What the child is told; `base` defaults to our own environment.

    Of that, only what a Python program needs: the providers' keys lie there too, and the
    dashboard has no use for any of them.
    """
    own = {
        name: value
        for name, value in (os.environ if base is None else base).items()
        if name in PASSED or name.startswith(PASSED_PREFIXES)
    }
    path = [str(PACKAGE.parent), *filter(None, [own.get("PYTHONPATH")])]
    return own | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        "LLM_GATEWAY_DB": str(database),
        "LLM_GATEWAY_HOME": str(home),
        **({"LLM_GATEWAY_URL": gateway_url} if gateway_url else {}),
        **({"LLM_GATEWAY_DASHBOARD_HOSTS": " ".join(hosts)} if hosts else {}),
        "DATASETTE_SECRET": own.get("DATASETTE_SECRET") or secret(home),
    }


def named(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    """Metadata for a database that is called `name` instead of `usage`."""
    databases = dict(metadata.get("databases", {}))
    if "usage" in databases:
        databases = {name: databases.pop("usage")} | databases
    return metadata | {"databases": databases}


def split(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata as 0.65 reads it -> (metadata, configuration) as 1.0 does."""
    rest: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for key, value in metadata.items():
        if key in CONFIG_KEYS:
            config[key] = value
        elif key in ("databases", "tables") and isinstance(value, dict):
            rest[key], moved = {}, {}
            for name, inner in value.items():
                rest[key][name], found = split(inner)
                if found:
                    moved[name] = found
            if moved:
                config[key] = moved
        else:
            rest[key] = value
    return rest, config


def secret(home: Path) -> str:
    """Signs the cookies: kept, so that who signed in stays so when the gateway restarts.

    Raises NotPrivate for one that somebody else may have written.
    """
    path = home / "dashboard-secret"
    try:
        if known := private_files.read(path).decode("ascii", "replace").strip():
            return known
        path.unlink()
    except NotPrivate:
        raise
    except OSError:
        pass
    made = secrets.token_hex(32)
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(made)
    return made
