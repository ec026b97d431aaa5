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

from ..dialects import ProviderError

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

    def __or__(self, other: "Quirk") -> "Quirk":
        """Both; where they disagree, `other`, the newer one."""
        rename = {
            k: v
            for k, v in {**self.rename, **other.rename}.items()
            if other.rename.get(v) != k or k in other.rename
        }
        return Quirk(self.drop | other.drop, rename)

    def applied(self, keys: Collection[str]) -> frozenset[str]:
        """The top-level keys that leave when the client wrote `keys`."""
        return frozenset(self.rename.get(key, key) for key in keys) - self.drop

    def __str__(self) -> str:
        said = [f"leaves out {key}" for key in sorted(self.drop)]
        said += [f"calls {key} {new}" for key, new in sorted(self.rename.items())]
        return ", ".join(said) or "nothing"


NO_QUIRK = Quirk()


def learn(status: int, error: ProviderError, asked: Collection[str]) -> Quirk | None:
    """What to do differently, once, or None: the refusal is about something else.

    `asked` holds the top-level keys of the body as it was sent (`Quirk.applied`), so
    that a repeat always differs from what was refused.
    """
    if status not in (400, 422):
        return None
    text = f"{error.code} {error.type} {error.message}"
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
