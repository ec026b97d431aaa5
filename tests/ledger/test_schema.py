"""The file's shape: every migration, the rollups' arithmetic, the views."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database
from tables import each_row

from ledger.samples import migrated
from llm_gateway.ledger import rollups, schema, unpriced

MINUTE = "2026-03-01T12:34:56.789Z"


@pytest.fixture
def db():
    database = Database(memory=True)
    schema.migrate(database)
    yield database
    database.close()


def row(id, **values):
    return {
        "id": id,
        "ts": MINUTE,
        "client": "cursor",
        "app": "openai-python",
        "dialect": "chat",
        "requested_model": "flash",
        "outcome": "ok",
        **values,
    }


def test_every_table_is_strict_and_migrating_twice_changes_nothing(db):
    before = db.schema
    schema.migrate(db)
    assert db.schema == before
    ours = [t for t in db.tables if not t.name.startswith(("_", "sqlite_"))]
    assert [t.name for t in ours if not t.strict] == []
    assert {t.name for t in ours} == {
        "requests", "attempts", "decisions", "events",
        "usage_minute", "usage_hour", "usage_day",
        "providers", "models", "limits", "limit_state", "offer_state", "gateway_state",
        "billed_offers", "bound_ids", "model_lists", "retired_models",
        "quirks",
        "conversation_quirks",
        "opaque",
        "members",
        "collecting",
        "unsent",
    }  # fmt: skip
    assert set(db.view_names()) == {
        "daily_cost", "provider_usage", "model_usage", "client_usage", "savings", "failures",
        "translations",
    }  # fmt: skip


def test_an_older_file_is_brought_up_to_date_with_its_sums():
    old = Database(memory=True)
    schema.MIGRATIONS.apply(old, stop_before="m002_rollups")
    for values in (
        row("a", provider="groq", model="llama", cost_nano=3, input_tokens=10),
        row("b", provider="groq", model="llama", cost_nano=4, output_tokens=5),
        row("c", outcome="in_flight"),
    ):
        old["requests"].insert(values)
    schema.migrate(old)
    for period in rollups.PERIODS:
        assert [
            (r["requests"], r["total_tokens"], r["cost_nano"], r["cost_usd"])
            for r in old.query(f"SELECT * FROM usage_{period}")
        ] == [(2, 15, 7, 7e-9)]
    # and the row that was on its way is counted by the trigger when it ends
    old.execute("UPDATE requests SET outcome = 'lost' WHERE id = 'c'")
    assert old.execute(
        "SELECT sum(requests), sum(errors) FROM usage_day"
    ).fetchone() == (3, 1)
    old.close()


STAGES = (
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


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_of_any_earlier_version_opens_and_goes_on(stage, tmp_path, open_store):
    path = tmp_path / "usage.db"
    old = Database(path)
    schema.MIGRATIONS.apply(old, stop_before=stage)
    old["requests"].insert_all(
        [row("a", cost_nano=3), row("b", outcome="in_flight"), row("c", cost_nano=4)]
    )
    old.conn.commit()
    old.close()

    open_store(path).close()

    new, fresh = Database(path), migrated()
    assert dict(shape(new)) == dict(shape(fresh))
    for period in rollups.PERIODS:
        sums = "SELECT sum(requests), sum(cost_nano) FROM usage_"
        assert new.execute(sums + period).fetchone() == (3, 7)
    assert [r["outcome"] for r in new["requests"].rows] == ["ok", "lost", "ok"]
    new.close()
    fresh.close()


def test_the_stages_are_all_there_are(db):
    applied = [migration.name for migration in schema.MIGRATIONS.applied(db)]
    assert applied == ["m001_history", *STAGES]


def shape(db):
    """Name and text of every table, index, trigger and view."""
    return db.execute(
        "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    ).fetchall()


def test_a_request_is_counted_once_when_it_ends(db):
    db["requests"].insert(row("a", outcome="in_flight"))
    assert db["usage_day"].count == 0
    for _ in range(2):
        db.execute(
            "UPDATE requests SET outcome = 'ok', provider = 'p', model = 'm', cost_nano = 5 WHERE id = 'a'"
        )
    assert db.execute("SELECT requests, cost_nano FROM usage_day").fetchall() == [
        (1, 5)
    ]


def test_periods_are_dates_that_sqlite_understands(db):
    db["requests"].insert(row("a"))
    assert db.execute(
        "SELECT minute, datetime(minute) FROM usage_minute"
    ).fetchone() == (
        "2026-03-01T12:34",
        "2026-03-01 12:34:00",
    )
    assert db.execute("SELECT hour, datetime(hour) FROM usage_hour").fetchone() == (
        "2026-03-01T12:00",
        "2026-03-01 12:00:00",
    )
    assert db.execute("SELECT day FROM usage_day").fetchone() == ("2026-03-01",)


def test_simulated_requests_stay_in_their_own_columns(db):
    db["requests"].insert(
        row(
            "a",
            provider="p",
            model="m",
            simulated=1,
            cost_nano=10_000_000,
            input_tokens=70,
        )
    )
    got = next(db.query("SELECT * FROM usage_day"))
    assert (got["requests"], got["total_tokens"], got["cost_nano"]) == (0, 0, None)
    assert (got["simulated_requests"], got["simulated_tokens"]) == (1, 70)
    assert got["simulated_cost_usd"] == 0.01
    assert list(db.query("SELECT * FROM daily_cost")) == []


def test_unknown_cost_is_counted_and_never_zero(db):
    db["requests"].insert(row("a", provider="p", model="m"))
    assert next(db.query("SELECT cost_usd, unknown_cost FROM daily_cost")) == {
        "cost_usd": None,
        "unknown_cost": 1,
    }
    db["requests"].insert(row("b", provider="p", model="m", cost_nano=2_000_000_000))
    assert next(db.query("SELECT cost_usd, unknown_cost FROM daily_cost")) == {
        "cost_usd": 2.0,
        "unknown_cost": 1,
    }


@each_row(
    ("values", "counted"),
    [
        # an answer of a provider of ours
        ({"outcome": "ok"}, 1),
        ({"outcome": "truncated"}, 1),
        ({"outcome": "cancelled"}, 1),
        ({"outcome": "error", "output_tokens": 3}, 1),
        # nobody bills these
        ({"outcome": "error"}, 0),
        ({"outcome": "refused", "provider": None, "model": None}, 0),
        # on the app's own key, which is a column of its own
        ({"outcome": "passthrough", "provider": None, "model": None}, 0),
        ({"outcome": "passthrough", "provider": None, "model": "gpt-4o"}, 0),
        ({"outcome": "ok", "cost_nano": 0}, 0),
        ({"outcome": "ok", "simulated": 1}, 0),
    ],
)
@each_row("older", [False, True])
def test_only_an_answer_of_ours_can_lack_a_price(values, counted, older):
    """In what the triggers count, and in what they had counted before."""
    db = Database(memory=True)
    if older:
        schema.MIGRATIONS.apply(db, stop_before="m012_unpriced")
    else:
        schema.migrate(db)
    db["requests"].insert(row("a", **{"provider": "p", "model": "m"} | values))
    schema.migrate(db)
    for period in rollups.PERIODS:
        found = db.execute(f"SELECT sum(unknown_cost) FROM usage_{period}").fetchone()
        assert found == (counted,)
    assert db.execute(
        f"SELECT count(*) FROM requests WHERE {unpriced.UNPRICED.format(row='')}"
    ).fetchone() == (counted,)
    db.close()


def test_a_price_that_comes_later_takes_its_request_out(db):
    db["requests"].insert(row("a", provider="p", model="m", usage_source="unknown"))
    assert db.execute("SELECT unknown_cost FROM daily_cost").fetchone() == (1,)
    db.execute("UPDATE requests SET usage_source = 'reported', cost_nano = 5")
    assert db.execute("SELECT unknown_cost FROM daily_cost").fetchone() == (0,)


outcomes = st.sampled_from(
    ["ok", "error", "refused", "cancelled", "truncated", "passthrough", "lost"]
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.sampled_from(
                [MINUTE, "2026-03-01T12:35:00.000Z", "2026-03-02T00:00:00.000Z"]
            ),
            "outcome": outcomes,
            "provider": st.sampled_from([None, "groq", "a/b"]),
            "model": st.sampled_from([None, "openai/gpt-4o"]),
            "client": st.sampled_from(["cursor", ""]),
            "cost_nano": st.one_of(st.none(), st.integers(0, 10**12)),
            "saved_nano": st.one_of(st.none(), st.integers(0, 10**12)),
            "input_tokens": st.integers(0, 10**6),
            "reasoning_tokens": st.integers(0, 10**6),
            "streamed": st.integers(0, 1),
            "ttft_ms": st.one_of(st.none(), st.integers(0, 100)),
            "duration_ms": st.one_of(st.none(), st.integers(0, 100)),
            "simulated": st.integers(0, 1),
        }
    ),
    max_size=12,
)


@given(rows, st.booleans())
def test_triggers_add_up_to_what_one_query_over_all_rows_says(values, begun):
    """Whatever the rows: kept by triggers or filled in at once, the sums are the same."""
    db = migrated()
    for n, value in enumerate(values):
        if begun:
            db["requests"].insert(row(str(n), ts=value["ts"], outcome="in_flight"))
            db["requests"].update(str(n), value)
        else:
            db["requests"].insert(row(str(n), **value))
    kept = {p: list(db.query(f"SELECT * FROM usage_{p}")) for p in rollups.PERIODS}
    db.execute("DELETE FROM usage_minute")
    db.execute("DELETE FROM usage_hour")
    db.execute("DELETE FROM usage_day")
    fill = [s for s in rollups.STATEMENTS if s.startswith("INSERT")]
    for sql in (*fill, *(s for s in unpriced.STATEMENTS if s.startswith("UPDATE"))):
        db.execute(sql)
    filled = {p: list(db.query(f"SELECT * FROM usage_{p}")) for p in rollups.PERIODS}
    db.close()
    assert kept == filled
    known = [
        v["cost_nano"]
        for v in values
        if not v["simulated"] and v["cost_nano"] is not None
    ]
    got = [r["cost_nano"] for r in kept["day"] if r["cost_nano"] is not None]
    assert sum(got) == sum(known)


def test_the_planner_walks_time_not_names(db):
    """With no statistics, a window's sums must not walk the whole table."""
    plans = itertools.chain.from_iterable(
        db.execute(f"EXPLAIN QUERY PLAN {sql}", ["2026-03-01"]).fetchall()
        for sql in (
            "SELECT model, count(*) FROM requests WHERE ts >= ? GROUP BY model",
            "SELECT provider, sum(requests) FROM usage_hour WHERE hour >= ? GROUP BY provider",
            "SELECT * FROM failures WHERE ts >= ?",
            "SELECT * FROM attempts WHERE ts >= ? ORDER BY ts",
        )
    )
    assert [detail for *_, detail in plans if "SCAN" in detail] == []


def test_new_files_give_space_back(tmp_path):
    db = Database(tmp_path / "usage.db")
    schema.prepare_file(db)
    schema.migrate(db)
    assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
