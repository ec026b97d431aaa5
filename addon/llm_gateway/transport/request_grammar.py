"""The grammar of HTTP requests: which bytes a method, target, field name or value may hold.

Pure: bytes in, a sentence or None out. A space in a target, a CR LF in a value, a name that
is no token: each makes of one request two, once it is written in HTTP/1 (request smuggling,
RFC 9110 5.1 and 5.5, RFC 9112 3 and 11.2). Whoever reads a request and whoever writes one
asks here, so that no parser has to be believed.
"""

import re
from collections.abc import Iterable, Mapping

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VISIBLE = rb"[\x21-\x7e]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"

_is_token = re.compile(_TOKEN).fullmatch
_is_visible = re.compile(_VISIBLE + rb"+").fullmatch
_is_value = re.compile(_VALUE).fullmatch
_is_line = re.compile(rb"%s (?:/%s*|\*) %s*" % (_TOKEN, _VISIBLE, _VISIBLE)).fullmatch
_is_path = re.compile(rb"/%s*|\*" % _VISIBLE).fullmatch
_is_request_line = re.compile(rb"%s %s+ HTTP/1\.[01]" % (_TOKEN, _VISIBLE)).fullmatch

USUAL = frozenset({b"POST", b"GET", b"PUT", b"DELETE", b"HEAD", b"PATCH", b"OPTIONS"})
CHUNKED = b"chunked"
LONGEST_LENGTH = 18
"""Digits of a content-length. Python refuses to read more than 4300."""

_CONTROL = bytes(set(range(0x20)) - {0x09}) + b"\x7f"
_NAME_BYTES = bytes(n for n in range(256) if _is_token(bytes([n])))


def line_problem(method: bytes, path: bytes, authority: bytes) -> str | None:
    """Why these make no request line in origin-form; `authority` may be empty."""
    if method in USUAL and not authority and _is_path(path):
        return None
    if _is_line(b"%s %s %s" % (method, path, authority)):
        return None
    if not _is_token(method):
        return "The method is not a token."
    if not path.startswith(b"/") and path != b"*":
        return "The path does not begin with a slash."
    if not _is_visible(path):
        return (
            "The path holds a space, a control character or a byte beyond ASCII; "
            "percent-encode it."
        )
    return "The authority holds a space, a control character or a byte beyond ASCII."


def fields_problem(names: bytes, values: bytes) -> str | None:
    """`names` and `values`: those of all fields, each put together."""
    if values.translate(None, _CONTROL) != values:
        return "A header holds a control character."
    if names.translate(None, _NAME_BYTES):
        return "The name of a header is not a token."
    return None


def framing_problem(named: Mapping[bytes, bytes]) -> str | None:
    """Why it is not clear where a request with these fields ends.

    named: names in lower case -> value, those of repeated fields joined with `, `.
    """
    length = named.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= LONGEST_LENGTH):
        return "content-length is not a number."
    coding = named.get(b"transfer-encoding")
    if coding is None:
        return None
    if length is not None:
        return "There is both a content-length and a transfer-encoding."
    if coding.lower() != CHUNKED:
        return "The transfer-encoding is not chunked."
    return None


def host_problem(named: Mapping[bytes, bytes], version: bytes) -> str | None:
    """Never more than one `Host`, and in HTTP/1.1 never none (RFC 9112, 3.2)."""
    host = named.get(b"host")
    if host is None:
        return "There is no Host header." if version == b"HTTP/1.1" else None
    if b"," in host:
        return "There is more than one Host header."
    return None


def head_problem(head: bytes, names: Iterable[bytes], fields: int) -> str | None:
    """Why these bytes are not the head of one HTTP/1 request with that many fields.

    Two walks in C instead of a pattern: with all control characters taken out there has to
    be less by the line ends alone, of which each field has one.
    """
    ends = fields + 2
    if (
        len(head) - len(head.translate(None, _CONTROL)) != 2 * ends
        or head.count(b"\r\n") != ends
        or not _is_request_line(head[: head.index(b"\r\n")])
    ):
        return "This is not the head of one request."
    if not _NAMES.issuperset(names) and not all(map(_is_known_token, names)):
        return "The name of a header is not a token."
    return None


_NAMES: set[bytes] = set()
"""Those that were looked at and are tokens. Clients decide what they send: MOST_NAMES."""
MOST_NAMES = 512
LONGEST_NAME = 64


def _is_known_token(name: bytes) -> bool:
    if not _is_token(name):
        return False
    if len(name) <= LONGEST_NAME:
        if len(_NAMES) >= MOST_NAMES:
            _NAMES.clear()
        _NAMES.add(name)
    return True


def http2_problem(fields: Iterable[tuple[bytes, bytes | str]]) -> str | None:
    """Why this list, with its pseudo-headers, is not the head of one HTTP/2 request."""
    for name, given in fields:
        # mitmproxy makes of `Host` a text.
        value = given if isinstance(given, bytes) else _bytes(given)
        if name.startswith(b":"):
            if not _PSEUDO.get(name, _never)(value):
                return f"{name[:20]!r} is missing or malformed."
        elif not _is_token(name) or name != name.lower():
            return "The name of a header is not a token in lower case."
        elif not _is_value(value):
            return "A header holds a control character."
    return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _never(value: bytes) -> None:
    return None


_PSEUDO = {
    b":method": _is_token,
    b":scheme": re.compile(rb"https?").fullmatch,
    b":path": _is_path,
    b":authority": _is_visible,
}
