"""Headers by name, looked up and not searched for.

mitmproxy keeps headers as a tuple of fields, and a look-up is a walk over all of them. A
request is asked for some twenty names. So the first question makes a table, which is kept
beside the tuple that it was made of: headers that are changed get another tuple, and then
another table.
"""

from collections.abc import Mapping

from mitmproxy import http

_KEPT = "_llm_gateway_table"


def table(headers: http.Headers) -> Mapping[bytes, bytes]:
    """Name in lower case -> value; those of repeated fields are joined with `, `."""
    fields = headers.fields
    kept: tuple[object, dict[bytes, bytes]] | None = headers.__dict__.get(_KEPT)
    if kept is not None and kept[0] is fields:
        return kept[1]
    made: dict[bytes, bytes] = {}
    if fields:
        names, values = zip(*fields, strict=True)
        made = dict(zip(map(bytes.lower, names), values, strict=True))
        if len(made) != len(fields):
            made = _joined(fields)
    headers.__dict__[_KEPT] = fields, made
    return made


def _joined(fields: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    made: dict[bytes, bytes] = {}
    for raw, value in fields:
        name = raw.lower()
        made[name] = made[name] + b", " + value if name in made else value
    return made
