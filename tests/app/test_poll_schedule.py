"""When something is asked again."""

from itertools import pairwise

from llm_gateway.app.poll_schedule import FIRST_RETRY, GAP, PollSchedule

EVERY = 600.0
MIDDLE = 0.5
"""Chance that moves nothing."""


def schedule(*keys: str, now: float = 0.0) -> PollSchedule[str]:
    made: PollSchedule[str] = PollSchedule(EVERY)
    made.follow(keys, now)
    return made


def test_what_is_new_is_asked_at_once_and_then_regularly() -> None:
    polls = schedule("a", "b")
    assert polls.due(0.0) == ["a", "b"] or polls.due(0.0) == ["b", "a"]
    polls.asked("a", 0.0)
    assert polls.due(1.0) == ["b"]
    polls.succeeded("a", 2.0, MIDDLE)
    assert polls.polls["a"].next_at == 2.0 + EVERY
    assert polls.next_at() == 0.0


def test_failures_are_retried_ever_later_and_said_once() -> None:
    polls = schedule("a")
    waits = []
    for _ in range(7):
        polls.asked("a", 0.0)
        news = polls.failed("a", 0.0, MIDDLE, "is busy")
        waits.append((polls.polls["a"].next_at, news))
    assert [wait for wait, _ in waits] == [
        *(FIRST_RETRY * 2**n for n in range(5)),
        EVERY,
        EVERY,
    ]
    assert [news for _, news in waits] == [True] + [False] * 6
    polls.succeeded("a", 0.0, MIDDLE)
    polls.asked("a", 0.0)
    assert polls.failed("a", 0.0, MIDDLE, "is busy")
    assert polls.polls["a"].next_at == FIRST_RETRY


def test_chance_spreads_the_moments() -> None:
    moments = set()
    for chance in (0.0, 0.5, 1.0):
        polls = schedule("a")
        polls.succeeded("a", 0.0, chance)
        moments.add(polls.polls["a"].next_at)
    assert moments == {EVERY * 0.9, EVERY, EVERY * 1.1}


def test_told_to_ask_it_does_so_at_once_but_not_all_the_time() -> None:
    polls = schedule("a")
    polls.asked("a", 0.0)
    polls.succeeded("a", 1.0, MIDDLE)
    polls.ask("a", 100.0)
    assert polls.due(100.0) == ["a"]
    polls.asked("a", 100.0)
    polls.succeeded("a", 100.5, MIDDLE)
    for at in (101.0, 102.0, 103.0):
        polls.ask("a", at)
    assert polls.polls["a"].next_at == 100.0 + GAP


def test_told_to_ask_who_fails_it_asks_less_and_less() -> None:
    polls, asked = schedule("a"), []
    for second in range(200):
        now = float(second)
        polls.ask("a", now)
        if polls.due(now):
            asked.append(now)
            polls.asked("a", now)
            polls.failed("a", now, MIDDLE, "is busy")
    gaps = [later - sooner for sooner, later in pairwise(asked)]
    assert gaps == [GAP * 2, GAP * 2, GAP * 4, GAP * 8]


def test_told_while_it_is_asked_it_asks_again() -> None:
    polls = schedule("a")
    polls.asked("a", 10.0)
    polls.ask("a", 10.5)
    polls.succeeded("a", 11.0, MIDDLE)
    assert polls.due(11.0) == ["a"]


def test_what_is_gone_is_forgotten_and_what_changed_asked_anew() -> None:
    polls = schedule("a", "b", "c")
    for key in "abc":
        polls.asked(key, 0.0)
    polls.follow(["a", "b"], 5.0, changed=["b"])
    assert polls.due(5.0) == ["b"]
    assert set(polls.polls) == {"a", "b"}
    polls.succeeded("c", 6.0, MIDDLE)
    assert not polls.failed("c", 6.0, MIDDLE, "late")
