"""Progress of a JSON text that comes in pieces: still open, whole, or no JSON any more.

For arguments of tool calls in a stream: SDKs parse what has come so far with each piece, and
break on what cannot become JSON. Nothing is kept but the open brackets; each piece costs
what it weighs.
"""

import json
import re

_STRING_MARK = re.compile(r'["\\\x00-\x1f]')
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[-+.0-9a-zA-Z]*")
_HEX = re.compile(r"[0-9a-fA-F]*")
_DEEPEST = 500
"""Brackets inside each other; parsers give up soon after."""


class JsonProgress:
    """Feed pieces of a text."""

    __slots__ = (
        "_escape",
        "_hex",
        "_in_string",
        "_objects_only",
        "_scalar",
        "_stack",
        "_want",
        "is_broken",
        "is_empty",
        "is_whole",
    )

    def __init__(self, *, objects_only: bool = True) -> None:
        self.is_whole = False
        """One value, to its end."""
        self.is_broken = False
        """Whatever comes now, it is no JSON, or no object."""
        self.is_empty = True
        self._objects_only = objects_only
        self._stack: list[str] = []
        self._want = "value"
        self._in_string = False
        self._escape = False
        self._hex = 0
        """Digits that are still missing of a \\u escape."""
        self._scalar = ""

    def feed(self, text: str) -> int:
        """Characters of `text` that belong to the value; fewer than all where it has ended
        before, or is broken."""
        at, end = 0, len(text)
        while at < end and not self.is_broken:
            if self._in_string:
                at = self._string(text, at)
            elif self._scalar:
                found = _SCALAR.match(text, at)
                assert found is not None
                self._scalar += found.group()
                at = found.end()
                if len(self._scalar) > 400:
                    self.is_broken = True
                elif at < end:
                    self._end_scalar()
            else:
                space = _SPACE.match(text, at)
                assert space is not None
                at = space.end()
                if at == end:
                    break
                if self.is_whole:
                    return at
                self._mark(text[at])
                at += 1
        return end if not self.is_broken else at

    def _string(self, text: str, at: int) -> int:
        if self._hex:
            found = _HEX.match(text, at, at + self._hex)
            assert found is not None
            self._hex -= len(found.group())
            if self._hex and found.end() < len(text):
                self.is_broken = True
            return found.end()
        if self._escape:
            self._escape = False
            if text[at] == "u":
                self._hex = 4
            elif text[at] not in '"\\/bfnrt':
                self.is_broken = True
            return at + 1
        mark = _STRING_MARK.search(text, at)
        if mark is None:
            return len(text)
        if mark.group() == '"':
            self._in_string = False
            if self._want != "colon":
                self._value_ends()
        elif mark.group() == "\\":
            self._escape = True
        else:
            self.is_broken = True
        return mark.end()

    def _mark(self, char: str) -> None:
        self.is_empty = False
        want = self._want
        if char == '"':
            if want in ("key", "first_key"):
                self._want, self._in_string = "colon", True
            elif want in ("value", "first_value") and self._may_be_here():
                self._in_string = True
            else:
                self.is_broken = True
        elif char in "{[" and want in ("value", "first_value"):
            self._stack.append(char)
            self.is_broken = len(self._stack) > _DEEPEST or (
                self._objects_only and self._stack[0] != "{"
            )
            self._want = "first_key" if char == "{" else "first_value"
        elif (char == "}" and self._stack[-1:] == ["{"] and want in _ENDS) or (
            char == "]" and self._stack[-1:] == ["["] and want in _ENDS
        ):
            self._stack.pop()
            self._value_ends()
        elif char == ":" and want == "colon":
            self._want = "value"
        elif char == "," and want == "after" and self._stack:
            self._want = "key" if self._stack[-1] == "{" else "value"
        elif (
            (char.isdigit() or char in "-tfn")
            and want in ("value", "first_value")
            and self._may_be_here()
        ):
            self._scalar = char
        else:
            self.is_broken = True

    def _may_be_here(self) -> bool:
        return bool(self._stack) or not self._objects_only

    def _end_scalar(self) -> None:
        scalar, self._scalar = self._scalar, ""
        try:
            json.loads(scalar)
        except ValueError:
            self.is_broken = True
            return
        self._value_ends()

    def _value_ends(self) -> None:
        self._want = "after"
        self.is_whole = not self._stack


_ENDS = ("after", "first_key", "first_value")
