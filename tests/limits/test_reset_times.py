"""When it comes back: sentences, members and the IETF's fields."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import read_error
from llm_gateway.limits.durations import MAX_WAIT_SECONDS, MIN_WAIT_SECONDS
from llm_gateway.limits.ietf_headers import reset_of
from llm_gateway.limits.reset_times import reset_in

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
DAY = 86_400.0


def left(error: Mapping[str, object]) -> float | None:
    when = reset_in(read_error(json.dumps({"error": error}).encode()), NOW)
    return None if when is None else when - NOW


TEXTS = [
    ("Please try again in 20s.", 20),
    ("Please try again in 7m12s. Need more tokens?", 432),
    ("Please try again in 120ms.", 1),
    ("Please try again in 6m0s", 360),
    ("Please retry after 60 seconds.", 60),
    ("Please retry in 38.4s.", 38.4),
    ("please try again after 1 seconds", 1),
    ("Try again in 1 minute.", 60),
    ("Try again in about 2 hours.", 7200),
    ("Please wait 5 minutes and try again.", 300),
    ("Your quota will reset after 18h31m10s.", 66_670),
    ("Monthly usage limit reached. Resets in 12 days.", 12 * DAY),
    ("Your limit resets in 1 week", 7 * DAY),
    ("Try again in 4 days 3 hours 10 minutes.", 4 * DAY + 11_400),
    ("Try again in 1 day, 2 hours and 3 minutes.", DAY + 7380),
    ("Your limit will reset at 2026-09-21 18:13:20", 14_400),
    ("Your limit will reset at 2026-09-21T18:13:20Z.", 14_400),
    ("Your limit will reset at 2026-09-21T20:13:20+02:00.", 14_400),
    ("您的限额将在 2026-09-21 18:13:20 重置。", 14_400),
    ("You will regain access on 2026-10-01 at 00:00 UTC.", 812_800),
    ("You will regain access on 2026-10-01.", 812_800),
    ("Resets Sep 22, 2026, 2:13 PM", 86_380),
    ("Your plan renews on 1 October 2026", 812_800),
    ("usage limit reached|1790003600", 3600),
    ("It resets at 1790003600000", 3600),
    # the later one of several
    ("Try again in 20s. Your plan resets in 2 hours.", 7200),
    # bounds
    ("Resets in 400 days", MAX_WAIT_SECONDS),
    ("Your limit will reset at 2020-01-01 00:00:00", MIN_WAIT_SECONDS),
    # none
    ("Please wait before trying again.", None),
    ("Requests per day (RPD): Limit 1000", None),
    ("reset", None),
    ("", None),
]


@each_row(("text", "seconds"), TEXTS)
def test_texts(text: str, seconds: float | None) -> None:
    assert left({"message": text}) == (
        None if seconds is None else pytest.approx(seconds)
    )


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({"resets_at": 1_790_003_600}, 3600),
        ({"resets_at": "1790003600"}, 3600),
        ({"resets_at": 1_790_003_600_000}, 3600),
        ({"resets_at": "2026-09-21T18:13:20Z"}, 14_400),
        ({"resetTime": "2026-09-21T18:13:20.5+00:00"}, 14_400.5),
        ({"resets_in_seconds": 5000}, 5000),
        ({"reset_in": "5h"}, 18_000),
        ({"retry_after": 7}, 7),
        ({"retry_after_ms": 2500}, 2.5),
        ({"retryDelay": "38s"}, 38),
        ({"quotaResetDelay": "18h31m10s"}, 66_670),
        ({"resets_at": 1_790_003_600, "resets_in_seconds": 5000}, 5000),
        ({"resets_at": None}, None),
        ({"resets_at": "soon"}, None),
        ({"resets_in_seconds": -5}, None),
        ({"resets_at": True}, None),
        ({"resets_at": []}, None),
    ],
)
def test_members(members: Mapping[str, object], seconds: float | None) -> None:
    found = left({"message": "…", **members})
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"default";r=0;t=30'}, 30),
        ({"ratelimit": '"minute";r=5;t=9, "day";r=0;t=3600'}, 3600),
        ({"ratelimit": "limit=100, remaining=0, reset=30"}, 30),
        ({"ratelimit": "limit=100, reset=30"}, 30),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "30"}, 30),
        ({"ratelimit-reset": "30"}, 30),
        ({"ratelimit": '"default";r=7;t=30'}, None),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "30"}, None),
        ({"ratelimit": '"default";r=0'}, None),
        ({"ratelimit": "soon"}, None),
        ({"ratelimit-reset": "soon"}, None),
        ({"ratelimit": '"x";r=0;t=999999999'}, MAX_WAIT_SECONDS),
        ({}, None),
    ],
)
def test_fields_of_the_ietf(headers: Mapping[str, str], seconds: float | None) -> None:
    when = reset_of(headers, NOW)
    assert when == (None if seconds is None else pytest.approx(NOW + seconds))


@given(st.text(max_size=60), st.text(max_size=20))
def test_nothing_is_too_strange(text: str, value: str) -> None:
    for said in (text, f"try again in {text}", f"resets at {text}"):
        found = left({"message": said, "resets_at": value})
        assert found is None or MIN_WAIT_SECONDS <= round(found, 3) <= MAX_WAIT_SECONDS
    when = reset_of({"ratelimit": text, "ratelimit-reset": value}, NOW)
    assert when is None or MIN_WAIT_SECONDS <= round(when - NOW, 3) <= MAX_WAIT_SECONDS
