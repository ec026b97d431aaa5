"""The limiter as a transcript: reserve, settle, wait, ask again."""

from dataclasses import replace

import pytest

from llm_gateway.domain import NANO, Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import (
    Limiter,
    LimitObservation,
    LimitRefusal,
    Reservation,
    SpentAttempt,
    scopes_of,
)

ONE = Charge(requests=1)
T0 = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
GROQ = ("provider", "groq", "")


def limit(
    amount: int,
    metric: Metric = Metric.REQUESTS,
    window: Window = Window.MINUTE,
    *,
    scope: tuple[str, ...] = GROQ,
    reset: Reset | None = None,
) -> Limit:
    return Limit(scope, metric, window, amount, reset)


def take(
    limiter: Limiter, limits: tuple[Limit, ...], need: Charge, now: float
) -> Reservation:
    got = limiter.reserve(limits, need, now, id="a")
    assert isinstance(got, Reservation)
    return got


def refused(
    limiter: Limiter, limits: tuple[Limit, ...], need: Charge, now: float
) -> LimitRefusal:
    got = limiter.reserve(limits, need, now, id="a")
    assert isinstance(got, LimitRefusal)
    return got


def used(
    limiter: Limiter, limits: tuple[Limit, ...], now: float
) -> list[tuple[int, int]]:
    return [(s.used, s.reserved) for s in limiter.status(limits, now)]


# requests


def test_a_hundred_a_minute_are_exactly_a_hundred() -> None:
    limiter, limits = Limiter(), (limit(100),)
    for i in range(100):
        take(limiter, limits, ONE, T0 + i * 0.25)
    no = refused(limiter, limits, ONE, T0 + 30)
    assert no.fits_at == T0 + 60
    assert no.limit is limits[0]
    for i in range(100):
        at = T0 + 60 + i * 0.25
        assert refused(limiter, limits, ONE, at - 0.1).fits_at == at
        take(limiter, limits, ONE, at)


def test_a_burst_comes_back_whole() -> None:
    limiter, limits = Limiter(), (limit(3),)
    for _ in range(3):
        take(limiter, limits, ONE, T0)
    assert refused(limiter, limits, Charge(requests=3), T0 + 59.9).fits_at == T0 + 60
    take(limiter, limits, Charge(requests=3), T0 + 60)


def test_a_request_counts_from_when_it_left_not_from_when_it_ended() -> None:
    limiter, limits = Limiter(), (limit(1),)
    first = take(limiter, limits, ONE, T0)
    limiter.settle(first, ONE, T0 + 50)
    take(limiter, limits, ONE, T0 + 60)


def test_a_released_request_never_was() -> None:
    limiter, limits = Limiter(), (limit(1),)
    first = take(limiter, limits, ONE, T0)
    limiter.release(first, T0 + 1)
    take(limiter, limits, ONE, T0 + 1)


# tokens and cost


def test_settling_turns_the_reserved_into_the_real() -> None:
    limiter, limits = Limiter(), (limit(1000, Metric.TOKENS),)
    first = take(limiter, limits, Charge(1, 600), T0)
    assert used(limiter, limits, T0) == [(0, 600)]
    limiter.settle(first, Charge(1, 250), T0 + 2)
    assert used(limiter, limits, T0 + 2) == [(250, 0)]
    no = refused(limiter, limits, Charge(1, 800), T0 + 3)
    assert no.reason == "tokens/minute 250 of 1000 on groq, 800 needed"
    assert no.fits_at == T0 + 62


def test_more_may_be_used_than_was_reserved() -> None:
    limiter, limits = Limiter(), (limit(1000, Metric.TOKENS),)
    first = take(limiter, limits, Charge(1, 600), T0)
    limiter.settle(first, Charge(1, 1400), T0)
    assert used(limiter, limits, T0) == [(1400, 0)]
    assert limiter.status(limits, T0)[0].remaining == 0
    assert limiter.headroom(limits, T0) == 0.0
    assert refused(limiter, limits, Charge(1, 1), T0).fits_at == T0 + 60


def test_tokens_of_a_request_that_outlives_the_minute_stay_counted() -> None:
    limiter, limits = Limiter(), (limit(1000, Metric.TOKENS),)
    first = take(limiter, limits, Charge(1, 1000), T0)
    assert refused(limiter, limits, Charge(1, 1), T0 + 300).fits_at == T0 + 360
    limiter.settle(first, Charge(1, 900), T0 + 310)
    assert refused(limiter, limits, Charge(1, 101), T0 + 311).fits_at == T0 + 370
    take(limiter, limits, Charge(1, 100), T0 + 311)


def test_nothing_needed_always_fits() -> None:
    limiter, limits = Limiter(), (limit(0, Metric.COST),)
    take(limiter, limits, Charge(1, 100, 0), T0)


def test_more_than_the_limit_never_fits() -> None:
    limiter, limits = Limiter(), (limit(1000, Metric.TOKENS),)
    no = refused(limiter, limits, Charge(1, 1001), T0)
    assert no.fits_at is None
    assert no.reason == "tokens/minute 1001 needed, 1000 allowed on groq"


# several limits in one step


def test_all_or_nothing_and_the_latest_is_named() -> None:
    budget = limit(NANO, Metric.COST, Window.DAY, scope=("budget",), reset=Reset())
    limits = (limit(1), limit(10, window=Window.HOUR), budget)
    limiter = Limiter()
    take(limiter, limits, Charge(1, 0, NANO), T0)
    no = refused(limiter, limits, Charge(1, 0, 1), T0 + 1)
    assert no.limit is budget
    assert no.reason == "cost/day $1 of $1 in the budget, <$0.000001 needed"
    assert no.fits_at == 1_790_035_200.0  # 2026-09-22 00:00 UTC
    assert used(limiter, limits, T0 + 1) == [(1, 0), (1, 0), (0, NANO)]


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (("provider", "groq", ""), "requests/minute 1 of 1 on groq"),
        (("provider", "groq", "2"), "requests/minute 1 of 1 on groq key 2"),
        (
            ("model", "openrouter", "", "cost-saver/model:free"),
            "requests/minute 1 of 1 on openrouter cost-saver/model:free",
        ),
        (
            ("tier", "openrouter", "", ":free"),
            "requests/minute 1 of 1 on openrouter (:free models)",
        ),
        (("client", "cursor"), "requests/minute 1 of 1 for client cursor"),
        (("budget",), "requests/minute 1 of 1 in the budget"),
        (("team", "red"), "requests/minute 1 of 1 on team red"),
    ],
)
def test_refusals_say_where(scope: tuple[str, ...], text: str) -> None:
    limiter, limits = Limiter(), (limit(1, scope=scope),)
    take(limiter, limits, ONE, T0)
    assert refused(limiter, limits, ONE, T0).reason == text


def test_names_with_slashes_keep_apart() -> None:
    a = limit(1, scope=("model", "or", "", "a/b"))
    b = limit(1, scope=("model", "or/a", "", "b"))
    limiter = Limiter()
    take(limiter, (a,), ONE, T0)
    take(limiter, (b,), ONE, T0)
    refused(limiter, (a,), ONE, T0)


# reload


def test_a_changed_amount_applies_at_once_and_keeps_what_was_spent() -> None:
    limiter, old = Limiter(), (limit(5, window=Window.DAY),)
    for _ in range(5):
        take(limiter, old, ONE, T0)
    new = (replace(old[0], amount=7),)
    assert limiter.status(new, T0)[0].remaining == 2
    smaller = (replace(old[0], amount=3),)
    assert refused(limiter, smaller, ONE, T0).reason == "requests/day 5 of 3 on groq"


def test_a_changed_reset_keeps_what_was_spent() -> None:
    limiter = Limiter()
    rolling = (limit(5, window=Window.DAY), limit(500, Metric.TOKENS, Window.DAY))
    take(limiter, rolling, Charge(3, 30), T0)
    ended = take(limiter, rolling, Charge(1, 70), T0)
    limiter.settle(ended, Charge(1, 60), T0)
    calendar = tuple(replace(one, reset=Reset(zone="UTC")) for one in rolling)
    assert used(limiter, calendar, T0 + 1) == [(4, 0), (60, 30)]
    assert refused(limiter, calendar, Charge(2), T0 + 1).fits_at == 1_790_035_200.0
    # a request that is still served under the old revision counts in the same window
    take(limiter, rolling, ONE, T0 + 2)
    assert used(limiter, calendar, T0 + 2) == [(5, 0), (60, 30)]


def test_settling_after_a_reload_or_twice_is_harmless() -> None:
    limiter, limits = Limiter(), (limit(10), limit(100, Metric.TOKENS))
    first = take(limiter, limits, Charge(1, 40), T0)
    limiter.forget_unused([])
    limiter.settle(first, Charge(1, 30), T0)
    limiter.settle(first, Charge(1, 30), T0)
    limiter.release(first, T0)
    assert used(limiter, limits, T0) == [(0, 0), (0, 0)]
    other = Limiter()
    take(other, limits, Charge(1, 40), T0)
    other.settle(first, Charge(1, 1), T0)
    assert used(other, limits, T0) == [(1, 0), (0, 40)]


def test_limits_that_a_reload_added_take_in_what_is_still_running() -> None:
    limiter, scopes = Limiter(), scopes_of("groq", "", "llama", None)
    old = (limit(10),)
    first = limiter.reserve(old, Charge(1, 40), T0, id="a/1", scopes=scopes)
    assert isinstance(first, Reservation)
    both = (limit(5, window=Window.DAY), limit(100, Metric.TOKENS))
    assert limiter.missing((*old, *both)) == both
    spent = [
        SpentAttempt(T0 - 500, "groq", "", "llama", None, Charge(1, 7), ended=T0 - 400),
        SpentAttempt(T0 - 50, "groq", "", "qwen", None, Charge(1, 6), ended=T0 - 20),
        SpentAttempt(T0 - 50, "groq", "2", "qwen", None, Charge(1, 6)),
        SpentAttempt(
            T0, "groq", "", "llama", None, Charge(1, 40), reserved=True, id="a/1"
        ),
    ]
    limiter.replay(spent, both, T0 + 1)
    assert used(limiter, both, T0 + 1) == [(3, 0), (6, 40)]
    limiter.settle(first, Charge(1, 25), T0 + 2)
    assert used(limiter, both, T0 + 2) == [(3, 0), (31, 0)]
    assert limiter.missing(both) == ()


def test_what_ends_while_the_ledger_is_read_is_not_lost() -> None:
    limiter, scopes = Limiter(), scopes_of("groq", "", "llama", None)
    got = []
    for i in range(4):
        one = limiter.reserve((), Charge(1, 40), T0 + i, id=f"{i}/1", scopes=scopes)
        assert isinstance(one, Reservation)
        got.append(one)
    # the ledger is read here: the first has ended, the second has not, the third is not there
    limiter.settle(got[0], Charge(1, 10), T0 + 3)
    spent = [
        SpentAttempt(
            T0, "groq", "", "llama", None, Charge(1, 10), ended=T0 + 3, id="0/1"
        ),
        SpentAttempt(
            T0 + 1, "groq", "", "llama", None, Charge(1, 40), reserved=True, id="1/1"
        ),
        SpentAttempt(
            T0 + 3, "groq", "", "llama", None, Charge(1, 40), reserved=True, id="3/1"
        ),
    ]
    limiter.settle(got[1], Charge(1, 20), T0 + 4)
    limiter.release(got[3], T0 + 4)
    limiter.settle(got[2], Charge(1, 5), T0 + 5)
    added = (limit(9, window=Window.DAY), limit(999, Metric.TOKENS, Window.DAY))
    limiter.replay(spent, added, T0 + 6)
    assert used(limiter, added, T0 + 6) == [(3, 0), (35, 0)]
    # what ended long ago stands in the ledger, perhaps summed up and without an id
    hour = (limit(9, window=Window.HOUR),)
    summed = [
        SpentAttempt(T0 + 2, "groq", "", "llama", None, Charge(3, 35), ended=T0 + 5)
    ]
    limiter.replay(summed, hour, T0 + 66)
    assert used(limiter, hour, T0 + 66) == [(3, 0)]


# replay


def test_windows_are_a_fold_over_the_ledger() -> None:
    limiter = Limiter()
    midnight = Reset(zone="America/Los_Angeles")
    limits = (
        limit(20, window=Window.DAY, reset=midnight),
        limit(30, scope=("model", "groq", "", "llama")),
        limit(10 * NANO, Metric.COST, Window.MONTH, scope=("budget",)),
        limit(1000, Metric.TOKENS, scope=("client", "cursor")),
    )
    day = 1_789_974_000.0  # 2026-09-21 00:00 in Los Angeles
    spent = [
        SpentAttempt(
            T0 - 10, "groq", "", "llama", "cursor", Charge(1, 300, 5), reserved=True
        ),
        SpentAttempt(
            day - 1, "groq", "", "llama", "cursor", Charge(1, 10, NANO), ended=day + 5
        ),
        SpentAttempt(day, "groq", "", "llama", None, Charge(1, 10, NANO)),
        SpentAttempt(T0 - 59, "other", "", "llama", "cursor", Charge(1, 100, 3)),
        SpentAttempt(
            T0 - 61, "groq", "", "llama", "cursor", Charge(1, 50, 2), ended=T0 - 59.5
        ),
        SpentAttempt(
            T0 + 99, "groq", "", "llama", None, Charge(1, 1, 1)
        ),  # a clock set back since
        SpentAttempt(T0 - 40 * 86_400, "groq", "", "llama", None, Charge(1, 1, NANO)),
    ]
    limiter.replay(iter(spent), limits, T0)
    assert used(limiter, limits, T0) == [
        (4, 0),
        (2, 0),
        (2 * NANO + 11, 0),
        (450, 0),
    ]
    assert [s.resets_at for s in limiter.status(limits, T0)] == [
        day + 86_400,
        T0 + 50,
        1_790_812_800.0,  # 2026-10-01 00:00 UTC
        T0 + 0.5,
    ]


def test_what_was_spent_elsewhere_is_added() -> None:
    limiter = Limiter()
    budget = (limit(NANO, Metric.COST, Window.DAY, scope=("budget",), reset=Reset()),)
    take(limiter, budget, Charge(1, 0, NANO // 4), T0)
    assert limiter.fit(budget, Charge(1, 0, NANO // 2), T0) is None
    for _ in range(2):
        passed = SpentAttempt(T0, "", "", "", None, Charge(cost=NANO // 4))
        limiter.replay([passed], budget, T0)
    assert used(limiter, budget, T0) == [(NANO // 2, NANO // 4)]
    assert limiter.fit(budget, Charge(1, 0, NANO // 2), T0) is not None


# clocks


def test_a_clock_set_back_a_little_waits() -> None:
    limiter, limits = Limiter(), (limit(1),)
    take(limiter, limits, ONE, T0)
    assert refused(limiter, limits, ONE, T0 - 1.5).fits_at == T0 + 60


@pytest.mark.parametrize("back", [3.0, 60.0, 3600.0, 86_400.0])
def test_a_refusal_is_not_repeated_for_a_clock_that_was_set_back(back: float) -> None:
    limiter, limits = Limiter(), (limit(1),)
    take(limiter, limits, ONE, T0)
    assert refused(limiter, limits, ONE, T0 + 0.1).fits_at == T0 + 60
    again = limiter.fit(limits, ONE, T0 + 0.1 - back)
    assert again is not None
    assert again.fits_at is not None
    assert again.fits_at - (T0 + 0.1 - back) <= 60
    take(limiter, limits, ONE, T0 + 60 - back)


def test_a_clock_set_back_a_lot_reopens_nothing_and_blocks_nothing() -> None:
    limiter = Limiter()
    limits = (limit(1), limit(2, window=Window.DAY, reset=Reset()))
    take(limiter, limits, ONE, T0)
    back = T0 - 86_400
    # nobody knows how long the step took: it counts as no time at all
    assert refused(limiter, limits, ONE, back).fits_at == back + 60
    assert refused(limiter, limits, ONE, back + 59).fits_at == back + 60
    take(limiter, limits, ONE, back + 60)
    assert refused(limiter, limits, ONE, back + 200).fits_at == 1_790_035_200.0


# looking


def test_headroom_is_the_fraction_left_of_the_tightest() -> None:
    limiter = Limiter()
    limits = (limit(10), limit(1000, Metric.TOKENS, Window.HOUR))
    assert limiter.headroom((), T0) == 1.0
    assert limiter.headroom(limits, T0) == 1.0
    take(limiter, limits, Charge(1, 250), T0)
    assert limiter.headroom(limits, T0) == 0.75
    take(limiter, limits, Charge(4, 0), T0)
    assert limiter.headroom(limits, T0) == 0.5


def test_money_on_an_account_is_no_reason_to_prefer_what_is_free() -> None:
    limiter, limits = Limiter(), (limit(10),)
    scopes = scopes_of("groq", "", "m", None)
    word = LimitObservation(
        Metric.COST, Window.MONTH, T0, 1, 0, source="quota", scope="provider",
        remaining_only=True,
    )  # fmt: skip
    limiter.observe(limits, [word], scopes=scopes, now=T0)
    assert limiter.headroom(limits, T0, scopes=scopes) == 1.0
    assert limiter.fit(limits, ONE, T0, scopes=scopes) is None
    refused = limiter.fit(limits, Charge(1, 0, 5), T0, scopes=scopes)
    assert refused is not None
    assert "(quota)" in refused.reason


def test_asking_takes_nothing() -> None:
    limiter, limits = Limiter(), (limit(2),)
    for _ in range(5):
        assert limiter.fit(limits, ONE, T0) is None
    take(limiter, limits, Charge(2), T0)
    no = limiter.fit(limits, ONE, T0)
    assert no == LimitRefusal(limits[0], "requests/minute 2 of 2 on groq", T0 + 60)


def test_two_hundred_at_once_are_a_hundred() -> None:
    limiter, limits = Limiter(), (limit(100), limit(1000, window=Window.DAY))
    got = [limiter.reserve(limits, ONE, T0 + i / 1000, id=str(i)) for i in range(200)]
    assert sum(isinstance(one, Reservation) for one in got) == 100


def test_lists_work_as_tuples_do() -> None:
    limiter = Limiter()
    mine = [limit(1)]
    assert isinstance(limiter.reserve(mine, ONE, T0, id="a"), Reservation)
    assert isinstance(limiter.reserve([*mine], ONE, T0, id="a"), LimitRefusal)
    mine.clear()
    assert limiter.fit(mine, ONE, T0) is None


def test_scopes_of_an_attempt() -> None:
    assert scopes_of("or", "2", "a/b:free", "cursor") == (
        ("provider", "or", "2"),
        ("model", "or", "2", "a/b:free"),
        ("tier", "or", "2", ":free"),
        ("client", "cursor"),
        ("budget",),
    )
    assert scopes_of("groq", "", "llama", None) == (
        ("provider", "groq", ""),
        ("model", "groq", "", "llama"),
        ("budget",),
    )


# -- what turns out later ---------------------------------------------------------------


@pytest.mark.parametrize("window", [Window.MINUTE, Window.DAY, Window.MONTH])
@pytest.mark.parametrize("real", [0, 10, 60, 300])
def test_what_ended_may_turn_out_to_be_another_amount(
    window: Window, real: int
) -> None:
    limit = Limit(("provider", "p", ""), Metric.TOKENS, window, 1000)
    limiter, reserved = Limiter(), Charge(1, 60)
    for at in (0.0, 1.0, 2.0):
        held = limiter.reserve((limit,), reserved, T0 + at, id=f"{at}")
        assert isinstance(held, Reservation)
        limiter.settle(held, reserved, T0 + at)
    limiter.correct((limit,), Charge(0, 60), Charge(0, real), T0 + 1.0004, T0 + 30)
    [state] = limiter.status((limit,), T0 + 30)
    assert state.used == 2 * 60 + real
    room = 1000 - state.used
    assert limiter.fit((limit,), Charge(0, room), T0 + 30) is None
    assert isinstance(limiter.fit((limit,), Charge(0, room + 1), T0 + 30), LimitRefusal)
    if window is Window.MINUTE:
        # Nothing of it leaves early; what has left is corrected no more.
        left = 60 + max(0, real - 60)
        assert limiter.status((limit,), T0 + 61.5)[0].used == left
        limiter.correct((limit,), Charge(0, 60), Charge(0, 99), T0, T0 + 61.5)
        assert limiter.status((limit,), T0 + 61.5)[0].used == left
