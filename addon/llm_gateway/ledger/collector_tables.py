"""Tables of a cluster's ledger: its members, and which finished requests a collector lacks."""

from collections.abc import Iterable

from llm_gateway.ledger.rows import Row
from llm_gateway.ledger.table_snapshots import Change, TableSnapshot


def members(rows: Iterable[Row]) -> TableSnapshot:
    """The gateways of the cluster, each with its heartbeat."""
    columns = ("member", "heartbeat", "state", "host", "port", "version")
    more = ("in_flight", "clock_offset_ms", "config_revision")
    return TableSnapshot("members", (*columns, *more), tuple(rows))


def collecting(collector: str, ledger: str) -> tuple[TableSnapshot, TableSnapshot]:
    """Finished requests go to this collector from now on: all that there are, and all
    that will be. `ledger` tells the numbers of this file from those of another."""
    fill = Change(
        "unsent (fill)",
        (),
        (),
        "INSERT OR IGNORE INTO unsent (request) SELECT id FROM requests"
        " WHERE member IS NULL AND outcome <> 'in_flight' ORDER BY ts",
    )
    named = TableSnapshot(
        "collecting", ("id", "collector", "ledger"), ((1, collector, ledger),)
    )
    return named, fill


def sent(number: int) -> TableSnapshot:
    """The collector has everything up to this one."""
    sql = f"DELETE FROM unsent WHERE n <= {int(number)}"
    return Change("unsent (sent)", (), (), sql)


COLLECTOR = "SELECT collector, ledger FROM collecting"
MADE = "SELECT min(applied_at) AS made FROM _sqlite_migrations"
"""When this file was made: of two ledgers of one name, which."""
UNSENT = """
SELECT unsent.n AS n, requests.* FROM unsent JOIN requests ON requests.id = unsent.request
WHERE unsent.n > :after ORDER BY unsent.n LIMIT :most
"""
