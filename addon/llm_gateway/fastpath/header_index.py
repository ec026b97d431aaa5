"""Headers by name, looked up and not searched for.

mitmproxy keeps headers as a tuple of fields, and a look-up is a walk over all of them. A
request is asked for some twenty names. So the first question makes a table, which is kept
beside the tuple that it was made of: headers that are changed get another tuple, and then
another table.
"""

from typing import Any

from mitmproxy import http

from llm_gateway.transport import header_lookup
from llm_gateway.transport.header_lookup import Table, joined


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
            made = joined(fields)
    headers.llm_gateway_table = fields, made
    return made


def install() -> None:
    """From here on headers have a place for their table, and framing looks there."""
    # For all headers that were not asked yet: an attribute is found sooner than missed.
    http.Headers.llm_gateway_table = None, {}  # type: ignore[attr-defined]
    header_lookup.lookup = table
