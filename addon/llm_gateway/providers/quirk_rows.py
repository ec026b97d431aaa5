"""Quirks known of providers and models: (type, dialect, model) -> quirks, by rows of data.

The rows are data with a source and a date, as the presets of free tiers are, a file for each
dialect; what a provider's refusals teach is added to them, and wins. A row holds what its
source is sure of: where sources disagree, the refusal tells.

What this file does not know: the config, what was learned, how a body is adapted.
"""

from functools import lru_cache

from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.domain import Dialect
from llm_gateway.providers import (
    quirk_rows_chat,
    quirk_rows_generate_content,
    quirk_rows_messages,
    quirk_rows_responses,
)
from llm_gateway.providers.quirk_row import QuirkRow

ROWS: tuple[QuirkRow, ...] = (
    *quirk_rows_chat.ROWS,
    *quirk_rows_generate_content.ROWS,
)


TABLES = {
    table.dialect: table
    for table in (quirk_rows_messages.TABLE, quirk_rows_responses.TABLE)
}
"""Of dialects whose rows know hosts, too: few types of providers speak them, many hosts."""


@lru_cache(maxsize=4096)
def quirks_of(type_: str, dialect: Dialect, model: str, host: str = "") -> Quirks:
    """All that its rows say; of two that disagree the later one holds. host: where its
    requests go, whatever its type."""
    bare = model.rpartition("/")[2].lower()
    table = TABLES.get(dialect)
    found = NO_QUIRKS if table is None else table.of(type_, host, model)
    for row in ROWS:
        if row.holds(type_, dialect, bare):
            found |= Quirks.parse(*row.quirks.split())
    return found
