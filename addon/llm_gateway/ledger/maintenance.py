"""Housekeeping in quiet moments: what is too old goes, what is free is given back.

What lives here: `round_of_upkeep`, a generator that does a little at each step, so that
the writer can look at its queue in between, and the rules of what is kept for how long.

    requests, decisions, events    `storage.retentionDays`
    attempts, and requests that    the same, but never less than `COUNTED_DAYS`: monthly
    limits count by themselves     limits are rebuilt from them
    usage_minute                   `MINUTE_DAYS`
    bound_ids                      `COUNTED_DAYS`: no provider keeps an answer longer
    usage_hour, usage_day          for ever

What this file does not know: when a moment is quiet.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlite_utils import Database

from llm_gateway.ledger import schema
from llm_gateway.timestamps import iso

DAY = 86_400
COUNTED_DAYS = 32
MINUTE_DAYS = 7
STEP = 500
"""Rows that are deleted in one transaction: a few milliseconds."""
PAGES = 256
"""Pages that are given back to the file system in one step."""
FREE_PAGES_KEPT = 256

_OLD_REQUESTS = """
DELETE FROM requests WHERE rowid IN (
  SELECT rowid FROM requests
  WHERE ts < :before AND outcome <> 'in_flight'
    AND (ts < :counted_before OR NOT (outcome IN ('passthrough', 'lost') OR simulated = 1))
  ORDER BY ts LIMIT :step)
"""
_OLD_ATTEMPTS = """
DELETE FROM attempts WHERE (request, n) IN (
  SELECT request, n FROM attempts
  WHERE ts < :before AND ts < :counted_before AND outcome <> 'in_flight'
  ORDER BY ts LIMIT :step)
"""
_OLD_DECISIONS = """
DELETE FROM decisions WHERE request IN (
  SELECT request FROM decisions WHERE ts < :before ORDER BY ts LIMIT :step)
"""
_OLD_EVENTS = """
DELETE FROM events WHERE id IN (
  SELECT id FROM events WHERE ts < :before ORDER BY ts LIMIT :step)
"""
_OLD_MINUTES = """
DELETE FROM usage_minute WHERE (minute, provider, model, client) IN (
  SELECT minute, provider, model, client FROM usage_minute
  WHERE minute < :minutes_before ORDER BY minute LIMIT :step)
"""
_OLD_BOUND_IDS = """
DELETE FROM bound_ids WHERE id IN (
  SELECT id FROM bound_ids WHERE ts < :counted_before ORDER BY ts LIMIT :step)
"""
DELETIONS = (
    *(_OLD_REQUESTS, _OLD_ATTEMPTS, _OLD_DECISIONS),
    *(_OLD_EVENTS, _OLD_MINUTES, _OLD_BOUND_IDS),
)


def round_of_upkeep(db: Database, retention_days: int, now: float) -> Iterator[None]:
    """Each `next` is one short transaction; at the end nothing is left to do for now."""
    parameters = {
        "before": iso(now - retention_days * DAY),
        "counted_before": iso(now - COUNTED_DAYS * DAY),
        "minutes_before": iso(now - MINUTE_DAYS * DAY),
        "step": STEP,
    }
    for sql in DELETIONS:
        deleted = STEP
        while deleted == STEP:
            with db.atomic():
                deleted = db.execute(sql, parameters).rowcount
            yield
    while _free_pages(db) > FREE_PAGES_KEPT:
        db.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        yield
    refresh_statistics(db)
    yield
    schema.use_log(db)
    truncate_log(db)


def _free_pages(db: Database) -> int:
    count: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return count


def refresh_statistics(db: Database) -> None:
    """Without them SQLite guesses which index is short; a sample of 1000 rows is enough."""
    db.execute("ANALYZE")


def truncate_log(db: Database) -> None:
    """Move the write-ahead log into the file, as far as readers allow."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def fold_log(db: Database) -> None:
    """One file without a log beside it, as far as readers allow: it can then be read on a
    read-only file system, from a backup or a stick. Opening it for writing brings the
    log back."""
    with suppress(sqlite3.OperationalError):  # somebody else reads it: nothing is lost
        db.execute("PRAGMA journal_mode = DELETE").fetchone()


def log_size(path: Path) -> int:
    """Bytes of the write-ahead log."""
    with suppress(OSError):
        return os.stat(f"{path}-wal").st_size
    return 0
