"""Request line -> dialect: by the end of the path, whatever stands before it.

Clients put anything in front (`/v1`, `/openai/v1`, `/openai/deployments/NAME`), so only
the end is looked at. Two ends are shared with strangers and are told apart by what
stands before them: `…/threads/ID/messages` is OpenAI's assistants, and Mistral's
`…/fim/completions` has a body of its own.
"""

import re
from urllib.parse import unquote

from llm_gateway.exchange import Dialect

_ENDS: tuple[tuple[str, Dialect], ...] = (
    ("/chat/completions", Dialect.CHAT),
    ("/v1/messages", Dialect.MESSAGES),
    ("/responses", Dialect.RESPONSES),
    ("/embeddings", Dialect.EMBEDDINGS),
    ("/completions", Dialect.COMPLETIONS),
)
_NOT_OURS = ("/fim/completions",)
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


def match(method: str, path: str) -> Dialect | None:
    """The dialect of a request line; None: nothing that is routed.

    `path` may carry a query, slashes too many, and any prefix.
    """
    if method != "POST":
        return None
    path = plain_path(path)
    for end, dialect in _ENDS:
        if path.endswith(end):
            return None if path.endswith(_NOT_OURS) else dialect
    return Dialect.MESSAGES if path == "/messages" else None


def model_in(path: str) -> str | None:
    """The deployment that a path of Azure's names, where bodies may leave it out."""
    found = _deployment(path.partition("?")[0])
    return unquote(found[1]) if found else None
