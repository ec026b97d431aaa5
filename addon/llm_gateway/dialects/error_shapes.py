"""A provider's error in the dialect's own error shape: five of six SDK families show no other.

`in_shape` gives a body that is in it already back as it is, byte for byte. Any other one
(see the table in provider_errors.py) becomes the dialect's own, with the provider's words
verbatim as the message; members that the provider adds inside its error stay.

The shape is what the dialect's own `error_body` writes: nothing here knows a dialect.
Never raises. Pure.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping

from llm_gateway.dialects.error_parts import HOLDERS, VAGUE, WORDS, held, place_of
from llm_gateway.dialects.provider_errors import READ_LENGTH, ProviderError
from llm_gateway.dialects.spec import DialectSpec

LONGEST_WORDS = 4096
"""Characters of a message; what is longer is cut."""
MOST_DETAILS = 16
"""Entries of a list of details that are joined."""
MOST_EXTRAS = 32
_DEPTH = 6

_MESSAGES = tuple(name for name in WORDS if name not in ("title", "raw"))
"""Members that hold the words, the better ones first; `title` only where there is none."""
_INNER = (*HOLDERS, "errors", "issues", "base_resp", "response")
_TAGS = re.compile(r"<(script|style|head)\b.*?</\1>|<[^>]{0,500}>", re.S | re.I)
_SPACE = re.compile(r"\s+")


def in_shape(
    dialect: DialectSpec,
    status: int,
    body: bytes,
    error: ProviderError,
    *,
    foreign: bool = False,
) -> bytes:
    """The body that a client of `dialect` can read.

    error: what `read_error` found in this body; foreign: it is of another dialect, of
    which nothing stays but the words, what they are about and the code.
    """
    value = _json(body)
    words = words_of(value) if value is not None else _plain(body)
    words = words or error.message or f"The provider answered {status}, without a word."
    param = error.param or _place(value) or None
    code = error.code or "provider_error"
    official = json.loads(dialect.error_body(status, code, words, param=param))
    if value is not None and not foreign and _fits(value, official, words):
        return body
    inner = value.get("error") if isinstance(value, dict) and not foreign else None
    if isinstance(inner, dict):
        _merge(official["error"], inner)
    try:
        return json.dumps(official, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(official, separators=(",", ":")).encode()


def words_of_body(body: bytes) -> str:
    """What an error body says, whatever its shape."""
    value = _json(body)
    return words_of(value) if value is not None else _plain(body)


def words_of(value: object, depth: int = 0) -> str:
    """What the error says, verbatim; "" where it says nothing.

    Lists of details as `loc: msg`, joined; words in `metadata.raw` before such as
    "Provider returned error".
    """
    if depth > _DEPTH:
        return ""
    if isinstance(value, str):
        found = _json(value.encode("utf-8", "replace")) if value[:1] in "{[" else None
        return (words_of(found, depth + 1) or value)[:LONGEST_WORDS]
    if isinstance(value, list):
        said = dict.fromkeys(_each(value[:MOST_DETAILS], depth))
        return "; ".join(filter(None, said))[:LONGEST_WORDS]
    if not isinstance(value, dict):
        return ""
    vague = ""
    for words in _candidates(value, depth):
        if words and not VAGUE.fullmatch(words):
            return words
        vague = vague or words
    return vague


def _candidates(value: Mapping[str, object], depth: int) -> Iterator[str]:
    for key in _INNER:
        inner = value.get(key)
        if key == "errors" and isinstance(inner, dict):
            inner = list(held(key, inner))
        if isinstance(inner, dict | list) or (key in HOLDERS and inner):
            yield words_of(inner, depth + 1)
    for key in _MESSAGES:
        if said := words_of(value.get(key), depth + 1):
            yield said
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        yield words_of(metadata.get("raw"), depth + 1)
    title = value.get("title")
    yield title[:LONGEST_WORDS] if isinstance(title, str) else ""


def _each(details: list[object], depth: int) -> Iterator[str]:
    for one in details:
        said = words_of(one, depth + 1)
        where = place_of(one) if isinstance(one, dict) else ""
        yield f"{where}: {said}" if said and where else said


def _place(value: object) -> str:
    """The member of the request that the first detail is about: `temperature`."""
    found = value
    for key in ("message", "detail"):
        if isinstance(found, dict) and isinstance(found.get(key), dict | list):
            found = found[key]
    first = found[0] if isinstance(found, list) and found else None
    where = first.get("loc") if isinstance(first, dict) else None
    if not isinstance(where, list):
        return ""
    parts = [str(part) for part in where if part not in ("body", "query")]
    return ".".join(parts)[:100]


def _fits(value: object, official: Mapping[str, object], words: str) -> bool:
    """The body has the official shape, and its message is what the provider says."""
    if not isinstance(value, dict):
        return False
    for key, wanted in official.items():
        found = value.get(key)
        if not isinstance(wanted, dict):
            if found != wanted:
                return False
        elif not isinstance(found, dict) or not _has_types(found, wanted):
            return False
    inner = value.get("error")
    return isinstance(inner, dict) and inner.get("message") == words


def _has_types(found: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    """A text, a number or nothing, each where the official error has one."""
    return all(_same_type(found[k], v) for k, v in wanted.items() if k in found)


def _same_type(found: object, wanted: object) -> bool:
    return found is None or isinstance(found, str if wanted is None else type(wanted))


def _merge(official: dict[str, object], inner: Mapping[str, object]) -> None:
    """What the provider's error says besides, where it is of the right type."""
    for key, value in list(inner.items())[:MOST_EXTRAS]:
        if key == "message":
            continue
        fits = value is not None and _same_type(value, official.get(key))
        if fits or key not in official:
            official[key] = value


def _plain(body: bytes) -> str:
    """The words of a page or of plain text."""
    text = body[: 4 * LONGEST_WORDS].decode("utf-8", "replace")
    text = _SPACE.sub(" ", html.unescape(_TAGS.sub(" ", text))).strip()
    return text[:LONGEST_WORDS]


def _json(body: bytes) -> object:
    """The value of a JSON text, or of a stream's first event; None: it is neither."""
    text = body.strip() if len(body) <= READ_LENGTH else b""
    if text[:1] not in (b"{", b"["):
        _, found, rest = text.partition(b"data:")
        text = rest.strip().split(b"\n")[0] if found else b""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
