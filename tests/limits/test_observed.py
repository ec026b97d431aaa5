"""The provider's own word: it lowers what is left, and lets go at its reset."""

from dataclasses import replace

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.domain import Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import Limiter, LimitRefusal, Reservation, scopes_of
from llm_gateway.limits.observed import BELIEVED
from llm_gateway.limits.values import LimitObservation

T0 = 1_790_000_000.0
ONE = Charge(1, 10)
SCOPES = scopes_of("groq", "", "llama", "cursor")
MODEL = ("model", "groq", "", "llama")
CONFIG = (
    Limit(MODEL, Metric.REQUESTS, Window.MINUTE, 30),
    Limit(("provider", "groq", ""), Metric.REQUESTS, Window.DAY, 1000),
)


def word(
    remaining: int | None,
    resets_in: float | None = 40.0,
    *,
    limit: int | None = 30,
    metric: Metric = Metric.REQUESTS,
    window: Window = Window.MINUTE,
    at: float = T0,
    **more: object,
) -> LimitObservation:
    resets_at = None if resets_in is None else at + resets_in
    return LimitObservation(metric, window, at, limit, remaining, resets_at, **more)  # type: ignore[arg-type]


def hear(
    limiter: Limiter, *words: LimitObservation, now: float = T0
) -> tuple[Limit, ...]:
    return limiter.observe(CONFIG, words, scopes=SCOPES, now=now)


def fits(limiter: Limiter, now: float, need: Charge = ONE) -> LimitRefusal | None:
    return limiter.fit(CONFIG, need, now, scopes=SCOPES)


def take(limiter: Limiter, now: float, need: Charge = ONE) -> Reservation:
    got = limiter.reserve(CONFIG, need, now, id="", scopes=SCOPES)
    assert isinstance(got, Reservation)
    return got


# a limit that the config has too


def test_nothing_left_refuses_until_the_reset() -> None:
    limiter = Limiter()
    assert hear(limiter, word(0)) == ()
    for now in (T0, T0 + 39.9):
        got = fits(limiter, now)
        assert got == LimitRefusal(
            CONFIG[0],
            "requests/minute 0 left on groq llama by the provider's word (header)",
            T0 + 40,
        )
    assert fits(limiter, T0 + 40) is None


def test_it_is_heard_at_once() -> None:
    limiter = Limiter()
    take(limiter, T0)
    hear(limiter, word(20))
    take(limiter, T0)
    hear(limiter, word(0))
    assert fits(limiter, T0) is not None


def test_what_is_left_is_counted_down() -> None:
    limiter = Limiter()
    hear(limiter, word(2))
    first = take(limiter, T0)
    take(limiter, T0)
    assert fits(limiter, T0) is not None
    limiter.release(first, T0 + 1)
    assert fits(limiter, T0 + 1) is None


def test_it_never_raises_what_the_config_allows() -> None:
    limiter = Limiter()
    for _ in range(30):
        take(limiter, T0)
    hear(limiter, word(500, limit=600))
    refusal = fits(limiter, T0 + 1)
    assert refusal is not None
    assert refusal.reason == "requests/minute 30 of 30 on groq llama"


@pytest.mark.parametrize(
    ("of", "source", "amount"),
    [
        ("preset", "quota", 1000),
        ("preset", "header", 50),
        ("config", "quota", 50),
        ("config", "header", 50),
    ],
)
def test_a_quota_that_is_asked_for_wins_over_a_preset(
    of: str, source: str, amount: int
) -> None:
    limiter, day = Limiter(), Limit(MODEL, Metric.REQUESTS, Window.DAY, 50, source=of)
    said = word(990, 3600.0, limit=1000, window=Window.DAY, source=source)
    limiter.observe((day,), [said], scopes=SCOPES, now=T0)
    for n in range(60):
        if isinstance(limiter.reserve((day,), ONE, T0, id=str(n)), LimitRefusal):
            break
    assert n == 59 if amount == 1000 else n == 50


def test_more_is_left_only_by_another_allowance_before_the_same_reset() -> None:
    day = Limit(MODEL, Metric.REQUESTS, Window.DAY, 50, source="preset")
    for limit, free in ((50, False), (1000, True)):
        limiter = Limiter()
        for amount, left in ((50, 0), (limit, 45)):
            said = word(left, 3600.0, limit=amount, window=Window.DAY, source="quota")
            limiter.observe((day,), [said], scopes=SCOPES, now=T0)
        assert (limiter.fit((day,), ONE, T0, scopes=SCOPES) is None) is free


def test_a_lower_amount_is_believed_for_a_day() -> None:
    limiter = Limiter()
    hear(limiter, word(5, limit=5))
    for _ in range(5):
        take(limiter, T0 + 100)
    refusal = fits(limiter, T0 + 101)
    assert refusal is not None
    assert refusal.reason == "requests/minute 5 of 5 on groq llama"
    assert refusal.fits_at == T0 + 160
    for _ in range(30):
        take(limiter, T0 + BELIEVED)
    assert fits(limiter, T0 + BELIEVED) is not None


def test_tokens_of_older_requests_do_not_raise_it() -> None:
    """What was reserved before the word was spoken is counted in it already."""
    tokens = (Limit(MODEL, Metric.TOKENS, Window.MINUTE, 8000),)
    limiter = Limiter()
    first = limiter.reserve(tokens, Charge(1, 3000), T0, id="", scopes=SCOPES)
    assert isinstance(first, Reservation)
    said = word(1000, limit=8000, metric=Metric.TOKENS)
    limiter.observe(tokens, [said], scopes=SCOPES, now=T0)
    second = limiter.reserve(tokens, Charge(1, 900), T0, id="", scopes=SCOPES)
    assert isinstance(second, Reservation)
    limiter.settle(first, Charge(1, 500), T0 + 1)
    assert limiter.status(tokens, T0 + 1)[0].remaining == 100
    limiter.settle(second, Charge(1, 400), T0 + 1)
    assert limiter.status(tokens, T0 + 1)[0].remaining == 600


def test_answers_may_overtake_one_another() -> None:
    """An older answer with more left, about the same reset, arrives later."""
    limiter = Limiter()
    hear(limiter, word(3))
    hear(limiter, word(4, 39.5, at=T0 + 0.2), now=T0 + 0.2)
    assert limiter.status(CONFIG, T0 + 1)[0].remaining == 3
    hear(limiter, word(29, 60, at=T0 + 41), now=T0 + 41)
    assert limiter.status(CONFIG, T0 + 41)[0].remaining == 29


def test_a_bucket_fills_bit_by_bit() -> None:
    limiter = Limiter()
    hear(limiter, word(0, 60, limit=30, continuous_refill=True))
    refusal = fits(limiter, T0)
    assert refusal is not None
    assert refusal.fits_at == pytest.approx(T0 + 2, abs=0.01)
    take(limiter, T0 + 2.01)
    refusal = fits(limiter, T0 + 2.01)
    assert refusal is not None
    assert refusal.fits_at == pytest.approx(T0 + 4, abs=0.01)
    assert fits(limiter, T0 + 30, Charge(14)) is None
    assert fits(limiter, T0 + 30, Charge(15)) is not None


def test_a_word_without_a_reset_holds_for_a_window() -> None:
    limiter = Limiter()
    hear(limiter, word(0, None))
    refusal = fits(limiter, T0 + 59)
    assert refusal is not None
    assert refusal.fits_at == T0 + 60
    assert fits(limiter, T0 + 60) is None


def test_a_word_about_the_past_binds_nobody() -> None:
    limiter = Limiter()
    hear(limiter, word(0, 0.0))
    assert fits(limiter, T0) is None


def test_no_reset_lies_further_off_than_a_month() -> None:
    limiter = Limiter()
    hear(limiter, word(0, 1e12))
    refusal = fits(limiter, T0)
    assert refusal is not None
    assert refusal.fits_at == T0 + 32 * 86_400


# a limit that nobody has configured


def test_an_unknown_limit_is_learned() -> None:
    limiter = Limiter()
    said = word(0, 7.5, limit=8000, metric=Metric.TOKENS)
    (new,) = hear(limiter, said)
    assert new == Limit(MODEL, Metric.TOKENS, Window.MINUTE, 8000, source="header")
    refusal = fits(limiter, T0)
    assert refusal is not None
    assert refusal.limit == new
    assert refusal.fits_at == T0 + 7.5
    assert fits(limiter, T0 + 7.5) is None
    assert hear(limiter, replace(said, at=T0 + 10), now=T0 + 10) == ()
    # and never fits what is larger
    refusal = fits(limiter, T0 + 60, Charge(1, 8001))
    assert refusal is not None
    assert refusal.fits_at is None
    # other models are not concerned
    others = scopes_of("groq", "", "qwen", None)
    assert limiter.fit((), Charge(1, 9000), T0, scopes=others) is None


def test_a_learned_limit_is_counted_like_any_other() -> None:
    limiter = Limiter()
    hear(limiter, word(None, None, limit=20, window=Window.HOUR, source="body"))
    for _ in range(20):
        take(limiter, T0 + 5)
    refusal = fits(limiter, T0 + 70)
    assert refusal is not None
    assert refusal.reason == "requests/hour 20 of 20 on groq llama"
    assert refusal.fits_at == T0 + 3605


def test_its_reset_gives_back_what_was_used_before() -> None:
    """A day that ends by the provider's clock, which we only know from its word."""
    limiter = Limiter()
    hear(limiter, word(20, 3600, limit=20, window=Window.DAY))
    for _ in range(20):
        take(limiter, T0 + 100)
    refusal = fits(limiter, T0 + 101)
    assert refusal is not None
    assert refusal.fits_at == T0 + 3600
    assert fits(limiter, T0 + 3599) is not None
    for _ in range(20):
        take(limiter, T0 + 3600)
    assert fits(limiter, T0 + 3601) is not None


def test_a_calendar_that_the_word_brings_along() -> None:
    limiter = Limiter()
    midnight = Reset(zone="America/Los_Angeles")
    said = word(0, 60_400, limit=20, window=Window.DAY, source="body", reset=midnight)
    (new,) = hear(limiter, said)
    assert new.reset == midnight
    refusal = fits(limiter, T0)
    assert refusal is not None
    assert refusal.fits_at == T0 + 60_400  # 00:00 in Los Angeles
    for _ in range(20):
        take(limiter, T0 + 60_400)
    refusal = fits(limiter, T0 + 70_000)
    assert refusal is not None
    assert refusal.fits_at == T0 + 60_400 + 86_400


def test_it_learns_of_another_amount_and_another_clock() -> None:
    limiter = Limiter()
    hear(limiter, word(5, None, limit=20, window=Window.DAY))
    take(limiter, T0)
    assert hear(limiter, word(29, None, limit=30, window=Window.DAY)) == ()
    (standing,) = limiter.status((), T0, scopes=SCOPES)
    assert (standing.limit.amount, standing.used, standing.remaining) == (30, 1, 29)
    said = word(0, 100, limit=30, window=Window.DAY, reset=Reset())
    (new,) = hear(limiter, said)
    assert new.reset == Reset()
    (standing,) = limiter.status((), T0, scopes=SCOPES)
    assert (standing.used, standing.remaining) == (1, 0)
    # a header that does not know of the clock changes nothing about it
    assert hear(limiter, word(7, 100, limit=30, window=Window.DAY)) == ()
    assert fits(limiter, T0) is not None
    (standing,) = limiter.status((), T0, scopes=SCOPES)
    assert standing.limit.reset == Reset()


def test_it_is_forgotten_after_a_day() -> None:
    limiter = Limiter()
    hear(limiter, word(None, None, limit=3, window=Window.HOUR))
    assert len(limiter.status((), T0, scopes=SCOPES)) == 1
    assert limiter.status((), T0 + BELIEVED, scopes=SCOPES) == ()
    for _ in range(10):
        take(limiter, T0 + BELIEVED)


def test_units_of_the_providers_own_only_bind_by_what_is_left() -> None:
    limiter = Limiter()
    said = word(
        265, 3600, limit=300, window=Window.MONTH, scope="provider", remaining_only=True
    )
    hear(limiter, said)
    standing = limiter.status((), T0, scopes=SCOPES)[0]
    assert (standing.remaining, standing.limit.amount) == (265, 300)
    assert limiter.headroom((), T0, scopes=SCOPES) == pytest.approx(265 / 300)
    for i in range(400):  # agents' turns cost nothing: it says so with each answer
        limiter.reserve((), ONE, T0 + i, id="", scopes=SCOPES)
        hear(limiter, replace(said, at=T0 + i), now=T0 + i)
    assert limiter.fit((), ONE, T0 + 400, scopes=SCOPES) is None


def test_a_tier_is_shared_by_its_models() -> None:
    limiter = Limiter()
    free = scopes_of("openrouter", "", "a/b:free", None)
    said = word(0, 3600, limit=50, window=Window.DAY, scope="tier")
    limiter.observe((), [said], scopes=free, now=T0)
    other = scopes_of("openrouter", "", "c/d:free", None)
    paid = scopes_of("openrouter", "", "c/d", None)
    refusal = limiter.fit((), ONE, T0, scopes=other)
    assert refusal is not None
    assert refusal.reason == (
        "requests/day 0 left on openrouter (:free models) by the provider's word (header)"
    )
    assert limiter.fit((), ONE, T0, scopes=paid) is None
    # where there is no tier, the model is meant
    limiter.observe((), [said], scopes=paid, now=T0)
    assert limiter.fit((), ONE, T0, scopes=paid) is not None


def test_a_config_limit_that_comes_later_takes_over() -> None:
    limiter = Limiter()
    hear(limiter, word(3, 3600, limit=20, window=Window.DAY))
    take(limiter, T0)
    mine = (Limit(MODEL, Metric.REQUESTS, Window.DAY, 10),)
    assert limiter.missing(mine) == mine
    limiter.replay([], mine, T0)
    assert limiter.missing(mine) == ()
    (standing,) = limiter.status(mine, T0, scopes=SCOPES)
    assert (standing.limit, standing.used, standing.remaining) == (mine[0], 1, 2)


def test_words_without_numbers_or_about_nobody_are_left() -> None:
    limiter = Limiter()
    assert hear(limiter, word(None, limit=None)) == ()
    assert hear(limiter, word(0, scope="galaxy")) == ()
    assert limiter.status((), T0, scopes=SCOPES) == ()


def test_standing_says_who_says_so() -> None:
    limiter = Limiter()
    (before, _) = limiter.status(CONFIG, T0)
    assert (before.source, before.observed_at, before.resets_at) == (
        "config",
        None,
        None,
    )
    take(limiter, T0)
    hear(limiter, word(4))
    (minute, day) = limiter.status(CONFIG, T0 + 1)
    assert (minute.used, minute.remaining) == (1, 4)
    assert (minute.source, minute.observed_at) == ("header", T0)
    assert minute.resets_at == T0 + 40
    assert (day.source, day.remaining, day.resets_at) == ("config", 999, T0 + 86_400)
    (minute, _) = limiter.status(CONFIG, T0 + 40)
    assert (minute.source, minute.remaining, minute.resets_at) == (
        "config",
        29,
        T0 + 60,
    )


# any sequence

moves = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 5, 30, 61, 4000])),
        st.tuples(st.just("reserve"), st.integers(1, 3), st.integers(0, 9)),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(
            st.just("hear"),
            st.sampled_from([None, 0, 1, 4, 9]),
            st.sampled_from([None, 5, 9]),
            st.sampled_from([None, 0.0, 3.3, 20, 90, 5000]),
            st.booleans(),
            st.booleans(),
            st.sampled_from([Metric.REQUESTS, Metric.TOKENS]),
            st.sampled_from([Window.MINUTE, Window.DAY]),
        ),
    ),
    max_size=40,
)


@examples(150)
@given(moves, st.booleans())
def test_waits_are_true_whatever_is_heard(
    moves: list[tuple[object, ...]], configured: bool
) -> None:
    limits = (
        (
            Limit(MODEL, Metric.REQUESTS, Window.MINUTE, 6),
            Limit(MODEL, Metric.TOKENS, Window.DAY, 20),
        )
        if configured
        else ()
    )
    limiter, now, held = Limiter(), T0, list[Reservation]()
    for move in moves:
        match move:
            case "wait", int() | float() as seconds:
                now += seconds
            case "reserve", int() as requests, int() as tokens:
                need = Charge(requests, tokens)
                tight = any(
                    0 < need.of(one.limit.metric) > one.remaining
                    for one in limiter.status(limits, now, scopes=SCOPES)
                )
                asked = limiter.fit(limits, need, now, scopes=SCOPES)
                got = limiter.reserve(limits, need, now, id="", scopes=SCOPES)
                assert isinstance(got, LimitRefusal) == tight
                if isinstance(got, Reservation):
                    assert asked is None
                    held.append(got)
                    continue
                assert got == asked
                if got.fits_at is not None:
                    assert got.fits_at > now
                    for one in held:
                        limiter.settle(one, one.need, now)
                    held.clear()
                    now = got.fits_at
                    assert limiter.fit(limits, need, now, scopes=SCOPES) is None
            case "settle", int() as requests, int() as tokens if held:
                one = held.pop()
                limiter.settle(one, Charge(requests, tokens), now)
            case "hear", remaining, limit, resets_in, refills, foreign, metric, window:
                said = word(
                    remaining,  # type: ignore[arg-type]
                    resets_in,  # type: ignore[arg-type]
                    limit=limit,  # type: ignore[arg-type]
                    metric=metric,  # type: ignore[arg-type]
                    window=window,  # type: ignore[arg-type]
                    at=now,
                    continuous_refill=refills,
                    remaining_only=foreign,
                )
                limiter.observe(limits, [said], scopes=SCOPES, now=now)
            case _:
                pass
        headroom = limiter.headroom(limits, now, scopes=SCOPES)
        assert 0.0 <= headroom <= 1.0
        for standing in limiter.status(limits, now, scopes=SCOPES):
            assert standing.remaining >= 0
