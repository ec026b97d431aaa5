"""One window's arithmetic, where the limiter does not show it."""

import pytest

from llm_gateway.domain import Limit, Metric, Reset, Window
from llm_gateway.limits.observed import ObservedLimit
from llm_gateway.limits.values import LimitObservation
from llm_gateway.limits.windows import (
    AnyWindow,
    CalendarWindow,
    RollingWindow,
    window_for,
)

T0 = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
MIDNIGHT = 1_790_035_200.0


def made(window: Window, reset: Reset | None = None) -> AnyWindow:
    return window_for(Limit(("budget",), Metric.REQUESTS, window, 1, reset), T0)


def test_rolling_entries_leave_one_by_one() -> None:
    window = RollingWindow(60.0)
    for at, amount in ((0, 5), (10, 1), (10, 1), (30, 3)):
        window.add(T0 + at, amount)
    assert [
        window.drops_to_at(most, T0 + 30) - T0 for most in (10, 9, 5, 4, 3, 2, 0)
    ] == [
        30,
        60,
        60,
        70,
        70,
        90,
        90,
    ]
    assert window.next_release(T0 + 30) == T0 + 60
    assert window.used_since(T0) == 5
    assert window.next_release(T0 + 60) == T0 + 70
    assert (window.used, len(window.entries)) == (5, 2)
    assert window.next_release(T0 + 200) is None
    assert window.used == 0


def test_what_was_taken_back_is_not_waited_for() -> None:
    window = RollingWindow(60.0)
    first, second = window.add(T0, 2), window.add(T0 + 5, 1)
    window.take_back(first, 2)
    assert window.next_release(T0 + 5) == T0 + 65
    window.take_back(second, 9)
    assert window.used == 0
    window.advance(T0 + 65)
    window.take_back(second, 1)
    assert window.used == 0


def test_what_comes_late_counts_from_the_newest() -> None:
    """Never from earlier: that would let it go too soon."""
    window = RollingWindow(60.0)
    window.add(T0 + 10, 1)
    window.add(T0, 1)
    assert window.drops_to_at(0, T0 + 10) == T0 + 70


@pytest.mark.parametrize(
    ("window", "reset"), [(Window.DAY, Reset()), (Window.MONTH, None)]
)
def test_a_calendar_gives_all_back_at_its_end(
    window: Window, reset: Reset | None
) -> None:
    end = MIDNIGHT if window is Window.DAY else 1_790_812_800.0
    one = made(window, reset)
    assert isinstance(one, CalendarWindow)
    entry = one.add(T0, 3)
    assert (one.used, one.used_since(T0 + 1), one.ends(T0)) == (3, 3, end)
    assert (one.drops_to_at(3, T0), one.drops_to_at(2, T0)) == (T0, end)
    one.forget_until(T0)
    assert (one.used, one.next_release(T0)) == (3, end)
    one.advance(end)
    assert one.used == 0
    one.take_back(entry, 3)
    assert one.used == 0
    assert not one.holds(end - 1, end)
    assert one.holds(end, end)


@pytest.mark.parametrize("window", [RollingWindow(60.0), made(Window.DAY, Reset())])
def test_a_word_keeps_its_age_when_the_clock_is_set_back(window: AnyWindow) -> None:
    word = LimitObservation(Metric.REQUESTS, Window.DAY, T0, 10, 0, T0 + 40)
    window.heard = ObservedLimit(word, T0 + 60, serial=0)
    window.shift_clock(3600)
    assert window.heard.left(T0 - 3600) == 0
    assert window.heard.fits_at(1, T0 - 3600) == T0 - 3560
    assert window.heard.left(T0 - 3560) is None
