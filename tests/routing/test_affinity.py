"""Where a conversation is warm, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.routing.affinity import MOST, WARM_FOR, Sticky

ONE, TWO = ("a", "", "m"), ("b", "", "m")


def test_a_conversation_is_found_where_it_was_answered_last() -> None:
    sticky = Sticky()
    sticky.keep("talk", ONE, 100.0)
    sticky.keep("talk", TWO, 101.0, 0.75)
    sticky.keep("other", ONE, 101.0)
    warm = sticky.find("talk", 102.0)
    assert warm is not None
    assert (warm.offer, warm.at, warm.cached_share) == (TWO, 101.0, 0.75)


def test_it_grows_cold() -> None:
    sticky = Sticky()
    sticky.keep("talk", ONE, 100.0)
    assert sticky.find("talk", 100.0 + WARM_FOR) is not None
    assert sticky.find("talk", 100.0 + WARM_FOR + 1) is None
    sticky.keep("talk", ONE, 100.0 + WARM_FOR + 1)
    assert sticky.find("talk", 100.0 + 2 * WARM_FOR) is not None


def test_what_has_no_conversation_is_not_kept() -> None:
    sticky = Sticky()
    sticky.keep("", ONE, 100.0)
    assert sticky.find("", 100.0) is None


def test_it_forgets_the_one_that_was_silent_longest() -> None:
    sticky = Sticky()
    for n in range(MOST):
        sticky.keep(str(n), ONE, float(n) / MOST)
    sticky.keep("0", ONE, 1.0)
    sticky.keep("new", ONE, 1.0)
    assert sticky.find("0", 1.0) is not None
    assert sticky.find("1", 1.0) is None
    assert sticky.find("2", 1.0) is not None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([ONE, TWO]))))
def test_the_last_word_counts(answered: list[tuple[int, tuple[str, str, str]]]) -> None:
    sticky = Sticky()
    last: dict[int, tuple[str, str, str]] = {}
    for at, (talk, offer) in enumerate(answered):
        sticky.keep(f"talk {talk}", offer, float(at))
        last[talk] = offer
    for talk, offer in last.items():
        warm = sticky.find(f"talk {talk}", float(len(answered)))
        assert warm is not None
        assert warm.offer == offer
