"""Send queue of a member: operations in order, in batches, past a fold that is under way.

What lives here: what goes into the next call. A fold of many windows takes many calls;
what comes after it does not wait for all of them: calls of the fold and calls of the rest
take turns, and what an operation needs of the fold goes right before it.
What it does not know: connections, what operations mean.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from llm_gateway.cluster.away import Away
from llm_gateway.cluster.batches import Op, weight_of
from llm_gateway.frozen import frozen

BATCH = 256
"""Operations on one window in one call at most: the server does nothing else meanwhile."""
WEIGHT = 500
"""Entries of a fold in one call, or what takes as long; one window may have more."""


class Waiter(Protocol):
    """Who gets a result: a future, or what stands for one."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: Any, /) -> None: ...


class Steps(Protocol):
    """A fold, one operation after the other, each with its weight."""

    done: bool
    """There is none left."""

    def step(self) -> tuple[Op, int]:
        """The next one."""

    def before(self, op: Op) -> tuple[Op, int] | None:
        """One that has to go before `op`; None: no more."""


Queued = tuple[Op, Waiter | None]


@frozen
class QueuedFold:
    """`waiter` gets the result of its last operation."""

    steps: Steps
    waiter: Waiter | None


class SendQueue:
    """What waits for the server. Owned by one event loop."""

    def __init__(self) -> None:
        self._queue: deque[Queued | QueuedFold] = deque()
        self._fold: QueuedFold | None = None
        """Under way."""
        self._its_turn = False
        self._put_at: deque[float] = deque()
        """The moment at which each operation that waits was put in."""
        self.oldest: float | None = None
        """When the first operation of the last call was put in; None: a fold's alone."""

    def __bool__(self) -> bool:
        return bool(self._queue) or self._fold is not None

    def put(self, op: Op, waiter: Waiter | None, at: float = 0.0) -> None:
        """`at`: the moment, by any clock."""
        self._queue.append((op, waiter))
        self._put_at.append(at)

    def put_fold(self, steps: Steps, waiter: Waiter | None) -> None:
        """What is put later goes past it."""
        self._queue.append(QueuedFold(steps, waiter))

    def next(self) -> list[Queued]:
        """The next call. Something waits."""
        self.oldest = None
        if self._fold is None and isinstance(self._queue[0], QueuedFold):
            self._fold, self._its_turn = self._queue[0], True
            self._queue.popleft()
        batch, full = ([], False) if self._its_turn else self._operations()
        if not batch:
            self._its_turn = False
            return self._some_of_the_fold()
        # A call full of what goes ahead of an operation was the fold's turn already.
        self._its_turn = self._fold is not None and not full
        return batch

    def drop(self, why: str) -> None:
        """Nothing of it is sent any more; all that wait are told."""
        waiters = [
            one[1] if isinstance(one, tuple) else one.waiter for one in self._queue
        ]
        if self._fold is not None:
            waiters.append(self._fold.waiter)
        self._queue.clear()
        self._put_at.clear()
        self._fold = None
        fail(waiters, why)

    def _operations(self) -> tuple[list[Queued], bool]:
        """True: what goes ahead of the next one filled the call."""
        queue, batch = self._queue, list[Queued]()
        fold = self._fold
        weight, room = 0, BATCH
        while queue and room > 0:
            head = queue[0]
            if isinstance(head, QueuedFold):
                break
            more = weight_of(head[0])
            if more > room and batch:
                break
            while fold is not None and (first := fold.steps.before(head[0])):
                batch.append((first[0], None))
                weight += first[1]
                if weight >= WEIGHT:
                    return batch, True
            batch.append(head)
            queue.popleft()
            put_at = self._put_at.popleft()
            self.oldest = put_at if self.oldest is None else self.oldest
            room -= more
        return batch, False

    def _some_of_the_fold(self) -> list[Queued]:
        fold = self._fold
        assert fold is not None
        batch: list[Queued] = []
        weight = 0
        while not fold.steps.done and weight < WEIGHT:
            op, more = fold.steps.step()
            weight += more
            batch.append((op, fold.waiter if fold.steps.done else None))
        if fold.steps.done:
            self._fold = None
        return batch


def fail(waiters: Iterable[Waiter | None], why: str) -> None:
    """None of them gets a result."""
    for waiter in waiters:
        if waiter is not None and not waiter.done():
            waiter.set_exception(Away(why))


def in_calls(steps: Steps) -> Iterator[list[Op]]:
    """A fold alone, call by call."""
    queue = SendQueue()
    queue.put_fold(steps, None)
    while queue:
        yield [op for op, _ in queue.next()]
