"""Usage of plain answers that stream by: small ones whole, large ones by their ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.dialects import CHAT, MESSAGES
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.domain import Usage
from llm_gateway.streaming.answer_meter import ENDS, WHOLE, AnswerMeter

CHAT_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
MESSAGES_USAGE = {"input_tokens": 7, "output_tokens": 5}
TRAP = '"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}'


def body(size: int, *, first: dict | None = None, last: dict | None = None) -> bytes:
    text = TRAP + "x" * size + TRAP
    answer = {
        "model": "said",
        **(first or {}),
        "choices": [{"message": {"role": "assistant", "content": text}}],
        **(last or {}),
    }
    return json.dumps(answer).encode()


def read(dialect: DialectSpec, data: bytes, piece: int = 65535) -> Usage:
    meter = AnswerMeter(dialect)
    for start in range(0, len(data), piece):
        chunk = data[start : start + piece]
        assert meter.feed(chunk) is chunk
    assert meter.finish() == b""
    return meter.usage(prompt_estimate=99)


@pytest.mark.parametrize("size", [0, 1000, WHOLE, 3 * WHOLE])
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize(
    ("dialect", "said"), [(CHAT, CHAT_USAGE), (MESSAGES, MESSAGES_USAGE)]
)
def test_usage_at_either_end(
    size: int, place: str, dialect: DialectSpec, said: dict
) -> None:
    found = read(dialect, body(size, **{place: {"usage": said}}))
    assert (found.source, found.prompt, found.completion) == ("reported", 7, 5)
    assert found.model == "said"


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"usage": None},
        {"usage": {"prompt_tokens": -1}},
        {"usage": CHAT_USAGE, "more": "y" * 2 * ENDS},
    ],
    ids=["none", "null", "no count", "too far from the end"],
)
def test_a_large_answer_that_does_not_say(last: dict) -> None:
    assert read(CHAT, body(2 * WHOLE, last=last)).source == "unknown"


def test_a_large_answer_that_broke_off() -> None:
    data = body(2 * WHOLE, last={"usage": CHAT_USAGE})
    assert read(CHAT, data[: 2 * WHOLE]).source == "unknown"
    assert read(CHAT, data[:-20]).source == "unknown"


@given(st.integers(min_value=1, max_value=3 * WHOLE))
def test_pieces_make_no_difference(piece: int) -> None:
    data = body(WHOLE + ENDS, last={"usage": CHAT_USAGE})
    found = read(CHAT, data, max(piece, 997))
    assert (found.source, found.prompt, found.completion) == ("reported", 7, 5)


def test_what_is_kept_is_bounded() -> None:
    meter = AnswerMeter(CHAT)
    for _ in range(300):
        meter.feed(b"x" * 65535)
        kept = len(meter._start) + sum(map(len, meter._last))
        assert kept <= WHOLE + 2 * ENDS
    assert kept <= 4 * ENDS
