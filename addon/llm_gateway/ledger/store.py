"""The ledger as the rest of the gateway sees it.

What lives here: `Store`. Everything that is said to it is taken at once (records go on
changing) and written by the writer's thread; `begin` and `attempt` give something to
await, because a request may not leave before its row is on disk. When the disk does not
take it, nobody waits: requests go on, and `degraded` says why.

What this file does not know: SQL, what happens when a write fails (`writer`).
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from llm_gateway.adaptation.conversation_quirks import Row as ConversationRow
from llm_gateway.adaptation.learned import LearnedQuirk
from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    Event,
    Limit,
    RequestRecord,
)
from llm_gateway.ledger import (
    bound_answers,
    collector_tables,
    config_tables,
    database_file,
    lesson_tables,
    maintenance,
    model_lists,
    rows,
    state_tables,
)
from llm_gateway.ledger import spent as replay
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.ledger.config_tables import Running
from llm_gateway.ledger.database_file import StoreError
from llm_gateway.ledger.group_commit import GroupCommit
from llm_gateway.ledger.model_lists import Retired
from llm_gateway.ledger.rows import Kind
from llm_gateway.ledger.state_tables import GatewayState
from llm_gateway.ledger.table_snapshots import TableSnapshot
from llm_gateway.ledger.used import Sums, used
from llm_gateway.ledger.write_queue import (
    LARGEST_BACKLOG,
    CommitFuture,
    QueuedWrite,
    WriteQueue,
    finish,
)
from llm_gateway.ledger.writer import COMMIT_WAIT_SECONDS, Writer
from llm_gateway.limits.values import LimitStatus, SpentAttempt
from llm_gateway.providers.listed_models import Lists

__all__ = ["GatewayState", "Store", "StoreError"]

STUCK = 2.5 * COMMIT_WAIT_SECONDS
"""Seconds that a transaction may take before it is said that the disk does not answer."""


class Store:
    """One file, one writer. Made on the event loop's thread, or where there is no loop."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "normal",
        retention_days: int = 90,
        clock: Callable[[], float] = time.time,
        largest_backlog: int = LARGEST_BACKLOG,
        retry_seconds: float = 1.0,
    ) -> None:
        """`durability`: `normal` or `full`. Nothing is opened before `start`."""
        self.path = Path(path)
        self._clock = clock
        self._backlog = WriteQueue(largest_backlog)
        self._writer = Writer(
            self.path,
            self._backlog,
            durability=durability,
            retention_days=retention_days,
            clock=clock,
            retry=retry_seconds,
        )
        self._pace = GroupCommit(self._backlog.wake)
        self._outstanding: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        """Open the file, repair what a crash left, begin to write. Raises StoreError."""
        self._writer.start()
        self._writer.started.result()

    def close(self, timeout: float = 5.0) -> None:
        """Write what is left, for `timeout` seconds at most; then the file is closed."""
        self._closed = True
        self._writer.close_by = time.monotonic() + timeout
        self._backlog.close()
        if self._writer.ident is not None:
            self._writer.join(timeout + 1.0)

    # -- what is waited for ----------------------------------------------------------

    def begin(
        self,
        request: RequestRecord,
        attempt: AttemptRecord | None = None,
        decision: Decision | None = None,
    ) -> CommitFuture:
        """A request, its first attempt, and why it goes there: one transaction.

        Done with True when it is committed, with False when nobody should wait for it.
        """
        taken = [(rows.BEGIN_REQUEST, rows.BEGIN_REQUEST.snapshot(request))]
        if request.outcome == "in_flight":
            self._pace.begun(request.id)
        if attempt is not None:
            taken.append((rows.BEGIN_ATTEMPT, rows.BEGIN_ATTEMPT.snapshot(attempt)))
        if decision is not None:
            taken.append((rows.DECISION, (request.id, request.at, decision)))
        return self._put_and_wait(tuple(taken))

    def attempt(self, attempt: AttemptRecord) -> CommitFuture:
        """A further attempt, as in `begin`."""
        kind = rows.BEGIN_ATTEMPT
        return self._put_and_wait(((kind, kind.snapshot(attempt)),))

    def flush(self) -> CommitFuture:
        """Done when everything that was said before is committed."""
        return self._put_and_wait(())

    # -- what is not -----------------------------------------------------------------

    def end_attempt(self, attempt: AttemptRecord) -> None:
        kind = rows.END_ATTEMPT
        self._later((kind, kind.snapshot(attempt)))

    def end(self, request: RequestRecord, attempt: AttemptRecord | None = None) -> None:
        """The request as it ended, with its last attempt if that ends now as well.

        Its row is made when there is none (refused, simulated).
        """
        kind = rows.END_REQUEST
        taken = [(kind, kind.snapshot(request))]
        if attempt is not None:
            kind = rows.END_ATTEMPT
            taken.append((kind, kind.snapshot(attempt)))
        self._pace.ended(request.id)
        self._later(*taken)

    def bind(self, request: RequestRecord, name: str, *, zero_cost: bool) -> None:
        """A provider keeps the answer to this request under this id. After `end`."""
        self._later((rows.BOUND, (request.id, request.at, name, zero_cost)))

    def decision(self, request: RequestRecord, decision: Decision) -> None:
        """Why a request went nowhere: a decision without `begin`."""
        self._later((rows.DECISION, (request.id, request.at, decision)))

    def event(self, event: Event) -> None:
        self._later((rows.EVENT, event))

    def limit_state(
        self, standings: Iterable[LimitStatus], now: float | None = None
    ) -> None:
        """Every limit as it stands; replaces what was there. At most once a second."""
        self._put(
            state_tables.limit_state(standings, self._clock() if now is None else now)
        )

    def offer_state(
        self, candidates: Iterable[Candidate], now: float | None = None
    ) -> None:
        """Every offer as it stands; replaces what was there. At most once a second."""
        self._put(
            state_tables.offer_state(candidates, self._clock() if now is None else now)
        )

    def billed_offers(
        self, until: Mapping[tuple[str, ...], float], revision: str, now: float
    ) -> None:
        """What was billed though free and is not asked; replaces what was there."""
        self._put(state_tables.billed_offers(until, revision, now))

    def gateway_state(self, state: GatewayState) -> None:
        """The heartbeat. The ledger's own `degraded` reasons are added."""
        self._put(state_tables.gateway_state(state, self.degraded))

    def running_config(self, catalog: Running, clients: Iterable[Limit] = ()) -> None:
        """The configuration in force, without secrets; `clients`: the clients' limits."""
        for whole in config_tables.running_config(catalog, clients):
            self._put(whole)

    def learned(self, quirks: Iterable[LearnedQuirk]) -> None:
        """What refusals taught; replaces what was there."""
        self._put(lesson_tables.learned_quirks(quirks))

    def learned_of_conversations(self, rows: Iterable[ConversationRow]) -> None:
        """What was learned of single conversations; the newest 10,000 are kept."""
        self._put(lesson_tables.conversation_quirks(rows))

    def signed_blocks(self, new: Iterable[tuple[str, str]], now: float) -> None:
        """Hashes of signed blocks with their makers; the newest 50,000 are kept."""
        self._put(lesson_tables.signed_blocks(new, now))

    def model_lists(self, lists: Lists, retired: Retired) -> None:
        """What providers list, and what they list in vain; replaces what was there."""
        self._put(model_lists.model_lists(lists))
        self._put(model_lists.retired_models(retired))

    def members(self, found: Iterable[rows.Row]) -> None:
        """The gateways of the cluster; replaces what was there."""
        self._put(collector_tables.members(found))

    def collect_for(self, collector: str, ledger: str) -> None:
        """Keep a list of finished requests for this collector, all that there are at first."""
        for whole in collector_tables.collecting(collector, ledger):
            self._put(whole)

    def sent(self, number: int) -> None:
        """The collector has all of that list up to this number."""
        self._put(collector_tables.sent(number))

    def collected(self, found: Iterable[rows.Row]) -> CommitFuture:
        """Finished requests of other members: id, then `rows.REQUEST_COLUMNS`.
        Done as `flush`. One that is here already stays as it is."""
        for row in found:
            self._later((rows.COLLECTED, row))
        return self.flush()

    def _later(self, *taken: tuple[Kind, Any]) -> None:
        self._backlog.put(QueuedWrite(taken), wake=not self._pace.schedule_unwaited())

    def _put(self, whole: TableSnapshot) -> None:
        self._backlog.put_whole(whole)

    # -- asking ----------------------------------------------------------------------

    @property
    def degraded(self) -> tuple[str, ...]:
        """What is wrong with the ledger, in words; empty when all is well."""
        writer, reasons = self._writer, []
        if writer.error:
            reasons.append(f"ledger: {writer.error}, {writer.pending} rows held back")
        elif self._stuck():
            reasons.append("ledger: the disk does not answer")
        if self._backlog.dropped:
            reasons.append(f"ledger: {self._backlog.dropped} rows lost")
        if writer.notice:
            reasons.append(f"ledger: {writer.notice}")
        if maintenance.log_size(self.path) > database_file.LARGEST_LOG:
            reasons.append(
                "ledger: a reader keeps the write-ahead log from being emptied"
            )
        return tuple(reasons)

    def spent(self, since: float) -> list[SpentAttempt]:
        """What stands against limits from `since` (unix seconds) on. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            return replay.spent(connection, since, self._clock())
        finally:
            connection.close()

    def spoken(self) -> list[tuple[str, str]]:
        """(provider, dialect) that have answered lately. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            return replay.spoken(connection)
        finally:
            connection.close()

    def billed(self, revision: str, now: float) -> dict[tuple[str, ...], float]:
        """What `billed_offers` said, as far as it still holds at `now` under the
        configuration of this revision. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            return replay.billed(connection, revision, now)
        finally:
            connection.close()

    def bound(self, name: str) -> BoundAnswer | None:
        """Whose answer has this id. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            return bound_answers.find(connection, name)
        finally:
            connection.close()

    def bound_of(self, names: Iterable[str]) -> dict[str, BoundAnswer]:
        """The same of several; those that are not known are left out. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            found = {name: bound_answers.find(connection, name) for name in names}
        finally:
            connection.close()
        return {name: one for name, one in found.items() if one is not None}

    def quirks(self) -> list[LearnedQuirk]:
        """What refusals taught, of this run and earlier ones. Blocks."""
        return lesson_tables.read_quirks(self.rows(lesson_tables.ALL_QUIRKS))

    def conversation_quirks(self) -> list[ConversationRow]:
        """What was learned of single conversations, the oldest first. Blocks."""
        rows = self.rows(lesson_tables.CONVERSATION_QUIRKS)
        return lesson_tables.read_conversation_quirks(rows)

    def known_lists(self) -> tuple[Lists, Retired]:
        """What providers listed when they were last asked, and what is retired. Blocks."""
        return (
            model_lists.read_lists(self.rows(model_lists.ALL_LISTS)),
            model_lists.read_retired(self.rows(model_lists.ALL_RETIRED)),
        )

    def known_blocks(self) -> list[tuple[str, str]]:
        """(hash, maker) of signed blocks, the oldest first. Blocks."""
        rows = self.rows(lesson_tables.SIGNED_BLOCKS)
        return [(row["hash"], row["maker"]) for row in rows]

    def used(self, since: Collection[float]) -> dict[float, Sums]:
        """What was used since each of these moments (unix seconds). Blocks.
        Raises StoreError."""
        try:
            connection = database_file.read_only(self.path)
            try:
                return used(connection, since)
            finally:
                connection.close()
        except sqlite3.Error as e:
            raise StoreError(f"{self.path} cannot be read: {e}") from e

    def rows(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """The rows of a query, on a read-only connection of its own. Blocks."""
        connection = database_file.read_only(self.path)
        try:
            return [dict(row) for row in connection.execute(sql, params).fetchall()]
        finally:
            connection.close()

    # -- waiting ---------------------------------------------------------------------

    def _stuck(self) -> bool:
        """The transaction that is going on takes longer than anybody should wait."""
        since = self._writer.busy_since
        return since is not None and time.monotonic() - since > STUCK

    def _put_and_wait(self, taken: tuple[tuple[Kind, Any], ...]) -> CommitFuture:
        nobody_waits = self._closed or bool(self._writer.error) or self._stuck()
        waiter = self._waiter(nobody_waits)
        entry = QueuedWrite(taken, None if nobody_waits else waiter)
        self._backlog.put(entry, wake=not self._pace.schedule_waited())
        return waiter

    def _waiter(self, done: bool) -> CommitFuture:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            waiting: Future[bool] = Future()
            if done:
                waiting.set_result(False)
            return waiting
        future = loop.create_future()
        if done:
            future.set_result(False)
            return future
        self._outstanding.append((loop.time(), future))
        if self._watch is None:
            self._watch = loop.call_later(COMMIT_WAIT_SECONDS, self._look, loop)
        return future

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Release those who have waited long enough. One timer for all of them."""
        waiting = self._outstanding
        while waiting and waiting[0][1].done():
            waiting.popleft()
        if waiting and loop.time() - waiting[0][0] >= COMMIT_WAIT_SECONDS:
            finish([future for _, future in waiting], False)
            waiting.clear()
        if not waiting:
            self._watch = None
            return
        self._watch = loop.call_at(
            waiting[0][0] + COMMIT_WAIT_SECONDS, self._look, loop
        )
