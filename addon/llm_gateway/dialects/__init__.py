"""API formats: match a request line, read the body, write errors; one row per dialect.

    match, match_subpath   request line  -> DialectSpec | None   here
    match_stored           request line  -> StoredPath | None    here
    match_resource         path, headers -> whose, ResourcePath  here
    read                   body          -> RequestBody | RequestError   request_body.py
    RequestBody.rewritten                -> the body that leaves         json_splice.py
    spec.error_body, stream_error        -> our refusals                 each folder
    read_error, word_of                  <- a provider's                 provider_errors.py
    models_list, renamed_answer          -> what clients read

A dialect is what is *spoken*, not who speaks it: OpenRouter, Groq and a dozen more
speak OpenAI's. To add one: a folder with its row (`spec.DialectSpec`), a line in `_ROWS`,
and its name in the rows of the providers that speak it. Nothing here knows a provider, a
socket or a clock, and nothing here raises on what a stranger sent.
"""

from collections.abc import Collection, Container, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

from llm_gateway.dialects.answer_model import renamed_answer
from llm_gateway.dialects.chat import CHAT
from llm_gateway.dialects.completions import COMPLETIONS
from llm_gateway.dialects.embeddings import EMBEDDINGS
from llm_gateway.dialects.generate_content import GENERATE_CONTENT
from llm_gateway.dialects.messages import MESSAGES
from llm_gateway.dialects.model_list import models_list
from llm_gateway.dialects.paths import plain_path
from llm_gateway.dialects.provider_errors import (
    ProviderError,
    error_in,
    read_error,
    word_of,
)
from llm_gateway.dialects.request_body import RequestBody, RequestError, read, written
from llm_gateway.dialects.resources import (
    Resource,
    ResourcePath,
    read_resource_path,
)
from llm_gateway.dialects.responses import RESPONSES
from llm_gateway.dialects.spec import DialectSpec, ModelLists
from llm_gateway.domain import Dialect

__all__ = [
    "DEFAULT",
    "SPECS",
    "DialectSpec",
    "ProviderError",
    "RequestBody",
    "RequestError",
    "Resource",
    "ResourcePath",
    "StoredPath",
    "error_in",
    "first_of",
    "is_request_path",
    "key_headers",
    "key_parameters",
    "lists_models_as",
    "match",
    "match_resource",
    "match_stored",
    "match_subpath",
    "models_list",
    "plain_path",
    "read",
    "read_error",
    "register",
    "renamed_answer",
    "spoken_with",
    "translations",
    "unrouted",
    "word_of",
    "written",
]

_ROWS = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, GENERATE_CONTENT)

_specs: dict[Dialect, DialectSpec] = {}
SPECS: Mapping[Dialect, DialectSpec] = MappingProxyType(_specs)
"""Every dialect by its name, in the order in which people are told of them."""

DEFAULT = CHAT
"""What is spoken with a stranger whose dialect is not known."""

_ends: list[tuple[str, DialectSpec | None]] = []
"""(end of a path, whose it is or nobody's), the longest first."""
_request_ends: tuple[str, ...] = ()
_own_versions: frozenset[str] = frozenset()
"""Versions in paths about resources that name one API."""
_key_headers: dict[str, None] = {"api-key": None}
_key_parameters: dict[str, None] = {}


def register(spec: DialectSpec) -> None:
    """Add a row. ValueError if its name or one of its ends is another's already.

    Before the configuration is first read: what it allows is taken from here.
    """
    global _request_ends, _own_versions
    if spec.name in _specs:
        raise ValueError(f"dialect {spec.name!r} is registered twice")
    for other in _specs.values():
        if both := sorted({*spec.ends} & {*other.ends}):
            raise ValueError(
                f"dialect {spec.name!r}: {both[0]!r} is an end of {other.name!r} already"
            )
        if kept := sorted({*spec.ends} & {*other.foreign_ends}):
            raise ValueError(
                f"dialect {spec.name!r}: {kept[0]!r} is kept from {other.name!r}; take it "
                "out of its `foreign_ends`"
            )
    _specs[spec.name] = spec
    _ends.extend((end, spec) for end in spec.ends)
    _ends.extend((end, None) for end in spec.foreign_ends)
    _ends.sort(key=lambda row: -len(row[0]))
    ends = {*spec.ends, *spec.free_paths}
    if "{" not in spec.path:
        ends.add(spec.path)
    _request_ends = (*_request_ends, *sorted(end.lower() for end in ends))
    _own_versions = _own_versions.union(*(r.versions for r in spec.resources))
    _key_headers.update(dict.fromkeys(spec.key_headers))
    if spec.key_parameter:
        _key_parameters[spec.key_parameter] = None


for _row in _ROWS:
    register(_row)


def match(method: str, path: str) -> DialectSpec | None:
    """The dialect of a request line; None: nothing that is routed.

    Clients put anything in front (`/v1`, `/openai/v1`, `/openai/deployments/NAME`), so
    only the end of `path` is looked at, without its query and slashes too many.
    """
    if method != "POST":
        return None
    path = plain_path(path)
    for end, spec in _ends:
        if path.endswith(end):
            return None if spec is not None and _is_foreign(path, spec) else spec
    return None


def match_subpath(method: str, path: str) -> tuple[DialectSpec, str] | None:
    """The dialect of a request line that is one of its `free_paths`, and what that adds
    to the dialect's own path: `/count_tokens`. None: it is no such path."""
    if method != "POST":
        return None
    path = plain_path(path)
    for spec in SPECS.values():
        for end, below in spec.free_paths.items():
            if path.endswith(end) and not _is_foreign(path, spec):
                return spec, below
    return None


def _is_foreign(path: str, spec: DialectSpec) -> bool:
    return bool(spec.foreign_path and spec.foreign_path.fullmatch(path))


class StoredPath(NamedTuple):
    """A request line about an answer that a provider keeps."""

    dialect: DialectSpec
    id: str
    below: str
    """What follows the id: "", `/cancel`."""


def match_stored(method: str, path: str) -> StoredPath | None:
    """Which kept answer a request line is about; None: it is no such line."""
    path = plain_path(path)
    for spec in _specs.values():
        for known, below in spec.stored.paths if spec.stored is not None else ():
            if method != known or not path.endswith(below):
                continue
            parent, _, name = path.removesuffix(below).rpartition("/")
            if name and parent.endswith(spec.ends):
                return StoredPath(spec, unquote(name), below)
    return None


def match_resource(
    path: str, headers: Container[str]
) -> tuple[DialectSpec, ResourcePath] | None:
    """Which resource that an account keeps a path is about, and whose API that is; None:
    it is no such path. Where two APIs have the same path, its version or a header tells
    them apart."""
    path = plain_path(path)
    other: tuple[DialectSpec, ResourcePath] | None = None
    for spec in _specs.values():
        for resource in spec.resources:
            found = read_resource_path(path, resource)
            if found is None:
                continue
            if found.version in resource.versions:
                return spec, found
            if resource.header and resource.header in headers:
                return spec, found
            if not resource.header and found.version not in _own_versions:
                other = other or (spec, found)
    return other


def unrouted(path: str) -> tuple[DialectSpec, str] | None:
    """The dialect whose API has this path, though it is not routed, and what to tell who
    asks for it. None: nobody's."""
    path = plain_path(path)
    for spec in _specs.values():
        for other in spec.unrouted:
            if other.paths.fullmatch(path):
                return spec, f"{path[:100]} {other.message}"
    return None


def is_request_path(path: str) -> bool:
    """The path (lower case, no query) ends as one that a dialect is asked at, or is
    another one of its API."""
    return (
        path.endswith(_request_ends)
        or any(match_stored(method, path) for method in ("GET", "POST", "DELETE"))
        or any(
            read_resource_path(path, resource)
            for spec in _specs.values()
            for resource in spec.resources
        )
        or unrouted(path) is not None
    )


def lists_models_as(
    version: str, headers: Container[str], query: Container[str] = ()
) -> tuple[DialectSpec, ModelLists] | None:
    """Whose form a list of models has: `version` stands before `/models` in its path; in
    `query` are the names of its parameters. None: nobody's own."""
    for spec in _specs.values():
        lists = spec.model_lists
        if lists is not None and (
            version in lists.versions
            or lists.header in headers
            or (spec.key_parameter and spec.key_parameter in query)
        ):
            return spec, lists
    return None


def spoken_with(headers: Container[str]) -> DialectSpec:
    """The dialect that a request without one is meant in, by the headers that only it
    needs: lists of models have a form of their own in some."""
    for spec in SPECS.values():
        if any(name.decode() in headers for name, _ in spec.headers):
            return spec
    return DEFAULT


def key_headers() -> Collection[str]:
    """Where SDKs put a key besides `authorization`: Azure's for any dialect, and each
    dialect's own."""
    return _key_headers


def key_parameters() -> Collection[str]:
    """The same in a query."""
    return _key_parameters


def translations(source: Dialect) -> tuple[Dialect, ...]:
    """The dialects that a request in `source` can be translated to, in the registry's
    order: those that have codecs, where it has some itself."""
    if _specs[source].codecs is None:
        return ()
    return tuple(
        name
        for name, spec in _specs.items()
        if name != source and spec.codecs is not None
    )


def first_of(names: Container[Dialect]) -> Dialect | None:
    """Of several dialects the one that the registry has first; None for none."""
    for name in _specs:
        if name in names:
            return name
    return None
