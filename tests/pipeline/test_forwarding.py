"""Which candidate, which limits, which rows: the stages' decisions, without a process."""

import json

import pytest

from llm_gateway.transport.attempt_policy import Action, plan_of
from pipeline.conftest import provider

ATTEMPTS = (
    "SELECT n, provider, outcome, reason, tokens, cost_nano FROM attempts ORDER BY n"
)
REQUESTS = "SELECT provider, status, outcome, attempts, input_tokens, output_tokens, cost_nano FROM requests"
PAID = {"inputCostPerMillionTokens": 1.0, "outputCostPerMillionTokens": 2.0}


async def test_the_first_candidate_gets_a_rewritten_request_and_a_row(house):
    place = house(provider("one", free=True), provider("two"))
    exchange = await place.begin(place.exchange())
    request = exchange.flow.request
    assert (request.host, request.scheme) == ("one.example", "https")
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-one"
    assert plan_of(exchange.flow) is not None
    assert exchange.flow.response is None
    [row] = await place.rows(ATTEMPTS)
    assert (row["provider"], row["outcome"]) == ("one", "in_flight")


async def test_who_is_at_a_limit_is_passed_over(house):
    place = house(
        provider("one", free=True, limits={"requestsPerMinute": 1}), provider("two")
    )
    await place.begin(place.exchange())
    second = await place.begin(place.exchange())
    assert second.flow.request.host == "two.example"
    reasons = {c.offer.provider: c.reason for c in second.decision.candidates}
    assert "requests" in reasons["one"]


async def test_nobody_left_is_a_429_that_holds_no_reservation(house):
    place = house(provider("one", limits={"requestsPerMinute": 1}))
    await place.begin(place.exchange())
    second = await place.begin(place.exchange())
    response = second.flow.response
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) <= 60
    assert json.loads(response.content)["error"]["code"] == "rate_limit_exceeded"
    assert len(await place.rows(ATTEMPTS)) == 1
    place.now += 61
    assert (await place.begin(place.exchange())).flow.response is None


@pytest.mark.parametrize(
    ("status", "action", "host"),
    [
        (500, Action.RETRY, "two.example"),
        (429, Action.RETRY, "two.example"),
        (503, Action.RETRY, "two.example"),
        (401, Action.RETRY, "two.example"),
    ],
)
async def test_a_failed_attempt_goes_to_the_next(house, status, action, host):
    place = house(provider("one", free=True), provider("two"))
    exchange = await place.begin(place.exchange())
    failure = await place.fail(exchange, status)
    assert failure.action is action
    assert exchange.flow.request.host == host
    assert exchange.flow.request.headers["authorization"] == "Bearer sk-two"
    first, second = await place.rows(ATTEMPTS)
    assert (first["provider"], first["outcome"]) == ("one", "failed")
    assert str(status) in first["reason"]
    assert (second["provider"], second["outcome"]) == ("two", "in_flight")


async def test_when_all_have_failed_the_client_is_told(house):
    place = house(provider("one", free=True), provider("two"))
    exchange = await place.begin(place.exchange())
    await place.fail(exchange, 500)
    failure = await place.fail(exchange, 500)
    assert failure.action is Action.RESPOND
    assert exchange.flow.response.status_code >= 500
    place.settlement.finish(exchange)
    [row] = await place.rows(REQUESTS)
    assert (row["outcome"], row["attempts"]) == ("error", 2)


async def test_usage_becomes_cost_limits_and_a_row(house):
    place = house(
        provider(
            "one",
            models=[{"name": "m", "pricing": PAID}],
            limits={"tokensPerMinute": 1_000_000},
        )
    )
    exchange = await place.begin(place.exchange())
    place.answer(exchange, {"prompt_tokens": 100, "completion_tokens": 10})
    [row] = await place.rows(REQUESTS)
    assert (row["status"], row["outcome"]) == (200, "ok")
    assert (row["input_tokens"], row["output_tokens"]) == (100, 10)
    assert row["cost_nano"] == 120_000
    [limit] = [
        status
        for status in place.state.limiter.status(
            tuple(place.state.catalog.limits()), place.now
        )
        if status.limit.metric == "tokens"
    ]
    assert (limit.used, limit.reserved) == (110, 0)
    assert place.state.in_flight == 0


async def test_usage_that_nobody_told_keeps_what_was_reserved(house):
    place = house(provider("one", limits={"tokensPerMinute": 1_000_000}))
    exchange = await place.begin(place.exchange())
    reserved = exchange.attempt.reservation.need.tokens
    place.answer(exchange, None)
    [attempt] = await place.rows(ATTEMPTS)
    assert 0 < attempt["tokens"] <= reserved
