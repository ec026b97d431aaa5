"""Headers get a place for their table, as they do when the gateway starts."""

import pytest

from llm_gateway.fastpath import header_index
from llm_gateway.transport import header_lookup


@pytest.fixture(autouse=True)
def _header_tables(monkeypatch):
    monkeypatch.setattr(header_lookup, "lookup", header_lookup.lookup)
    header_index.install()
