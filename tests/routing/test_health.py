"""Circuits, cooldowns and what is disabled, second by second."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.routing.health import JITTER, HealthTracker, Unavailable

NOW = 1_800_000_000.0
A = ("a", "", "m")
OTHER_MODEL = ("a", "", "n")
OTHER_ACCOUNT = ("a", "2", "m")
B = ("b", "", "m")
ALL = (A, OTHER_MODEL, OTHER_ACCOUNT, B)


def struck(times: int, *, whole: bool = False) -> HealthTracker:
    health = HealthTracker()
    for _ in range(times):
        health.record_failure(A, NOW, "500", whole=whole)
    return health


def free(
    health: HealthTracker, now: float, offers: tuple[tuple[str, ...], ...] = ALL
) -> list[tuple[str, ...]]:
    return [offer for offer in offers if health.unavailable(offer, now) is None]


# -- circuits --------------------------------------------------------------------------


def test_five_strikes_in_a_row_open_it_for_thirty_seconds() -> None:
    health = struck(4)
    assert free(health, NOW) == list(ALL)
    assert health.record_failure(A, NOW, "503") == NOW + 30
    assert health.unavailable(A, NOW) == Unavailable("failing", "503", NOW + 30)
    assert free(health, NOW) == [OTHER_MODEL, OTHER_ACCOUNT, B]
    assert free(health, NOW + 30) == list(ALL)


def test_a_success_in_between_starts_the_count_anew() -> None:
    health = struck(4)
    assert health.record_success(A, NOW) is False
    for _ in range(4):
        assert health.record_failure(A, NOW, "500") is None
    assert health.record_failure(A, NOW, "500") == NOW + 30


def test_half_of_twenty_in_a_minute_open_it() -> None:
    health = struck(1)
    for second in range(1, 10):
        health.record_success(A, NOW + second)
        assert health.record_failure(A, NOW + second, "500") is None
    assert health.record_failure(A, NOW + 10, "500") == NOW + 40


def test_what_is_older_than_a_minute_does_not_count() -> None:
    health = struck(1)
    for second in range(1, 10):
        health.record_success(A, NOW + second)
        health.record_failure(A, NOW + second, "500")
    assert health.record_failure(A, NOW + 62, "500") is None


def test_strikes_while_it_is_open_change_nothing() -> None:
    """Requests that were under way when it opened fail one after the other."""
    health = struck(5)
    for second in range(10):
        assert health.record_failure(A, NOW + second, "500") is None
    assert free(health, NOW + 30) == list(ALL)


def test_one_request_at_a_time_tests_it() -> None:
    health = struck(5)
    health.record_dispatch(A, NOW + 30)
    assert health.unavailable(A, NOW + 31) == Unavailable(
        "failing", "being tested", NOW + 32
    )
    assert health.record_success(A, NOW + 33) is True
    assert free(health, NOW + 33) == list(ALL)
    assert health.record_failure(A, NOW + 34, "500") is None


def test_a_failed_test_opens_it_twice_as_long_up_to_ten_minutes() -> None:
    health = struck(5)
    at, lengths = NOW + 30, []
    for _ in range(7):
        health.record_dispatch(A, at)
        until = health.record_failure(A, at, "500")
        assert until is not None
        lengths.append(until - at)
        at = until
    assert lengths == [60, 120, 240, 480, 600, 600, 600]
    health.record_dispatch(A, at)
    health.record_success(A, at)
    for _ in range(4):
        assert health.record_failure(A, at, "500") is None
    assert health.record_failure(A, at, "500") == at + 30


ENDS = {
    "client left": lambda health, now: health.release_probe(A),
    "429": lambda health, now: health.start_cooldown(A, now, now + 1, "429"),
    "401": lambda health, now: health.disable(A, now + 1, "401", account=True),
    "404": lambda health, now: health.disable(A, now + 1, "404"),
    "405": lambda health, now: health.disable_dialect(A, "chat", now + 600),
    "refused": lambda health, now: health.record_failure(A, now, "connect", whole=True),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_test_without_a_result_can_be_run_again(end: str) -> None:
    health = struck(5)
    health.record_dispatch(A, NOW + 30)
    assert free(health, NOW + 31, (A,)) == []
    ENDS[end](health, NOW + 31)
    assert free(health, NOW + 32, (A,)) == [A]


def test_a_test_that_is_never_heard_of_again_is_given_up() -> None:
    health = struck(5)
    health.record_dispatch(A, NOW + 30)
    assert free(health, NOW + 629, (A,)) == []
    assert free(health, NOW + 630, (A,)) == [A]


def test_a_provider_that_cannot_be_reached_fails_with_all_its_models() -> None:
    health = struck(5, whole=True)
    assert free(health, NOW) == [B]
    health.record_dispatch(OTHER_MODEL, NOW + 30)
    assert free(health, NOW + 30) == [B]
    health.record_success(OTHER_MODEL, NOW + 31)
    assert free(health, NOW + 31) == list(ALL)


def test_a_provider_that_answers_badly_was_reached() -> None:
    health = struck(5, whole=True)
    health.record_dispatch(A, NOW + 30)
    assert health.record_failure(A, NOW + 31, "500") is None
    assert free(health, NOW + 31) == list(ALL)


# -- cooldowns and what is disabled ------------------------------------------------------


def test_a_cooldown_ends_by_the_providers_word() -> None:
    health = HealthTracker()
    assert health.start_cooldown(A, NOW, NOW + 7, "429") == NOW + 7
    assert health.unavailable(A, NOW) == Unavailable("cooling down", "429", NOW + 7)
    assert free(health, NOW + 6) == [OTHER_MODEL, OTHER_ACCOUNT, B]
    assert free(health, NOW + 7) == list(ALL)


def test_without_a_word_it_grows_until_something_works() -> None:
    health = HealthTracker()
    at, lengths = NOW, []
    for _ in range(7):
        until = health.start_cooldown(A, at, None, "429")
        lengths.append(until - at)
        at = until
    assert lengths == [30, 60, 120, 240, 480, 600, 600]
    health.record_success(A, at)
    assert health.start_cooldown(A, at, None, "429") == at + 30


def test_twenty_refused_at_once_are_one_occasion() -> None:
    health = HealthTracker()
    assert {health.start_cooldown(A, NOW + i / 10, None, "429") for i in range(20)} == {
        NOW + 30
    }
    assert health.start_cooldown(A, NOW + 30, None, "429") == NOW + 90


def test_the_longest_rest_holds() -> None:
    health = HealthTracker()
    health.disable(A, NOW + 3600, "401", account=True)
    health.start_cooldown(A, NOW, NOW + 7, "429")
    assert health.unavailable(A, NOW) == Unavailable("disabled", "401", NOW + 3600)
    assert free(health, NOW) == [OTHER_ACCOUNT, B]
    health.disable(A, NOW + 600, "404")
    assert health.unavailable(A, NOW + 601) == Unavailable(
        "disabled", "401", NOW + 3600
    )
    assert free(health, NOW + 3600) == list(ALL)


def test_a_dialect_that_never_answered_is_left_alone_for_a_while() -> None:
    health = HealthTracker()
    assert health.disable_dialect(A, "responses", NOW + 600)
    assert health.unavailable(A, NOW, "chat") is None
    for offer in (A, OTHER_MODEL, OTHER_ACCOUNT):
        found = health.unavailable(offer, NOW, "responses")
        assert found == Unavailable(
            "disabled", "does not speak responses", NOW + 600, of_dialect=True
        )
    assert health.unavailable(B, NOW, "responses") is None
    assert health.unavailable(A, NOW + 600, "responses") is None


@pytest.mark.parametrize(
    "speak",
    [
        lambda health: health.record_success(OTHER_MODEL, NOW, dialect="chat"),
        lambda health: health.answered(OTHER_ACCOUNT, "chat"),
    ],
)
def test_who_has_answered_in_a_dialect_speaks_it(
    speak: Callable[[HealthTracker], object],
) -> None:
    health = HealthTracker()
    speak(health)
    assert not health.disable_dialect(A, "chat", NOW + 600)
    assert health.unavailable(A, NOW, "chat") is None
    assert health.disable_dialect(A, "responses", NOW + 600)
    # An answer that was under way when it was silenced brings it back.
    late = HealthTracker()
    late.disable_dialect(A, "chat", NOW + 600)
    speak(late)
    assert late.unavailable(A, NOW, "chat") is None


def test_a_model_may_be_disabled_in_one_dialect() -> None:
    health = HealthTracker()
    health.disable(A, NOW + 600, "404", dialect="chat")
    assert health.unavailable(A, NOW, "chat") == Unavailable(
        "disabled", "404", NOW + 600, of_dialect=True
    )
    assert health.unavailable(A, NOW, "responses") is None
    assert health.unavailable(OTHER_MODEL, NOW, "chat") is None


# -- whose fault -------------------------------------------------------------------------


def served_and_struck(
    good: str, bad: str, *, strikes: int = 40, whole: bool = False
) -> HealthTracker:
    """One is served while the other's requests fail, five times as often."""
    health = HealthTracker()
    health.record_success(A, NOW, asker=good)
    for n in range(strikes):
        health.record_failure(A, NOW + n, "500", asker=bad, whole=whole)
        if n % 5 == 4:
            health.record_success(A, NOW + n, asker=good)
    return health


def test_one_asker_alone_opens_no_circuit_while_others_are_served() -> None:
    assert free(served_and_struck("good", "bad"), NOW + 39, (A,)) == [A]


@pytest.mark.parametrize(
    ("good", "bad", "whole"),
    [("one", "one", False), ("", "", False), ("good", "", False)],
)
def test_otherwise_half_of_twenty_do(good: str, bad: str, whole: bool) -> None:
    health = HealthTracker()
    health.record_success(A, NOW, asker=good)
    for _ in range(5):
        health.record_failure(A, NOW, "500", asker=bad, whole=whole)
    assert free(health, NOW, (A,)) == []


def test_strikes_of_two_askers_are_the_offers_own() -> None:
    health = HealthTracker()
    health.record_success(A, NOW, asker="good")
    for n in range(5):
        health.record_failure(A, NOW, "500", asker=("one", "two")[n % 2])
    assert free(health, NOW, (A,)) == []


def test_a_good_answer_of_a_minute_ago_excuses_nobody() -> None:
    health = HealthTracker()
    health.record_success(A, NOW, asker="good")
    for _ in range(5):
        health.record_failure(A, NOW + 61, "500", asker="bad")
    assert free(health, NOW + 61, (A,)) == []


# -- a clock that is set back ------------------------------------------------------------

RESTS: dict[str, tuple[Callable[[HealthTracker], object], float]] = {
    "cooldown": (lambda health: health.start_cooldown(A, NOW, NOW + 30, "429"), 30),
    "own cooldown": (lambda health: health.start_cooldown(A, NOW, None, "429"), 30),
    "circuit": (
        lambda health: [health.record_failure(A, NOW, "500") for _ in range(5)],
        30,
    ),
    "provider": (
        lambda health: [
            health.record_failure(A, NOW, "tls", whole=True) for _ in range(5)
        ],
        30,
    ),
    "disabled": (lambda health: health.disable(A, NOW + 600, "404"), 600),
    "dialect": (lambda health: health.disable_dialect(A, "chat", NOW + 600), 600),
}


@each_row("back", [1.0, 3.0, 60.0, 3600.0, 86_400.0])
@each_row("rest", RESTS)
def test_a_clock_that_is_set_back_lengthens_nothing(rest: str, back: float) -> None:
    begin, length = RESTS[rest]
    health = HealthTracker()
    health.record_dispatch(A, NOW)
    begin(health)
    found = health.unavailable(A, NOW - back, "chat")
    assert found is not None
    assert found.returns_at is not None
    assert found.returns_at - (NOW - back) <= length + JITTER
    assert health.unavailable(A, NOW - back + length + JITTER, "chat") is None


def test_a_new_configuration_is_a_new_beginning() -> None:
    health = struck(5)
    health.start_cooldown(B, NOW, NOW + 7, "429")
    health.disable(A, NOW + 99, "401", account=True)
    health.disable_dialect(A, "chat", NOW + 600)
    health.forget("a")
    assert free(health, NOW, (A, OTHER_ACCOUNT)) == [A, OTHER_ACCOUNT]
    assert health.unavailable(A, NOW, "chat") is None
    assert free(health, NOW, (B,)) == []


@pytest.mark.parametrize(
    ("served", "dialect", "out"),
    [
        # (who was served, in which dialect, how many seconds ago)
        ([], "", True),
        ([("bad", "chat", 1)], "", True),
        ([("good", "chat", 1)], "", False),
        ([("good", "chat", 61)], "", True),
        ([("good", "chat", 2), ("bad", "chat", 1)], "", False),
        ([("bad", "chat", 2), ("good", "chat", 1)], "", False),
        ([("good", "chat", 3), ("bad", "chat", 2), ("bad", "chat", 1)], "", False),
        ([("good", "responses", 1)], "", False),
        # not in this dialect: only those count who are served in it
        ([("good", "responses", 1)], "chat", True),
        ([("good", "chat", 1)], "chat", False),
    ],
)
def test_a_model_that_one_asker_is_refused_stays_for_who_is_served(
    served: list[tuple[str, str, float]], dialect: str, out: bool
) -> None:
    health = HealthTracker()
    for asker, spoken, ago in served:
        health.record_success(A, NOW - ago, asker=asker, dialect=spoken)
    until = NOW + 600
    assert health.disable(A, until, "404", dialect=dialect, asker="bad", now=NOW) is out
    assert (health.unavailable(A, NOW, "chat") is not None) is out


@pytest.mark.parametrize(
    ("served", "out"),
    [
        # (who was served what, how many seconds ago)
        ([], True),
        ([("bad", A, 1)], True),
        ([("good", A, 1)], False),
        ([("good", (*A[:2], "other model"), 1)], False),
        ([("good", A, 61)], True),
        ([("good", (A[0], "another account", A[2]), 1)], True),
    ],
)
def test_an_account_that_refuses_one_asker_stays_for_who_is_served(
    served: list[tuple[str, tuple[str, ...], float]], out: bool
) -> None:
    health = HealthTracker()
    for asker, offer, ago in served:
        health.record_success(offer, NOW - ago, asker=asker, dialect="chat")

    def refused(asker: str, now: float) -> bool:
        return health.disable(A, NOW + 600, "401", account=True, asker=asker, now=now)

    assert refused("bad", NOW) is out
    assert (health.unavailable(A, NOW) is not None) is out
    if not out:  # who was served before is refused now: the key is gone
        assert refused("good", NOW + 1) is True


def test_a_model_that_nobody_is_served_any_more_is_gone_at_once() -> None:
    health = HealthTracker()
    for asker in ("one", "two"):
        health.record_success(A, NOW, asker=asker, dialect="chat")
    assert health.disable(A, NOW + 600, "404", asker="one", now=NOW + 1) is False
    assert health.disable(A, NOW + 600, "404", asker="one", now=NOW + 2) is False
    # Somebody was served in between: it is still one asker's own trouble.
    health.record_success(A, NOW + 3, asker="two", dialect="chat")
    assert health.disable(A, NOW + 600, "404", asker="two", now=NOW + 4) is False
    assert health.disable(A, NOW + 600, "404", asker="one", now=NOW + 5) is True
    assert health.unavailable(A, NOW + 5) is not None


def test_a_bill_is_known_until_it_is_over_or_forgotten() -> None:
    health = HealthTracker()
    health.bill(A, NOW + 60)
    health.bill(B, NOW + 30, account=True)
    assert health.billed(NOW) == {A: NOW + 60, B[:2]: NOW + 30}
    assert health.billed(NOW + 30) == {A: NOW + 60}
    health.forget("a")
    assert health.billed(NOW + 30) == {}
    health.bill(A, NOW + 60)
    health.forget_bills()
    assert health.billed(NOW + 30) == {}
    assert free(health, NOW + 30) == list(ALL)


# -- whatever happens --------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["dispatch", "succeed", "strike", "whole", "left", "cool", "disable"]
        ),
        st.sampled_from(ALL),
        st.floats(0, 120),
    ),
    max_size=80,
)


def play(
    health: HealthTracker, steps: list[tuple[str, tuple[str, ...], float]]
) -> float:
    """Requests leave only to who is free, as in the gateway; the time at the end."""
    now = NOW
    for what, offer, later in steps:
        now += later
        match what:
            case "dispatch" if health.unavailable(offer, now) is None:
                health.record_dispatch(offer, now)
            case "succeed":
                health.record_success(offer, now)
            case "strike":
                health.record_failure(offer, now, "500")
            case "whole":
                health.record_failure(offer, now, "connect", whole=True)
            case "left":
                health.release_probe(offer)
            case "cool":
                health.start_cooldown(offer, now, None, "429")
            case "disable":
                health.disable(offer, now + 600, "404")
    return now


@given(STEPS)
def test_everything_comes_back_by_itself(
    steps: list[tuple[str, tuple[str, ...], float]],
) -> None:
    """No sequence of failures blocks an offer for longer than ten minutes."""
    health = HealthTracker()
    now = play(health, steps)
    for offer in ALL:
        found = health.unavailable(offer, now)
        if found is not None:
            assert found.returns_at is not None
            assert now < found.returns_at <= now + 600
            assert found.reason
    assert free(health, now + 600) == list(ALL)


@given(STEPS, st.sampled_from(ALL))
def test_a_success_makes_an_offer_whole(
    steps: list[tuple[str, tuple[str, ...], float]], offer: tuple[str, ...]
) -> None:
    health = HealthTracker()
    now = play(health, [step for step in steps if step[0] not in ("cool", "disable")])
    health.record_success(offer, now)
    assert health.unavailable(offer, now) is None


@given(STEPS, st.sampled_from(ALL))
def test_a_half_open_circuit_lets_one_through(
    steps: list[tuple[str, tuple[str, ...], float]], offer: tuple[str, ...]
) -> None:
    health = HealthTracker()
    now = play(health, steps) + 600
    for _ in range(5):
        health.record_failure(offer, now, "500")
    now += 30
    for _ in range(600):
        if health.unavailable(offer, now) is None:
            break
        now += 1
    health.record_dispatch(offer, now)
    assert health.unavailable(offer, now) is not None


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0, -86_400.0])
def test_a_clock_that_is_set_neither_ends_nor_lengthens_a_rest(step: float) -> None:
    health = HealthTracker()
    offer = ("p", "", "m")
    now = 1_000_000.0
    health.start_cooldown(offer, now, now + 30, "429")
    now += step
    health.clock_set(step, now)
    assert health.unavailable(offer, now + 29) is not None
    assert health.unavailable(offer, now + 31) is None
