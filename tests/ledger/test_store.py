"""What is said to the store is on disk, and reads back as it was."""

import asyncio
import json
import os
import sqlite3
import stat
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.samples import AT, DECISION, attempt, ended, request
from llm_gateway import timestamps
from llm_gateway.domain import Event, Usage
from llm_gateway.ledger import database_file, rows
from llm_gateway.ledger.store import GatewayState, Store, StoreError

TIMEOUT = 20


def written(store: Store) -> None:
    assert store.flush().result(TIMEOUT) is True


def test_a_request_from_begin_to_end(open_store):
    store = open_store()
    record = request(
        "r1", streamed=True, known_client="cursor", config_revision="c0ffee"
    )
    tried = attempt("r1")
    assert store.begin(record, tried, DECISION).result(TIMEOUT) is True
    assert store.rows("SELECT outcome, provider, reserved_cost_usd FROM requests") == [
        {"outcome": "in_flight", "provider": None, "reserved_cost_usd": 0.000005}
    ]
    tried.outcome, tried.status, tried.tokens, tried.cost = "ok", 200, 65, 0
    store.end_attempt(tried)
    store.end(ended(record))
    written(store)
    assert store.rows("SELECT * FROM requests") == [
        {
            "id": "r1",
            "ts": "2026-03-01T12:34:56.789Z",
            "client": "cursor",
            "known_client": "cursor",
            "app": "openai-python",
            "dialect": "chat",
            "requested_model": "flash",
            "host": None,
            "provider": "groq",
            "account": "",
            "model": "llama",
            "status": 200,
            "outcome": "ok",
            "streamed": 1,
            "attempts": 1,
            "input_tokens": 30,
            "cached_tokens": 5,
            "cache_write_tokens": 0,
            "output_tokens": 20,
            "reasoning_tokens": 10,
            "total_tokens": 65,
            "cost_usd": 0.0,
            "saved_usd": 0.0015,
            "usage_source": "reported",
            "price_source": None,
            "ttft_ms": 120,
            "duration_ms": 900,
            "error": None,
            "simulated": 0,
            "config_revision": "c0ffee",
            "adapted": None,
            "translated": None,
            "member": None,
            "reserved_tokens": 100,
            "reserved_cost_usd": 0.000005,
            "cost_nano": 0,
            "saved_nano": 1_500_000,
            "reserved_cost_nano": 5_000,
        }
    ]
    assert store.rows("SELECT * FROM attempts") == [
        {
            "request": "r1",
            "n": 1,
            "ts": "2026-03-01T12:34:56.789Z",
            "provider": "groq",
            "account": "",
            "model": "llama",
            "client": "cursor",
            "status": 200,
            "outcome": "ok",
            "reason": "",
            "retry_after": None,
            "ttft_ms": None,
            "duration_ms": None,
            "counted": 1,
            "tokens": 65,
            "cost_usd": 0.0,
            "cost_nano": 0,
        }
    ]
    (decision,) = store.rows("SELECT * FROM decisions")
    assert (decision["policy"], decision["chosen"]) == ("free-first", "groq/llama")
    assert json.loads(decision["candidates"])[1] == {
        "provider": "openai",
        "account": "1",
        "model": "gpt-4o-mini",
        "free": False,
        "verdict": "skipped",
        "state": "at limit",
        "reason": "requests/day 20 of 20",
        "expected_cost": 0.00125,
        "adaptation": None,
        "returns_at": "2026-03-01T12:35:56.789Z",
    }
    assert store.rows("SELECT requests, total_tokens, saved_usd FROM usage_day") == [
        {"requests": 1, "total_tokens": 65, "saved_usd": 0.0015}
    ]


def test_what_is_taken_is_taken_at_once(open_store):
    """A record that changes after it was handed over changes nothing."""
    store = open_store()
    record, tried = request("r1"), attempt("r1")
    waiter = store.begin(record, tried)
    record.requested_model, tried.provider = "changed", "changed"
    waiter.result(TIMEOUT)
    assert store.rows(
        "SELECT requested_model, a.provider FROM requests JOIN attempts AS a ON request = id"
    ) == [{"requested_model": "flash", "provider": "groq"}]


def test_begin_and_end_of_many_in_one_batch_keep_their_order(open_store):
    store = open_store()
    for n in range(50):
        record = request(f"r{n}")
        store.begin(record, attempt(f"r{n}"))
        store.end_attempt(
            attempt(f"r{n}", outcome="failed", reason="429", counted=False)
        )
        store.attempt(attempt(f"r{n}", 2))
        store.end_attempt(attempt(f"r{n}", 2, outcome="ok"))
        store.end(ended(record, attempts=2))
    written(store)
    assert store.rows("SELECT outcome, count(*) AS n FROM requests GROUP BY 1") == [
        {"outcome": "ok", "n": 50}
    ]
    assert store.rows(
        "SELECT n, outcome, count(*) AS c FROM attempts GROUP BY 1, 2"
    ) == [
        {"n": 1, "outcome": "failed", "c": 50},
        {"n": 2, "outcome": "ok", "c": 50},
    ]
    assert store.rows("SELECT requests FROM usage_day") == [{"requests": 50}]


def test_an_end_that_comes_twice_counts_once_and_changes_nothing(open_store):
    store = open_store()
    record = ended(request("r1"))
    store.begin(request("r1"))
    store.end(record)
    record.outcome = "error"
    store.end(record)
    store.begin(request("r1"))
    written(store)
    assert store.rows("SELECT outcome FROM requests") == [{"outcome": "ok"}]
    assert store.rows("SELECT requests, errors FROM usage_day") == [
        {"requests": 1, "errors": 0}
    ]


def test_a_request_that_never_began_has_a_row_when_it_ends(open_store):
    store = open_store()
    store.end(request("r1", outcome="refused", status=429, error="exhausted"))
    store.decision(request("r1"), DECISION)
    store.event(Event(AT, "cooldown", "groq", "429", {"until": AT + 30}))
    written(store)
    assert store.rows("SELECT outcome, error, cost_usd FROM requests") == [
        {"outcome": "refused", "error": "exhausted", "cost_usd": None}
    ]
    assert store.rows("SELECT ts, kind, subject, message, detail FROM events") == [
        {
            "ts": "2026-03-01T12:34:56.789Z",
            "kind": "cooldown",
            "subject": "groq",
            "message": "429",
            "detail": '{"until": 1772368526.789}',
        }
    ]


async def test_on_an_event_loop_begin_is_awaited(open_store, monkeypatch):
    monkeypatch.setattr("llm_gateway.ledger.store.COMMIT_WAIT_SECONDS", 30.0)
    store = open_store()
    results = await asyncio.gather(
        *(store.begin(request(f"r{n}"), attempt(f"r{n}")) for n in range(300))
    )
    assert results == [True] * 300
    assert store.rows("SELECT count(*) AS n FROM attempts") == [{"n": 300}]


async def test_a_waiter_that_was_cancelled_is_let_go(open_store):
    store = open_store()
    waiter = store.begin(request("r1"))
    waiter.cancel()
    assert await store.flush() is True
    assert waiter.cancelled()
    assert store.rows("SELECT id FROM requests") == [{"id": "r1"}]


async def test_after_closing_nobody_waits(open_store):
    store = open_store()
    store.close()
    assert await store.begin(request("r1")) is False
    assert store.rows("SELECT count(*) AS n FROM requests") == [{"n": 0}]


def test_closing_writes_what_is_left_and_leaves_one_file(open_store, tmp_path):
    store = open_store()
    for n in range(1200):
        store.end(ended(request(f"r{n}")))
    store.close()
    assert sorted(os.listdir(tmp_path)) == ["usage.db", "usage.db.lock"]
    assert store.rows("SELECT count(*) AS n FROM requests") == [{"n": 1200}]


def test_files_are_for_their_owner_only(open_store, tmp_path):
    store = open_store()
    store.begin(request("r1")).result(TIMEOUT)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes == {
        "usage.db": 0o600,
        "usage.db-wal": 0o600,
        "usage.db-shm": 0o600,
        "usage.db.lock": 0o600,
    }


def test_a_second_gateway_is_told_who_has_the_file(open_store, tmp_path):
    open_store()
    with pytest.raises(StoreError, match=rf"another gateway \(process {os.getpid()}\)"):
        Store(tmp_path / "usage.db").start()


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_durability_decides_whether_a_commit_waits_for_the_disk(
    tmp_path, durability, synchronous
):
    db = database_file.open_ledger(
        tmp_path / "usage.db", durability=durability, now=AT
    ).db
    assert db.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    db.close()


# -- one bad row ---------------------------------------------------------------------


def test_a_row_that_cannot_be_written_does_not_hold_up_the_others(open_store, caplog):
    store = open_store()
    store.end(ended(request("r1")))
    store.end(request("r2", client=None))  # NOT NULL
    store.end(request("r3", at=float("nan")))  # no such time
    store.end(request("r4", status="SECRET-sk-1234"))  # STRICT
    store.end(ended(request("r5")))
    written(store)
    assert store.rows("SELECT id FROM requests") == [{"id": "r1"}, {"id": "r5"}]
    assert store.degraded == ()
    assert caplog.text.count("cannot write this request's end") == 3
    assert "sk-1234" not in caplog.text


def test_a_table_that_cannot_be_written_does_not_hold_up_the_others(open_store, caplog):
    store = open_store()
    store.gateway_state(GatewayState(None, AT, AT))
    store.end(ended(request("r1")))
    written(store)
    assert store.rows("SELECT id FROM requests") == [{"id": "r1"}]
    assert "cannot write this gateway_state" in caplog.text


texts = st.text(st.characters(), max_size=600)
numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([2**63, -(2**63) - 1, 2**53])
)


@given(texts, st.integers())
def test_any_text_and_any_count_has_a_form_that_sqlite_takes(text, number):
    shown = rows.storable(text)
    assert isinstance(shown, str)
    assert len(shown) <= rows.LONGEST_TEXT
    shown.encode()
    assert -(2**53) <= rows.storable(number) <= 2**53


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ("é", "é"),
        ("\ud800", "?"),
        ("x" * 501, "x" * 499 + "…"),
        (True, True),
        (2**70, 2**53),
        (-(2**70), -(2**53)),
        (float("nan"), None),
        (float("inf"), None),
        (1.5, 1.5),
    ],
)
def test_storable(value, stored):
    assert rows.storable(value) == stored


def test_what_clients_send_is_stored_whatever_it_is(open_store):
    store = open_store()
    strange = "a/b\ud800'\"; DROP TABLE requests; -- " + "x" * 1000
    store.end(
        ended(
            request("r1", requested_model=strange, client=strange, app=strange),
            usage=Usage(2**80, 0, 0, -5, 0, "reported"),
        )
    )
    written(store)
    (row,) = store.rows("SELECT client, input_tokens, output_tokens FROM requests")
    assert row["client"].startswith("a/b?'\"; DROP TABLE requests")
    assert len(row["client"]) == 500
    assert (row["input_tokens"], row["output_tokens"]) == (2**53, -5)


@given(st.floats(0, 4_000_000_000))
def test_times_survive_to_the_millisecond(at):
    stamp = timestamps.iso(at)
    assert len(stamp) == 24
    assert abs(timestamps.unix(stamp) - at) < 0.0011
    assert timestamps.unix(stamp) <= at + 0.000001


def test_a_closed_ledger_is_one_file_that_a_read_only_place_can_hold(
    open_store, tmp_path
):
    store = open_store()
    store.event(Event(1.0, "config", "s", "m"))
    store.close()
    kept = [p.name for p in tmp_path.iterdir() if p.name.startswith("usage.db")]
    assert sorted(kept) == ["usage.db", "usage.db.lock"]
    with closing(sqlite3.connect(tmp_path / "usage.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    again = open_store()
    assert again.rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert again.rows("SELECT count(*) AS n FROM events WHERE subject = 's'") == [
        {"n": 1}
    ]


def test_a_reader_keeps_the_log_and_loses_nothing(open_store, tmp_path):
    store = open_store()
    store.event(Event(1.0, "config", "s", "m"))
    with closing(sqlite3.connect(tmp_path / "usage.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        store.close()
    again = open_store()
    assert again.rows("SELECT count(*) AS n FROM events WHERE subject = 's'") == [
        {"n": 1}
    ]


def test_a_closed_ledger_that_somebody_reads_is_opened_all_the_same(
    open_store, tmp_path, monkeypatch
):
    # The reader stays for the whole of it, however long it is waited for.
    monkeypatch.setattr(database_file, "STARTING_PATIENCE", 0.1)
    open_store().close()
    with closing(sqlite3.connect(tmp_path / "usage.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        store = open_store()
        store.event(Event(1.0, "config", "s", "m"))
    # What was held back is written at the next try, before which every answer is no.
    tick = threading.Event()
    assert any(
        store.flush().result(TIMEOUT) or tick.wait(0.02)
        for _ in range(int(TIMEOUT / 0.02))
    )
    assert store.rows("SELECT count(*) AS n FROM events WHERE subject = 's'") == [
        {"n": 1}
    ]
