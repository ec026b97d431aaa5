"""A fold of many busy windows: noted at once, written down in batches that are soon done."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes.counter_server import CounterServer

from llm_gateway.cluster import batches
from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.fold import NAMES, WEIGHT, Fold
from llm_gateway.cluster.names import Names
from llm_gateway.domain import Charge, Limit, Metric, Window
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.values import Reservation

from .test_same_arithmetic import Counters

T0 = 1793516399.0
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
    batches = list(fold_of(limiter, there=gone).batches())
    assert sum(len(op[9]) for op in flat(batches) if op[0] == "fold") > 40 * WEIGHT
    for batch in batches:
        assert batch
        entries = sum(len(op[9]) for op in batch if op[0] == "fold")
        names = sum(len(op[1]) for op in batch if op[0] == "no_amount")
        assert len(batch) + entries + names <= WEIGHT + NAMES
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
    fold, want = fold_of(limiter), list(fold_of(twin).batches())
    found = [next(batches := fold.batches())]
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
    assert list(fold.batches()) == [[["fold_begin", []], ["fold_end"]]]


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
    counters.one(now, ["hello", "salt", []], member="b")
    for batch in fold_of(limiter).batches():
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
    made = list(fold.batches())
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
