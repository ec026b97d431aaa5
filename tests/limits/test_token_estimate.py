"""What the estimator learns, in whole numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.limits.token_estimate import MODELS, Estimator

KEY = ("groq", "", "llama")


def test_nothing_known_nothing_corrected() -> None:
    estimator = Estimator()
    assert estimator.tokens_in(300, KEY) == 300
    assert estimator.output_reserve(KEY, None) == (1024, 1024)


@pytest.mark.parametrize(
    ("max_tokens", "reserve"),
    [
        (100, (100, 100)),
        (2000, (2000, 2000)),
        (128_000, (2000, 128_000)),
        (0, (0, 0)),
        (-5, (0, 0)),
    ],
)
def test_max_tokens_is_capped_for_quotas_and_whole_for_money(
    max_tokens: int, reserve: tuple[int, int]
) -> None:
    assert Estimator().output_reserve(KEY, max_tokens) == reserve


def test_the_correction_moves_towards_what_was_real() -> None:
    estimator = Estimator()
    seen = []
    for _ in range(40):
        estimator.learn(KEY, 1000, 600)
        seen.append(estimator.tokens_in(1000, KEY))
    assert seen[:5] == [800, 775, 754, 735, 719]
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 607
    assert estimator.tokens_in(1000, ("groq", "", "qwen")) == 1000


@pytest.mark.parametrize(
    ("real", "at_last"), [(10, 507), (100_000, 1993), (1000, 1000)]
)
def test_it_stays_between_a_half_and_the_double(real: int, at_last: int) -> None:
    estimator = Estimator()
    for _ in range(100):
        estimator.learn(KEY, 1000, real)
    assert estimator.tokens_in(1000, KEY) == at_last


def test_short_prompts_and_missing_counts_teach_nothing() -> None:
    estimator = Estimator()
    estimator.learn(KEY, 19, 200)
    estimator.learn(KEY, 1000, 0)
    assert estimator.tokens_in(1000, KEY) == 1000


def test_estimates_are_rounded_up() -> None:
    estimator = Estimator()
    estimator.learn(KEY, 1000, 1001)
    assert estimator.tokens_in(1, KEY) == 1
    estimator.learn(KEY, 1000, 1500)
    assert estimator.tokens_in(1, KEY) == 2


def test_usual_output_is_what_nearly_all_answers_stay_below() -> None:
    estimator = Estimator()
    for tokens in [100] * 7:
        estimator.learn_output(KEY, tokens)
    assert estimator.output_reserve(KEY, None) == (1024, 1024)
    estimator.learn_output(KEY, 300)
    assert estimator.output_reserve(KEY, None) == (300, 300)
    for tokens in range(1, 65):
        estimator.learn_output(KEY, tokens * 100)
    assert estimator.output_reserve(KEY, None) == (2000, 6100)
    estimator.learn_output(KEY, 0)
    assert estimator.output_reserve(KEY, None) == (2000, 6100)


def test_the_least_recent_model_is_forgotten() -> None:
    estimator = Estimator()
    estimator.learn("first", 1000, 2000)
    estimator.learn("second", 1000, 2000)
    estimator.learn("first", 1000, 2000)
    for i in range(MODELS - 1):
        estimator.learn(i, 1000, 2000)
    assert estimator.tokens_in(1000, "first") > 1000
    assert estimator.tokens_in(1000, "second") == 1000


@given(
    st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(-5, 1 << 40))),
    st.integers(0, 1 << 40),
)
def test_the_factor_is_bounded(lessons: list[tuple[int, int]], estimate: int) -> None:
    estimator = Estimator()
    for guessed, real in lessons:
        estimator.learn(KEY, guessed, real)
    assert estimate // 2 <= estimator.tokens_in(estimate, KEY) <= estimate * 2
