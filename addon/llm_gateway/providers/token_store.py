"""Logins on disk: one file per Copilot provider in the state folder, mode 0600.

What lives here: reading, writing and listing them. Nothing is cached: whoever asks
often remembers the answer. These functions block; they are called in a thread.

What this file does not know: GitHub, the config, how a token is used.
"""

import json
import os
from pathlib import Path
from urllib.parse import quote, unquote

from pydantic import SecretStr

from llm_gateway import private_files

FOLDER = "copilot"
SUFFIX = ".json"


def path_of(home: Path, provider: str) -> Path:
    """Where the login of a provider lies. Any id makes one file name."""
    name = quote(provider, safe="")
    if name.startswith("."):  # neither hidden, nor the folder above
        name = "%2E" + name[1:]
    return home / FOLDER / f"{name}{SUFFIX}"


def read(home: Path, provider: str) -> SecretStr | None:
    """The stored OAuth token; None when there is none or it cannot be read
    safely."""
    try:
        found = json.loads(private_files.read(path_of(home, provider)))
    except (OSError, ValueError):
        return None
    token = found.get("oauth_token") if isinstance(found, dict) else None
    return SecretStr(token) if isinstance(token, str) and token else None


def write(home: Path, provider: str, token: SecretStr) -> Path:
    """Store a login: whole or not at all, for nobody else to read. Raises OSError."""
    path = path_of(home, provider)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"oauth_token": token.get_secret_value()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    return path


def stored(home: Path) -> frozenset[str]:
    """Ids of the providers that have a login."""
    files = (home / FOLDER).glob(f"[!.]*{SUFFIX}")
    return frozenset(unquote(file.name.removesuffix(SUFFIX)) for file in files)
