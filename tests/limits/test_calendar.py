"""Days and months by a provider's clock, against one that is read minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.domain import Limit, Metric, Reset, Window
from llm_gateway.limits import calendar
from llm_gateway.limits.calendar import span, zone, zone_problem
from llm_gateway.limits.windows import CalendarWindow, RollingWindow, window_for


def at(text: str, name: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()


PACIFIC = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("window", "reset", "now", "start", "end"),
    [
        # a plain day, seen from its first, some and its last moment
        (
            Window.DAY,
            Reset(),
            at("2026-09-21T00:00:00"),
            at("2026-09-21T00:00:00"),
            at("2026-09-22T00:00:00"),
        ),
        (
            Window.DAY,
            Reset(),
            at("2026-09-21T14:13:20"),
            at("2026-09-21T00:00:00"),
            at("2026-09-22T00:00:00"),
        ),
        (
            Window.DAY,
            Reset(),
            at("2026-09-21T23:59:59.999"),
            at("2026-09-21T00:00:00"),
            at("2026-09-22T00:00:00"),
        ),
        # a day that begins at half past nine
        (
            Window.DAY,
            Reset(9, 30, "Asia/Kolkata"),
            at("2026-09-21T09:29", "Asia/Kolkata"),
            at("2026-09-20T04:00:00"),
            at("2026-09-21T04:00:00"),
        ),
        # 23 hours in spring, 25 in autumn
        (
            Window.DAY,
            Reset(zone=PACIFIC),
            at("2026-03-08T12:00", PACIFIC),
            at("2026-03-08T08:00:00"),
            at("2026-03-09T07:00:00"),
        ),
        (
            Window.DAY,
            Reset(zone=PACIFIC),
            at("2026-11-01T12:00", PACIFIC),
            at("2026-11-01T07:00:00"),
            at("2026-11-02T08:00:00"),
        ),
        # 02:30 does not exist on a spring night: 03:30 it is
        (
            Window.DAY,
            Reset(2, 30, PACIFIC),
            at("2026-03-08T12:00", PACIFIC),
            at("2026-03-08T10:30:00"),
            at("2026-03-09T09:30:00"),
        ),
        # 01:30 happens twice on an autumn night: the first it is
        (
            Window.DAY,
            Reset(1, 30, PACIFIC),
            at("2026-11-01T12:00", PACIFIC),
            at("2026-11-01T08:30:00"),
            at("2026-11-02T09:30:00"),
        ),
        # months of 28, 29, 30 and 31 days, and the turn of the year
        (
            Window.MONTH,
            Reset(),
            at("2026-02-28T23:59:59"),
            at("2026-02-01T00:00:00"),
            at("2026-03-01T00:00:00"),
        ),
        (
            Window.MONTH,
            Reset(),
            at("2028-02-29T12:00:00"),
            at("2028-02-01T00:00:00"),
            at("2028-03-01T00:00:00"),
        ),
        (
            Window.MONTH,
            Reset(),
            at("2026-12-31T23:59:59"),
            at("2026-12-01T00:00:00"),
            at("2027-01-01T00:00:00"),
        ),
        # the first of a month, before its hour, is still the last month
        (
            Window.MONTH,
            Reset(8, 0, PACIFIC),
            at("2026-03-01T07:59", PACIFIC),
            at("2026-02-01T16:00:00"),
            at("2026-03-01T16:00:00"),
        ),
        (
            Window.MONTH,
            Reset(8, 0, PACIFIC),
            at("2026-03-01T08:00", PACIFIC),
            at("2026-03-01T16:00:00"),
            at("2026-04-01T15:00:00"),
        ),
    ],
)
def test_spans(
    window: Window, reset: Reset, now: float, start: float, end: float
) -> None:
    assert span(window, reset, now) == (start, end)


def first_minute(day: date, reset: Reset) -> float:
    """Watch the wall clock from the day's noon back: the first minute at or after the reset."""
    where = ZoneInfo(reset.zone)
    wanted = datetime(day.year, day.month, day.day, reset.hour, reset.minute)
    minute = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    gap = None
    for _ in range(54 * 60):
        wall = minute.astimezone(where).replace(tzinfo=None)
        if wall == wanted:
            return minute.timestamp()
        if wall > wanted and gap is None:
            before = (minute - timedelta(minutes=1)).astimezone(where)
            # the clock jumped over it: as long after the jump as it would have taken
            gap = minute + (wanted - before.replace(tzinfo=None)) - timedelta(minutes=1)
        minute += timedelta(minutes=1)
    assert gap is not None
    return gap.timestamp()


around = st.one_of(
    # both changes of the clock, in zones with whole and half hours, one at midnight
    st.tuples(
        st.sampled_from([PACIFIC, "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
        st.sampled_from(
            [
                "2026-03-07",
                "2026-03-28",
                "2026-10-24",
                "2026-10-31",
                "2026-04-04",
                "2026-10-03",
            ]
        ),
    ),
    st.tuples(
        st.sampled_from(["Africa/Cairo", "America/Havana", "Asia/Kathmandu"]),
        st.sampled_from(["2026-04-23", "2026-03-07", "2026-10-29", "2026-10-31"]),
    ),
    # month ends
    st.tuples(
        st.sampled_from([PACIFIC, "Pacific/Kiritimati"]),
        st.sampled_from(["2026-02-27", "2028-02-28", "2026-12-30", "2026-04-29"]),
    ),
)


@examples(60)
@given(
    around,
    st.integers(0, 72 * 60),
    st.sampled_from([(0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 0), (23, 59)]),
)
def test_days_are_those_of_the_wall_clock(
    place: tuple[str, str], minutes: int, hour: tuple[int, int]
) -> None:
    name, first = place
    reset = Reset(*hour, name)
    now = at(f"{first}T00:00") + minutes * 60
    day = datetime.fromtimestamp(now, ZoneInfo(name)).date()
    starts = [
        first_minute(day + timedelta(days=offset), reset) for offset in (-1, 0, 1, 2)
    ]
    assert starts == sorted(starts)
    start = max(moment for moment in starts if moment <= now)
    assert span(Window.DAY, reset, now) == (start, min(m for m in starts if m > now))


@given(
    st.floats(at("2025-01-01T00:00"), at("2030-01-01T00:00")),
    st.sampled_from([PACIFIC, "UTC", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.integers(0, 23),
    st.sampled_from([Window.DAY, Window.MONTH]),
)
def test_spans_follow_one_another(
    now: float, name: str, hour: int, window: Window
) -> None:
    found = span(window, Reset(hour, 0, name), now)
    assert found is not None
    start, end = found
    assert start <= now < end
    following = span(window, Reset(hour, 0, name), end)
    assert following is not None
    assert following[0] == end
    before = span(window, Reset(hour, 0, name), start - 0.001)
    assert before is not None
    assert before[1] == start


# zones that are not known


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America", "\0"])
def test_an_unknown_zone_is_told_and_rolls(name: str) -> None:
    assert zone(name) is None
    problem = zone_problem(name)
    assert problem is not None
    assert problem.startswith(f'"{name}" is not a time zone that this system knows')
    assert 'write an IANA name such as "America/Los_Angeles"' in problem
    for window, length in ((Window.DAY, 86_400.0), (Window.MONTH, 31 * 86_400.0)):
        limit = Limit(("budget",), Metric.COST, window, 1, Reset(zone=name))
        made = window_for(limit, at("2026-09-21T00:00"))
        assert isinstance(made, RollingWindow)
        assert made.length == length


def test_known_zones_have_no_problem() -> None:
    assert zone_problem(PACIFIC) is None
    assert zone_problem("UTC") is None


def test_utc_needs_no_zone_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ZoneInfo:
        raise KeyError(name)

    calendar.zone.cache_clear()
    monkeypatch.setattr(calendar, "ZoneInfo", nothing)
    try:
        assert zone("UTC") is UTC
        assert zone_problem(PACIFIC) is not None
    finally:
        calendar.zone.cache_clear()


@pytest.mark.parametrize(
    ("window", "reset", "shape"),
    [
        (Window.MINUTE, None, RollingWindow),
        (Window.HOUR, Reset(), RollingWindow),
        (Window.DAY, None, RollingWindow),
        (Window.DAY, Reset(), CalendarWindow),
        (Window.MONTH, None, CalendarWindow),
        (Window.MONTH, Reset(zone=PACIFIC), CalendarWindow),
    ],
)
def test_shapes(window: Window, reset: Reset | None, shape: type) -> None:
    limit = Limit(("budget",), Metric.COST, window, 1, reset)
    assert isinstance(window_for(limit, at("2026-09-21T00:00")), shape)
