"""Steps of the wall clock, and sleep: what is told, and what is not."""

import time

import pytest

from llm_gateway.network.clocks import SleepDetector, WallClock, awake, elapsed


class Hands:
    """A clock that is moved by hand."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0, -86_400.0, 2.0, -2.0])
def test_a_step_is_told_before_the_new_time(step: float) -> None:
    wall, steady = Hands(1_000_000.0), Hands(50.0)
    clock = WallClock(wall, steady)
    told: list[float] = []
    clock.on_step.append(lambda step, now: told.append(step))
    for _ in range(100):
        wall.at += 0.5
        steady.at += 0.5
        clock()
    assert told == []
    wall.at += step
    assert clock() == wall.at
    assert told == pytest.approx([step])
    clock()
    assert len(told) == 1


def test_time_that_passes_unlooked_at_is_no_step() -> None:
    wall, steady = Hands(1_000_000.0), Hands(50.0)
    clock = WallClock(wall, steady)
    told: list[float] = []
    clock.on_step.append(lambda step, now: told.append(step))
    for pause in (3600.0, 86_400.0, 10.0):
        wall.at += pause
        steady.at += pause
        clock()
    assert told == []


def test_a_clock_that_is_a_little_fast_is_not_set() -> None:
    wall, steady = Hands(1_000_000.0), Hands(50.0)
    clock = WallClock(wall, steady)
    told: list[float] = []
    clock.on_step.append(lambda step, now: told.append(step))
    for _ in range(100):
        wall.at += 60.03  # 500 ppm
        steady.at += 60.0
        clock()
    assert told == []


@pytest.mark.parametrize(("asleep", "told"), [(0.0, 0.0), (3.0, 0.0), (3600.0, 3600.0)])
def test_sleep_is_told_once(asleep: float, told: float) -> None:
    whole, waking = Hands(100.0), Hands(100.0)
    detector = SleepDetector(whole, waking)
    whole.at += 10 + asleep
    waking.at += 10
    assert detector.slept() == pytest.approx(told)
    assert detector.slept() == 0.0


def test_the_clocks_of_this_machine_go_forward() -> None:
    before = elapsed(), awake(), time.time()
    assert elapsed() >= before[0]
    assert awake() >= before[1]
    assert SleepDetector().slept() == 0.0
