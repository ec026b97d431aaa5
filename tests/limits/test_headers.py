"""What each provider's headers say: real samples, as a table."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.domain import Metric, Window
from llm_gateway.limits.durations import MAX_WAIT_SECONDS
from llm_gateway.limits.headers import (
    PARSERS,
    LimitObservation,
    may_say,
    read_headers,
)

NOW = 1_775_000_000.0  # 2026-03-31 23:33:20 UTC
REQUESTS, TOKENS = Metric.REQUESTS, Metric.TOKENS
MINUTE, HOUR, DAY, MONTH = Window.MINUTE, Window.HOUR, Window.DAY, Window.MONTH


def said(
    metric: Metric,
    window: Window,
    limit: int | None,
    remaining: int | None,
    resets_in: float | None,
    **more: object,
) -> LimitObservation:
    resets_at = None if resets_in is None else NOW + resets_in
    return LimitObservation(metric, window, NOW, limit, remaining, resets_at, **more)  # type: ignore[arg-type]


SAMPLES = [
    (
        "openai",
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
            "x-request-id": "req_1",
        },
        [
            said(REQUESTS, MINUTE, 60, 59, 1, continuous_refill=True),
            said(TOKENS, MINUTE, 150_000, 149_984, 360, continuous_refill=True),
        ],
    ),
    (  # a project's limit, when it is tighter
        "openai",
        {
            "x-ratelimit-limit-tokens": "30,000",
            "x-ratelimit-remaining-tokens": "29,000",
            "x-ratelimit-reset-tokens": "2s",
            "x-ratelimit-limit-project-tokens": "20000",
            "x-ratelimit-remaining-project-tokens": "1500",
            "x-ratelimit-reset-project-tokens": "55.5s",
        },
        [said(TOKENS, MINUTE, 20_000, 1500, 55.5, continuous_refill=True)],
    ),
    (  # or when it tells less
        "openai",
        {
            "x-ratelimit-limit-tokens": "30000",
            "x-ratelimit-remaining-tokens": "29000",
            "x-ratelimit-limit-project-tokens": "20000",
        },
        [said(TOKENS, MINUTE, 30_000, 29_000, None, continuous_refill=True)],
    ),
    (
        "openai",
        {
            "x-ratelimit-limit-tokens": "30000",
            "x-ratelimit-limit-project-tokens": "20000",
        },
        [said(TOKENS, MINUTE, 20_000, None, None, continuous_refill=True)],
    ),
    (
        "openai",
        {
            "x-ratelimit-limit-tokens": "30000",
            "x-ratelimit-limit-project-tokens": "20000",
            "x-ratelimit-remaining-project-tokens": "1",
        },
        [said(TOKENS, MINUTE, 20_000, 1, None, continuous_refill=True)],
    ),
    (
        "anthropic",
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-03-31T23:33:21Z",
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "39000",
            "anthropic-ratelimit-input-tokens-reset": "2026-03-31T23:33:22Z",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "7000",
            "anthropic-ratelimit-output-tokens-reset": "2026-03-31T23:33:28Z",
            "anthropic-ratelimit-tokens-limit": "48000",
            "anthropic-ratelimit-tokens-remaining": "46000",
            "anthropic-ratelimit-tokens-reset": "2026-03-31T23:33:22Z",
        },
        [
            said(REQUESTS, MINUTE, 50, 49, 1, continuous_refill=True),
            said(TOKENS, MINUTE, 48_000, 46_000, 2, continuous_refill=True),
        ],
    ),
    (  # output alone counts when nothing of it is left
        "anthropic",
        {
            "anthropic-ratelimit-tokens-limit": "48000",
            "anthropic-ratelimit-tokens-remaining": "30000",
            "anthropic-ratelimit-tokens-reset": "2026-03-31T23:33:42Z",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-03-31T23:34:20Z",
        },
        [
            said(
                TOKENS, MINUTE, 8000, 0, 60, continuous_refill=True, remaining_only=True
            )
        ],
    ),
    (  # `requests` is a day, `tokens` a minute
        "groq",
        {
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-limit-tokens": "18000",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-reset-tokens": "7.66s",
        },
        [
            said(REQUESTS, DAY, 14_400, 14_370, 179.56, continuous_refill=True),
            said(TOKENS, MINUTE, 18_000, 17_997, 7.66, continuous_refill=True),
        ],
    ),
    (
        "cerebras",
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "13693",
            "x-ratelimit-reset-requests-day": "33011.38",
            "x-ratelimit-limit-requests-hour": "150",
            "x-ratelimit-remaining-requests-hour": "149",
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-tokens-minute": "60000",
            "x-ratelimit-reset-tokens-minute": "11.38",
        },
        [
            said(REQUESTS, HOUR, 150, 149, None, continuous_refill=True),
            said(REQUESTS, DAY, 14_400, 13_693, 33011.38, continuous_refill=True),
            said(TOKENS, MINUTE, 60_000, 60_000, 11.38, continuous_refill=True),
        ],
    ),
    (
        "mistral",
        {
            "x-ratelimit-limit-req-minute": "5",
            "x-ratelimit-remaining-req-minute": "4",
            "x-ratelimit-limit-tokens-minute": "500000",
            "x-ratelimit-remaining-tokens-minute": "499950",
            "x-ratelimit-tokens-query-cost": "50",
        },
        [
            said(REQUESTS, MINUTE, 5, 4, None),
            said(TOKENS, MINUTE, 500_000, 499_950, None),
        ],
    ),
    (
        "mistral",
        {
            "x-ratelimitbysize-limit-minute": "500000",
            "x-ratelimitbysize-remaining-minute": "499900",
            "x-ratelimitbysize-limit-month": "1000000000",
            "x-ratelimitbysize-remaining-month": "999000000",
            "ratelimitbysize-reset": "47",
        },
        [
            said(TOKENS, MINUTE, 500_000, 499_900, 47),
            said(TOKENS, MONTH, 1_000_000_000, 999_000_000, None),
        ],
    ),
    (
        "azure",
        {
            "x-ratelimit-limit-requests": "250",
            "x-ratelimit-remaining-requests": "249",
            "x-ratelimit-reset-requests": "6",
            "x-ratelimit-limit-tokens": "250000",
            "x-ratelimit-remaining-tokens": "249000",
            "x-ratelimit-renewalperiod-tokens": "60",
        },
        [
            said(REQUESTS, MINUTE, 250, 249, 6),
            said(TOKENS, MINUTE, 250_000, 249_000, None),
        ],
    ),
    (  # the Responses API does not know
        "azure",
        {
            "x-ratelimit-limit-tokens": "-1",
            "x-ratelimit-remaining-tokens": "-1",
            "x-ratelimit-reset-tokens": "0",
            "x-ratelimit-limit-requests": "0",
            "x-ratelimit-remaining-requests": "0",
        },
        [],
    ),
    (  # per second
        "together",
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "2",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "0",
        },
        [
            said(REQUESTS, MINUTE, None, 9, 2, remaining_only=True),
            said(TOKENS, MINUTE, None, 0, 2, remaining_only=True),
        ],
    ),
    (
        "fireworks",
        {
            "x-ratelimit-limit-tokens-prompt": "11250000",
            "x-ratelimit-limit-tokens-generated": "216000",
            "x-ratelimit-over-limit": "no",
            "fireworks-prompt-tokens": "12",
        },
        [said(TOKENS, MINUTE, 11_466_000, None, None)],
    ),
    (
        "fireworks",
        {
            "x-ratelimit-limit-tokens-prompt": "11250000",
            "x-ratelimit-limit-tokens-generated": "36000",
            "x-ratelimit-remaining-tokens-prompt": "9000000",
            "x-ratelimit-remaining-tokens-generated": "0",
        },
        [said(TOKENS, MINUTE, None, 0, 10, remaining_only=True)],
    ),
    (  # a day, by its reset: UTC midnight in milliseconds
        "openrouter",
        {
            "x-ratelimit-limit": "50",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1775001600000",
        },
        [said(REQUESTS, DAY, 50, 0, 1600, scope="tier")],
    ),
    (
        "openrouter",
        {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1775000040000",
        },
        [said(REQUESTS, MINUTE, 20, 0, 40, scope="tier")],
    ),
    (
        "copilot",
        {
            "x-quota-snapshot-premium_interactions": "ent=300&ov=0.0&ovPerm=false&rem=88.5&rst=2026-04-01T00%3A00%3A00Z",
            "x-quota-snapshot-chat": "ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-04-01T00%3A00%3A00Z",
        },
        [said(REQUESTS, MONTH, 300, 265, 1600, scope="provider", remaining_only=True)],
    ),
    (  # spent, but chat is unlimited: models that cost nothing go on
        "copilot",
        {
            "x-quota-snapshot-premium_models": "ent=300&ov=0.0&ovPerm=false&rem=0.0&rst=2026-04-01T00%3A00%3A00Z",
            "x-quota-snapshot-chat": "ent=-1&rem=100.0",
        },
        [],
    ),
    (  # spent, but more may be bought
        "copilot",
        {"x-quota-snapshot-premium_interactions": "ent=300&ov=1.5&ovPerm=true&rem=0.0"},
        [],
    ),
    (
        "copilot",
        {
            "x-quota-snapshot-chat": "ent=500&ov=0.0&ovPerm=false&rem=80.0&rst=2026-04-01T00%3A00%3A00Z",
            "x-usage-ratelimit-session": "rem=0&rst=2026-04-01T01%3A00%3A00Z",
            "x-usage-ratelimit-weekly": "remaining=40&resetAt=2026-04-06T00%3A00%3A00Z",
        },
        [
            said(
                REQUESTS, MONTH, 500, 400, 1600, scope="provider", remaining_only=True
            ),
            said(REQUESTS, HOUR, None, 0, 5200, scope="provider", remaining_only=True),
        ],
    ),
    (
        "cohere",
        {
            "x-endpoint-monthly-call-limit": "1000",
            "x-trial-endpoint-call-limit": "20",
            "x-trial-endpoint-call-remaining": "19",
        },
        [
            said(REQUESTS, MINUTE, 20, 19, None),
            said(REQUESTS, MONTH, 1000, None, None, scope="provider"),
        ],
    ),
    (
        "sambanova",
        {
            "x-ratelimit-limit-requests": "20",
            "x-ratelimit-remaining-requests": "19",
            "x-ratelimit-reset-requests": "1775000060",
            "x-ratelimit-limit-requests-day": "20",
            "x-ratelimit-remaining-requests-day": "11",
            "x-ratelimit-reset-requests-day": "1775001600",
        },
        [
            said(REQUESTS, MINUTE, 20, 19, 60),
            said(REQUESTS, DAY, 20, 11, 1600),
        ],
    ),
    ("none", {"x-ratelimit-limit-requests": "20"}, []),
    ("google", {"x-ratelimit-limit-requests": "20"}, []),
    ("no such parser", {"x-ratelimit-limit-requests": "20"}, []),
    # what cannot be read is left out
    (
        "openai",
        {
            "x-ratelimit-limit-requests": "many",
            "x-ratelimit-remaining-requests": "5",
            "x-ratelimit-remaining-tokens": "1" * 100,
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-reset-tokens": "when it suits us",
        },
        [said(TOKENS, MINUTE, 1000, None, None, continuous_refill=True)],
    ),
    ("openrouter", {"x-ratelimit-limit": "50", "x-ratelimit-remaining": "0"}, []),
    ("copilot", {"x-quota-snapshot-chat": "&&&=;%%"}, []),
    ("copilot", {"x-quota-snapshot-chat": "a=1&" * 100}, []),
]


@each_row(("parser", "headers", "expected"), SAMPLES)
def test_samples(
    parser: str, headers: Mapping[str, str], expected: list[LimitObservation]
) -> None:
    assert list(read_headers(parser, headers, NOW)) == expected


def test_every_parser_that_reads_headers_has_a_sample() -> None:
    silent = {"none", "google", "bedrock", "nvidia"}
    assert {parser for parser, _, words in SAMPLES if words} == set(PARSERS) - silent


def test_usual_headers_say_nothing_of_limits() -> None:
    usual = [b"content-type", b"date", b"x-request-id", b"content-length"]
    for parser in ("none", "openai", "anthropic", "groq", "mistral"):
        assert not may_say(parser, usual)
    assert may_say("openai", [*usual, b"x-ratelimit-remaining-requests"])
    assert not may_say("of nobody", usual)


NAMES = sorted({name for _, headers, _ in SAMPLES for name in headers})


@given(
    st.sampled_from(sorted(PARSERS)),
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            st.text(max_size=60),
            st.integers(-10, 10**25).map(str),
            st.floats().map(str),
            st.sampled_from([v for _, headers, _ in SAMPLES for v in headers.values()]),
        ),
    ),
)
def test_garbage_is_bounded(parser: str, headers: Mapping[str, str]) -> None:
    words = read_headers(parser, headers, NOW)
    assert not words or may_say(parser, [name.encode() for name in headers])
    assert len({(w.scope, w.metric, w.window) for w in words}) == len(words)
    for word in words:
        assert word.limit is None or 0 < word.limit <= 1 << 54
        assert word.remaining is None or 0 <= word.remaining <= 1 << 53
        assert word.resets_at is None or NOW <= word.resets_at <= NOW + MAX_WAIT_SECONDS
