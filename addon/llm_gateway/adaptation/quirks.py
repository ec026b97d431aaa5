"""What a refusal teaches about the body that a provider takes.

What lives here: `learn`, which reads a 400 or 422 and says which top-level key to
leave out or to call otherwise, and `Quirks`, which remembers it per provider and
model. Only the keys of `KNOWN` are touched: everything else in a refused request is
the client's to change.

What this file does not know: sockets, clocks, which provider is which.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from llm_gateway.dialects import ProviderError

OTHER_NAME: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "max_completion_tokens",
        "max_completion_tokens": "max_tokens",
    }
)
"""Keys that mean the same, of which some providers know only one."""

KNOWN = ("stream_options", "max_completion_tokens", "max_tokens")

_UNKNOWN_KEY = re.compile(
    r"unsupported|not supported|unrecognized|unrecognised|unknown|unexpected|extra"
    r"|not permitted|not allowed|not recognized|not a valid (?:field|param)|additional propert|invalid (?:field|param)"
    r"|does not support|is not compatible|no such (?:field|param)|forbidden",
    re.IGNORECASE,
)
"""Words for "I do not know this key"; a bad value of a known key has none of them."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """How a body has to differ from what the client wrote."""

    drop: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    max_output: int | None = None
    """The most tokens that an answer may be asked for."""

    def __or__(self, other: "Quirk") -> "Quirk":
        """Both; where they disagree, `other`, the newer one."""
        rename = {
            k: v
            for k, v in {**self.rename, **other.rename}.items()
            if other.rename.get(v) != k or k in other.rename
        }
        most = self.max_output if other.max_output is None else other.max_output
        return Quirk(self.drop | other.drop, rename, most)

    def applied(self, keys: Collection[str]) -> frozenset[str]:
        """The top-level keys that leave when the client wrote `keys`."""
        return frozenset(self.rename.get(key, key) for key in keys) - self.drop

    def __str__(self) -> str:
        said = [f"leaves out {key}" for key in sorted(self.drop)]
        said += [f"calls {key} {new}" for key, new in sorted(self.rename.items())]
        if self.max_output is not None:
            said.append(f"asks for {self.max_output} tokens at most")
        return ", ".join(said) or "nothing"


NO_QUIRK = Quirk()


def learn(
    status: int,
    error: ProviderError,
    asked: Collection[str],
    max_tokens: int | None = None,
) -> Quirk | None:
    """What to do differently, once, or None: the refusal is about something else.

    `asked` holds the top-level keys of the body as it was sent (`Quirk.applied`), so
    that a repeat always differs from what was refused. `max_tokens` is what it asked
    for.
    """
    if status not in (400, 422):
        return None
    text = f"{error.code} {error.type} {error.message}"
    most = largest_output(text, max_tokens)
    if most is not None:
        return Quirk(max_output=most)
    if not _UNKNOWN_KEY.search(text):
        return None
    for key in KNOWN:
        if key not in asked or not _named_first(key, text):
            continue
        new = OTHER_NAME.get(key)
        if new is None or new in asked:
            return Quirk(drop=frozenset({key}))
        return Quirk(rename={key: new})
    return None


_NUMBER = r"[`'\"]?(\d{2,7})[`'\"]?"
_LARGEST_OUTPUT = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # OpenAI and those who speak like it
        rf"supports at most {_NUMBER} (?:completion|output) tokens",
        # Anthropic: "max_tokens: 99999 > 64000, which is the maximum allowed …"
        rf"max_tokens: \d+ > {_NUMBER}, which is the maximum allowed",
        # Groq, Cohere, Cerebras: "`max_tokens` must be less than or equal to `8192`"
        r"max_(?:completion_|output_)?tokens\W.{0,40}?"
        rf"(?:less than or equal to|at most|<=|no more than|not exceed) {_NUMBER}",
        # DeepSeek, DashScope: "the valid range of max_tokens is [1, 8192]"
        r"range of max_(?:completion_|output_)?tokens (?:is|should be) "
        rf"[\[(]\d+, ?{_NUMBER}\]",
        # Gemini: "supported range is from 1 (inclusive) to 65537 (exclusive)"
        r"max_?output_?tokens.{0,80}?range is from \d+ \(inclusive\) to "
        rf"{_NUMBER} \((?P<exclusive>exclusive)\)",
    )
)
"""Sentences in which a provider says how long an answer may be, at most."""


def largest_output(text: str, asked: int | None) -> int | None:
    """The number in one of them, where it is less than what was asked for."""
    if asked is None:
        return None
    for pattern in _LARGEST_OUTPUT:
        found = pattern.search(text)
        if found is not None:
            most = int(found[1]) - (1 if "exclusive" in found.groupdict() else 0)
            return most if 0 < most < asked else None
    return None


def _named_first(key: str, text: str) -> bool:
    """Is `key` named, and before its other name? "Use 'max_completion_tokens'
    instead" names the remedy too, but after the culprit."""
    at = _place(key, text)
    if at is None:
        return False
    other = _place(OTHER_NAME.get(key, ""), text)
    return other is None or at < other


def _place(key: str, text: str) -> int | None:
    found = re.search(rf"(?<![a-z_]){re.escape(key)}(?![a-z_])", text) if key else None
    return found.start() if found else None


class Quirks:
    """What was learned so far, per provider and model. Forgotten at a restart."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], Quirk] = {}

    def of(self, provider: str, model: str) -> Quirk:
        return self._of.get((provider, model), NO_QUIRK)

    def remember(self, provider: str, model: str, quirk: Quirk) -> None:
        self._of[provider, model] = self.of(provider, model) | quirk

    def forget(self, provider: str) -> None:
        """Its address or key has changed: it may be another one."""
        self._of = {key: q for key, q in self._of.items() if key[0] != provider}
