"""Rows get into the file as lines: many at once, and the same twice."""

import pytest
from sqlite_utils import Database

from ledger.samples import AT, DECISION, attempt, ended, request
from llm_gateway.domain import Event
from llm_gateway.ledger import batch_insert, rows, schema


@pytest.fixture
def db():
    db = Database(memory=True)
    schema.migrate(db)
    batch_insert.install(db.conn)
    db.conn.isolation_level = None
    yield db
    db.close()


def begin(id: str):
    record = request(id)
    return [
        (rows.BEGIN_REQUEST, rows.BEGIN_REQUEST.snapshot(record)),
        (rows.BEGIN_ATTEMPT, rows.BEGIN_ATTEMPT.snapshot(attempt(id))),
        (rows.DECISION, (id, AT, DECISION)),
    ]


def end(id: str):
    over = attempt(id, outcome="ok", duration_ms=5)
    return [
        (rows.END_ATTEMPT, rows.END_ATTEMPT.snapshot(over)),
        (rows.END_REQUEST, rows.END_REQUEST.snapshot(ended(request(id)))),
    ]


def counts(db: Database) -> dict[str, int]:
    tables = ("requests", "attempts", "decisions", "events")
    return {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


@pytest.mark.parametrize("n", [*range(20), 31, 32, 33, 100])
def test_any_number_of_lines_and_the_same_twice(db, n):
    taken = [row for k in range(n) for row in begin(f"r{k}")]
    lines = batch_insert.lines(taken)
    assert len(lines) == n
    assert sum(batch_insert.statements(n)) >= n
    for _ in range(2):
        batch_insert.write(db.conn, lines)
        found = {"requests": n, "attempts": n, "decisions": n, "events": 0}
        assert counts(db) == found


def test_what_begins_and_ends_in_one_batch_is_over(db):
    taken = [*end("r1"), *begin("r1"), *begin("r2")]
    batch_insert.write(db.conn, batch_insert.lines(taken))
    found = dict(db.execute("SELECT id, outcome FROM requests").fetchall())
    assert found == {"r1": "ok", "r2": "in_flight"}
    assert db.execute("SELECT sum(requests) FROM usage_day").fetchone() == (1,)
    # A begin that is written again, after the end, changes nothing.
    batch_insert.write(db.conn, batch_insert.lines(begin("r1")))
    assert dict(db.execute("SELECT id, outcome FROM requests").fetchall()) == found


def test_several_attempts_of_a_request_are_rows_of_their_own(db):
    second = attempt("r1", n=2)
    taken = [*begin("r1"), (rows.BEGIN_ATTEMPT, rows.BEGIN_ATTEMPT.snapshot(second))]
    assert len(batch_insert.lines(taken)) == 2
    batch_insert.write(db.conn, batch_insert.lines(taken))
    assert counts(db)["attempts"] == 2


def test_the_known_client_comes_from_the_request_wherever_that_is(db):
    record = request("r1", known_client="nightly")
    first = (rows.BEGIN_REQUEST, rows.BEGIN_REQUEST.snapshot(record))
    with_it = (rows.BEGIN_ATTEMPT, rows.BEGIN_ATTEMPT.snapshot(attempt("r1")))
    later = (rows.BEGIN_ATTEMPT, rows.BEGIN_ATTEMPT.snapshot(attempt("r1", n=2)))
    batch_insert.write(db.conn, batch_insert.lines([first, with_it]))
    batch_insert.write(db.conn, batch_insert.lines([later]))
    found = db.execute("SELECT n, client FROM attempts").fetchall()
    assert found == [(1, "nightly"), (2, "nightly")]


def test_events_are_lines_of_their_own(db):
    events = [Event(AT, "config", "", f"message {n}") for n in range(3)]
    batch_insert.write(db.conn, batch_insert.lines([(rows.EVENT, e) for e in events]))
    assert counts(db) == {"requests": 0, "attempts": 0, "decisions": 0, "events": 3}
