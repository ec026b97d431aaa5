"""Which hosts are LLM APIs.

What lives here: the built-in list of hosts whose TLS is decrypted, and the question
whether a name is on it. Everything else is tunnelled byte for byte, so the list is
kept to names that carry little but LLM requests.

Left out on purpose, `intercept.hosts` adds them: Vertex AI (its clients speak gRPC
with roots of their own), api.cloudflare.com and *.cognitiveservices.azure.com (whole
product lines live there), the GitHub hosts of the Copilot login, and `PRIVATE_HOSTS`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from llm_gateway.providers.registry import TYPES

RETIRED_HOSTS = ("models.github.ai",)
"""APIs that are gone, but that apps still ask: other providers can answer for them."""

KNOWN_HOSTS: frozenset[str] = frozenset(
    host for row in TYPES.values() for host in row.hosts
) | frozenset(RETIRED_HOSTS)
"""Exact names, and patterns in which `*` is any run of characters."""


PRIVATE_HOSTS: Mapping[str, str] = {
    "chatgpt.com": "Codex signed in with ChatGPT",
    "cloudcode-pa.googleapis.com": "Gemini CLI or Code Assist signed in with Google",
    "daily-cloudcode-pa.sandbox.googleapis.com": "Antigravity signed in with Google",
}
"""Where apps go with a login that is private to their product. It is not ours to use for
anything else, and what is said there is no public API: never routed, just tunnelled."""


def is_known_host(host: str, extra: Iterable[str] = ()) -> bool:
    """Is `host` a built-in LLM host or one of `extra` (same form, from the config)?

    Case and a trailing dot make no difference. A port is not part of a host.
    """
    return matches(host, KNOWN_HOSTS) or matches(host, tuple(extra))


def matches(host: str, names: Collection[str]) -> bool:
    """Is `host` one of `names`, exactly or by a `*` pattern?"""
    name = host.lower().rstrip(".")
    if not name or not names:
        return False
    exact, pattern = _compiled(
        names if isinstance(names, frozenset) else frozenset(names)
    )
    return name in exact or pattern.fullmatch(name) is not None


@lru_cache(maxsize=128)
def _compiled(given: frozenset[str]) -> tuple[frozenset[str], re.Pattern[str]]:
    names = {name.lower().rstrip(".") for name in given}
    exact = frozenset(name for name in names if "*" not in name)
    patterns = sorted(
        ".*".join(map(re.escape, name.split("*"))) for name in names - exact
    )
    # `(?!)` matches nothing: an empty alternation would match the empty name.
    return exact, re.compile("|".join(patterns) or "(?!)")
