"""Where a conversation is warm, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.routing.affinity import (
    MAX_CONVERSATIONS,
    WARM_FOR,
    ConversationAffinity,
)

ONE, TWO = ("a", "", "m"), ("b", "", "m")


def test_a_conversation_is_found_where_it_was_answered_last() -> None:
    sticky = ConversationAffinity()
    sticky.remember("talk", ONE, 100.0)
    sticky.remember("talk", TWO, 101.0, 0.75)
    sticky.remember("other", ONE, 101.0)
    warm = sticky.lookup("talk", 102.0)
    assert warm is not None
    assert (warm.offer, warm.at, warm.cache_hit_ratio) == (TWO, 101.0, 0.75)


def test_it_grows_cold() -> None:
    sticky = ConversationAffinity()
    sticky.remember("talk", ONE, 100.0)
    assert sticky.lookup("talk", 100.0 + WARM_FOR) is not None
    assert sticky.lookup("talk", 100.0 + WARM_FOR + 1) is None
    sticky.remember("talk", ONE, 100.0 + WARM_FOR + 1)
    assert sticky.lookup("talk", 100.0 + 2 * WARM_FOR) is not None


def test_what_has_no_conversation_is_not_kept() -> None:
    sticky = ConversationAffinity()
    sticky.remember("", ONE, 100.0)
    assert sticky.lookup("", 100.0) is None


def test_it_forgets_the_one_that_was_silent_longest() -> None:
    sticky = ConversationAffinity()
    for n in range(MAX_CONVERSATIONS):
        sticky.remember(str(n), ONE, float(n) / MAX_CONVERSATIONS)
    sticky.remember("0", ONE, 1.0)
    sticky.remember("new", ONE, 1.0)
    assert sticky.lookup("0", 1.0) is not None
    assert sticky.lookup("1", 1.0) is None
    assert sticky.lookup("2", 1.0) is not None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([ONE, TWO]))))
def test_the_last_word_counts(answered: list[tuple[int, tuple[str, str, str]]]) -> None:
    sticky = ConversationAffinity()
    last: dict[int, tuple[str, str, str]] = {}
    for at, (talk, offer) in enumerate(answered):
        sticky.remember(f"talk {talk}", offer, float(at))
        last[talk] = offer
    for talk, offer in last.items():
        warm = sticky.lookup(f"talk {talk}", float(len(answered)))
        assert warm is not None
        assert warm.offer == offer
