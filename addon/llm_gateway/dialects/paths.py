"""Request line -> dialect: by the end of the path, whatever stands before it.

Clients put anything in front (`/v1`, `/openai/v1`, `/openai/deployments/NAME`), so only
the end is looked at, and slashes that are doubled or trail make no difference: a base URL
that ends in one is written down as often as not. Two ends are shared with strangers and
are told apart by what stands before them: `…/threads/ID/messages` is OpenAI's assistants,
and Mistral's `…/fim/completions` and `…/agents/completions` have bodies of their own.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from llm_gateway.exchange import Dialect

_ENDS: tuple[tuple[str, Dialect], ...] = (
    ("/chat/completions", Dialect.CHAT),
    ("/messages", Dialect.MESSAGES),
    ("/responses", Dialect.RESPONSES),
    ("/embeddings", Dialect.EMBEDDINGS),
    ("/completions", Dialect.COMPLETIONS),
)
_strangers: Mapping[Dialect, re.Pattern[str]] = {
    Dialect.COMPLETIONS: re.compile(r".*/(?:fim|agents)/completions"),
    Dialect.MESSAGES: re.compile(r".*/threads/[^/]+/messages"),
}
"""Paths with the same end that mean something else."""
_slashes = re.compile("//+").sub
_deployment = re.compile(r"/openai/deployments/([^/]+)/").search


def plain_path(path: str) -> str:
    """The path without its query, its doubled and its trailing slashes; "/" stays."""
    path = path.partition("?")[0]
    if "//" in path:
        path = _slashes("/", path)
    return path.rstrip("/") or "/"


def match(method: str, path: str) -> Dialect | None:
    """The dialect of a request line; None: nothing that is routed.

    `path` may carry a query, any prefix, and slashes as `plain_path` takes them out.
    """
    if method != "POST":
        return None
    path = plain_path(path)
    for end, dialect in _ENDS:
        if path.endswith(end):
            other = _strangers.get(dialect)
            return None if other is not None and other.fullmatch(path) else dialect
    return None


def model_in(path: str) -> str | None:
    """The deployment that a path of Azure's names, where bodies may leave it out."""
    found = _deployment(plain_path(path))
    return unquote(found[1]) if found else None
