"""The wall clock is set, by an hour or a day, back and forth: the upstream has another one, and
never gets more than the limit by that."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.domain import Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import Limiter, LimitRefusal
from llm_gateway.limits.windows import LENGTHS

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86_400.0
STEPS = [HOUR, -HOUR, DAY, -DAY]
ONE = Charge(requests=1)
RESETS = [None, Reset(), Reset(0, 0, "America/Los_Angeles")]


class Machine:
    """A limiter, the time that really passed, and a clock that was set by `off`."""

    def __init__(self, window: Window, amount: int, reset: Reset | None) -> None:
        scope = ("provider", "p", "")
        self.limits = (Limit(scope, Metric.REQUESTS, window, amount, reset),)
        self.limiter = Limiter()
        self.real, self.off = NOON, 0.0

    def ask(self) -> bool:
        now = self.real + self.off
        found = self.limiter.reserve(self.limits, ONE, now, id="x")
        return not isinstance(found, LimitRefusal)

    def set(self, step: float) -> None:
        self.off += step
        self.limiter.clock_set(step, self.real + self.off)


@each_row("step", STEPS)
@each_row("reset", RESETS)
@each_row("window", list(Window))
def test_a_limit_half_used_gives_out_the_other_half_only(
    window: Window, reset: Reset | None, step: float
) -> None:
    machine = Machine(window, 6, reset)
    assert [machine.ask() for _ in range(3)] == [True] * 3
    machine.set(step)
    assert [machine.ask() for _ in range(6)] == [True] * 3 + [False] * 3
    machine.set(-step)
    assert not machine.ask()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("window", [Window.MINUTE, Window.HOUR])
def test_it_comes_back_when_it_would_have(window: Window, step: float) -> None:
    machine = Machine(window, 2, None)
    assert machine.ask()
    machine.set(step)
    assert machine.ask()
    machine.real += LENGTHS[window] - 1
    assert not machine.ask()
    machine.real += 2
    assert [machine.ask() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("step", STEPS)
def test_a_day_ends_at_its_next_midnight(step: float) -> None:
    machine = Machine(Window.DAY, 1, Reset())
    assert machine.ask()
    machine.set(step)
    assert not machine.ask()
    machine.real += DAY
    assert machine.ask()


def test_an_end_is_not_passed_twice() -> None:
    """Set back over midnight by what a wrong clock is corrected by at night."""
    machine = Machine(Window.DAY, 2, Reset())
    machine.real = NOON + DAY / 2 + 60
    assert machine.ask()
    machine.set(-600)
    machine.real += 600
    assert machine.ask()
    assert not machine.ask()


@given(
    st.lists(
        st.tuples(st.floats(0, 70), st.sampled_from([*STEPS, 0.0, 90.0, -90.0])),
        max_size=60,
    )
)
def test_no_sequence_lets_more_out_in_any_minute(
    moves: list[tuple[float, float]],
) -> None:
    machine = Machine(Window.MINUTE, 3, None)
    granted: list[float] = []
    for pause, step in moves:
        machine.real += pause
        if step:
            machine.set(step)
        if machine.ask():
            granted.append(machine.real)
    for at in granted:
        assert sum(at - 59.9 < other <= at for other in granted) <= 3
