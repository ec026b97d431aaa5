"""Every spelling of "when", as a table."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.limits.durations import (
    MAX_WAIT_SECONDS,
    moment,
    number,
    retry_after,
    seconds,
)

NOW = 1_785_658_000.0  # 2026-08-02 08:06:40 UTC


@each_row(
    ("text", "expected"),
    [
        # Go durations
        ("6m0s", 360.0),
        ("1s", 1.0),
        ("120ms", 0.12),
        ("2m59.56s", 179.56),
        ("825ms", 0.825),
        ("1h2m3s", 3723.0),
        ("1m26.4s", 86.4),
        ("1d", 86_400.0),
        ("350µs", 0.00035),
        # protobuf, in Google's bodies
        ("38s", 38.0),
        ("4.2s", 4.2),
        ("65205s", 65205.0),
        ("44.541946063s", 44.541946063),
        # bare seconds
        ("11.38", 11.38),
        (" 37 ", 37.0),
        ("33011.38", 33011.38),
        ("0", 0.0),
        # none of them
        ("", None),
        ("-1", None),
        ("soon", None),
        ("5x", None),
        ("s", None),
        ("nan", None),
        ("inf", None),
        ("9e999", None),
        ("١٢", None),
        ("1" * 400, None),
        ("1s1s" * 30, None),
    ],
)
def test_lengths(text: str, expected: float | None) -> None:
    assert seconds(text) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("37", NOW + 37),
        ("6m0s", NOW + 360),
        # unix time, by its size
        ("1785658140", NOW + 140),
        ("1785658140000", NOW + 140),
        # RFC 3339
        ("2026-08-02T08:10:00Z", NOW + 200),
        ("2026-08-02T08:10:00+00:00", NOW + 200),
        ("2026-08-02T03:10:00-05:00", NOW + 200),
        ("2026-08-02T08:10:00", NOW + 200),
        ("2026-08-02t08:10:00.500Z", NOW + 200.5),
        # HTTP dates
        ("Sun, 02 Aug 2026 08:10:00 GMT", NOW + 200),
        # the past is now, and no wait is longer than a month
        ("1700000000", NOW),
        ("2020-01-01T00:00:00Z", NOW),
        ("999999999", NOW + MAX_WAIT_SECONDS),
        ("2036-01-01T00:00:00Z", NOW + MAX_WAIT_SECONDS),
        # none of them
        ("", None),
        ("tomorrow", None),
        ("2026-99-99T00:00:00Z", None),
        ("Sun, 99 Foo 2026 99:99:99 GMT", None),
        ("2026-08-02", None),
    ],
)
def test_moments(text: str, expected: float | None) -> None:
    assert moment(text, NOW) == (
        None if expected is None else pytest.approx(expected, abs=1e-6)
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, NOW + 7),
        ({"retry-after": "7.5"}, NOW + 7.5),
        ({"retry-after": "Sun, 02 Aug 2026 08:10:00 GMT"}, NOW + 200),
        ({"retry-after-ms": "1500", "retry-after": "2"}, NOW + 1.5),
        ({"retry-after-ms": "x", "retry-after": "2"}, NOW + 2),
        ({"retry-after": "0"}, NOW + 1),
        ({"retry-after-ms": "20"}, NOW + 1),
        ({"retry-after": "1e12"}, NOW + 1),  # unix milliseconds, long past
        ({"retry-after": "99999999"}, NOW + MAX_WAIT_SECONDS),
        ({"retry-after": "a while"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: Mapping[str, str], expected: float | None) -> None:
    assert retry_after(headers, NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30,000", 30000.0),
        ("30000", 30000.0),
        ("88.5", 88.5),
        ("-1", None),
        ("6m", None),
        ("1" * 40, None),
        (None, None),
    ],
)
def test_numbers(text: str | None, expected: float | None) -> None:
    assert number(text) == expected


@given(st.text(max_size=80))
def test_nothing_is_too_strange(text: str) -> None:
    length = seconds(text)
    assert length is None or 0 <= length < float("inf")
    when = moment(text, NOW)
    assert when is None or NOW <= when <= NOW + MAX_WAIT_SECONDS
    when = retry_after({"retry-after": text, "retry-after-ms": text}, NOW)
    assert when is None or NOW + 1 <= when <= NOW + MAX_WAIT_SECONDS
