"""Header fields by lower-case name: repeated fields are joined with `, `.

One walk over the fields. The fast path puts a table that is kept beside the headers in
place of that walk.
"""

from collections.abc import Callable, Mapping
from typing import Any

Table = Mapping[bytes, bytes]
"""Name in lower case -> value."""


def joined(fields: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    made: dict[bytes, bytes] = {}
    for raw, value in fields:
        name = raw.lower()
        made[name] = made[name] + b", " + value if name in made else value
    return made


def _walk(headers: Any) -> Table:
    return joined(headers.fields)


lookup: Callable[[Any], Table] = _walk


def table(headers: Any) -> Table:
    """Of `http.Headers`."""
    return lookup(headers)
