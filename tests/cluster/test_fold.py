"""A fold of many busy windows: noted at once, written down in batches that are soon done."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from fakes.counter_server import CounterServer

from llm_gateway.cluster import batches
from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.fold import Fold
from llm_gateway.cluster.fold_steps import FoldSteps
from llm_gateway.cluster.names import Names
from llm_gateway.cluster.send_queue import WEIGHT, SendQueue, in_calls
from llm_gateway.domain import Charge, Limit, Metric, Window
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.values import Reservation

from .test_same_arithmetic import Counters

T0 = 1793516399.0
MOST = 1000
"""More entries than one window keeps."""
BUSY = 40
"""Windows with as many entries as one keeps."""
LIMITS = [
    Limit(("model", "p", "", f"m{at}"), metric, Window.DAY, 10**12)
    for at in range(BUSY)
    for metric in (Metric.TOKENS, Metric.REQUESTS)
]


def busy() -> SharedLimiter:
    limiter = SharedLimiter()
    for limit in LIMITS:
        window = limiter.book.window(limit, T0)
        for second in range(2000):
            window.add(T0 + second, 3)
    return limiter


NAMES_HERE = Names({("p", ""): "account"})


def fold_of(limiter: SharedLimiter, **more: list[str]) -> Fold:
    return Fold(limiter, NAMES_HERE, LIMITS, T0 + 2000, 0.0, "a|s-", **more)


def calls_of(fold: Fold) -> Iterator[list[Op]]:
    return in_calls(FoldSteps(fold))


def flat(batches: list[list[Op]]) -> list[Op]:
    return [op for batch in batches for op in batch]


def use_of(limiter: SharedLimiter, model: int) -> Reservation:
    limits = LIMITS[2 * model : 2 * model + 2]
    found = limiter.reserve(limits, Charge(1, 5), T0 + 2000, id=f"r{model}")
    assert isinstance(found, Reservation)
    return found


def test_batches_are_small_whatever_there_is() -> None:
    limiter = busy()
    for model in range(BUSY):
        use_of(limiter, model)
    gone = [f"gone {at}" for at in range(5000)]
    batches = list(calls_of(fold_of(limiter, there=gone)))
    assert sum(len(op[9]) for op in flat(batches) if op[0] == "fold") > 40 * WEIGHT
    for batch in batches:
        assert batch
        entries = sum(len(op[9]) for op in batch if op[0] == "fold")
        names = sum(len(op[1]) for op in batch if op[0] == "no_amount")
        assert len(batch) + entries + names <= WEIGHT + MOST
    assert [op[0] for op in flat(batches)][:: len(flat(batches)) - 1] == [
        "fold_begin",
        "fold_end",
    ]
    said = [name for op in flat(batches) if op[0] == "no_amount" for name in op[1]]
    assert said == gone


def test_what_comes_after_its_moment_is_not_in_it() -> None:
    """It is told the server behind the fold, and would be counted twice."""
    limiter, twin = busy(), busy()
    held = use_of(limiter, 0)
    use_of(twin, 0)
    fold, want = fold_of(limiter), list(calls_of(fold_of(twin)))
    found = [next(batches := calls_of(fold))]
    for model in range(1, BUSY):
        use_of(limiter, model)
    limiter.settle(held, Charge(), T0 + 2000)
    limiter.replay([], LIMITS, T0 + 2001)
    for window in limiter.windows().values():
        window.add(T0 + 2002, 7)
        window.advance(T0 + 90_000)
    assert [*found, *batches] == want
    assert fold.open_ids == ["r0"]


def test_an_empty_one() -> None:
    fold = fold_of(SharedLimiter())
    assert list(calls_of(fold)) == [[["fold_begin", []], ["fold_end"]]]


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counters]:
    with CounterServer(tmp_path_factory.mktemp("server")) as running:
        yield Counters(running)


@pytest.mark.process
def test_others_never_see_less_while_it_is_under_way(counters: Counters) -> None:
    """Requests are asked for all the time: what was granted before the server comes to
    the fold is there after each of its batches, and ends as any other."""
    now = T0 + 2000
    limiter = SharedLimiter()
    for limit in LIMITS:
        limiter.book.window(limit, now).add(T0 + 1999, 3)
    counters.begin()
    counters.one(now, ["hello", "salt", [], ""], member="b")
    for batch in calls_of(fold_of(limiter)):
        counters.call(now, *batch)
    held: list[Reservation] = []
    for at in range(400):
        limits = LIMITS[2 * (at % 3) :][:2]
        found = limiter.reserve(limits, Charge(1, 5), now, id=f"r{at}")
        assert isinstance(found, Reservation)
        held.append(found)
        rows = batches.rows_of(limiter.rows(limits, (), now), NAMES_HERE, now, 0.0)[1]
        if at % 4:  # the others are asked for and not granted
            assert counters.one(now, batches.reserve(found.id, found.need, rows))[0]
    known = [f"r{at}" for at in range(400) if at % 4 == 1]
    asking = [f"r{at}" for at in range(400) if at % 4 != 1]
    names = [NAMES_HERE.window(limit) for limit in LIMITS]

    def seen() -> list[tuple[Any, ...]]:
        found = counters.one(now, ["look", names], member="b")
        return list(zip(found[::3], found[1::3], strict=True))

    before = seen()
    fold = fold_of(limiter, asking=asking)
    assert sorted(fold.open_ids) == sorted(known)
    made = list(calls_of(fold))
    assert len(made) > 1
    for batch in made:
        counters.call(now, *batch)
        assert seen() == before
    for at, one in enumerate(held):
        ended = counters.one(now, ["settle", one.id, [1, 2, 0]])
        assert ended == [1 if at % 4 else 0]
        real = Charge(1, 2) if at % 4 else Charge()
        limiter.settle(one, real, now)
    assert seen() == [(limiter.book.window(limit, now).used, 0) for limit in LIMITS]


def reserve_op(
    limiter: SharedLimiter, found: Reservation, model: int, now: float
) -> Op:
    rows = limiter.rows(LIMITS[2 * model :][:2], (), now)
    return batches.reserve(
        found.id, found.need, batches.rows_of(rows, NAMES_HERE, now, 0.0)[1]
    )


def test_what_comes_later_goes_past_it() -> None:
    """In the next call but one, whatever is left of the fold; its windows right before it."""
    limiter = busy()
    held = use_of(limiter, BUSY - 1)
    queue = SendQueue()
    queue.put_fold(FoldSteps(fold_of(limiter)), None)
    first = [op for op, _ in queue.next()]
    assert first[0] == ["fold_begin", []]
    for model in (BUSY - 1, BUSY - 2):
        found = limiter.reserve(
            LIMITS[2 * model :][:2], Charge(1, 5), T0 + 2000, id=f"late {model}"
        )
        assert isinstance(found, Reservation)
        queue.put(reserve_op(limiter, found, model, T0 + 2000), None)
    queue.put(batches.settle(held.id, Charge(), []), None)
    sent = [[op for op, _ in queue.next()] for _ in range(8)]
    kinds = [{op[0] for op in batch} for batch in sent]
    ops = [op for batch in sent for op in batch]
    names = [NAMES_HERE.window(limit) for limit in LIMITS]
    for model in (BUSY - 1, BUSY - 2):
        at = next(n for n, op in enumerate(ops) if op[1] == f"late {model}")
        before = [op[1] for op in ops[:at] if op[0] == "fold"]
        assert {*names[2 * model :][:2]} <= {*before}
    assert [op[1] for op in ops if op[0] == "settle"] == [held.id]
    # The fold goes on in between, and a call is never long.
    assert sum("reserve" not in kind and "settle" not in kind for kind in kinds) >= 3
    for batch in sent:
        entries = sum(len(op[9]) for op in batch if op[0] == "fold")
        assert len(batch) + entries <= WEIGHT + MOST
    while queue:
        ops += [op for op, _ in queue.next()]
    folded = [op[1] for op in [*first, *ops] if op[0] == "fold"]
    assert sorted(folded) == sorted(names)
    assert ops[-1] == ["fold_end"]


@pytest.mark.process
@pytest.mark.parametrize("lost", [False, True], ids=["all there", "emptied before"])
def test_requests_amid_a_fold_are_counted_once(counters: Counters, lost: bool) -> None:
    """Reserved before, asked for at its moment, or made since; ended before or after the
    fold has come to their windows: in the end the server has what the engine has."""
    now, models = T0 + 2000, 12
    chance = random.Random(5)
    limiter = busy()
    counters.begin()
    for call in calls_of(fold_of(limiter)):
        counters.call(now, *call)
    serial = count(1)
    held: list[tuple[Reservation, int]] = []

    def reserved() -> Op:
        model = chance.randrange(models)
        found = limiter.reserve(
            LIMITS[2 * model :][:2], Charge(1, 5), now, id=f"r{next(serial)}"
        )
        assert isinstance(found, Reservation)
        held.append((found, model))
        return reserve_op(limiter, found, model, now)

    def settled() -> Op:
        found, _ = held.pop(chance.randrange(len(held)))
        real = Charge(chance.randrange(2), chance.randrange(9))
        limiter.settle(found, real, now)
        return batches.settle(found.id, real, [])

    def used() -> Op:
        limits = LIMITS[2 * chance.randrange(models) :][:2]
        rows = limiter.rows(limits, (), now)
        change = Charge(0, chance.randrange(5))
        for row in rows:
            row.window.add(now, (change.requests, change.tokens)[row.place])
        found = batches.rows_of(rows, NAMES_HERE, now, 0.0)[1]
        return batches.count(now, change, found)

    for op in [reserved() for _ in range(40)]:
        assert counters.one(now, op)[0] == 1
    if lost:
        counters.begin()
    counters.one(now, ["hello", "salt", [], ""], member="b")
    queue = SendQueue()
    known = [one.id for one, _ in held]
    for _ in range(20):
        queue.put(reserved(), None)
    asking = [one.id for one, _ in held if one.id not in known]
    queue.put_fold(FoldSteps(fold_of(limiter, asking=asking)), None)
    calls = 0
    while queue:
        if calls < 60:
            for make in chance.choices([reserved, settled, used], k=3):
                queue.put(make(), None)
        call = [op for op, _ in queue.next()]
        results = counters.call(now, *call).results
        calls += 1
        for op, result in zip(call, results, strict=True):
            assert result[0] == 1 or op[0] == "no_amount", op
    assert calls > 60
    while held:
        assert counters.one(now, settled()) == [1]
    names = [NAMES_HERE.window(limit) for limit in LIMITS]
    found = counters.one(now, ["look", names], member="b")
    assert [*zip(found[::3], found[1::3], strict=True)] == [
        (limiter.book.window(limit, now).used, 0) for limit in LIMITS
    ]
