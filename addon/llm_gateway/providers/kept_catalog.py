"""The catalogue that `llm-gateway catalog update` kept: a file in the state folder.

What lives here: reading and writing it, and what is in force: the packaged catalogue with
every entry of the kept one that is younger. These functions block. A kept file that cannot
be used leaves the packaged catalogue in force, and the reason is told.

What this file does not know: where an update came from, the config.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from llm_gateway import private_files
from llm_gateway.providers import catalog_file
from llm_gateway.providers.catalog_file import CatalogFileError
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import Published, overlaid
from llm_gateway.providers.registry import packaged, types_at, types_with

NAME = "catalog.json"
MOST_BYTES = private_files.MAX_FILE_BYTES


def path_of(home: Path) -> Path:
    return home / NAME


def version(home: Path) -> str:
    """Another one whenever the file is replaced; "" while there is none."""
    try:
        found = path_of(home).lstat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}"


def read(home: Path) -> Published | None:
    """What is kept; None when nothing is. Raises CatalogFileError, OSError (NotPrivate)."""
    path = path_of(home)
    try:
        content = private_files.read(path)
    except FileNotFoundError:
        return None
    return catalog_file.parse(text_of(content, str(path)), str(path))


def text_of(content: bytes, name: str) -> str:
    """Raises CatalogFileError: too long, or not UTF-8."""
    if len(content) >= MOST_BYTES:
        raise CatalogFileError(name, f"is larger than {MOST_BYTES:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CatalogFileError(name, "is no text in UTF-8") from None


def write(home: Path, found: Published) -> Path:
    """Keep it: whole or not at all, for nobody else to write. Raises OSError
    (NotPrivate), CatalogFileError when it could not be read again."""
    path = path_of(home)
    content = catalog_file.dump(found).encode()
    text_of(content, str(path))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_files.check_file(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return path


@dataclass(frozen=True, slots=True)
class InForce:
    """The catalogue that holds."""

    published: Published
    kept: Published | None = None
    """The update that is laid over the packaged one."""
    problem: str = ""
    """Why what is kept is not used."""

    def types(self, now: float) -> Mapping[str, ProviderType]:
        """Every row with what it says at `now` (unix seconds)."""
        if self.kept is None:
            return types_at(now)
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        return types_with(self.published, today)


def in_force(home: Path) -> InForce:
    """Never raises: what cannot be used is passed over, and said in `problem`."""
    try:
        kept = read(home)
    except (CatalogFileError, OSError) as e:
        problem = (
            f"{e}\nThe packaged catalogue is used; remove the file, or update again."
        )
        return InForce(packaged(), problem=problem)
    if kept is None:
        return InForce(packaged())
    return InForce(overlaid(packaged(), kept), kept)
