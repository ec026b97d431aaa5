"""What no sequence of calls may break, against a count that forgets nothing.

The oracle keeps every grant and every settlement with its moment, and adds up from
scratch. It knows one rule of the engine's own: requests count when they leave, tokens
and cost when they have ended, and what is open always counts.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.domain import Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import Limiter, LimitRefusal, Reservation
from llm_gateway.limits.windows import EXACT, LENGTHS, STEPS, RollingWindow

PACIFIC = ZoneInfo("America/Los_Angeles")
T0 = datetime(2026, 10, 31, 20, 0, tzinfo=PACIFIC).timestamp()
"""A month's end with a change of clocks a day later."""
SCOPE = ("provider", "groq", "")
MIDNIGHT = Reset(zone="America/Los_Angeles")


@dataclass
class Oracle:
    """Everything that happened, in order."""

    limit: Limit
    entries: list[tuple[float, int]] = field(default_factory=list)
    open: dict[int, int] = field(default_factory=dict)
    """Tokens or cost held, by serial."""
    requests: dict[int, int] = field(default_factory=dict)
    """Where a reservation's requests stand in `entries`."""

    def standing(self, now: float, slack: float = 1.0) -> int:
        start = self.start(now, slack)
        used = sum(amount for at, amount in self.entries if at > start)
        return used + sum(self.open.values())

    def start(self, now: float, slack: float) -> float:
        """The moment after which things count."""
        if self.limit.reset is None:
            return now - LENGTHS[self.limit.window] * slack
        day = datetime.fromtimestamp(now, PACIFIC).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        if self.limit.window is Window.MONTH:
            day = day.replace(day=1)
        return day.timestamp() - 1e-6


windows = st.sampled_from(
    [
        (Window.MINUTE, None),
        (Window.HOUR, None),
        (Window.DAY, None),
        (Window.DAY, MIDNIGHT),
        (Window.MONTH, MIDNIGHT),
    ]
)
limits = st.lists(
    st.builds(
        lambda metric, window, amount: Limit(
            SCOPE, metric, window[0], amount, window[1]
        ),
        st.sampled_from(Metric),
        windows,
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda limit: limit.key,
).map(tuple)
needs = st.builds(Charge, st.integers(1, 2), st.integers(0, 5), st.integers(0, 5))
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("wait"), st.sampled_from([0.0, 0.5, 7, 59, 60, 61, 3600, 40_000])
        ),
        st.tuples(st.just("reserve"), needs),
        st.tuples(st.just("settle"), st.integers(0, 5), st.integers(0, 100)),
        st.tuples(st.just("release"), st.integers(0, 5)),
        st.tuples(st.just("until it fits"), needs),
    ),
    max_size=60,
)


def of(need: Charge, limit: Limit) -> int:
    return need.of(limit.metric)


@examples(150)
@given(limits, steps)
def test_no_sequence_exceeds_a_limit_and_waits_are_true(
    limits: tuple[Limit, ...], steps: list[tuple[object, ...]]
) -> None:
    limiter, now = Limiter(), T0
    oracles = [Oracle(limit) for limit in limits]
    held: list[Reservation] = []

    def ended(reservation: Reservation, real: Charge) -> None:
        for oracle in oracles:
            if oracle.limit.metric is Metric.REQUESTS:
                place = oracle.requests.pop(reservation.serial)
                at, _ = oracle.entries[place]
                oracle.entries[place] = (at, real.requests)
            else:
                oracle.open.pop(reservation.serial)
                oracle.entries.append((now, of(real, oracle.limit)))

    for step in steps:
        match step:
            case "wait", float() | int() as seconds:
                now += seconds
            case (("reserve" | "until it fits"), Charge() as need):
                if step[0] == "until it fits":
                    refusal = limiter.fit(limits, need, now)
                    if refusal is not None and refusal.fits_at is not None:
                        for one in held:
                            limiter.settle(one, one.need, now)
                            ended(one, one.need)
                        held.clear()
                        assert refusal.fits_at > now
                        now = refusal.fits_at
                        assert limiter.fit(limits, need, now) is None
                got = limiter.reserve(limits, need, now, id="")
                if isinstance(got, Reservation):
                    held.append(got)
                    for oracle in oracles:
                        if oracle.limit.metric is Metric.REQUESTS:
                            oracle.requests[got.serial] = len(oracle.entries)
                            oracle.entries.append((now, need.requests))
                        else:
                            oracle.open[got.serial] = of(need, oracle.limit)
                    for oracle in oracles:
                        assert oracle.standing(now) <= oracle.limit.amount
                else:
                    # nor is anything refused that had room
                    assert any(
                        oracle.standing(now, 1 + 1 / STEPS) + of(need, oracle.limit)
                        > oracle.limit.amount
                        for oracle in oracles
                    )
                    over = of(need, got.limit) > got.limit.amount
                    assert (got.fits_at is None) == over
            case "settle", int() as which, int() as percent if held:
                reservation = held.pop(which % len(held))
                tokens, cost = reservation.need.tokens, reservation.need.cost
                real = replace(
                    reservation.need,
                    tokens=tokens * percent // 100,
                    cost=cost * percent // 100,
                )
                limiter.settle(reservation, real, now)
                ended(reservation, real)
            case "release", int() as which if held:
                reservation = held.pop(which % len(held))
                limiter.release(reservation, now)
                ended(reservation, Charge())
            case _:
                pass
        # what is shown is what is held against the next one
        for oracle, standing in zip(oracles, limiter.status(limits, now), strict=True):
            exact = oracle.standing(now)
            assert exact <= standing.used + standing.reserved
            assert standing.reserved == sum(oracle.open.values())


@examples(10)
@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.01, 0.05]))
def test_a_crowded_window_is_exact_and_fair(seed: int, pace: float) -> None:
    """Far more entries than are kept: never over, never more than a STEPS-th late."""
    limit = Limit(SCOPE, Metric.REQUESTS, Window.MINUTE, 1500)
    limiter, now = Limiter(), T0
    granted: list[float] = []

    def within(seconds: float) -> int:
        return len(granted) - bisect_right(granted, now - seconds)

    for i in range(4000):
        now += pace * (1 + (seed >> (i % 30)) % 3)
        need = Charge(60 if i % 50 == 0 else 1)
        got = limiter.reserve((limit,), need, now, id="")
        if isinstance(got, LimitRefusal):
            assert within(60 * (1 + 1 / STEPS)) + need.requests > 1500
            assert got.fits_at is not None
            now = got.fits_at
            got = limiter.reserve((limit,), need, now, id="")
        assert isinstance(got, Reservation)
        assert within(60) + need.requests <= 1500
        granted += [now] * need.requests


def test_memory_is_bounded() -> None:
    window = RollingWindow(60.0)
    for i in range(200_000):
        window.add(T0 + i / 1000, 1)
    assert len(window.entries) <= EXACT + STEPS + 2
    assert window.used == pytest.approx(60_000, abs=60_000 // STEPS + 1)


def test_a_refusal_is_none_or_true_after_the_clocks_change() -> None:
    """25 hours lie between these midnights; a rolling day would be 24."""
    limit = Limit(SCOPE, Metric.REQUESTS, Window.DAY, 1, MIDNIGHT)
    limiter = Limiter()
    at = datetime(2026, 11, 1, 0, 0, tzinfo=PACIFIC)
    assert isinstance(
        limiter.reserve((limit,), Charge(1), at.timestamp(), id=""), Reservation
    )
    got = limiter.reserve((limit,), Charge(1), at.timestamp() + 86_400, id="")
    assert isinstance(got, LimitRefusal)
    assert got.fits_at == at.timestamp() + 25 * 3600
    assert got.fits_at == (at + timedelta(days=1)).timestamp()
