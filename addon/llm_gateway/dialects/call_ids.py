"""Call ids that a provider takes: a function of the id, so that a call and its result still meet."""

import re
from functools import lru_cache
from hashlib import blake2b

_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LONGEST = 64


def fitting_id(given: str, pattern: str) -> str:
    """The id itself where it matches the whole of `pattern`, else letters and digits that
    do, made of its hash. An id that nothing fits stays: the provider says so itself."""
    fits = _compiled(pattern)
    if fits is None or fits.fullmatch(given):
        return given
    digest = int.from_bytes(blake2b(given.encode("utf-8", "surrogatepass")).digest())
    letters = ""
    for _ in range(_LONGEST):
        digest, place = divmod(digest, len(_ALPHABET))
        letters += _ALPHABET[place]
    made = (
        start + letters[:n]
        for n in (24, 9, *range(64, 0, -1))
        for start in ("call_", "")
    )
    return next((each for each in made if fits.fullmatch(each)), given)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
