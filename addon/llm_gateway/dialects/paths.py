"""What request paths name besides a dialect: the model, as in Azure's deployments."""

import re
from typing import NamedTuple
from urllib.parse import unquote

_slashes = re.compile("/{2,}")
_deployment = re.compile(r"/openai/deployments/([^/]+)/").search


def plain_path(path: str) -> str:
    """A path without query, doubled slashes and slashes at its end; `/` stays.

    What is left of a base URL that ends in a slash, or has one too many.
    """
    path = path.partition("?")[0]
    if "//" in path:
        path = _slashes.sub("/", path)
    return path.rstrip("/") or "/"


class PathInfo(NamedTuple):
    """What a request's path says. None: nothing."""

    model: str | None = None
    stream: bool | None = None
    """Whether the answer streams, in dialects where no member of the body says so."""


NO_PATH_INFO = PathInfo()


def deployment_in(path: str) -> PathInfo:
    """The deployment that a path of Azure's names, where bodies may leave it out."""
    found = _deployment(plain_path(path))
    return PathInfo(unquote(found[1])) if found else NO_PATH_INFO
