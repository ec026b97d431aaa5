"""Headers by name, looked up and not searched for.

mitmproxy keeps headers as a tuple of fields, and a look-up is a walk over all of them. A
request is asked for some twenty names. So the first question makes a table, which is kept
beside the tuple that it was made of: headers that are changed get another tuple, and then
another table.
"""

from collections.abc import Mapping
from typing import Any

from mitmproxy import http

Table = Mapping[bytes, bytes]


def table(headers: Any) -> Table:
    """Name in lower case -> value; those of repeated fields are joined with `, `.

    headers: `http.Headers`.
    """
    kept: tuple[object, Table] = headers.llm_gateway_table
    if kept[0] is headers.fields:
        return kept[1]
    fields = headers.fields
    made: dict[bytes, bytes] = {}
    if fields:
        names, values = zip(*fields, strict=True)
        made = dict(zip(map(bytes.lower, names), values, strict=True))
        if len(made) != len(fields):
            made = _joined(fields)
    headers.llm_gateway_table = fields, made
    return made


# For all headers that were not asked yet: an attribute is found sooner than missed.
http.Headers.llm_gateway_table = None, {}  # type: ignore[attr-defined]


def _joined(fields: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    made: dict[bytes, bytes] = {}
    for raw, value in fields:
        name = raw.lower()
        made[name] = made[name] + b", " + value if name in made else value
    return made
