import os

import pytest

from ledger.samples import AT
from llm_gateway.ledger.store import Store


@pytest.fixture
def open_store(tmp_path):
    """Stores on `usage.db`, opened one after another and closed at the end."""
    opened = []

    def start(path=tmp_path / "usage.db", **options) -> Store:
        options = {"clock": lambda: AT, "retry_seconds": 0.01, **options}
        store = Store(path, **options)
        store.start()
        opened.append(store)
        return store

    yield start
    for store in opened:
        store.close()


@pytest.fixture
def ordinary_user():
    """Root may write everywhere: a function that makes us somebody else until the end."""
    user = os.geteuid()

    def become() -> None:
        if user == 0:
            os.seteuid(65534)

    yield become
    os.seteuid(user)
