"""Heads of HTTP/1 messages: read, checked and measured in a walk or less.

Each function takes the place of one of mitmproxy's or h11's, see mitm_compat/sites.py. It answers for
what nearly every message looks like; anything that is unusual, or wrong, is left to the
original, which has the words for it. So what is refused, and how, does not change.
"""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

from h11._receivebuffer import ReceiveBuffer
from mitmproxy import http
from mitmproxy.net.http import http1, validate
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy.layers import http as layers

from llm_gateway.fastpath.header_index import table
from llm_gateway.fastpath.replacing import replace

_init: Any = http.Headers.__init__
_lines: Any = ReceiveBuffer.maybe_extract_lines
_read_headers: Any = read._read_headers
_version: Any = read.raise_if_http_version_unknown
_body_size: Any = read.expected_http_body_size
_closes: Any = read.connection_close
_validate: Any = validate.validate_headers


def install() -> None:
    """Put all of them in place, once per process; where `HTTP` is known (mitm_compat)."""
    replace(http.Headers, "__init__", init)
    replace(ReceiveBuffer, "maybe_extract_lines", lines)
    replace(read, "_read_headers", read_headers)
    replace(read, "raise_if_http_version_unknown", check_version)
    replace(http1, "expected_http_body_size", body_size)
    replace(http1, "connection_close", closes)
    for owner in (layers, validate):
        replace(owner, "validate_headers", validate_headers)


_BYTES = {bytes}


def init(
    self: http.Headers, fields: Iterable[tuple[bytes, bytes]] = (), **named: Any
) -> None:
    """`Headers(fields)`: their types are looked at in one go."""
    own = tuple(map(tuple, fields))
    if named or not set(map(type, chain.from_iterable(own))) <= _BYTES:
        _init(self, own, **named)
    else:
        self.fields = own  # type: ignore[assignment]


def lines(self: Any) -> list[Any] | None:
    """The lines of a head that is whole, and out of the buffer; None: it is not."""
    data = self._data
    end = data.find(b"\r\n\r\n")
    if end < 1 or data[:1] in b"\r\n":
        found: list[Any] | None = _lines(self)
        return found
    if (whole := split_head(bytes(data[:end]))) is None:
        return _lines(self)  # type: ignore[no-any-return]
    del data[: end + 4]
    self._next_line_search = self._multiple_lines_search = 0
    return whole


def split_head(head: bytes) -> list[bytes] | None:
    """The lines of what stands before a blank line; None: some end in a bare newline."""
    if head.count(b"\n") != head.count(b"\r\n"):
        return None
    return head.split(b"\r\n")


def read_headers(lines: list[bytes]) -> http.Headers:
    try:
        names, values = zip(*[line.split(b":", 1) for line in lines], strict=True)
    except ValueError:  # none at all, or one without a colon
        return _read_headers(lines)  # type: ignore[no-any-return]
    text = b"".join(names)
    if b" " in text or b"\t" in text or b"" in names:
        return _read_headers(lines)  # type: ignore[no-any-return]
    return http.Headers(zip(names, map(bytes.strip, values), strict=True))


def check_version(version: bytes) -> None:
    if version != b"HTTP/1.1":
        _version(version)


def body_size(request: http.Request, response: http.Response | None = None) -> Any:
    """How long a body is, for the usual messages with a content-length."""
    message: Any = response or request
    if response and (
        request.data.method != b"POST" or not 200 <= response.data.status_code < 204
    ):
        return _body_size(request, response)
    named = table(message.data.headers)
    length = named.get(b"content-length")
    if length is None or b"transfer-encoding" in named or not is_plain_number(length):
        return _body_size(request, response)
    return int(length)


def is_plain_number(value: bytes) -> bool:
    return value.isdigit() and (value[0] != 0x30 or value == b"0")


_LATEST = ("HTTP/1.1", b"HTTP/1.1")


def closes(http_version: str | bytes, headers: http.Headers) -> bool:
    """Does this message say that it is the last one of its connection?"""
    said = table(headers).get(b"connection")
    if said == b"keep-alive" or (said is None and http_version in _LATEST):
        return False
    return _closes(http_version, headers)  # type: ignore[no-any-return]


_VALID: set[bytes] = set()
"""Names that are valid, in lower case. Clients decide what they send: see MOST_NAMES."""
MOST_NAMES = 512
LONGEST_NAME = 64


def validate_headers(message: http.Message) -> None:
    """Raises ValueError for what the original refuses."""
    named = table(message.data.headers)
    if not (named.keys() <= _VALID or all(map(_is_valid, named))):
        return _validate(message)  # type: ignore[no-any-return]
    length = named.get(b"content-length")
    if b"transfer-encoding" in named or not (length is None or is_plain_number(length)):
        return _validate(message)  # type: ignore[no-any-return]
    return None


def _is_valid(name: bytes) -> bool:
    if not _match(name):
        return False
    if len(name) <= LONGEST_NAME:
        if len(_VALID) >= MOST_NAMES:
            _VALID.clear()
        _VALID.add(name)
    return True


_match: Any = getattr(validate, "_valid_header_name", re.compile(b"(?!)")).match
