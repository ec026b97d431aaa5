"""Disks that are full, locks that are held, files that are damaged, processes that die."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.disk import small_disk

from ledger.samples import AT, DECISION, attempt, ended, request
from llm_gateway.ledger import database_file
from llm_gateway.ledger.store import GatewayState, Store, StoreError

TIMEOUT = 20
HERE = Path(__file__).parent
PYTHONPATH = os.pathsep.join([str(HERE.parent), str(HERE.parents[1] / "addon")])


@contextmanager
def program(*arguments, **options):
    """One of the scripts beside this file, running; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(TIMEOUT)
        process.stdin.close()
        process.stdout.close()


def check(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA quick_check").fetchone()[0]


async def until(condition) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


async def caught_up(store: Store) -> None:
    """Everything that was said before is on disk."""
    async with asyncio.timeout(TIMEOUT):
        while not await store.flush():
            await asyncio.sleep(0.005)


def events(store: Store) -> list[tuple[str, str]]:
    return [
        (e["kind"], e["message"])
        for e in store.rows("SELECT * FROM events ORDER BY id")
    ]


# -- locked --------------------------------------------------------------------------


@pytest.mark.process
async def test_requests_go_on_while_another_program_holds_the_lock(
    open_store, tmp_path
):
    store = open_store()
    await store.begin(request("before"))
    with program(HERE / "locker.py", tmp_path / "usage.db") as locker:
        assert locker.stdout.readline() == "locked\n"
        assert await store.begin(request("r0"), attempt("r0")) is False
        await until(lambda: store.degraded)
        assert "locked by another program" in store.degraded[0]
        # Now that it is known, nobody waits at all.
        for n in range(1, 100):
            assert store.begin(request(f"r{n}"), attempt(f"r{n}")).done()
        store.end(ended(request("r0")))
        # What was committed can be read all the while.
        assert store.rows("SELECT id FROM requests") == [{"id": "before"}]
        locker.stdin.close()
        await until(lambda: not store.degraded)
    await caught_up(store)
    assert store.rows("SELECT count(*) AS n FROM requests") == [{"n": 101}]
    assert store.rows("SELECT count(*) AS n FROM attempts") == [{"n": 100}]
    assert store.rows("SELECT requests FROM usage_day") == [{"requests": 1}]
    assert [kind for kind, _ in events(store)] == ["degraded", "recovered"]
    assert "no rows lost" in events(store)[1][1]


@pytest.mark.process
async def test_a_gateway_starts_on_a_locked_file(open_store, tmp_path):
    open_store().close()
    with program(HERE / "locker.py", tmp_path / "usage.db") as locker:
        assert locker.stdout.readline() == "locked\n"
        store = open_store()
        assert "locked by another program" in store.degraded[0]
        assert await store.begin(request("r1")) is False
        locker.stdin.close()
        await until(lambda: not store.degraded)
    await caught_up(store)
    assert store.rows("SELECT id FROM requests") == [{"id": "r1"}]


@pytest.mark.process
async def test_what_does_not_fit_into_the_backlog_is_counted(open_store, tmp_path):
    store = open_store(largest_backlog=10)
    with program(HERE / "locker.py", tmp_path / "usage.db") as locker:
        assert locker.stdout.readline() == "locked\n"
        assert await store.begin(request("first")) is False
        await until(lambda: store.degraded)
        for n in range(25):
            store.end(ended(request(f"r{n}")))
        assert "ledger: 15 rows lost" in store.degraded
        locker.stdin.close()
        await until(lambda: not store.degraded)
    await until(lambda: len(store.rows("SELECT id FROM requests")) == 11)
    kept = [row["id"] for row in store.rows("SELECT id FROM requests ORDER BY rowid")]
    assert kept == ["first", *(f"r{n}" for n in range(15, 25))]
    assert "15 rows lost" in events(store)[1][1]


@pytest.mark.process
async def test_nobody_waits_for_a_disk_that_does_not_answer(
    open_store, tmp_path, monkeypatch
):
    """SQLite itself hangs, as it does when a disk stalls: no error ever comes."""
    monkeypatch.setattr(database_file, "WRITING_PATIENCE", 10.0)
    store = open_store()
    with program(HERE / "locker.py", tmp_path / "usage.db") as locker:
        assert locker.stdout.readline() == "locked\n"
        waiting = [store.begin(request(f"r{n}"), attempt(f"r{n}")) for n in range(50)]
        assert await asyncio.gather(*waiting) == [False] * 50
        await until(lambda: store.degraded)
        assert store.degraded == ("ledger: the disk does not answer",)
        assert store.begin(request("late")).done()
        locker.stdin.close()
        await until(lambda: not store.degraded)
    await caught_up(store)
    assert store.rows("SELECT count(*) AS n FROM requests") == [{"n": 51}]


def test_a_reader_that_never_ends_is_seen(open_store, tmp_path, monkeypatch):
    monkeypatch.setattr(database_file, "LARGEST_LOG", 100_000)
    store = open_store()
    assert store.begin(request("r0")).result(TIMEOUT)
    with closing(sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM requests").fetchone()
        for n in range(1, 300):
            store.end(ended(request(f"r{n}", app="x" * 400)))
        assert store.flush().result(TIMEOUT)
        assert store.degraded == (
            "ledger: a reader keeps the write-ahead log from being emptied",
        )


# -- nowhere to write ----------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MB, and what changes it."""
    with small_disk(tmp_path / "disk", "1m") as remount:
        yield tmp_path / "disk", remount


async def test_a_full_disk_holds_rows_back_until_there_is_room(open_store, small):
    folder, remount = small
    store = open_store(folder / "usage.db")
    # Until the disk is full: random names do not share pages.
    sent = 0
    while not store.degraded:
        await store.begin(request(f"r{sent}", host=random.randbytes(200).hex()))
        sent += 1
    assert "the disk is full" in store.degraded[0]
    for _ in range(50):
        assert store.begin(request(f"r{sent}")).done()
        sent += 1
    assert check(folder / "usage.db") == "ok"
    remount("size=8m")
    await until(lambda: not store.degraded)
    await caught_up(store)
    assert store.rows("SELECT count(*) AS n FROM requests") == [{"n": sent}]
    assert [kind for kind, _ in events(store)] == ["degraded", "recovered"]
    store.close()


async def test_a_disk_that_turns_read_only_and_back(open_store, small):
    folder, remount = small
    store = open_store(folder / "usage.db")
    store.close()
    remount("size=1m", "ro")
    with pytest.raises(StoreError, match="Read-only file system"):
        Store(folder / "usage.db").start()
    remount("size=1m", "rw")
    again = open_store(folder / "usage.db")
    assert await again.begin(request("r1")) is True
    again.close()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path, ordinary_user):
    tmp_path.chmod(0o500)
    ordinary_user()
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "usage.db").start()
    assert str(caught.value) == (
        f"{tmp_path}/usage.db: cannot be written here: Permission denied"
    )


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: None, "there is no folder"),
        (lambda path: path.mkdir(parents=True), "cannot be written: Is a directory"),
        (
            lambda path: (path.parent.mkdir(), make(path, "CREATE TABLE requests (x)")),
            "is another program's database: table requests already exists",
        ),
        (
            lambda path: (path.parent.mkdir(), newer(path)),
            r"was written by a newer LLM Gateway \(m999_more\); update this one",
        ),
    ],
)
def test_what_cannot_be_opened_is_one_clear_line(tmp_path, prepare, message):
    path = tmp_path / "folder" / "usage.db"
    prepare(path)
    with pytest.raises(StoreError, match=message) as caught:
        Store(path).start()
    assert "\n" not in str(caught.value)


def test_a_sqlite_that_is_too_old_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(
        StoreError, match=r"needs SQLite 3\.37 or newer, this Python has"
    ):
        Store(tmp_path / "usage.db").start()


def test_an_empty_file_that_somebody_made_is_taken(open_store, tmp_path):
    """As `datasette --create` leaves it: pages, but no tables, and not in WAL mode."""
    make(tmp_path / "usage.db", "CREATE TABLE t (x)", "DROP TABLE t")
    store = open_store()
    assert store.begin(request("r1")).result(TIMEOUT) is True
    assert store.rows("PRAGMA auto_vacuum") == [{"auto_vacuum": 2}]
    assert store.rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for sql in statements:
            connection.execute(sql)
        connection.commit()


def newer(path: Path) -> None:
    store = Store(path)
    store.start()
    store.close()
    make(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('llm_gateway', 'm999_more', '')",
    )


async def test_a_mistake_of_ours_costs_a_batch_and_not_the_ledger(
    open_store, monkeypatch, caplog
):
    store = open_store()
    monkeypatch.setattr("llm_gateway.ledger.writer.commit", lambda *_, **__: 1 / 0)
    assert await store.begin(request("r1"), attempt("r1")) is False
    await until(lambda: store.degraded)
    assert "a mistake in the gateway, ZeroDivisionError" in store.degraded[0]
    monkeypatch.undo()
    await until(lambda: not store.degraded)
    assert await store.begin(request("r2")) is True
    assert "ZeroDivisionError" in caplog.text
    await caught_up(store)
    assert "1 rows lost" in events(store)[1][1]


# -- damaged -------------------------------------------------------------------------


def overwrite_the_middle(path: Path) -> None:
    with open(path, "r+b") as handle:
        # Several pages: one alone may be free, or hold an index that nothing has used yet.
        handle.seek(os.path.getsize(path) // 2 // 4096 * 4096)
        handle.write(b"\xa5" * 4096 * 16)


def no_database_at_all(path: Path) -> None:
    path.write_bytes(b"not a database\n" * 1000)


@pytest.mark.parametrize("damage", [overwrite_the_middle, no_database_at_all])
def test_a_damaged_file_is_kept_and_a_new_one_made(
    open_store, tmp_path, damage, caplog
):
    store = open_store()
    for n in range(300):
        store.begin(request(f"r{n}"), attempt(f"r{n}"))
    store.flush().result(TIMEOUT)
    store.close()
    path = tmp_path / "usage.db"
    damage(path)
    damaged = path.read_bytes()

    store = open_store()
    kept = tmp_path / "usage.db.corrupt-20260301T123456"
    assert kept.read_bytes() == damaged
    assert "it is kept as usage.db.corrupt-20260301T123456" in store.degraded[0]
    assert "it is kept as" in caplog.text
    assert store.begin(request("new")).result(TIMEOUT) is True
    assert store.rows("SELECT id FROM requests") == [{"id": "new"}]
    assert events(store)[0][0] == "degraded"
    # A second time, in the same second.
    store.close()
    damage(path)
    open_store()
    assert (tmp_path / "usage.db.corrupt-20260301T123456-2").exists()


def history_with_a_mark(store: Store, mark: str) -> None:
    """600 requests; only one row, of attempts or of decisions, holds the mark."""
    for n in range(600):
        here = n == 300
        store.begin(
            request(f"r{n:03}", known_client="cursor"),
            attempt(f"r{n:03}", cost=1000, reason="MARK attempts" if here else ""),
            replace(DECISION, model="MARK decisions" if here else "flash"),
        )
        store.end_attempt(
            attempt(f"r{n:03}", outcome="ok", cost=1000, reason=mark if here else "")
        )
        store.end(ended(request(f"r{n:03}")))
    store.end(ended(request("passed"), outcome="passthrough", cost=500))
    store.close(TIMEOUT)


def overwrite_the_page_with(path: Path, mark: bytes) -> None:
    with open(path, "r+b") as handle:
        page = handle.read().index(mark) // 4096 * 4096
        handle.seek(page)
        handle.write(b"\xa5" * 4096)


def test_what_limits_need_is_carried_over_from_a_damaged_file(open_store, tmp_path):
    store = open_store()
    history_with_a_mark(store, "MARK attempts")
    before = store.spent(AT - 60)
    overwrite_the_page_with(tmp_path / "usage.db", b"MARK decisions")
    store = open_store()
    assert "601 rows that limits need were carried over" in store.degraded[0]
    assert store.spent(AT - 60) == before
    assert sum(s.need.cost for s in before) == 600 * 1000 + 500


def test_of_damaged_attempts_all_but_the_damaged_ones_are_carried_over(
    open_store, tmp_path
):
    store = open_store()
    history_with_a_mark(store, "MARK attempts")
    path = tmp_path / "usage.db"
    overwrite_the_page_with(path, b"MARK attempts")
    store = open_store()
    carried = [s.id for s in store.spent(AT - 60)]
    assert 520 < len(carried) < 601
    assert {"r000/1", "r599/1", "passed"} < set(carried)
    # What is carried over is counted as what it was.
    assert {s.client for s in store.spent(AT - 60)} == {"cursor", None}


async def test_a_large_file_is_checked_while_requests_go_on(
    open_store, tmp_path, monkeypatch
):
    monkeypatch.setattr(database_file, "CHECKED_AT_ONCE", 0)
    monkeypatch.setattr("llm_gateway.ledger.writer.FILE_CHECK_SECONDS", 0.01)
    store = open_store()
    history_with_a_mark(store, "MARK attempts")
    overwrite_the_page_with(tmp_path / "usage.db", b"MARK decisions")
    store = open_store()
    await store.begin(request("new"), attempt("new"))
    await until(lambda: "603 rows that limits need" in "".join(store.degraded))
    await caught_up(store)
    assert (tmp_path / "usage.db.corrupt-20260301T123456").exists()
    assert check(tmp_path / "usage.db") == "ok"


@pytest.mark.process
def test_a_write_ahead_log_that_was_cut_short_loses_only_its_end(open_store, tmp_path):
    with program(HERE / "victim.py", tmp_path / "usage.db", "1") as victim:
        for _ in range(200):
            victim.stdout.readline()
        victim.kill()
        victim.wait(TIMEOUT)
    log = tmp_path / "usage.db-wal"
    os.truncate(log, os.path.getsize(log) * 2 // 3)
    store = open_store()
    assert store.degraded == ()
    assert check(tmp_path / "usage.db") == "ok"


async def test_damage_that_shows_up_while_running(open_store, tmp_path):
    """The file is replaced at once: what follows is on disk, what was there is kept."""
    path = tmp_path / "usage.db"
    store = open_store()
    # More than SQLite keeps in memory, or it would not notice.
    for n in range(6000):
        store.begin(request(f"r{n:04}", app="x" * 400, host="x" * 400))
    store.close(TIMEOUT)
    store = open_store()
    store.gateway_state(GatewayState("1.1", AT, AT))
    await store.flush()
    with open(path, "r+b") as handle:
        handle.seek(4096)
        handle.write(b"\xa5" * (os.path.getsize(path) - 4096))
    for n in range(6000):
        store.end(ended(request(f"r{n:04}")))
    await until(lambda: store.degraded)
    await caught_up(store)
    kept = tmp_path / "usage.db.corrupt-20260301T123456"
    assert f"kept as {kept.name}" in store.degraded[0]
    assert kept.exists()
    assert check(path) == "ok"
    assert store.rows("SELECT outcome FROM requests WHERE id = 'r5999'") == [
        {"outcome": "ok"}
    ]
    # What describes the moment is in the new file as well.
    assert store.rows("SELECT version FROM gateway_state") == [{"version": "1.1"}]


# -- killed --------------------------------------------------------------------------


@pytest.mark.process
def test_what_was_awaited_survives_kill_9(open_store, tmp_path):
    """Every request that may have reached a provider has its row, whenever we die."""
    path = tmp_path / "usage.db"
    awaited: set[str] = set()
    for round in range(5):
        with program(HERE / "victim.py", path, round) as victim:
            for _ in range(random.randrange(1, 400)):
                awaited.add(victim.stdout.readline().strip())
            victim.send_signal(signal.SIGKILL)
            victim.wait(TIMEOUT)
            # What it had said before it died counts as well.
            rest = victim.stdout.read().split("\n")
            awaited.update(line for line in rest[:-1])
        assert check(path) == "ok"
    with closing(sqlite3.connect(path)) as connection:
        requests = {id for (id,) in connection.execute("SELECT id FROM requests")}
        attempts = {id for (id,) in connection.execute("SELECT request FROM attempts")}
    assert awaited - requests == set()
    assert awaited - attempts == set()

    store = open_store()
    assert store.rows(
        "SELECT count(*) AS n FROM requests WHERE outcome = 'in_flight'"
    ) == [{"n": 0}]
    assert store.rows("SELECT sum(requests) AS n FROM usage_day") == [
        {"n": len(requests)}
    ]
    assert store.degraded == ()


def test_what_a_crash_left_in_flight_costs_what_it_reserved_once(open_store, tmp_path):
    path = tmp_path / "usage.db"
    opened = database_file.open_ledger(path, durability="normal", now=AT)
    opened.db.close()
    make(
        path,
        "INSERT INTO requests (id, ts, client, app, dialect, requested_model, outcome,"
        " reserved_tokens, reserved_cost_nano)"
        " VALUES ('paid', '2026-03-01T12:00:00.000Z', 'c', 'a', 'chat', 'm', 'in_flight', 100, 5000),"
        " ('free', '2026-03-01T12:00:00.000Z', 'c', 'a', 'chat', 'm', 'in_flight', 100, 0),"
        " ('unknown', '2026-03-01T12:00:00.000Z', 'c', 'a', 'chat', 'm', 'in_flight', 100, 0)",
        "INSERT INTO attempts (request, n, ts, provider, account, model, outcome, tokens, cost_nano)"
        " VALUES ('paid', 1, '2026-03-01T12:00:00.000Z', 'groq', '', 'llama', 'failed', 0, 0),"
        " ('paid', 2, '2026-03-01T12:00:01.000Z', 'openai', '1', 'gpt', 'in_flight', 100, 5000),"
        " ('free', 1, '2026-03-01T12:00:00.000Z', 'groq', '', 'llama', 'in_flight', 100, 0),"
        " ('unknown', 1, '2026-03-01T12:00:00.000Z', 'new', '', 'thing', 'in_flight', 100, 0)",
        "INSERT INTO models (provider, model, name, enabled, free)"
        " VALUES ('groq', 'llama', 'm', 1, 1), ('new', 'thing', 'm', 1, 0)",
    )
    for _ in range(2):
        store = open_store()
        assert store.rows(
            "SELECT id, outcome, provider, account, model, attempts, input_tokens, cost_nano,"
            " usage_source FROM requests ORDER BY id"
        ) == [
            {
                "id": "free",
                "outcome": "lost",
                "provider": "groq",
                "account": "",
                "model": "llama",
                "attempts": 1,
                "input_tokens": 100,
                "cost_nano": 0,
                "usage_source": "estimated",
            },
            {
                "id": "paid",
                "outcome": "lost",
                "provider": "openai",
                "account": "1",
                "model": "gpt",
                "attempts": 2,
                "input_tokens": 100,
                "cost_nano": 5000,
                "usage_source": "estimated",
            },
            {
                "id": "unknown",
                "outcome": "lost",
                "provider": "new",
                "account": "",
                "model": "thing",
                "attempts": 1,
                "input_tokens": 100,
                "cost_nano": None,
                "usage_source": "estimated",
            },
        ]
        assert store.rows("SELECT request, n, outcome FROM attempts ORDER BY 1, 2") == [
            {"request": "free", "n": 1, "outcome": "lost"},
            {"request": "paid", "n": 1, "outcome": "failed"},
            {"request": "paid", "n": 2, "outcome": "lost"},
            {"request": "unknown", "n": 1, "outcome": "lost"},
        ]
        assert store.rows(
            "SELECT sum(requests) AS n, sum(cost_nano) AS c FROM usage_day"
        ) == [{"n": 3, "c": 5000}]
        store.close()
    assert [message for _, message in events(store)] == [
        "3 requests were unfinished when the gateway stopped: counted at what they had reserved"
    ]


# -- gone ----------------------------------------------------------------------------


@pytest.mark.process
async def test_a_file_that_was_removed_is_made_again(open_store, tmp_path, monkeypatch):
    monkeypatch.setattr("llm_gateway.ledger.writer.FILE_CHECK_SECONDS", 0.0)
    # To make all tables anew takes longer than requests wait, where the disk is busy.
    monkeypatch.setattr("llm_gateway.ledger.store.COMMIT_WAIT_SECONDS", 30.0)
    monkeypatch.setattr("llm_gateway.ledger.store.STUCK", 75.0)
    store = open_store()
    await store.begin(request("r1"))
    (tmp_path / "usage.db").unlink()
    await until(lambda: store.degraded)
    assert await store.begin(request("r2")) is True
    assert "was removed or replaced" in store.degraded[0]
    assert store.rows("SELECT id FROM requests") == [{"id": "r2"}]
