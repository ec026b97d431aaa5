"""`${NAME}` and `${NAME:-default}` in texts.

What lives here: the replacing, with the environment as an argument. A variable that
is set to nothing counts as unset. `$${` stands for a `${` that is meant as it is.
What this file does not know: where a text stands, what follows from an unset one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\})?",
)


@dataclass(frozen=True, slots=True)
class Expanded:
    text: str
    names: tuple[str, ...] = ()
    """The variables it refers to."""
    missing: tuple[str, ...] = ()
    """Those that are unset and have no default; each stands in the text as written."""
    malformed: bool = False
    """A `${` in it begins no reference."""


def expand(text: str, env: Mapping[str, str]) -> Expanded:
    """The text with its references replaced."""
    if "${" not in text:
        return Expanded(text)
    names: list[str] = []
    missing: list[str] = []
    malformed = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal malformed
        name, default = found.groups()
        if found[0] == "$${":
            return "${"
        if name is None:
            malformed = True
            return found[0]
        names.append(name)
        value = env.get(name) or default
        if value is None:
            missing.append(name)
            return found[0]
        return value

    expanded = _REFERENCE.sub(replaced, text)
    return Expanded(expanded, tuple(names), tuple(missing), malformed)


_SHOWN_AS_IT_IS = re.compile(
    r"(?:(?:Bearer|Basic|Token) )?(?:\$\{[A-Za-z_][A-Za-z0-9_]*(?::-)?\})+"
)


def is_reference(text: str) -> bool:
    """Nothing but `${NAME}`, so that showing it tells no secret."""
    return _SHOWN_AS_IT_IS.fullmatch(text) is not None
