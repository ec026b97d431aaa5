"""Answers that are judged failures and billed all the same: one gateway for all.

Booked is what they report, with any status, plain and as a stream: on the attempt, on the
request, in the budget; and what counts as free and was billed is taken out.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fakes import FakeProvider, answers
from fakes.answers import JSON, SSE, event
from fakes.steps import Answer

from gateway import GatewayProcess, provider

from .conftest import Start

BILL, USAGE = 0.05, {"prompt_tokens": 1000, "completion_tokens": 500}
OWN = 0.002
"""What the tokens of USAGE cost where nobody sends a bill."""
FALLBACK = 0.0013
"""The answer of who comes next: 7 tokens in and 3 out at 100 and 200 a million."""
BILLED = USAGE | {"cost": BILL}
ROLE = answers.chat_chunk({"role": "assistant", "content": ""})
ERROR = event({"error": {"message": "upstream broke", "code": 502}})


def plain(body: dict[str, Any], status: int = 200) -> Answer:
    whole = json.loads(answers.chat_body("hi")) | body
    return Answer(status=status, headers=(JSON,), body=(json.dumps(whole).encode(),))


def error(status: int, usage: Any) -> Answer:
    body = {"error": {"message": "broke", "code": status}, "usage": usage}
    return Answer(status=status, headers=(JSON,), body=(json.dumps(body).encode(),))


def stream(*pieces: bytes) -> Answer:
    return Answer(headers=(SSE,), body=pieces)


def used(usage: dict[str, Any], **more: Any) -> bytes:
    return event({"choices": [], "usage": usage, **more})


BROKEN_CHOICE = {
    "index": 0,
    "message": {"role": "assistant", "content": ""},
    "finish_reason": "error",
    "error": {"code": 502, "message": "x"},
}
CASES: dict[str, tuple[bool, Answer, float]] = {
    "no choices": (False, plain({"choices": [], "usage": BILLED}), BILL),
    "no choices, no bill": (False, plain({"choices": [], "usage": USAGE}), OWN),
    "no choices, a bill alone": (
        False,
        plain({"choices": [], "usage": {"cost": str(BILL)}}),
        BILL,
    ),
    "a broken choice": (
        False,
        plain({"choices": [BROKEN_CHOICE], "usage": BILLED}),
        BILL,
    ),
    "a stream for a plain request": (
        False,
        stream(ROLE, used(BILLED), event("[DONE]")),
        BILL,
    ),
    "500": (False, error(500, BILLED), BILL),
    "502, no bill": (False, error(502, USAGE), OWN),
    "429": (False, error(429, BILLED), BILL),
    "error behind usage": (True, stream(ROLE, used(BILLED), ERROR), BILL),
    "error before usage": (True, stream(ROLE, ERROR + used(BILLED)), BILL),
    "error with usage": (
        True,
        stream(used(BILLED, error={"code": 502, "message": "x"})),
        BILL,
    ),
    "a stream of usage only": (True, stream(used(USAGE), event("[DONE]")), OWN),
    "a stream that says nothing": (True, stream(ROLE, ERROR), -1),
    "500 that says nothing": (False, error(500, None), 0),
}


class House(NamedTuple):
    gateway: GatewayProcess
    first: FakeProvider
    next: FakeProvider


def priced(names: list[str], input: float, output: float) -> list[dict[str, Any]]:
    pricing = {"inputCostPerMillionTokens": input, "outputCostPerMillionTokens": output}
    return [{"name": name, "pricing": pricing} for name in names]


def name_of(case: str, kind: str) -> str:
    return f"{kind}-{list(CASES).index(case)}"


@pytest.fixture(scope="module")
def house(start_shared: Start) -> Iterator[House]:
    frees = [name_of(case, "free") for case in CASES]
    paid = [name_of(case, "paid") for case in CASES]
    with FakeProvider() as first, FakeProvider() as second:
        cheap = provider(first, "cheap", type="openrouter")
        cheap["models"] = priced(paid, 1, 2)
        dear = provider(second, "dear", type="openrouter")
        dear["models"] = priced(paid, 100, 200)
        free = provider(first, "free", *frees, type="openrouter", free=True)
        config = {"providers": [cheap, dear, free], "budget": {"costPerDay": 500}}
        yield House(start_shared(config), first, second)


def spent(gateway: GatewayProcess) -> int:
    """Nano-dollars that stand in the budget: the table is refreshed once a second."""
    [sums] = gateway.rows("select sum(cost_nano) c from attempts where counted = 1")
    wanted = sums["c"] or 0

    def agrees(rows: list[dict[str, Any]]) -> bool:
        return bool(rows) and round(rows[0]["used"] * 1e9) == wanted

    sql = "select used, reserved from limit_state where scope = 'budget'"
    [found] = gateway.wait_rows(sql, agrees)
    assert found["reserved"] == 0
    return int(wanted)


@pytest.mark.parametrize("case", CASES)
def test_what_it_reports_is_booked_and_the_next_one_on_top(
    house: House, case: str
) -> None:
    gateway, first, _ = house
    streamed, answer, dollars = CASES[case]
    first.then(answer)
    status, headers, _ = gateway.chat(
        name_of(case, "paid"), stream=streamed, max_tokens=9
    )
    assert (status, headers["x-gateway-attempts"]) == (200, "2")
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    tries = gateway.rows(
        "select * from attempts where request = ? order by n", row["id"]
    )
    costs = [one["cost_usd"] for one in tries]
    if dollars < 0:  # nothing is known of it: what was reserved counts, as a guess
        assert 0 < costs[0] < OWN
        dollars = 0
    else:
        assert costs[0] == pytest.approx(dollars)
    assert costs[1] == pytest.approx(FALLBACK)
    assert row["cost_usd"] == pytest.approx(dollars + FALLBACK)


def test_the_budget_names_the_same_sum(house: House) -> None:
    assert spent(house.gateway) > 0


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][2] == BILL])
def test_billed_though_free_is_not_asked_again(house: House, case: str) -> None:
    gateway, first, _ = house
    streamed, answer, dollars = CASES[case]
    model = name_of(case, "free")
    first.then(answer)
    policy = {"x-gateway-policy": "free-only"}
    status, headers, _ = gateway.chat(model, policy, stream=streamed)
    assert status >= 400
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["cost_usd"], row["price_source"]) == (dollars, "provider")
    [billed] = gateway.wait_rows(
        "select * from billed_offers where model = ?", bool, model
    )
    assert billed["provider"] == "free"
    before = len(first.posted)
    assert gateway.chat(model, policy)[0] in (429, 503)
    assert len(first.posted) == before
