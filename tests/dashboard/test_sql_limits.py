"""What one statement may take and bring back, in every connection of a reader."""

import sqlite3
from collections.abc import Iterator

import pytest

from llm_gateway.dashboard import compat, sql_limits
from llm_gateway.dashboard.reader import Ask, NotReadable, Reader

from .conftest import Serve
from .ledgers import Ledger

MANY = "with recursive c(x) as (select 1 union all select x + 1 from c limit 1000) "

BOMBS = {
    "one value": "select hex(zeroblob(150000000))",
    "a value put together": MANY + "select group_concat(hex(zeroblob(50000))) from c",
    "a value replaced": "select replace(hex(zeroblob(900000)), '0', hex(zeroblob(900)))",
    "many rows": MANY + "select hex(zeroblob(4000000)) from c",
    "many rows of blobs": MANY + "select zeroblob(9000000) from c",
    "many columns": "select " + ", ".join(["randomblob(9000000)"] * 200),
    "an expression": "select " + "(" * 300 + "1" + "+1)" * 300,
    "a compound": " union all ".join(["select 1"] * 200),
    "a pattern": "select 'a' like hex(zeroblob(1000))",
    "a statement": "select '" + "x" * 200_000 + "'",
}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    sql_limits.limit_statements(made)
    sql_limits.limit_results(made)
    yield made
    made.close()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, connection: sqlite3.Connection) -> None:
    with pytest.raises((sqlite3.Error, MemoryError)):
        connection.execute(BOMBS[name]).fetchall()
    # The next statement is served as ever.
    assert connection.execute("select 1").fetchone()[0] == 1


def test_what_readers_ask_is_well_within(connection: sqlite3.Connection) -> None:
    for sql in (
        MANY + "select hex(zeroblob(10000)) from c",
        "select length(hex(zeroblob(4000000)))",
        " union all ".join(["select 1"] * 50),
    ):
        assert connection.execute(sql).fetchall()


def test_each_statement_is_counted_by_itself(connection: sqlite3.Connection) -> None:
    for _ in range(5):
        found = connection.execute("select hex(zeroblob(4500000))").fetchone()
        assert isinstance(found, sqlite3.Row)
        assert len(found[0]) == 9_000_000


# A line of a request is at most 64 KB long: no need to try the longest there.
@pytest.mark.parametrize("name", [name for name in BOMBS if name != "a statement"])
async def test_every_connection_of_datasette(
    name: str, serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    for database in ("usage", "_memory"):
        path = compat.query_path(client.ds, database, BOMBS[name], _shape="array")
        answer = await client.get(path.replace("?", ".json?", 1))
        assert answer.status_code >= 400
        assert len(answer.content) < 1 << 20
    path = compat.query_path(client.ds, "usage", "select 1 as x", _shape="array")
    assert (await client.get(path.replace("?", ".json?", 1))).json() == [{"x": 1}]


async def test_the_dashboards_own_reader(ledger: Ledger) -> None:
    reader = Reader(ledger.path, "test", seconds=2.0)
    try:

        def work(ask: Ask) -> list[sqlite3.Row]:
            return ask(BOMBS["one value"], {})

        with pytest.raises(NotReadable, match="too big"):
            await reader.run(work)
    finally:
        reader.close()
