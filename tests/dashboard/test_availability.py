"""Nine words, four colours, one forecast: arithmetic without a clock."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.dashboard.availability import (
    COSTS_MONEY,
    NO_PRICE,
    WORDS,
    Availability,
    LimitBar,
    OfferState,
    add_up,
    best_of,
    clause,
    empty_at,
    excluded,
    fresh,
    moment,
    severity,
    stamp,
    standing,
    word_of,
)
from llm_gateway.domain import (
    Charge,
    Dialect,
    GatewayRequest,
    Limit,
    Metric,
    Offer,
    Policy,
    Price,
    RequestInfo,
    Verdict,
    Window,
)
from llm_gateway.routing.selection import decide

NOW = 1_772_366_430.0


def bar(used: float, amount: float = 100, **more: object) -> LimitBar:
    found = LimitBar("requests", "day", used, 0, amount, NOW + 3600, "config")
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("used", "reserved", "level"),
    [
        (0, 0, "ok"),
        (74, 0, "ok"),
        # near from three quarters, what is reserved included
        (75, 0, "near"),
        (70, 5, "near"),
        (89, 0, "near"),
        # hot from nine tenths
        (90, 0, "hot"),
        (99, 0, "hot"),
        (100, 0, "full"),
        (60, 40, "full"),
        (130, 0, "full"),
    ],
)
def test_a_bar_has_the_colour_of_what_is_gone(
    used: float, reserved: float, level: str
) -> None:
    assert bar(used, reserved=reserved).level == level


def test_a_limit_of_nothing_is_full() -> None:
    assert bar(0, amount=0).level == "full"


READY = OfferState("ready", "", None)
COOLING = OfferState("cooling down", "429", NOW + 20)
FAILING = OfferState("failing", "503", NOW + 30)


@pytest.mark.parametrize(
    ("offers", "bars", "expected"),
    [
        # the limits' word
        ([READY], [bar(10)], Availability("ready")),
        ([READY], [], Availability("ready")),
        ([], [], Availability("ready")),
        (
            [READY],
            [bar(80)],
            Availability("near limit", "requests per day", NOW + 3600),
        ),
        (
            [READY],
            [bar(80), bar(93)],
            Availability("near limit", "requests per day", NOW + 3600, hot=True),
        ),
        ([READY], [bar(100)], Availability("at limit", "requests per day", NOW + 3600)),
        # the gateway's word
        ([COOLING], [bar(10)], Availability("cooling down", "429", NOW + 20)),
        ([FAILING], [bar(100)], Availability("failing", "503", NOW + 30)),
        (
            [OfferState("at limit", "does not fit", NOW + 5)],
            [bar(97)],
            Availability("at limit", "does not fit", NOW + 5),
        ),
        # the best account speaks for the model
        ([COOLING, READY], [bar(10)], Availability("ready")),
        # a pause that is over is no pause
        (
            [OfferState("cooling down", "429", NOW - 60)],
            [bar(10)],
            Availability("ready"),
        ),
        # a word that we do not know is not taken for a good one
        ([OfferState("odd", "", None)], [], Availability("failing", "odd")),
    ],
)
def test_a_model_has_one_word(
    offers: list[OfferState], bars: list[LimitBar], expected: Availability
) -> None:
    assert standing(offers, bars, NOW) == expected


@pytest.mark.parametrize(
    ("off", "word"),
    [
        ("disabled", "disabled"),
        ("not configured: GROQ_API_KEY is not set", "not configured"),
    ],
)
def test_the_configuration_has_the_last_word(off: str, word: str) -> None:
    assert standing([FAILING], [bar(100)], NOW, off=off) == Availability(word, off)


def test_a_provider_is_as_good_as_the_best_of_its_models() -> None:
    models = [
        Availability("at limit"),
        Availability("near limit", hot=True),
        Availability("failing"),
    ]
    assert best_of(models) == Availability("near limit", hot=True)
    assert best_of([]) == Availability("ready")
    assert best_of(models, off="disabled") == Availability("disabled", "disabled")


def test_severity_rises_with_the_words() -> None:
    assert sorted(WORDS, key=lambda word: severity(Availability(word))) == list(WORDS)
    assert severity(Availability("near limit", hot=True)) > severity(
        Availability("near limit")
    )


def test_accounts_are_added_up_in_reading_order() -> None:
    a = LimitBar("requests", "day", 30, 1, 100, NOW + 500, "config")
    b = LimitBar("requests", "day", 90, 0, 100, NOW + 300, "config")
    minute = LimitBar("requests", "minute", 2, 0, 10, None, "config")
    assert add_up([a, minute, b]) == (
        minute,
        LimitBar("requests", "day", 120, 1, 200, NOW + 300, "config", accounts=2),
    )


def test_a_window_that_is_over_holds_nothing() -> None:
    old = bar(90, resets_at=NOW - 10)
    assert fresh(old, NOW) == replace(old, used=0, reserved=0, resets_at=None)
    for current in (bar(90), bar(90, resets_at=None), bar(90, resets_at=NOW - 1)):
        assert fresh(current, NOW) == current


@pytest.mark.parametrize(
    ("found", "per_second", "expected"),
    [
        (bar(90), 0.01, NOW + 1000),
        # it resets before it is empty
        (bar(50), 0.01, None),
        # nobody uses it; it is empty already; a minute is over before it is read
        (bar(90), 0, None),
        (bar(100), 0.01, None),
        (bar(90, window="minute"), 0.01, None),
        # later than the window is long
        (bar(50, window="hour", resets_at=None), 0.001, None),
        (bar(50, window="hour", resets_at=None), 0.05, NOW + 1000),
    ],
)
def test_when_it_is_empty_at_this_pace(
    found: LimitBar, per_second: float, expected: float | None
) -> None:
    assert empty_at(found, per_second, NOW) == (
        None if expected is None else pytest.approx(expected)
    )


@given(st.floats(0, 200), st.floats(0.0001, 10))
def test_a_forecast_lies_ahead_and_before_the_reset(used: float, pace: float) -> None:
    at = empty_at(bar(used), pace, NOW)
    assert at is None or NOW <= at < NOW + 3600


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T12:00:30.000Z", NOW),
        ("2026-03-01T12:00", NOW - 30),
        ("2026-03-01", NOW - 12 * 3600 - 30),
        (None, None),
        ("", None),
        ("soon", None),
    ],
)
def test_times_of_the_ledger_are_read(text: str | None, at: float | None) -> None:
    assert moment(text) == at


@given(st.integers(0, 4_000_000_000_000))
def test_times_come_back(milliseconds: int) -> None:
    at = milliseconds / 1000
    assert moment(stamp(at)) == pytest.approx(at, abs=0.001)


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        ("ready", "", "ready"),
        ("ready", COSTS_MONEY, "excluded"),
        ("ready", NO_PRICE, "excluded"),
        ("ready", "the price of web search is unknown, and a cost limit or budget holds", "excluded"),
        ("ready", "failed for this request", "ready"),
        ("disabled", "disabled: 401 invalid_api_key", "key refused"),
        ("disabled", "403 forbidden", "key refused"),
        ("disabled", "disabled: 402 payment_required", "at limit"),
        ("disabled", "disabled: 429 insufficient_quota", "at limit"),
        ("disabled", "disabled: model not found (404 model_not_found)", "disabled"),
        ("disabled", "disabled: model not found (403 no_access)", "disabled"),
        ("disabled", "disabled: billed though free", "disabled"),
        ("failing", "failing: 503", "failing"),
        ("at limit", "requests/day 20 of 20", "at limit"),
    ],
)  # fmt: skip
def test_the_word_for_people(state: str, reason: str, word: str) -> None:
    assert word_of(state, reason) == word
    found = standing([OfferState(state, reason, NOW + 60)], [], NOW)
    assert found.state == word


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("disabled: 401 invalid_api_key", "401 invalid_api_key"),
        ("failing: 503", "503"),
        ("cooling down: 429", "429"),
        ("requests/day 20 of 20", "requests/day 20 of 20"),
        ("failing: failing: x", "failing: x"),
    ],
)
def test_no_word_is_said_twice(reason: str, said: str) -> None:
    assert clause(reason) == said


@pytest.mark.parametrize("policy", ["free-only", "free-first", "any"])
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("priced", [True, False])
@pytest.mark.parametrize("bounded", [True, False])
def test_what_is_excluded_here_is_skipped_by_the_router(
    policy: str, free: bool, priced: bool, bounded: bool
) -> None:
    """The page's own verdict, and the router's reason for the same offer, agree."""
    price = Price(input=1_000, output=2_000) if priced else None
    offer = Offer(
        "p",
        "",
        "m",
        "openai",
        "m",
        dialects=frozenset({Dialect("chat")}),
        free=free,
        price=price,
    )
    limits = (Limit(("budget",), Metric.COST, Window.DAY, 10**9),) if bounded else ()
    call = GatewayRequest(
        "id", NOW, RequestInfo(Dialect("chat"), "m"), "c", "a", policy=Policy(policy)
    )
    [candidate] = decide(
        call, ((offer,),), _Anything(limits), tie_break=float
    ).candidates  # type: ignore[arg-type]
    mine = excluded(policy=policy, free=free, priced=priced, bounded=bounded)
    skipped = candidate.reason if candidate.verdict is Verdict.SKIPPED else ""
    assert mine == skipped
    assert word_of(candidate.state, candidate.reason) == (
        "excluded" if mine else "ready"
    )


class _Anything:
    """Room everywhere, nobody ill."""

    def __init__(self, limits: tuple[Limit, ...]) -> None:
        self._limits = limits

    def limits(self, _: Offer) -> tuple[Limit, ...]:
        return self._limits

    def need(self, *_: object) -> Charge:
        return Charge()

    def nothing(self, *_: object) -> None:
        return None

    fit = unavailable = most_output = lowered = nothing

    def headroom(self, *_: object) -> float:
        return 1.0

    def expected_cost(self, *_: object) -> int:
        return 1
