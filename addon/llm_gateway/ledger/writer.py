"""The one thread that writes, and what it does when it cannot.

    backlog ──▶ batch ──▶ transaction ──▶ waiters are told, once per batch
                  ▲            │
                  └── again ◀──┴─ locked, full, read-only, I/O error: degraded

Rule 1: who waits for a commit waits for `COMMIT_WAIT_SECONDS` at most; then requests go on, and the
        ledger is degraded until it has caught up.
Rule 2: what cannot be written is held back, as much of it as the backlog takes, and
        written when it can be; what had to be dropped is counted and said.
Rule 3: one bad row never holds up the others.
Rule 4: a file that turns out damaged, or is gone, is replaced at once by a new one, so
        that what follows is on disk; the damaged one is kept beside it.

What this file does not know: what the rows mean, who asks.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from llm_gateway.domain import Event
from llm_gateway.ledger import database_file, maintenance, rows
from llm_gateway.ledger.database_file import Opened, StoreError
from llm_gateway.ledger.integrity_check import IntegrityCheck
from llm_gateway.ledger.table_snapshots import TableSnapshot
from llm_gateway.ledger.transaction import (
    UNWRITABLE,
    ErrorCause,
    blame,
    commit,
    describe,
)
from llm_gateway.ledger.write_queue import Batch, QueuedWrite, WriteQueue, resolve

logger = logging.getLogger(__name__)

COMMIT_WAIT_SECONDS = 0.1
"""Seconds that anybody waits for a commit."""
RETRY_LOCKED = 0.02
"""Seconds between two tries against a lock, on top of SQLite's own patience."""
QUIET = 0.05
"""Seconds without anything to write, after which upkeep may do a step."""
UPKEEP_EVERY = 3600.0
FILE_CHECK_SECONDS = 5.0
"""Seconds between two looks at whether the file is still there."""


class Writer(threading.Thread):
    """Started once. `backlog.close()` ends it, and `close_by` bounds how long that takes."""

    def __init__(
        self,
        path: Path,
        backlog: WriteQueue,
        *,
        durability: str,
        retention_days: int,
        clock: Callable[[], float],
        retry: float,
    ) -> None:
        """`retry`: seconds between two tries against a disk that cannot be written."""
        super().__init__(name="ledger", daemon=True)
        self._path = path
        self._backlog = backlog
        self._durability = durability
        self._retention_days = retention_days
        self._clock = clock
        self._retry = retry
        self._opened: Opened | None = None
        self._settled = False
        """What an earlier run left in flight is closed."""
        self._held = 0
        self._newest: dict[str, TableSnapshot] = {}
        """What was written last, for a file that has to be made anew."""
        self._checkup: IntegrityCheck | None = None
        self._agenda: Iterator[None] | None = None
        self._upkeep_due = 0.0
        self._look_due = 0.0
        self._trouble_since = 0.0
        self.started: Future[None] = Future()
        """Done when the file is open; fails with StoreError when it cannot be opened."""
        self.close_by: float | None = None
        """Monotonic time after which closing does not wait for anything any more."""
        self.busy_since: float | None = None
        """Monotonic time at which the transaction that is going on was begun."""
        self.error = ""
        """Why nothing can be written now; "" when all is well."""
        self.notice = ""
        """What happened to the file in this run, for people to hear about."""

    @property
    def pending(self) -> int:
        """Entries that wait to be written."""
        return self._held + len(self._backlog)

    # -- the thread ------------------------------------------------------------------

    def run(self) -> None:
        try:
            lock = database_file.lock(self._path)
        except BaseException as error:
            self.started.set_exception(error)
            return
        with lock:
            try:
                self._open()
                self._write(Batch(), once=True)
            except BaseException as error:
                self._abandon()
                self.started.set_exception(error)
                return
            self.started.set_result(None)
            while self._turn_safely():
                pass
            self._close()

    def _turn_safely(self) -> bool:
        """Whatever happens, the thread lives: a mistake costs a batch, not the ledger."""
        try:
            return self._turn()
        except Exception as error:
            logger.exception("ledger: a mistake in the gateway")
            self._degrade(f"a mistake in the gateway, {type(error).__name__}")
            self._backlog.dropped += self._held
            self._held = 0
            self._abandon()
            resolve(self._backlog.take_waiters(), False)
            self._backlog.pause(self._retry)
            return not self._too_late()

    def _turn(self) -> bool:
        """One batch, or one step of upkeep; False when all is done."""
        tidying = self._agenda is not None or time.monotonic() >= self._upkeep_due
        batch = self._backlog.take(QUIET if tidying else FILE_CHECK_SECONDS)
        if not batch and self._backlog.closing:
            return False
        if batch or self.error:
            self._held = len(batch.entries)
            if not self._write(batch):
                return False
            self._held = 0
        now = time.monotonic()
        if now > self._look_due:
            self._look_due = now + FILE_CHECK_SECONDS
            self._check_file()
        # Without a single quiet moment, upkeep takes its turn between the batches.
        if not batch or now > self._upkeep_due + UPKEEP_EVERY:
            self._keep_up(now)
        return True

    # -- the file --------------------------------------------------------------------

    def _open(self) -> Opened:
        if self._opened is None:
            self._opened = database_file.open_ledger(
                self._path, durability=self._durability, now=self._clock()
            )
            self._on_open(self._opened)
        return self._opened

    def _on_open(self, opened: Opened) -> None:
        """A file that was just opened: complete it, look at it, say what happened."""
        self._backlog.bring_back(self._newest.values())
        if not opened.checked:
            self._checkup = IntegrityCheck(self._path)
            self._checkup.start()
        if opened.note:
            self._report(opened.note)

    def _abandon(self) -> None:
        """Let go of the file, whatever state it is in."""
        self._agenda = None
        checkup, self._checkup = self._checkup, None
        if checkup is not None:
            checkup.stop()
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                opened.db.close()
            except sqlite3.Error as error:
                logger.warning("ledger: closing failed: %s", error)

    def _replace_damaged(self, why: str) -> None:
        """Raises StoreError when the file cannot be moved, or no new one be made."""
        self._abandon()
        self._opened = database_file.replace_damaged(
            self._path, why, durability=self._durability, now=self._clock()
        )
        # What is in flight now is of this run: it goes on, and will end in the new file.
        self._settled = True
        self._on_open(self._opened)

    def _check_file(self) -> None:
        """Is the file still what it was?

        One that was removed or replaced under our feet takes rows that nobody sees.
        """
        if self._opened is None:
            return
        if self._checkup is not None and self._checkup.damage:
            try:
                self._replace_damaged(self._checkup.damage)
            except StoreError as failed:
                self._degrade(str(failed))
            return
        try:
            if self._path.stat().st_ino == self._opened.inode:
                return
        except OSError:
            pass
        self._abandon()
        self._report(f"{self._path.name} was removed or replaced while it was in use")

    def _close(self) -> None:
        if self.pending:
            logger.error(
                "ledger: %d rows were never written: %s",
                self.pending,
                self.error or "there was no time left",
            )
        resolve(self._backlog.take_waiters(), False)
        if self._opened is not None and not self.error:
            try:
                maintenance.refresh_statistics(self._opened.db)
                maintenance.truncate_log(self._opened.db)
                maintenance.fold_log(self._opened.db)
            except sqlite3.Error as error:
                logger.info("ledger: closed without a checkpoint: %s", error)
        self._abandon()

    def _keep_up(self, now: float) -> None:
        if self._opened is None:
            return
        if self._agenda is None:
            if now < self._upkeep_due:
                return
            self._upkeep_due = now + UPKEEP_EVERY
            self._agenda = maintenance.round_of_upkeep(
                self._opened.db, self._retention_days, self._clock()
            )
        try:
            if next(self._agenda, self) is self:
                self._agenda = None
        except sqlite3.Error as error:
            # Nothing depends on it: the next round tries again. If the file is damaged,
            # the next write will find that out, and deal with it.
            logger.info("ledger: upkeep put off: %s", error)
            self._agenda = None

    # -- writing ---------------------------------------------------------------------

    def _write(self, batch: Batch, *, once: bool = False) -> bool:
        """Until it is written (True), or there is no time left for that (False).

        `once`: one try, unless another one may well succeed at once.
        """
        began = time.monotonic()
        waiters = batch.take_waiters()
        one_by_one = False
        while True:
            self.busy_since = time.monotonic()
            try:
                self._commit(batch, one_by_one)
            except (*UNWRITABLE, StoreError) as error:
                self.busy_since = None
                if blame(error) is ErrorCause.ROW and not one_by_one:
                    one_by_one = True
                    continue
                pause = self._deal_with(error, began)
                if self.error:
                    resolve(waiters + self._backlog.take_waiters(), False)
                    waiters = []
                    if once or self._too_late():
                        return False
                self._backlog.pause(pause)
            else:
                self.busy_since = None
                break
        resolve(waiters, True)
        self._recover()
        return True

    def _commit(self, batch: Batch, one_by_one: bool) -> None:
        opened = self._open()
        lost = commit(opened.db, batch, settle=not self._settled, one_by_one=one_by_one)
        self._settled = True
        self._newest.update({whole.table: whole for whole in batch.wholes})
        if lost:
            self._event(
                "recovered",
                f"{lost} requests were unfinished when the gateway stopped:"
                " counted at what they had reserved",
            )

    def _deal_with(self, error: Exception, began: float) -> float:
        """Seconds until the next try."""
        match blame(error):
            case ErrorCause.LOCK:
                if time.monotonic() - began >= COMMIT_WAIT_SECONDS:
                    self._degrade(describe(error))
                return RETRY_LOCKED
            case ErrorCause.DAMAGE:
                try:
                    self._replace_damaged(str(error))
                except StoreError as failed:
                    self._degrade(str(failed))
                    return self._retry
                return 0.0
            case ErrorCause.REACH:
                self._abandon()
        self._degrade(describe(error))
        return self._retry

    def _too_late(self) -> bool:
        return self.close_by is not None and time.monotonic() >= self.close_by

    # -- saying so -------------------------------------------------------------------

    def _event(self, kind: str, message: str) -> None:
        event = Event(self._clock(), kind, "ledger", message)
        self._backlog.put(QueuedWrite(((rows.EVENT, event),)), always=True)

    def _report(self, note: str) -> None:
        self.notice = note
        # No error: mitmdump ends when one is logged while it starts.
        logger.warning("ledger: %s", note)
        self._event("degraded", note)

    def _degrade(self, trouble: str) -> None:
        if not self.error:
            self._trouble_since = self._clock()
            logger.warning("ledger: %s; requests go on, rows are held back", trouble)
        self.error = trouble

    def _recover(self) -> None:
        """Say that it is over, and what it has cost."""
        if not self.error:
            if self._backlog.dropped and not len(self._backlog):
                dropped = self._backlog.take_dropped()
                self._event(
                    "degraded", f"more than could be held back: {dropped} rows lost"
                )
            return
        trouble = self.error
        dropped = self._backlog.take_dropped()
        now = self._clock()
        lasted = f"{max(0.0, now - self._trouble_since):.1f} s"
        message = f"{trouble}: over after {lasted}, {dropped or 'no'} rows lost"
        logger.warning("ledger: %s", message)
        began = Event(self._trouble_since, "degraded", "ledger", trouble)
        over = Event(now, "recovered", "ledger", message, {"dropped": dropped})
        self._backlog.put(
            QueuedWrite(((rows.EVENT, began), (rows.EVENT, over))), always=True
        )
        self.error = ""
