"""JSON parsing with byte offsets, and splicing: a JSON object member by member, in one pass.

The C scanner of the standard library reads each value; only the commas and colons
between top-level members are walked here, so that a body of a megabyte costs what
`json.loads` costs, and a rewrite can replace one value and leave every other byte
alone.

Offsets are in bytes of the text's UTF-8 form. This file does not know what the
members mean.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Member(NamedTuple):
    """Where one member of an object stands: [key_start, key_end) and [start, end)."""

    key: str
    key_start: int
    key_end: int
    start: int
    end: int


class NotAnObject(ValueError):
    """The text is no JSON object; the message says what is wrong and where."""


def _any_int(digits: str) -> int | float:
    # Python refuses to read numbers of more than 4300 digits. Nothing that we read
    # may be that large, and what we do not read is none of our business.
    return int(digits) if len(digits) <= 20 else float("inf")


_Decode = Callable[[str, int], tuple[Any, int]]
_decode: _Decode = json.JSONDecoder().raw_decode
_decode_any_int: _Decode = json.JSONDecoder(parse_int=_any_int).raw_decode
_space = re.compile(r"[ \t\n\r]*").match


def scan(text: str) -> tuple[list[Member], list[object]]:
    """The members of the object that `text` is, and their values, in order.

    Raises NotAnObject, also for nesting that is too deep to read.
    """
    try:
        members, values = _members(text, _decode)
    except RecursionError:
        raise NotAnObject("it is nested too deeply") from None
    except NotAnObject:
        raise
    except ValueError:
        # A number of absurd length: the only other thing that the scanner raises.
        members, values = _members(text, _decode_any_int)
    return (members if text.isascii() else _in_bytes(text, members)), values


def _members(text: str, decode: _Decode) -> tuple[list[Member], list[object]]:
    members: list[Member] = []
    values: list[object] = []
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise NotAnObject("it does not start with {")
    at = _skip(text, at + 1)
    more = text[at : at + 1] != "}"
    try:
        while more:
            key_start = at
            if text[at : at + 1] != '"':
                raise NotAnObject(f"a name in quotes is missing at character {at}")
            key, key_end = decode(text, at)
            at = _skip(text, key_end)
            if text[at : at + 1] != ":":
                raise NotAnObject(f"a colon is missing at character {at}")
            start = _skip(text, at + 1)
            value, end = decode(text, start)
            members.append(Member(key, key_start, key_end, start, end))
            values.append(value)
            at = _skip(text, end)
            mark = text[at : at + 1]
            if more := mark == ",":
                at = _skip(text, at + 1)
            elif mark != "}":
                raise NotAnObject(f"a comma is missing at character {at}")
    except json.JSONDecodeError as e:
        raise NotAnObject(f"{e.msg.lower()} at character {e.pos}") from None
    if _skip(text, at + 1) != len(text):
        raise NotAnObject(f"something follows the object at character {at + 1}")
    return members, values


def _skip(text: str, at: int) -> int:
    """The next position that holds no white space."""
    if text[at : at + 1] in (" ", "\n", "\t", "\r") and (found := _space(text, at)):
        return found.end()
    return at


def _in_bytes(text: str, members: Iterable[Member]) -> list[Member]:
    """The same members, counted in bytes instead of characters."""
    chars = bytes_ = 0
    moved = []
    for key, *offsets in members:
        places = []
        for offset in offsets:
            piece = text[chars:offset]
            bytes_ += len(piece) if piece.isascii() else len(piece.encode())
            chars = offset
            places.append(bytes_)
        moved.append(Member(key, *places))
    return moved


def splice(raw: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`raw` with each [start, end) replaced. Edits do not overlap."""
    pieces: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits):
        pieces += (raw[at:start], new)
        at = end
    pieces.append(raw[at:])
    return b"".join(pieces)
