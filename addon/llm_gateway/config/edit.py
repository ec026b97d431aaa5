"""A config without its secrets, and back again; comments and order stay.

    mask(text)         → Masked(text, data)   what may be shown
    restore(new, old)  → text                 what may be stored
What lives here: which text a masked secret stands for. A stored secret is put back
only where it may go: into the section it came from, and for providers only while type
and address (scheme, host, port) are those it was stored with. What this file does not
know: files, whether the result is valid (`load.parse_config` is asked next).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llm_gateway.config.introspection import (
    holds_secret,
    is_secret,
    secret_patterns,
)
from llm_gateway.secret_patterns import KEY_LIKE

from .environment import is_reference
from .jsonc import Node, Path, comments, position, show
from .load import read_data, read_tree
from .masks import fingerprint, is_mask, mask_of
from .merge import Splice, merged, spliced
from .problems import ConfigError, Problem
from .urls import parse_base_url

_NAMED_BY = {"providers": "id", "clients": "name"}
"""Section → the key by which people know its entries."""
_SECRET_KEYS = "|".join(
    sorted({step for pattern in secret_patterns() for step in pattern[-2:]} - {"*"})
)
_KEY_IN_COMMENT = re.compile(
    rf"""\b(?:{_SECRET_KEYS})["']?\s*:\s*(["'][^"'\n]*["']|\[[^\]]*|\{{[^}}]*)"""
)
"""What looks like a secret in a comment: what a secret's key holds, a known prefix."""
_QUOTED_IN_COMMENT = re.compile(r"""["']([^"'\n]+)["'](\s*:)?""")
_MASK_IN_COMMENT = re.compile(r"\*\*\*([0-9a-f]{8})")


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _comment_blocks(text: str, tree: Node) -> Iterator[tuple[int, int]]:
    """Comments; those with nothing but space between them as one."""
    block: tuple[int, int] | None = None
    for start, end in comments(text, tree):
        if block and not text[block[1] : start].strip():
            block = (block[0], end)
            continue
        if block:
            yield block
        block = (start, end)
    if block:
        yield block


# -- Masking ---------------------------------------------------------------------------


def _hides(path: Path, text: str) -> bool:
    return holds_secret(path, text) or (is_mask(text) and is_secret(path))


def _secrets(tree: Node) -> Iterator[tuple[Path, Node]]:
    for path, node in tree.walk():
        if (
            node.kind == "string"
            and _hides(path, node.string)
            and not is_reference(node.string)
        ):
            yield path, node


def _secrets_in(comment: str, known: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, value) of what a comment should not show."""
    spans: list[tuple[int, int, str]] = []
    for key in _KEY_IN_COMMENT.finditer(comment):
        for found in _QUOTED_IN_COMMENT.finditer(comment, *key.span(1)):
            if not found[2]:
                spans.append((*found.span(1), found[1]))
    for found in KEY_LIKE.finditer(comment):
        spans.append((*found.span(), found[0]))
    for value in known:
        for found in re.finditer(re.escape(value), comment):
            spans.append((*found.span(), value))
    end_of_last = 0
    for start, end, value in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end_of_last and not is_mask(value) and not is_reference(value):
            yield start, end, value
            end_of_last = end


def _shown_comment(comment: str, known: frozenset[str]) -> str:
    return spliced(
        comment,
        [(start, end, mask_of(value)) for start, end, value in _secrets_in(comment, known)],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Masked:
    """A config that may be shown."""

    text: str
    """The JSONC text with its comments."""
    data: Any
    """The same as plain JSON data, references as written."""


def _plain(value: Any, path: Path = ()) -> Any:
    match value:
        case dict():
            return {key: _plain(item, (*path, key)) for key, item in value.items()}
        case list():
            return [_plain(item, (*path, n)) for n, item in enumerate(value)]
        case Decimal():
            return float(value)
        case str() if holds_secret(path, value) and not is_reference(value):
            return mask_of(value)
        case _:
            return value


def _known(tree: Node) -> frozenset[str]:
    # Short ones are left: replacing every "me" would tear comments apart.
    return frozenset(node.string for _, node in _secrets(tree) if len(node.string) > 7)


def mask(text: str, name: str = "config.jsonc") -> Masked:
    """The config with `***` and a fingerprint for each secret.

    References (`${NAME}`) are shown, since they tell nothing. Raises `ConfigError`
    when the text is no JSON5.
    """
    tree = read_tree(text, name)
    return Masked(_masked(text, tree), _plain(read_data(text, name, tree)))


def _masked(text: str, tree: Node) -> str:
    known = _known(tree)
    splices = [
        (node.start, node.end, _quoted(mask_of(node.string)))
        for _, node in _secrets(tree)
    ]
    for start, end in _comment_blocks(text, tree):
        splices.append((start, end, _shown_comment(text[start:end], known)))
    return spliced(text, splices)


# -- Putting back ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stored:
    owner: tuple[str, str]
    """Section and name of the entry that holds it: ("providers", "gemini-free")."""
    inside: Path
    """Where in that entry: ("apiKeys", 1)."""
    value: str
    token: str
    """As it stands in the text, quotes included."""
    home: tuple[Any, ...]
    """Where the entry's requests go."""


def _string(node: Node | None) -> str | None:
    return node.string if node is not None and node.kind == "string" else None


def _owner(tree: Node, path: Path) -> tuple[str, str]:
    section = str(path[0])
    name = _string(tree.at((*path[:2], _NAMED_BY.get(section, ""))))
    return section, name if name is not None else show(path[:2])


def _home(tree: Node, path: Path, base_urls: Mapping[str, str]) -> tuple[Any, ...]:
    if path[0] != "providers":
        return ()
    entry = tree.at(path[:2])
    kind = _string(entry.get("type")) if entry else None
    url = _string(entry.get("baseURL")) if entry else None
    parts: tuple[str | None, ...] = ()
    if entry and url is None:
        url = base_urls.get(kind or "")
        keys = ("resourceName", "region", "location")
        parts = tuple(_string(entry.get(key)) for key in keys)
    where: Any = url
    if url is not None:
        try:
            origin = parse_base_url(url, allow_private_http=True)
            where = (origin.scheme, origin.host, origin.port)
        except ValueError:
            pass  # with a reference in it: only the same text is the same address
    kind = "openai-compatible" if kind == "custom" else kind
    return (kind, where, parts if any(parts) else ())


def _stored(text: str, tree: Node, base_urls: Mapping[str, str]) -> list[_Stored]:
    return [
        _Stored(
            owner=_owner(tree, path),
            inside=path[2:],
            value=node.string,
            token=text[node.start : node.end],
            home=_home(tree, path, base_urls),
        )
        for path, node in _secrets(tree)
    ]


def _found(
    mark: str, owner: tuple[str, str], inside: Path, home: tuple[Any, ...], stored: list[_Stored]
) -> _Stored | str:  # fmt: skip
    """What a mask stands for, or why it stands for nothing."""
    own = [one for one in stored if (one.owner, one.inside) == (owner, inside)]
    if mark == "***":
        fitting = own
    else:
        same = [one for one in stored if mask_of(one.value) == mark]
        same = [one for one in same if one.owner[0] == owner[0]]
        fitting = sorted(same, key=lambda one: (one.owner != owner, one not in own))
    if not fitting:
        return "is a masked secret that is not stored here; write the secret itself"
    for one in fitting:
        if one.home == home:
            return one
    return (
        "is a stored secret, but the type or the address of its provider changed, and "
        "a secret does not move to another address by itself; write it again"
    )


def _comments_restored(
    text: str, tree: Node, old: str, old_tree: Node
) -> Iterator[Splice]:
    hidden: dict[str, str] = {}
    known = _known(old_tree)
    for start, end in _comment_blocks(old, old_tree):
        for _, _, value in _secrets_in(old[start:end], known):
            hidden[fingerprint(value)] = value
    still_known = _known(tree)
    for start, end in _comment_blocks(text, tree):
        comment = text[start:end]
        back = _MASK_IN_COMMENT.sub(lambda m: hidden.get(m[1], m[0]), comment)
        # Only where it would be masked again, or a comment could be made to tell it.
        if back != comment and _shown_comment(back, still_known) == comment:
            yield start, end, back


def restore(
    new: str | Mapping[str, Any],
    old: str,
    *,
    base_urls: Mapping[str, str] | None = None,
    name: str = "config.jsonc",
) -> str:
    """The text to store for what came back from an editor.

    `new` is JSONC text (its comments stay) or a JSON object (the comments of `old`
    stay where the values around them do).
    `old` is the text whose masked form was shown. `base_urls` gives each type's own
    address, so that writing it out is no change of address. Raises `ConfigError` for
    no JSON5, and for masks that stand for nothing, with all their places.
    """
    if isinstance(new, str):
        text, tree = new, read_tree(new, name)
        old_tree = read_tree(old, name)
    else:
        old_tree = read_tree(old, name)
        text = merged(_masked(old, old_tree), new)
        tree = read_tree(text, name)
    stored = _stored(old, old_tree, base_urls or {})
    splices: list[Splice] = []
    problems: list[Problem] = []
    for path, node in _secrets(tree):
        if not is_mask(node.string):
            continue
        home = _home(tree, path, base_urls or {})
        found = _found(node.string, _owner(tree, path), path[2:], home, stored)
        if isinstance(found, str):
            line, column = position(text, node.start)
            problems.append(Problem(show(path), line, column, found, name))
        else:
            splices.append((node.start, node.end, found.token))
    if problems:
        raise ConfigError(*problems)
    restored = spliced(text, splices)
    # Comments in a second step: what they may show depends on the secrets put back.
    if splices:
        tree = read_tree(restored, name)
    return spliced(restored, [*_comments_restored(restored, tree, old, old_tree)])
