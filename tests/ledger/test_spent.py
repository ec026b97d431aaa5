"""What stands against limits is a fold over the ledger."""

import sqlite3
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from ledger.samples import AT, attempt, ended, migrated, request
from llm_gateway.domain import Charge, Limit, Metric, Usage, Window
from llm_gateway.ledger import batch_insert, rows, schema
from llm_gateway.ledger import spent as replay
from llm_gateway.ledger.transaction import commit
from llm_gateway.ledger.write_queue import Batch
from llm_gateway.limits.limiter import Limiter
from llm_gateway.limits.values import SpentAttempt

TIMEOUT = 20
DAY = 86_400.0


def test_who_has_answered_speaks_the_dialect(open_store):
    store = open_store()
    for n, (provider, dialect, translated, outcome) in enumerate(
        [
            ("a", "chat", "", "ok"),
            ("a", "chat", "", "ok"),
            ("a", "responses", "", "error"),
            ("b", "messages", "", "ok"),
            # It was asked for chat, and says nothing of Messages.
            ("c", "messages", "messages>chat", "ok"),
            ("d", "messages", "messages>responses", "error"),
        ]
    ):
        record = request(f"r{n}", dialect=dialect)
        store.begin(record, None)
        values = {"provider": provider, "outcome": outcome, "translated": translated}
        store.end(ended(record, **values))
    assert store.flush().result(TIMEOUT)
    assert sorted(store.spoken()) == [
        ("a", "chat"),
        ("b", "messages"),
        ("c", "chat"),
    ]


def test_attempts_count_with_what_they_took(open_store):
    store = open_store()
    record = request("r1", known_client="cursor")
    store.begin(record, attempt("r1"))
    store.end_attempt(attempt("r1", outcome="failed", counted=False, tokens=0, cost=0))
    store.attempt(
        attempt("r1", 2, at=AT + 1, provider="openai", account="1", model="a/b")
    )
    store.end_attempt(
        attempt(
            "r1",
            2,
            at=AT + 1,
            provider="openai",
            account="1",
            model="a/b",
            outcome="ok",
            tokens=65,
            cost=42,
            duration_ms=2500,
        )
    )
    store.end(ended(record, attempts=2))
    store.begin(request("r2", at=AT + 2), attempt("r2", at=AT + 2))
    assert store.flush().result(TIMEOUT)
    assert store.spent(AT - DAY) == [
        SpentAttempt(
            AT + 1,
            "openai",
            "1",
            "a/b",
            "cursor",
            Charge(1, 65, 42),
            False,
            AT + 1 + 2.5,
            "r1/2",
        ),
        SpentAttempt(
            AT + 2, "groq", "", "llama", None, Charge(1, 100, 5000), True, None, "r2/1"
        ),
    ]


def test_requests_without_attempts_count_for_themselves(open_store):
    """Passed through: its cost is in the budget. Simulated: as if it had happened."""
    store = open_store()
    store.end(
        ended(
            request("passed", known_client="cursor"),
            outcome="passthrough",
            provider=None,
            model="own",
            cost=7,
            duration_ms=None,
        )
    )
    store.end(
        ended(
            request("simulated"),
            simulated=True,
            usage=Usage(70, 0, 0, 30, 0, "reported"),
            cost=10_000_000,
            duration_ms=None,
        )
    )
    store.end(request("refused", outcome="refused"))
    store.begin(request("on its way"))
    # With an attempt of its own, the attempt is what counts.
    both = ended(request("both"), simulated=True)
    store.begin(both, attempt("both", outcome="ok", tokens=1, cost=1))
    store.end(both)
    assert store.flush().result(TIMEOUT)
    assert {
        (s.id, s.provider, s.client, s.need, s.reserved) for s in store.spent(0)
    } == {
        ("passed", "", "cursor", Charge(1, 65, 7), False),
        ("simulated", "groq", None, Charge(1, 100, 10_000_000), False),
        ("on its way", "", None, Charge(1, 100, 5000), True),
        ("both/1", "groq", None, Charge(1, 1, 1), False),
    }


def test_what_a_crash_left_is_counted_once_before_and_after_it_is_settled(tmp_path):
    db = Database(memory=True)
    schema.migrate(db)
    batch_insert.install(db.conn)
    db.conn.isolation_level = None
    db.conn.row_factory = sqlite3.Row
    write(db, rows.BEGIN_REQUEST, request("r1"))
    write(db, rows.BEGIN_ATTEMPT, attempt("r1"))
    expected = [
        SpentAttempt(
            AT, "groq", "", "llama", None, Charge(1, 100, 5000), True, None, "r1/1"
        )
    ]
    assert replay.spent(db.conn, AT - DAY, AT) == expected
    assert commit(db, Batch(), settle=True) == 1
    assert replay.spent(db.conn, AT - DAY, AT) == expected
    db.close()


def test_what_began_before_the_window_and_ended_in_it_counts(open_store):
    store = open_store()
    for id, took in (("long", 60_000), ("short", 1_000)):
        record = request(id, at=AT - 30)
        store.begin(record, attempt(id, at=AT - 30))
        store.end_attempt(attempt(id, at=AT - 30, outcome="ok", duration_ms=took))
    assert store.flush().result(TIMEOUT)
    assert [s.id for s in store.spent(AT)] == ["long/1"]


def write(db, kind, record) -> None:
    batch_insert.write(db.conn, batch_insert.lines([(kind, kind.snapshot(record))]))


ages = st.floats(0, 31 * DAY)
attempts = st.lists(
    st.tuples(
        ages,
        st.sampled_from(["groq", "openai"]),
        st.sampled_from(["", "1"]),
        st.sampled_from(["llama", "gpt"]),
        st.integers(0, 10_000),
        st.integers(0, 10**12),
        st.booleans(),
    ),
    max_size=30,
)


@given(attempts)
def test_old_attempts_come_summed_and_nothing_is_lost_or_early(tried):
    db = migrated()
    batch_insert.install(db.conn)
    db.conn.isolation_level = None
    db.conn.row_factory = sqlite3.Row
    real: Counter[tuple[str, str, str]] = Counter()
    for n, (age, provider, account, model, tokens, cost, counted) in enumerate(tried):
        write(
            db,
            rows.BEGIN_ATTEMPT,
            attempt(
                f"r{n}",
                at=AT - age,
                provider=provider,
                account=account,
                model=model,
                tokens=tokens,
                cost=cost,
                outcome="ok",
                counted=counted,
            ),
        )
        if counted:
            real[provider, account, model] += cost
    spent = replay.spent(db.conn, AT - 32 * DAY, AT)
    db.close()
    summed: Counter[tuple[str, str, str]] = Counter()
    for one in spent:
        summed[one.provider, one.account, one.model] += one.need.cost
    assert summed == real
    counted_ages = [age for age, *_, counted in tried if counted]
    assert sum(s.need.requests for s in spent) == len(counted_ages)
    # Nothing leaves a window sooner than it should; the newest are told one by one.
    for age in counted_ages:
        slack = 0 if age < 2 * 3600 else 60 if age < 2 * DAY else 3600
        assert any(-0.002 < s.at - (AT - age) <= slack + 0.001 for s in spent)
    assert spent == sorted(spent, key=lambda s: s.at)


@pytest.mark.parametrize("window", list(Window))
def test_limits_after_a_restart_are_as_they_were_before(open_store, window):
    """Reserve and settle live, then rebuild from the file alone: the same is left."""
    scope = ("model", "groq", "", "llama")
    limits = tuple(Limit(scope, metric, window, 10**15) for metric in Metric)
    live, store = Limiter(), open_store()
    for n in range(20):
        at = AT - 19 + n
        reserved = live.reserve(limits, Charge(1, 100, 5000), at, id=f"r{n}/1")
        store.begin(request(f"r{n}", at=at), attempt(f"r{n}", at=at))
        if n < 15:
            live.settle(reserved, Charge(1, 65, 42), at + 0.5)
            store.end_attempt(
                attempt(
                    f"r{n}", at=at, outcome="ok", tokens=65, cost=42, duration_ms=500
                )
            )
            store.end(ended(request(f"r{n}", at=at)))
    store.close()
    again, rebuilt = open_store(), Limiter()
    rebuilt.replay(again.spent(AT - 32 * DAY), limits, AT + 1)
    before = [s.limit.amount - s.remaining for s in live.status(limits, AT + 1)]
    after = [s.limit.amount - s.remaining for s in rebuilt.status(limits, AT + 1)]
    assert before == after == [20, 15 * 65 + 5 * 100, 15 * 42 + 5 * 5000]
