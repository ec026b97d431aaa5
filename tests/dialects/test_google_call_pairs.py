"""Calls and responses of a generateContent history that do not meet: who goes, who stays."""

import json
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.generate_content.adapter import adapt
from llm_gateway.dialects.generate_content.call_pairs import paired
from llm_gateway.dialects.generate_content.errors import NEVER, quota_body
from llm_gateway.dialects.generate_content.request_reader import read_request
from llm_gateway.translation.conversation import ToolCall, ToolResult

USER = {"role": "user", "parts": [{"text": "Hi"}]}
SAID = {"role": "model", "parts": [{"text": "Well"}]}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": [*parts]}


def user(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [*parts]}


def call(name: str, id: str = "") -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **({"id": id} if id else {})}}


def back(name: str, id: str = "", **response: Any) -> dict[str, Any]:
    given = {"name": name, "response": response or {"output": "x"}}
    return {"functionResponse": {**given, **({"id": id} if id else {})}}


def snake(part: dict[str, Any]) -> dict[str, Any]:
    names = {"functionCall": "function_call", "functionResponse": "function_response"}
    return {names.get(name, name): held for name, held in part.items()}


A, B = call("a", "1"), call("b", "2")
RA, RB = back("a", "1"), back("b", "2")
TEXT = {"text": "and"}
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "all given twice": ([model(A, B), user(RA, RB, RA, RB)], [model(A, B), user(RA, RB)]),
    "twice, in contents of their own": ([model(A), user(RA), user(RA)], [model(A), user(RA)]),
    "twice, after text of the user": ([model(A), user(RA, TEXT, RA)], [model(A), user(RA, TEXT)]),
    "a response without call": ([USER, user(RA), SAID, USER], [USER, SAID, USER]),
    "a response at the beginning": ([user(RA, TEXT)], [user(TEXT)]),
    "of another id": ([USER, model(A), user(back("a", "9")), USER], [USER, USER]),
    "a call without response": ([USER, model(A, B), user(RB)], [USER, model(B), user(RB)]),
    "no response but text": ([USER, model(TEXT, A), user(TEXT)], [USER, model(TEXT), user(TEXT)]),
    "by name, without ids": ([model(call("a"), call("b")), user(back("b"), back("b"))], [model(call("b")), user(back("b"))]),
    "an id on one side": ([model(A), user(back("a"), back("a"))], [model(A), user(back("a"))]),
    "the other spelling": ([model(snake(A), snake(B)), user(snake(RA), snake(RA))], [model(snake(A)), user(snake(RA))]),
    "the old role": ([model(A), user(RA, RA, role="function")], [model(A), user(RA, role="function")]),
}  # fmt: skip
WHOLE: dict[str, list[Any]] = {
    "no calls": [USER, SAID, USER],
    "each met": [USER, model(A, B), user(RB, RA), SAID, USER],
    "open calls at the end": [USER, model(A, B)],
    "contents of one turn apart": [model(A), model(B), user(RA), user(RB)],
    "one id in two turns": [model(A), user(RA), model(A), user(RA)],
    "the same call twice, without ids": [model(call("a"), call("a")), user(back("a"), back("a"))],
    "nothing that can be read": ["x", None, {"role": "user", "parts": "x"}, {}],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_match_goes(name: str) -> None:
    given, wanted = CASES[name]
    assert paired(given) == wanted
    quirks = Quirks.parse("tools:paired")
    adapted = adapt({"contents": given}, quirks, nothing_kept)
    assert adapted.replaced["contents"] == wanted
    assert "tool results" in [change.part for change in adapted.changes]


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_stays_as_it_is(name: str) -> None:
    assert paired(WHOLE[name]) is WHOLE[name]


PART = st.sampled_from([A, B, RA, RB, call("a"), back("a"), TEXT])
TURN = st.builds(
    lambda role, parts: {"role": role, "parts": parts},
    st.sampled_from(["user", "model"]),
    st.lists(PART, max_size=4),
)


@given(contents=st.lists(TURN, max_size=6))
@examples(200)
def test_once_paired_it_stays(contents: list[Any]) -> None:
    made = paired(contents)
    assert paired(made) == made
    held = [json.dumps(part) for content in contents for part in content["parts"]]
    left = [json.dumps(part) for content in made for part in content["parts"]]
    assert all(left.count(part) <= held.count(part) for part in left)
    texts = [part for part in held if "text" in part]
    assert [part for part in left if "text" in part] == texts


# --- read for others


def results(*contents: Any) -> tuple[int, list[tuple[str, str]]]:
    """Number of calls, and (call id, text) of results."""
    turns = read_request({"contents": [*contents]}).turns
    parts = [part for turn in turns for part in turn.parts]
    return sum(isinstance(p, ToolCall) for p in parts), [
        (p.call_id, "".join(getattr(t, "text", "") for t in p.parts))
        for p in parts
        if isinstance(p, ToolResult)
    ]


def test_the_very_same_result_again_is_read_once() -> None:
    """An app that takes up an old session sends each twice."""
    twice = user(RA, RB, RA, RB)
    assert results(model(A, B), twice, SAID) == (2, [("1", "x"), ("2", "x")])
    # Another result of the same call is not the same, and an id may be given again.
    other = back("a", "1", output="y")
    assert results(model(A), user(RA, other))[1] == [("1", "x"), ("1", "y")]
    again = (model(A), user(RA), model(A), user(RA))
    assert results(*again) == (2, [("1", "x"), ("1", "x")])


# --- errors


def test_a_429_says_in_the_body_when_to_ask_again() -> None:
    """Google's apps wait as long as `RetryInfo` says, or give up where the limit is 0."""
    later = json.loads(quota_body("x", "Nobody is left.", 30))["error"]
    assert later["details"][-1]["retryDelay"] == "30s"
    assert (later["status"], later["message"]) == (
        "RESOURCE_EXHAUSTED",
        "Nobody is left.",
    )
    never = json.loads(quota_body("x", "Nobody is left.", None))["error"]
    assert never["message"] == f"Nobody is left. ({NEVER})"
    assert "retryDelay" not in json.dumps(never)
