"""What is kept for how long, and that space comes back."""

import asyncio

import pytest
from sqlite_utils import Database

from ledger.samples import AT, DECISION, attempt, ended, request
from llm_gateway.domain import Event
from llm_gateway.ledger import batch_insert, database_file, maintenance, schema
from llm_gateway.ledger.rows import BEGIN_ATTEMPT, END_REQUEST, EVENT
from llm_gateway.ledger.rows import DECISION as DECISION_KIND

DAY = 86_400.0


@pytest.fixture
def db(tmp_path):
    opened = database_file.open_ledger(
        tmp_path / "usage.db", durability="normal", now=AT
    )
    yield opened.db
    opened.db.close()


def write(db: Database, kind, taken) -> None:
    batch_insert.write(db.conn, batch_insert.lines([(kind, kind.snapshot(taken))]))


def history(db: Database, days: list[float], **values) -> None:
    with db.atomic():
        for age in days:
            at = AT - age * DAY
            id = f"{age}{values}"
            write(db, END_REQUEST, ended(request(id, at=at), **values))
            write(db, BEGIN_ATTEMPT, attempt(id, at=at, outcome="ok"))
            write(db, DECISION_KIND, (id, at, DECISION))
            write(db, EVENT, Event(at, "cooldown", "groq", str(age)))


def kept(db: Database, table: str) -> int:
    return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def tidy(db: Database, days: int) -> None:
    for _ in maintenance.round_of_upkeep(db, days, AT):
        pass


def test_what_is_too_old_goes_and_the_sums_stay(db):
    history(db, [1, 6, 8, 50, 89, 91, 200])
    tidy(db, 90)
    assert {
        t: kept(db, t) for t in ("requests", "attempts", "decisions", "events")
    } == {
        "requests": 5,
        "attempts": 5,
        "decisions": 5,
        "events": 5,
    }
    assert (
        kept(db, "usage_minute"),
        kept(db, "usage_hour"),
        kept(db, "usage_day"),
    ) == (2, 7, 7)


def test_what_monthly_limits_need_outlives_a_short_retention(db):
    history(db, [1, 10, 33])
    history(db, [1, 10, 33], outcome="passthrough", provider=None)
    history(db, [1, 10, 33], simulated=True)
    tidy(db, 7)
    assert {
        t: kept(db, t) for t in ("requests", "attempts", "decisions", "events")
    } == {
        "requests": 5,  # three of yesterday, passed through and simulated ones of day 10
        "attempts": 6,
        "decisions": 3,
        "events": 3,
    }


def test_what_is_in_flight_stays(db):
    history(db, [200], outcome="in_flight")
    tidy(db, 90)
    assert kept(db, "requests") == 1


def test_it_comes_in_small_steps_and_gives_space_back(db, tmp_path):
    history(db, [91 + n / 1000 for n in range(3 * maintenance.STEP)], app="x" * 400)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = (tmp_path / "usage.db").stat().st_size
    left = []
    for _ in maintenance.round_of_upkeep(db, 90, AT):
        left.append(kept(db, "requests"))
    assert left[:3] == [2 * maintenance.STEP, maintenance.STEP, 0]
    assert (tmp_path / "usage.db").stat().st_size < size / 2
    assert (tmp_path / "usage.db-wal").stat().st_size == 0


def test_statistics_are_there_for_the_planner(db):
    history(db, [1, 2, 3])
    tidy(db, 90)
    tables = {t for (t,) in db.execute("SELECT tbl FROM sqlite_stat1").fetchall()}
    assert {"requests", "attempts", "usage_hour"} <= tables


async def test_the_writer_tidies_up_by_itself(open_store, tmp_path):
    opened = database_file.open_ledger(
        tmp_path / "usage.db", durability="normal", now=AT
    )
    history(opened.db, [1, 91])
    opened.db.close()
    store = open_store()
    async with asyncio.timeout(20):
        while store.rows("SELECT count(*) AS n FROM requests") != [{"n": 1}]:
            await asyncio.sleep(0.01)
    assert store.degraded == ()


def test_names_of_migrations_are_known_without_a_file():
    assert schema.names() == (
        "m001_history",
        "m002_rollups",
        "m003_running_state",
        "m004_views",
        "m005_settled_later",
        "m006_billed_offers",
        "m007_bound_ids",
        "m008_quirks",
        "m009_opaque",
        "m010_translated",
        "m011_cluster",
        "m012_unpriced",
        "m013_way_out",
        "m014_model_lists",
        "m015_conversation_quirks",
    )
