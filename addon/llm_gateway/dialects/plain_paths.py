"""Paths that servers may read otherwise: dot segments, encoded slashes, `;` parameters.

What lives here: `oddity`, which names what is not plain in a path. Where a path decides what
something costs, or what an account's key may reach, one that a server could resolve to
another path is nobody's to judge.

    /v1/files/../images/generations     /v1/files/..%2Fimages     /v1/x;/files     /v1/x%3F/files
"""

import re
from urllib.parse import unquote

_encoded = re.compile(
    r"%(?![0-9A-Fa-f]{2})|%(?:2[35fF]|3[bBfF]|5[cC]|[01][0-9A-Fa-f]|7[fF])"
)
"""What changes meaning once it is decoded: % # / ; ? \\ and control characters."""


def oddity(path: str) -> str:
    """What is not plain in a path without its query, as people call it; "": nothing.

    Characters that are encoded and mean nothing else when decoded are plain.
    """
    if escapes := escapes_upwards(path):
        return escapes
    if found := _encoded.search(path):
        return f"an encoded {_NAMES.get(found[0].lower(), 'character')}"
    for mark, name in (("\\", "a backslash"), (";", "a ;"), ("#", "a #")):
        if mark in path:
            return name
    return ""


_NAMES = {
    "%2f": "slash",
    "%3f": "?",
    "%23": "#",
    "%3b": ";",
    "%5c": "backslash",
    "%25": "%",
}


def escapes_upwards(path: str) -> str:
    """`dot segments` where a path has some, however they are spelled; "": it has none."""
    if "." not in path and "%" not in path:
        return ""
    segments = re.split(r"[/\\]", decoded(path))
    dots = any(one.partition(";")[0].strip() in (".", "..") for one in segments)
    return "dot segments" if dots else ""


def decoded(path: str) -> str:
    """Decoded until nothing is encoded any more, as the laxest server would."""
    for _ in range(8):
        if "%" not in path or (plainer := unquote(path)) == path:
            break
        path = plainer
    return path
