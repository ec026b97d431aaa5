"""What providers listed when a gateway last asked them, out of its ledger. Read-only."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from llm_gateway.ledger.model_lists import Retired
from llm_gateway.ledger.store import Store
from llm_gateway.providers.listed_models import Lists


def known_lists(path: Path) -> tuple[Lists, Retired]:
    """The lists, and what they list in vain; nothing where there is no ledger, or none that
    can be read, or one of a version that kept none."""
    if path.exists():
        with suppress(sqlite3.Error, OSError):
            return Store(path).known_lists()
    return {}, {}
