"""When the writer is woken: at once, or once for many."""

import asyncio

import pytest

from llm_gateway.ledger.group_commit import LONGEST_PAUSE, MANY, GroupCommit


class Woken:
    """Counts, and can be waited for."""

    def __init__(self) -> None:
        self.times = 0
        self.event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self.event.set()


@pytest.fixture
def woken() -> Woken:
    return Woken()


def pace_of(woken: Woken, *, share: float, under_way: int) -> GroupCommit:
    """In a loop that computes this share of its time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    pace = GroupCommit(woken, lambda: share * (loop.time() - began) + share * began)
    for n in range(under_way):
        pace.begun(f"r{n}")
    return pace


def test_without_a_loop_the_caller_wakes_it(woken):
    pace = GroupCommit(woken)
    assert (pace.schedule_waited(), pace.schedule_unwaited()) == (False, False)


async def test_in_a_loop_with_time_to_spare_the_caller_wakes_it_at_once(woken):
    pace = pace_of(woken, share=0.5, under_way=100)
    assert [pace.schedule_waited() for _ in range(5)] == [False] * 5
    assert woken.times == 0


async def test_in_a_busy_loop_many_share_a_commit(woken):
    pace = pace_of(woken, share=0.9, under_way=100)
    assert pace.schedule_waited() is False  # the first look at how busy it is
    assert [pace.schedule_waited() for _ in range(20)] == [True] * 20
    assert woken.times == 0
    await woken.event.wait()
    assert woken.times == 1


@pytest.mark.parametrize(
    ("each", "under_way", "pause"),
    [(0.001, 10, 0.8 * 0.010), (0.002, 10, 0.8 * 0.020), (0.002, 100, LONGEST_PAUSE)],
)
async def test_they_wait_for_most_of_what_the_loop_needs_for_them(
    woken, monkeypatch, each, under_way, pause
):
    loop = asyncio.get_running_loop()
    now, spent, due = 1000.0, 0.0, []
    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop, "call_at", lambda at, *_: due.append(at))
    pace = GroupCommit(woken, lambda: spent)
    assert pace.schedule_waited() is False  # from here on it is measured
    for n in range(1000):
        pace.begun(f"r{n}")
        if n >= under_way:
            pace.ended(f"r{n}")
    spent = each * 1000
    now += spent / 0.9
    assert pace.schedule_waited() is False  # the look at how busy it is
    assert pace.schedule_waited() is True
    assert due == [pytest.approx(now + pause)]


async def test_few_have_nobody_to_wait_for(woken):
    pace = pace_of(woken, share=0.9, under_way=MANY)
    assert pace.schedule_waited() is False
    assert pace.schedule_waited() is True
    await woken.event.wait()
    pace.ended("r0")
    pace.ended("r0")
    assert pace.schedule_waited() is False


async def test_when_nobody_waits_it_is_woken_once_for_all(woken):
    pace = pace_of(woken, share=0.5, under_way=1)
    assert [pace.schedule_unwaited() for _ in range(5)] == [True] * 5
    await woken.event.wait()
    assert woken.times == 1


async def test_whoever_wakes_it_wakes_it_for_those_too(woken):
    pace = pace_of(woken, share=0.5, under_way=1)
    loop = asyncio.get_running_loop()
    handles = []
    call_later = loop.call_later
    loop.call_later = lambda *a: handles.append(call_later(*a)) or handles[-1]  # type: ignore[method-assign]
    assert pace.schedule_unwaited() is True
    assert pace.schedule_waited() is False
    assert handles[0].cancelled()


def test_it_outlives_a_loop(woken):
    pace = GroupCommit(woken)

    async def once() -> None:
        assert pace.schedule_unwaited() is True

    async def again() -> None:
        assert pace.schedule_unwaited() is True
        await woken.event.wait()

    asyncio.run(once())
    asyncio.run(again())
    assert woken.times == 1
