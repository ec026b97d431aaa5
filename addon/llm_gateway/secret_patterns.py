"""What API keys look like, and how a known secret may be spelled: for masking.

    looks_like_a_key(text)   a name that begins as keys of a known kind do
    KEY_LIKE                 such keys inside a text
    SecretMask(secrets)      replaces known secrets, however a text or a head spells them

A provider that refuses a key likes to repeat it: as it is, with JSON's escapes
(`\\u006b`), in a URL (`%6B`), in HTML, in base64 (`Authorization: Basic`) or in hex, and
one inside the other; or all of its text in UTF-16. A mask undoes the escapes, remembers
where each character came from, and cuts out of the original what spells a secret.

Standard library only; knows neither where secrets come from nor where texts go.
"""

import base64
import re
import string
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable

HIDDEN = "***"

SHORTEST = 6
"""Shorter secrets are left: replacing every "me" would tear texts apart."""

_BEGINNING = 6
"""Bytes of each spelling that are looked for first; no more than SHORTEST."""

Field = tuple[bytes, bytes]

SHORTEST_ENCODED = 8
"""The same for what is looked for in base64 and hex, where less is by chance."""

_REST = "[A-Za-z0-9_-]{16,}"
PREFIXES = {
    **dict.fromkeys(("sk-", "sk_", "gsk_", "csk-", "xai-", "nvapi-", "hf_"), _REST),
    **dict.fromkeys(("pplx-", "fw_", "tgp_", "AIza", "github_pat_"), _REST),
    **dict.fromkeys(("gho_", "ghu_", "ghp_", "ghs_", "ghr_"), _REST),
    "ya29.": "[A-Za-z0-9._-]{16,}",
    "AKIA": "[A-Z0-9]{16}",
    "ABSK": "[A-Za-z0-9+/=]{16,}",
    "eyJ": r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?",
}
"""How keys of a known kind begin, and what follows."""

BEARER = "Bearer "

BEGINNINGS = (*PREFIXES, BEARER)

KEY_LIKE = re.compile(
    rf"\b(?:{'|'.join(re.escape(start) + rest for start, rest in PREFIXES.items())})"
)

KEY_OR_BEARER = re.compile(
    rf"{KEY_LIKE.pattern}|(?<=\b{BEARER})[A-Za-z0-9._~+/=-]{{16,}}"
)


def looks_like_a_key(name: str) -> bool:
    """Somebody's name that is a key by mistake; its length does not count."""
    return name.startswith(tuple(PREFIXES))


# -- spellings ---------------------------------------------------------------------------

_ESCAPE = re.compile(
    r"\\+u([0-9A-Fa-f]{4})"
    r"|\\+u\{([0-9A-Fa-f]{1,6})\}"
    r"|\\+x([0-9A-Fa-f]{2})"
    r"|%([0-9A-Fa-f]{2})"
    r"|&#[xX]([0-9A-Fa-f]{1,6});"
    r"|&#([0-9]{1,7});"
    r"""|\\+(["'/\\])"""
    r"|(\0)\0*"
)
"""One character, spelled out: JSON and scripts, URLs, HTML. The zero bytes between those of
UTF-16 and UTF-32 stand for none."""
_OPEN_ESCAPE = re.compile(
    r"(?:\\+(?:u[0-9A-Fa-f]{0,3}|u\{[0-9A-Fa-f]{0,6}|x[0-9A-Fa-f]?)?"
    r"|%[0-9A-Fa-f]?|&(?:#(?:[xX][0-9A-Fa-f]{0,6}|[0-9]{0,7}))?)\Z"
)
"""One that breaks off."""
_MAY_ESCAPE = ("\\", "%", "&#", "\0")
_LEVELS = 3
"""Escapes inside escapes that are undone."""
_RUN = frozenset(string.ascii_letters + string.digits + "+/_=-")
"""What base64 is written with."""


class _Unescaped:
    """A text without its escapes, and where in the original its characters stand."""

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        self._at: list[int] = [0]
        """Positions in `text` from which on the distance to the original is another."""
        self._origin: list[int] = [0]
        end = here = 0
        for found in _ESCAPE.finditer(text):
            character = _character(found)
            if character is None:
                continue
            parts += (text[end : found.start()], character)
            here += found.start() - end
            end = found.end()
            if not character:
                self._at.append(here)
                self._origin.append(end)
                continue
            self._at += (here, here + 1)
            self._origin += (found.start(), found.end())
            here += 1
        parts.append(text[end:])
        self.text = "".join(parts)

    def original(self, position: int) -> int:
        """Where the character at this position begins in the original."""
        at = bisect_right(self._at, position) - 1
        return self._origin[at] + position - self._at[at]


def _character(found: re.Match[str]) -> str | None:
    *numbers, itself, nothing = found.groups()
    if nothing is not None:
        return ""
    if itself is not None:
        return itself
    for number, base in zip(numbers, (16, 16, 16, 16, 16, 10), strict=True):
        if number is not None:
            code = int(number, base)
            return chr(code) if code < 0x110000 else None
    return None


def _mark(hidden: str) -> str:
    """What stands for this part of a text, in its width."""
    if "\0" not in hidden:
        return HIDDEN
    wide = HIDDEN.replace("*", "*" + _ZEROS.match(hidden)[1])  # type: ignore[index]
    return wide if hidden.endswith("\0") else wide.rstrip("\0")


_ZEROS = re.compile(r"[^\0]?(\0*)")


def _begins(text: str, needle: str) -> int:
    """Where the end of `text` begins the needle; len(text): nowhere."""
    at = text.find(needle[0], max(0, len(text) - len(needle) + 1))
    while at >= 0:
        if needle.startswith(text[at:]):
            return at
        at = text.find(needle[0], at + 1)
    return len(text)


def escaped(text: str) -> bytes:
    """A pattern for a text that may be escaped in part, in UTF-8 or in between zeros."""
    return b"".join(map(_any_spelling, _bytes(text)))


def _any_spelling(code: int) -> bytes:
    digits = rb"%x[%x%x]" % (code >> 4, code & 15, code & 15)
    if code & 15 > 9:
        low = b"%x" % (code & 15)
        digits = rb"%x[%b%b]" % (code >> 4, low, low.upper())
    itself = re.escape(bytes((code,)))
    return (
        rb"(?:\\*%b|\\+u(?:00%b|\{0*%b\})|\\+x%b|%%(?:25)*%b|&#(?:[xX]0*%b|0*%d);)\0*"
        % (itself, digits, digits, digits, digits, digits, code)
    )


def _encoded(secret: str) -> frozenset[str]:
    """What stands for the secret in base64, whatever is around it, and in hex."""
    raw = _bytes(secret)
    found = {raw.hex(), raw.hex().upper()}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        # The first and the last character may hold bits of what is around it.
        inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return frozenset(found)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class SecretMask:
    """Known secrets out of texts. Made once for a set of secrets: it prepares them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long = {secret for secret in secrets if len(secret) >= SHORTEST}
        self.plain = tuple(sorted(long, key=len, reverse=True))
        """The longest first: one may begin with another."""
        self._shortest = len(self.plain[-1]) if self.plain else sys.maxsize
        self._encodings: tuple[str, ...] | None = None
        self._suspicious: Callable[[bytes], object] | None = None

    def literal(self, text: str) -> str:
        """Without the secrets as they are; the cheap half, for texts of our own."""
        for secret in self.plain:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def text(self, text: str) -> str:
        """Without the secrets in whatever spelling; what is around them stays as it is."""
        text = self._without(text, text, [])
        levels: list[_Unescaped] = []
        seen = text
        for _ in range(_LEVELS):
            if not any(sign in seen for sign in _MAY_ESCAPE):
                break
            level = _Unescaped(seen)
            if level.text == seen:
                break
            levels.append(level)
            changed = self._without(text, level.text, levels)
            if changed != text:
                return self.text(changed)
            seen = level.text
        return text

    def data(self, data: bytes) -> bytes:
        """The same for bytes that may be no text: all other bytes stay."""
        if not self._may_hold(data):
            return data
        before = data.decode("utf-8", "surrogateescape")
        after = self.text(before)
        return data if after is before else after.encode("utf-8", "surrogateescape")

    def fields(self, fields: list[Field]) -> list[Field]:
        """The same for the values of a head, `(name, value)` each. The same list where
        there is nothing to mask: for most heads a look at the lengths, or one search for
        what spellings begin with, and for escapes."""
        long = [value for _, value in fields if len(value) >= self._shortest]
        if not long or not self._may_hold(b"\n".join(long)):
            return fields
        return [(name, self.data(value)) for name, value in fields]

    def spellings(self) -> tuple[str, ...]:
        """The secrets as they are, in base64, in hex and in wide characters."""
        wide = [zeros.join(one) for one in self.plain for zeros in ("\0", "\0\0\0")]
        return (*self.plain, *self._needles(), *wide)

    def begun(self, data: bytes) -> int:
        """Where the end of `data` begins what may go on to spell a secret; len(data):
        nowhere."""
        text = data.decode("latin-1")
        broken = _OPEN_ESCAPE.search(text)
        end = broken.start() if broken else len(text)
        whole = text[:end]
        found = [_begins(whole, needle) for needle in (*self.plain, *self._needles())]
        if any(sign in whole for sign in _MAY_ESCAPE):
            level = _Unescaped(whole)
            seen = level.text
            begun = min((_begins(seen, one) for one in self.plain), default=len(seen))
            if begun < len(seen):
                found.append(level.original(begun))
        return min(found, default=end)

    def _may_hold(self, data: bytes) -> bool:
        """Cheap, and sure when it says no."""
        if not self.plain:
            return False
        if self._suspicious is None:
            spelled = (*self.plain, *self._needles())
            starts = {_bytes(text)[:_BEGINNING] for text in spelled}
            starts |= {_bytes(sign) for sign in _MAY_ESCAPE}
            self._suspicious = re.compile(b"|".join(map(re.escape, starts))).search
        return self._suspicious(data) is not None

    def _needles(self) -> tuple[str, ...]:
        """The secrets in base64 and hex."""
        if self._encodings is None:
            long = [s for s in self.plain if len(s) >= SHORTEST_ENCODED]
            self._encodings = tuple(needle for s in long for needle in _encoded(s))
        return self._encodings

    def _without(self, text: str, shown: str, levels: list[_Unescaped]) -> str:
        spans = [*self._spans(shown)]
        if not spans:
            return text
        out = []
        end = 0
        for start, stop in sorted(spans):
            for level in reversed(levels):
                start, stop = level.original(start), level.original(stop)
            if start >= end:
                out += [text[end:start], _mark(text[start:stop])]
            end = max(end, stop)
        return "".join((*out, text[end:]))

    def _spans(self, shown: str) -> Iterable[tuple[int, int]]:
        for secret in self.plain:
            at = shown.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = shown.find(secret, at + len(secret))
        for needle in self._needles():
            at = shown.find(needle)
            while at >= 0:
                # All of the run: its ends hold the bits that a needle leaves out.
                start, stop = at, at + len(needle)
                while start and shown[start - 1] in _RUN:
                    start -= 1
                while stop < len(shown) and shown[stop] in _RUN:
                    stop += 1
                yield start, stop
                at = shown.find(needle, stop)
