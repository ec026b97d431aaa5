"""Earlier versions of the config file: its backups, and their difference as a diff.

`files.write_config` keeps the text that was there before each write of the gateway's as
`config.jsonc.bak-<UTC time>`. A version is named by that time alone, so no name can lead
anywhere else. Blocks: it reads disks.

What this file does not know: who asks, what a config means.
"""

import difflib
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .edit import mask
from .load import revision_of

_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z", re.ASCII)
_FORMAT = "%Y%m%dT%H%M%S.%fZ"


class NoVersion(LookupError):
    """There is no backup of that name."""


@dataclass(frozen=True, slots=True)
class Version:
    id: str
    replaced_at: float
    """Unix seconds: until then the file said this."""
    text: str = field(repr=False)
    """Secrets and all."""

    @property
    def revision(self) -> str:
        return revision_of(self.text)


def versions(path: Path) -> list[Version]:
    """Every backup of the config at `path` that can be read, the newest first."""
    target = Path(os.path.realpath(path))
    prefix = f"{target.name}.bak-"
    found = []
    for file in sorted(target.parent.glob(f"{prefix}*"), reverse=True):
        try:
            found.append(_read(file, file.name.removeprefix(prefix)))
        except (NoVersion, OSError):
            continue
    return found


def version(path: Path, id_: str) -> Version:
    """One of them. Raises NoVersion, OSError."""
    if not _ID.fullmatch(id_):
        raise NoVersion(id_)
    target = Path(os.path.realpath(path))
    return _read(target.with_name(f"{target.name}.bak-{id_}"), id_)


def _read(file: Path, id_: str) -> Version:
    if not _ID.fullmatch(id_):
        raise NoVersion(id_)
    try:
        at = datetime.strptime(id_, _FORMAT).replace(tzinfo=UTC).timestamp()
        return Version(id_, at, file.read_text("utf-8"))
    except (FileNotFoundError, ValueError) as error:  # no date, or no UTF-8
        raise NoVersion(id_) from error


def difference(old: str, new: str, name: str) -> list[str]:
    """Lines of a unified diff between two configs, their secrets masked: a key that is
    another one has another fingerprint. Raises ConfigError where one is no JSON5."""
    before = mask(old, name).text.splitlines()
    after = mask(new, name).text.splitlines()
    # The first two lines name the files.
    return list(difflib.unified_diff(before, after, lineterm=""))[2:]
