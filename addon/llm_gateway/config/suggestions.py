"""Names a config may use, and the nearest known one to a name it may not.

What lives here: the provider types, the types that are refused with a reason, and
`nearest`. What this file does not know: what a type's requests look like (that is
`providers.TYPES`), files, pydantic.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def _plain(name: str) -> str:
    return "".join(ch for ch in name.lower() if ch.isalnum())


def same_letters(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs only in case, dashes and underscores."""
    return next((other for other in known if _plain(other) == _plain(name)), None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: same letters first, then similar ones."""
    names = list(known)
    if same := same_letters(name, names):
        return same
    by_letters = {_plain(other): other for other in names}
    close = get_close_matches(_plain(name), by_letters, n=1, cutoff=0.7)
    return by_letters[close[0]] if close else None
