"""Resources that a provider keeps for an account: files, conversations, caches, vector stores.

What lives here: the request lines about them, and which members of other requests name one
by its id. An id means something to the account that made it, and to nobody else.

What this file does not know: any provider, who keeps what.
"""

import re
from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

_READS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
LONGEST_ID = 256
"""Characters; longer ones are nobody's."""
MOST_IDS = 64
"""Ids of one request that are looked up."""


class Resource(NamedTuple):
    """One collection of an API. Rows are compared by identity."""

    path: str
    """Its segment of the path, behind the version: `files`."""
    title: str
    """What one of them is called: `file`."""
    header: str = ""
    """One that only clients of this API send, where another one has the same path."""
    versions: frozenset[str] = frozenset()
    """Segments of the path that name a version of this API and of no other: no header is
    needed with one."""
    bills: bool = False
    """Keeping one costs money."""
    id_member: str = "id"
    """Member of an answer that holds the id of what was made."""
    model_member: str = ""
    """Member of a request for a new one that names the model it is for."""
    is_made: bool = True
    """New ones are made where the others are. False: by a protocol of its own."""

    def key(self, name: str) -> str:
        """The id by which one is remembered, of its segment in a path: where answers call
        it by its name, the collection stands before it (`cachedContents/abc`)."""
        return f"{self.path}/{name}" if self.id_member == "name" else name


class ResourcePath(NamedTuple):
    """A request line about one."""

    resource: Resource
    id: str
    """"": all of them, or a new one."""
    below: str
    """What follows the id: "", `/content`."""
    version: str = ""
    """The segment before the collection: `v1`, `v1beta`, `openai`; "": none."""

    @property
    def makes(self) -> bool:
        return not self.id

    def is_free(self, method: str) -> bool:
        """Reading, deleting and cancelling cost nothing, even where keeping it does."""
        return method.upper() in _READS or self.below.rstrip("/").endswith("/cancel")


def read_resource_path(path: str, resource: Resource) -> ResourcePath | None:
    """`path` is plain: no query, no slashes too many. Whatever stands before the version
    may, as for every route."""
    found = _pattern(resource.path, resource.versions).match(path)
    if found is None:
        return None
    name, version = unquote(found["id"] or ""), found["version"] or ""
    return ResourcePath(resource, name, found["below"] or "", version.lower())


_VERSIONS = frozenset({"v1", "openai"})
"""Before anybody's collections; others stand before those of one API alone."""
_patterns: dict[tuple[str, frozenset[str]], re.Pattern[str]] = {}


def _pattern(path: str, versions: frozenset[str]) -> re.Pattern[str]:
    known = _patterns.get((path, versions))
    if known is None:
        words = "|".join(map(re.escape, sorted(_VERSIONS | versions)))
        known = _patterns[path, versions] = re.compile(
            rf"(?:/(?:[\w.-]+/){{0,4}}?(?P<version>{words}))?/"
            + re.escape(path)
            + r"(?:/(?P<id>[^/]+)(?P<below>/.*)?)?\Z",
            re.IGNORECASE,
        )
    return known


class IdMembers(NamedTuple):
    """Where requests of a dialect name resources and kept answers by their ids."""

    top: Mapping[str, str]
    """Top-level member -> what it names (`conversation`); its value is the id, or an
    object with one."""
    inside: Mapping[str, str] = MappingProxyType({})
    """Members at any depth: an id, or a list of ids."""
    hints: tuple[bytes, ...] = ()
    """Bytes without which a body has none of those inside: a quick look."""


class NamedId(NamedTuple):
    title: str
    """What it is called: `file`."""
    id: str


def may_name(raw: bytes, keys: Set[str], members: IdMembers) -> bool:
    """A quick look: the body, with these top-level members, may name something."""
    named = not members.top.keys().isdisjoint(keys)
    return named or any(map(raw.__contains__, members.hints))


def named_ids(values: Mapping[str, object], members: IdMembers) -> tuple[NamedId, ...]:
    """What a body names, each once, in no certain order; at most MOST_IDS. Never raises."""
    found: dict[NamedId, None] = {}
    for member, title in members.top.items():
        value = values.get(member)
        if isinstance(value, dict):
            value = value.get("id")
        _take(found, title, value)
    if members.inside:
        todo: list[object] = [values]
        while todo and len(found) < MOST_IDS:
            item = todo.pop()
            if isinstance(item, list):
                todo.extend(item)
            elif isinstance(item, dict):
                for key, value in item.items():
                    if isinstance(value, str) or key in members.inside:
                        title = members.inside.get(key, "")
                        for one in value if isinstance(value, list) else (value,):
                            _take(found, title, one)
                    if isinstance(value, (dict, list)):
                        todo.append(value)
    return tuple(found)[:MOST_IDS]


def _take(found: dict[NamedId, None], title: str, value: object) -> None:
    if not title or not isinstance(value, str):
        return
    if "://" in value:
        # Google's files are named by their address.
        value = "/".join(value.partition("?")[0].rsplit("/", 2)[-2:])
    if 0 < len(value) <= LONGEST_ID:
        found[NamedId(title, value)] = None


def made_ids(answer: object, resource: Resource) -> tuple[str, ...]:
    """Ids in an answer about something that was made: its own, and that of a file which
    an upload became. A file may be wrapped in an object."""
    if not isinstance(answer, dict):
        return ()
    inner = answer.get("file")
    given = (
        answer.get(resource.id_member),
        inner.get(resource.id_member) if isinstance(inner, dict) else None,
    )
    return tuple(
        one for one in given if isinstance(one, str) and 0 < len(one) <= LONGEST_ID
    )
