"""API keys out of a stream, whatever it says: searched over the borders of its chunks.

    KeySearch(keys)     made once for the keys that an upstream is sent
    KeyFilter(search)   one per stream: `feed` its chunks, then `finish`

Error events are masked whole, with every secret there is (stream_meter.py). This is for
all else: comments, ids, events of any size, tails that are no events, plain answers. It
looks for few keys in few spellings (plain, base64, hex, UTF-16, escapes), so that a chunk
without one costs next to nothing: it goes on as it is, and what its end begins of a key
waits for the next.

Short keys, and words (`not-needed`), are left: an answer may say them by itself.
"""

import re
from collections.abc import Callable, Iterable

from llm_gateway.secret_patterns import HIDDEN, SecretMask, escaped

SHORTEST = 16
"""Characters of a key that no answer says by chance."""
_SIGNS = {
    "\\u": r"\\u(?:00|\{{0*)(?:{hex})",
    "\\x": r"\\x(?:{hex})",
    "\\/": r"\\/",
    "%": r"%(?:25)*(?:{hex})",
    "&#": r"&#(?:[xX]0*(?:{hex})|0*(?:{dec}));",
    "\0": r"\0",
}
"""How escapes begin, and what one looks like that stands for a character of a key. Without
one nothing of a key is escaped."""
Sign = tuple[str, Callable[[str], object]]
Signs = tuple[str, tuple[Sign, ...]]
"""By their first character."""
_ENDS = frozenset(b"\\%&#;\0uxX{}0123456789abcdefABCDEF")
_PART = slice(8, 32)
_BEGINNING = 6
"""Characters of a key that are looked for in any escape."""


def is_unmistakable(key: str) -> bool:
    """Long, and no word: it has a digit, or letters of both cases."""
    mixed = key.lower() != key != key.upper() or any(map(str.isdigit, key))
    return len(key) >= SHORTEST and mixed


class KeySearch:
    """Keys of one upstream, prepared."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.mask = SecretMask(filter(is_unmistakable, keys))
        spelled = self.mask.spellings()
        self.needles = tuple(one.encode().decode("latin-1") for one in spelled)
        parts = (one[_PART] if len(one) >= _PART.stop else one for one in self.needles)
        self.parts = tuple(parts)
        """Quicker to look for than all of them."""
        self.narrow = tuple(one for one in self.parts if "\0" not in one)
        """The others are found by their zeros."""
        self.signs = _signs("".join(self.mask.plain)) if spelled else ()
        self.ends = frozenset("".join(self.needles).encode("latin-1"))
        """Bytes that a key may go on from."""
        self.text_ends = self.ends | _ENDS if self.signs else self.ends
        """The same where a character of a key may be an escape."""
        self.longest = 12 * max(map(len, self.needles), default=0)
        """Bytes that a key's spelling takes at most."""
        starts = [escaped(key[:_BEGINNING]) for key in self.mask.plain]
        self.any_escape = re.compile(b"|".join(starts)).search if starts else None

    def whole(self, text: bytes) -> bytes:
        """All of a body at once: the same bytes, unless there is a key in them."""
        if self.may_hold(text, self.narrow, self.signs):
            return self.mask.data(text)
        return text

    def may_hold(
        self, chunk: bytes, needles: tuple[str, ...], signs: tuple[Signs, ...]
    ) -> bool:
        # Bytes in bytes take ten times as long as text in text.
        text = chunk.decode("latin-1")
        for needle in needles:
            if needle in text:
                return True
        for first, some in signs:
            if first in text:
                for sign, stands_for_one in some:
                    if sign in text and stands_for_one(text):
                        find = self.any_escape
                        return find is not None and find(chunk) is not None
        return False


def _signs(characters: str) -> tuple[Signs, ...]:
    """Signs of escapes that stand for one of these, by their first character."""
    codes = sorted(set(characters.encode()))
    both = {form % code for code in codes for form in ("%02x", "%02X")}
    named = {"hex": "|".join(sorted(both)), "dec": "|".join(map(str, codes))}
    found: dict[str, list[Sign]] = {}
    for sign, pattern in _SIGNS.items():
        if sign != "\\/" or "/" in characters:
            search = re.compile(pattern.format(**named)).search
            found.setdefault(sign[0], []).append((sign, search))
    return tuple((first, tuple(signs)) for first, signs in found.items())


class KeyFilter:
    """One per stream."""

    def __init__(self, search: KeySearch, *, literal: bool = False) -> None:
        """literal: bytes that are no text, where an escape is one by chance."""
        self._search = search
        self._needles = search.parts if literal else search.narrow
        self._signs = () if literal else search.signs
        self._ends = search.ends if literal else search.text_ends
        self._carry = b""
        self.found = False
        """A key was taken out."""

    @property
    def holds(self) -> bool:
        """The last bytes may begin a key: they have not gone out."""
        return bool(self._carry)

    def feed(self, chunk: bytes) -> bytes:
        """What goes on now: the same bytes, unless there is a key in them."""
        if self._carry:
            chunk, self._carry = self._carry + chunk, b""
        if self._search.may_hold(chunk, self._needles, self._signs):
            chunk = self._masked(chunk)
        return self._held(chunk) if chunk and chunk[-1] in self._ends else chunk

    def finish(self) -> bytes:
        """What waited. Most of a key is as good as the key."""
        carry, self._carry = self._carry, b""
        if len(carry) < SHORTEST:
            return carry
        self.found = True
        return HIDDEN.encode()

    def _masked(self, chunk: bytes) -> bytes:
        clean = self._search.mask.data(chunk)
        self.found = self.found or clean != chunk
        return clean

    def _held(self, chunk: bytes) -> bytes:
        """Without what its end begins of a key."""
        start = max(0, len(chunk) - self._search.longest)
        at = start + self._search.mask.begun(chunk[start:])
        self._carry = chunk[at:]
        return chunk[:at]
