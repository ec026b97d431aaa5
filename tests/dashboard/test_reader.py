"""A file that appears, vanishes, is replaced, is no database, or answers too slowly."""

from pathlib import Path

import pytest

from llm_gateway.dashboard.queries import LEDGER_TABLES
from llm_gateway.dashboard.reader import Ask, NotReadable, Reader, TooSlow, has_tables

from .ledgers import Ledger

COUNT = "SELECT count(*) AS n FROM requests"


def count(ask: Ask) -> int:
    found: int = ask(COUNT, {})[0]["n"]
    return found


async def test_rows_of_another_connection_are_seen_at_once(ledger: Ledger) -> None:
    reader = Reader(ledger.path, "test", seconds=2)
    try:
        assert await reader.run(count) == 0
        ledger.request(1_000.0)
        assert await reader.run(count) == 1
    finally:
        reader.close()


async def test_a_file_that_comes_goes_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    reader = Reader(path, "test", seconds=2)
    try:
        with pytest.raises(NotReadable, match="does not exist"):
            await reader.run(count)
        first = Ledger(path)
        first.request(1_000.0)
        assert await reader.run(count) == 1
        first.close()
        for name in ("usage.db", "usage.db-wal", "usage.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        second = Ledger(path)
        assert await reader.run(count) == 0
        second.close()
    finally:
        reader.close()


async def test_it_cannot_write(ledger: Ledger) -> None:
    reader = Reader(ledger.path, "test", seconds=2)
    try:
        with pytest.raises(NotReadable, match="readonly"):
            await reader.run(lambda ask: ask("DELETE FROM requests", {}))
    finally:
        reader.close()


async def test_a_slow_question_ends(ledger: Ledger) -> None:
    reader = Reader(ledger.path, "test", seconds=0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    try:
        with pytest.raises(TooSlow, match=r"0\.05 s"):
            await reader.run(lambda ask: ask(endless, {}))
        assert await reader.run(count) == 0
    finally:
        reader.close()


async def test_no_database(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    path.write_bytes(b"not a database, but long enough to look like a file" * 20)
    reader = Reader(path, "test", seconds=2)
    try:
        with pytest.raises(NotReadable, match="not a database"):
            await reader.run(count)
    finally:
        reader.close()
    assert not has_tables(path, LEDGER_TABLES)


def test_a_ledger_is_known_by_its_tables(ledger: Ledger, tmp_path: Path) -> None:
    assert has_tables(ledger.path, LEDGER_TABLES)
    assert not has_tables(ledger.path, (*LEDGER_TABLES, "unicorns"))
    assert not has_tables(tmp_path / "nowhere.db", LEDGER_TABLES)
    assert not has_tables(tmp_path, LEDGER_TABLES)
