"""Digests of mitmproxy's source text: is the code here the one that ours was compared with?

A replacement does what the original does, in less time. Whether that is so was checked
for certain texts of the original (sites.py). A mitmproxy that nobody has looked at yet
keeps its own code, in the whole group: it is then as fast as it always was, and as right.
"""

import hashlib
import importlib
import inspect
from functools import lru_cache
from typing import Any

from llm_gateway.frozen import frozen
from llm_gateway.mitm_compat.sites import GROUPS, SITES, Site


def digest(*functions: Any) -> str:
    """Eight hexadecimal digits for the source text of these functions; "" without one."""
    text = source(*functions)
    return hashlib.sha256(text.encode()).hexdigest()[:8] if text else ""


def source(*functions: Any) -> str:
    try:
        return "\n".join(inspect.getsource(f) for f in functions)
    except (OSError, TypeError):
        return ""


def resolve(name: str) -> Any:
    """The object that `module:Class.function` names; None: there is none."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


@frozen
class Comparison:
    """One site, as it is installed here."""

    site: Site
    digest: str
    """"" where a function is missing or has no source text."""
    is_known: bool


@lru_cache(maxsize=1)
def compare() -> tuple[Comparison, ...]:
    """All sites. Asked before anything is replaced; the answer is kept."""
    found = []
    for site in SITES:
        functions = [resolve(name) for name in site.functions]
        made = digest(*functions)
        lacks = site.may_lack and functions[0] is None
        found.append(Comparison(site, made, lacks or made in site.known))
    return tuple(found)


def unknown(group: str) -> tuple[str, ...]:
    """Names of the group's sites whose text was never compared; empty: it is known."""
    return tuple(
        found.site.name
        for found in compare()
        if found.site.group == group and not found.is_known
    )


def is_known(group: str) -> bool:
    return not unknown(group)


def groups_off() -> dict[str, tuple[str, ...]]:
    """Group -> what is unknown in it, for the groups that are."""
    return {group: names for group in GROUPS if (names := unknown(group))}
