"""What a failure means, and what the client is told in the end: two tables."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import read_error
from llm_gateway.dialects.error_topics import Said, topic_of
from llm_gateway.domain import Candidate, Offer, Verdict
from llm_gateway.limits.durations import retry_after
from llm_gateway.limits.provider_refusals import read_refusal
from llm_gateway.limits.reset_times import reset_in
from llm_gateway.routing.failure_policy import (
    FailedAttempt,
    FailureVerdict,
    GatewayError,
    NextStep,
    Penalty,
    UpstreamError,
    classify,
    final_response,
    may_teach,
)

NOW = 1_800_000_000.0
MODEL = "vendor/Model-1"
HOUR, TEN_MINUTES = 3600.0, 600.0


def error(
    message: str = "", code: str | int | None = None, param: str | None = None
) -> bytes:
    inner = {"message": message, "type": None, "code": code, "param": param}
    return json.dumps({"error": inner}).encode()


def answered(
    status: int,
    body: bytes = b"",
    *,
    complete: bool = True,
    parser: str = "openai",
    said: Said = lambda _: False,
    **headers: str,
) -> FailedAttempt:
    """A status, read as the pipeline reads it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = read_error(body, named)
    return FailedAttempt(
        "status",
        status=status,
        error=found,
        body=body,
        body_complete=complete,
        topic=topic_of(status, found, model=MODEL, said=said),
        back_at=retry_after(named, NOW) or reset_in(found, NOW),
        refused=read_refusal(parser, status, named, found, NOW, None, said),
    )


def verdict(failed: FailedAttempt, *, can_refresh: bool = False) -> FailureVerdict:
    return classify(failed, NOW, can_refresh=can_refresh)


# -- before a status, or in spite of a good one -------------------------------------

BROKEN = [
    (
        FailedAttempt("cannot resolve"),
        Penalty.PROVIDER_FAILURE,
        False,
        "cannot resolve",
    ),
    (FailedAttempt("connect"), Penalty.PROVIDER_FAILURE, False, "connect"),
    (
        FailedAttempt("connect timeout"),
        Penalty.PROVIDER_FAILURE,
        False,
        "connect timeout",
    ),
    (FailedAttempt("tls"), Penalty.PROVIDER_FAILURE, False, "tls"),
    (
        FailedAttempt("no network", "this machine has no network"),
        Penalty.NOTHING,
        False,
        "this machine has no network",
    ),
    (
        FailedAttempt("closed before headers"),
        Penalty.PROVIDER_FAILURE,
        False,
        "closed before headers",
    ),
    (
        FailedAttempt("closed before headers", status=200),
        Penalty.FAILURE,
        True,
        "closed before content",
    ),
    (FailedAttempt("no first byte"), Penalty.FAILURE, True, "no first byte"),
    (
        FailedAttempt("no first byte", status=200),
        Penalty.FAILURE,
        True,
        "no first byte",
    ),
    (
        FailedAttempt("no first byte", sent=False),
        Penalty.FAILURE,
        False,
        "no first byte",
    ),
    (FailedAttempt("deadline"), Penalty.FAILURE, True, "deadline"),
    (FailedAttempt("deadline", sent=False), Penalty.NOTHING, False, "deadline"),
    (FailedAttempt("protocol error"), Penalty.FAILURE, True, "protocol error"),
    (
        FailedAttempt("judged", "empty stream", 200),
        Penalty.FAILURE,
        True,
        "empty stream",
    ),
    (FailedAttempt("judged", "error event", 200), Penalty.FAILURE, True, "error event"),
    (FailedAttempt("judged", "", 200), Penalty.FAILURE, True, "broken answer"),
]


@pytest.mark.parametrize(("failed", "mark", "counted", "reason"), BROKEN)
def test_broken(
    failed: FailedAttempt, mark: Penalty, counted: bool, reason: str
) -> None:
    assert verdict(failed) == FailureVerdict(
        NextStep.NEXT_CANDIDATE, mark, reason, counted
    )


# -- statuses --------------------------------------------------------------------------

ON = NextStep.NEXT_CANDIDATE
STRIKE, COOL, NOTHING = Penalty.FAILURE, Penalty.COOLDOWN, Penalty.NOTHING
ACCOUNT, GONE, SILENT = (
    Penalty.DISABLE_ACCOUNT,
    Penalty.DISABLE_MODEL,
    Penalty.DISABLE_DIALECT,
)
ENDPOINT = Penalty.DISABLE_ENDPOINT

STATUSES = [
    # 429: at once to the next, until its word
    (answered(429), ON, COOL, None),
    (answered(429, retry_after="7"), ON, COOL, 7),
    (answered(429, retry_after_ms="1500"), ON, COOL, 1.5),
    (answered(429, error("Rate limit reached", "rate_limit_exceeded")), ON, COOL, None),
    (answered(429, error("Quota", "insufficient_quota")), ON, ACCOUNT, HOUR),
    (
        answered(
            429,
            error(
                "Request too large on tokens per minute (TPM): Limit 6000, Requested 7000"
            ),
        ),
        ON,
        NOTHING,
        None,
    ),
    (answered(429, error("Overloaded", "engine_overloaded_error")), ON, COOL, None),
    # keys
    (answered(401), ON, ACCOUNT, HOUR),
    (
        answered(401, error("Incorrect API key provided", "invalid_api_key")),
        ON,
        ACCOUNT,
        HOUR,
    ),
    (answered(403), ON, ACCOUNT, HOUR),
    (
        answered(403, error("Country not supported", "unsupported_country")),
        ON,
        ACCOUNT,
        HOUR,
    ),
    # 403 that speak of something else
    (answered(403, error("You have exceeded a secondary rate limit")), ON, COOL, None),
    (
        answered(
            403, error("Project does not have access to model gpt-5", "model_not_found")
        ),
        ON,
        GONE,
        TEN_MINUTES,
    ),
    (
        answered(403, error("Your input was flagged")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (
        answered(403, error("Content violates usage guidelines.", "forbidden")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (answered(403, error("Request blocked by a firewall of ours")), ON, STRIKE, None),
    (answered(403, b"<html><h1>Sorry, you have been blocked</h1>"), ON, STRIKE, None),
    (answered(401, error("Something in what you sent is odd")), ON, STRIKE, None),
    (answered(403, error("No access to the container: c")), ON, NOTHING, None),
    # a request too large, whatever Google calls it
    (
        answered(
            429,
            error(
                "Request payload size exceeds the limit: 20971520 bytes.",
                "RESOURCE_EXHAUSTED",
            ),
        ),
        ON,
        NOTHING,
        None,
    ),
    # money
    (answered(402), ON, ACCOUNT, HOUR),
    (answered(402, error("Insufficient credits")), ON, ACCOUNT, HOUR),
    (answered(403, error("Billing is not active")), ON, ACCOUNT, HOUR),
    # money for a smaller request there is
    (
        answered(
            402, error("This request requires more credits, or fewer max_tokens.")
        ),
        ON,
        NOTHING,
        None,
    ),
    # no such model: by a code, by a parameter, or the text names what was sent
    *(
        (answered(404, body), ON, GONE, TEN_MINUTES)
        for body in (
            error("The model `x` does not exist", "model_not_found"),
            error("…", "DeploymentNotFound"),
            error("Unknown", None, "model"),
            error("The model `vendor/Model-1` does not exist"),
            error("models/vendor/Model-1 is not found for API version v1beta"),
            error("No endpoints found for vendor/model-1."),
            error("vendor/model-1: gone fishing"),
            b'{"error": "model \'vendor/Model-1\' not found"}',
            b'{"type": "error", "error": {"type": "not_found_error", "message": "model: vendor/Model-1"}}',
        )
    ),
    (answered(405, error("vendor/model-1 takes no POST")), ON, GONE, TEN_MINUTES),
    (
        answered(410, error("The model vendor/Model-1 is no more")),
        ON,
        GONE,
        TEN_MINUTES,
    ),
    *(
        (answered(status, error("…", code)), ON, GONE, TEN_MINUTES)
        for status in (400, 403, 404, 422)
        for code in ("model_not_found", "model_not_supported", "model_decommissioned")
    ),
    # a model in this dialect
    *(
        (answered(404, error(text)), ON, ENDPOINT, TEN_MINUTES)
        for text in (
            "This model is only supported in v1/responses and not in v1/chat/completions.",
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?",
        )
    ),
    (
        answered(
            400,
            error(
                'model "gpt-5.4" is not accessible via the /chat/completions endpoint',
                "unsupported_api_for_model",
            ),
        ),
        ON,
        ENDPOINT,
        TEN_MINUTES,
    ),
    # something that the request named or asked for
    *(
        (answered(status, body), ON, NOTHING, None)
        for status in (404, 410)
        for body in (
            error("Provider returned error", 404),
            error("No endpoints found that support tool use"),
            error("No endpoints found that support image input", 404),
            error("No allowed providers are available for the selected model."),
            error("Previous response with id 'vendor/model-1' not found."),
            error("Item with id 'rs_1' not found. Items are not persisted."),
            error("No such File object: file-1"),
            error("The model `other` does not exist"),
            error("model not found"),
            error("vendor/Model-10 is not there"),
            b'{"status": 404, "title": "Not Found", "detail": "Function \'12\': Not found for account \'abc\'"}',
        )
    ),
    (
        answered(404, error("gone: vendor/model-1"), said=lambda text: True),
        ON,
        NOTHING,
        None,
    ),
    (
        answered(401, error("input item ID does not belong to this connection")),
        ON,
        NOTHING,
        None,
    ),
    (
        answered(403, error("You do not have permission to access the File x.")),
        ON,
        NOTHING,
        None,
    ),
    (
        answered(
            403, error("Only available for Coding Agents", "access_terminated_error")
        ),
        ON,
        NOTHING,
        None,
    ),
    # nothing at this path
    *(
        (answered(status, body), ON, SILENT, TEN_MINUTES)
        for status in (404, 405, 410)
        for body in (
            b"",
            b"404 page not found",
            b"Not Found",
            b"<html>Not Allowed</html>",
            b'{"detail": "Not Found"}',
            b'{"detail": "Method Not Allowed"}',
            b'{"title": "Not Found", "status": 404}',
            error("Invalid URL (POST /v1/responses)"),
            error("Unknown request URL: POST /v1/x. Please check it.", "unknown_url"),
            error("Resource not found", "404"),
            error("Not Found", 404),
        )
    ),
    # a 400 or 422 takes nothing from anybody, unless a code says what it is about
    *(
        (answered(status, error(text)), ON, NOTHING, None)
        for status in (400, 422)
        for text in (
            "API key not valid. Please pass a valid API key.",
            "Your credit balance is too low to access the Anthropic API",
            "x is not a valid model ID",
            "Function id '12': DEGRADED function cannot be invoked",
        )
    ),
    *(
        (
            answered(status, error(text, "invalid_function_parameters")),
            NextStep.RETURN_ERROR,
            NOTHING,
            None,
        )
        for status in (400, 422)
        for text in (
            "Invalid schema for function 'get_billing_info': 'required' is needed",
            "Invalid schema for function 'insufficient_quota': x",
            "Invalid schema for function 'invalid_api_key': x",
            "tools.0.name: 'model not found' does not match",
            "Rate limit: your tool is called too often per day",
        )
    ),
    *(
        (answered(400, error("…", code)), ON, ACCOUNT, HOUR)
        for code in ("API_KEY_INVALID", "invalid_api_key", "insufficient_quota")
    ),
    # too long for this one
    (
        answered(
            400,
            error(
                "This model's maximum context length is 8192 tokens",
                "context_length_exceeded",
            ),
        ),
        NextStep.LARGER_CONTEXT,
        NOTHING,
        None,
    ),
    (
        answered(400, error("prompt is too long: 210000 tokens > 200000 maximum")),
        NextStep.LARGER_CONTEXT,
        NOTHING,
        None,
    ),
    (
        answered(
            413,
            error(
                "The input exceeds the maximum number of tokens allowed: exceeds the maximum number of tokens"
            ),
        ),
        NextStep.LARGER_CONTEXT,
        NOTHING,
        None,
    ),
    (
        answered(422, error("input is too long for requested model")),
        NextStep.LARGER_CONTEXT,
        NOTHING,
        None,
    ),
    (answered(413), ON, NOTHING, None),
    (
        answered(500, error("the request exceeds the available context size.")),
        NextStep.LARGER_CONTEXT,
        NOTHING,
        None,
    ),
    # the client's own
    (answered(400), NextStep.RETURN_ERROR, NOTHING, None),
    (
        answered(400, error("'messages' must contain the word 'json'")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (
        answered(
            400,
            error(
                "Unsupported parameter: 'temperature' is not supported with this model.",
                "unsupported_parameter",
            ),
        ),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (
        answered(400, error("This model does not support image input")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (
        answered(400, error("tool_choice is not supported for model x")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (
        answered(422, error("messages.0.role: unknown")),
        NextStep.RETURN_ERROR,
        NOTHING,
        None,
    ),
    (answered(415), NextStep.RETURN_ERROR, NOTHING, None),
    (answered(451), NextStep.RETURN_ERROR, NOTHING, None),
    # it broke on this request
    *(
        (answered(500, error(text)), ON, NOTHING, None)
        for text in (
            "Jinja Exception: After the optional system message, conversation roles must alternate",
            "'ClaudeContentBlockToolResult' object has no attribute 'id'",
            "'>' not supported between instances of 'int' and 'NoneType'",
        )
    ),
    # broken
    *((answered(status), ON, STRIKE, None) for status in (408, 409, 425, 498)),
    (answered(503, error("Busy. Please try again in 20s.")), ON, STRIKE, 20),
    *(
        (answered(status), ON, STRIKE, None)
        for status in (500, 501, 502, 503, 504, 520, 529, 599)
    ),
    (answered(503, error("Overloaded"), retry_after="9"), ON, STRIKE, 9),
    (answered(529, retry_after_ms="1500"), ON, STRIKE, 1.5),
    (answered(500, retry_after="86400"), ON, STRIKE, TEN_MINUTES),
    (answered(301), ON, STRIKE, None),
    (answered(307), ON, STRIKE, None),
    (answered(304), ON, STRIKE, None),
]


@each_row(("failed", "next", "mark", "back_in"), STATUSES)
def test_status(
    failed: FailedAttempt, next: NextStep, mark: Penalty, back_in: float | None
) -> None:
    found = verdict(failed)
    assert (found.next, found.penalty) == (next, mark)
    assert found.until == (None if back_in is None else NOW + back_in)
    ours = (
        next in (ON, NextStep.LARGER_CONTEXT)
        and mark is NOTHING
        and failed.status == 500
    )
    assert found.counted is (
        mark is STRIKE or next is NextStep.RETURN_ERROR or (ours and next is ON)
    )
    assert str(failed.status) in found.reason
    assert len(found.reason) <= 80


def test_session_is_renewed_once() -> None:
    refused = answered(401)
    assert verdict(refused, can_refresh=True).next is NextStep.REFRESH_CREDENTIAL
    assert verdict(refused, can_refresh=True).penalty is NOTHING
    assert verdict(refused).penalty is ACCOUNT
    assert verdict(answered(403), can_refresh=True).penalty is ACCOUNT
    ids = answered(401, error("input item ID does not belong to this connection"))
    for can_refresh in (False, True):
        found = verdict(ids, can_refresh=can_refresh)
        assert (found.next, found.penalty) == (ON, NOTHING)


@pytest.mark.parametrize(
    ("failed", "may"),
    [
        (answered(400, error("Unknown parameter: 'x'")), True),
        (answered(401, error("input item ID does not belong to this connection")), True),
        (answered(401, error("No.", "invalid_api_key")), False),
        (answered(402, error("Insufficient credits")), False),
        (answered(405, error("not a chat model")), True),
        (answered(500, error("'X' object has no attribute 'id'")), True),
        (answered(400, error("Prompt is too long")), False),
        (answered(429, error("Rate limit reached")), False),
        (FailedAttempt("judged", "x", 200, error=read_error(b'{"error": "x"}')), False),
    ],
)  # fmt: skip
def test_what_may_teach(failed: FailedAttempt, may: bool) -> None:
    assert may_teach(failed) is may


def test_reason_is_a_class_and_a_code() -> None:
    said = error("sk-secret is not a valid key, said a provider", "invalid_api_key")
    assert verdict(answered(401, said)).reason == "401 invalid_api_key"
    assert verdict(answered(500, b"<html>")).reason == "500"
    assert verdict(answered(500, error("x", "y" * 200))).reason == "500"
    assert verdict(answered(500, error("x", "no: sk-secret"))).reason == "500"


KINDS = [failed.kind for failed, *_ in BROKEN] + ["status"]


@given(
    st.sampled_from(KINDS),
    st.one_of(st.none(), st.integers(100, 999)),
    st.binary(max_size=80)
    | st.builds(error, st.text(max_size=60), st.text(max_size=20)),
    st.booleans(),
)
def test_any_failure_has_a_verdict(
    kind: str, status: int | None, body: bytes, can_refresh: bool
) -> None:
    failed = answered(status or 0, body)
    failed = replace(failed, kind=kind, status=status)
    found = verdict(failed, can_refresh=can_refresh)
    # An account that is of no use is not asked again at once, and a key is not spent
    # on a redirect.
    if found.penalty in (ACCOUNT, GONE):
        assert found.until is not None
        assert found.until > NOW
    if found.next is NextStep.RETURN_ERROR:
        assert kind == "status"
        assert 400 <= (status or 0) < 500
    final = final_response([("a/m", failed)], (), model="m", now=NOW)
    if isinstance(final, GatewayError):
        assert final.status in (429, 502, 503, 504)
    else:
        assert final.failed.status is not None
        assert final.failed.status >= 400


# -- the last word ---------------------------------------------------------------------


def skipped(
    name: str, state: str, reason: str, back_in: float | None = None
) -> Candidate:
    offer = Offer(provider=name, account="", model="m", type="openai", name="m")
    returns_at = None if back_in is None else NOW + back_in
    return Candidate(offer, Verdict.SKIPPED, reason, state=state, returns_at=returns_at)


BAD_REQUEST = answered(400, error("bad"))
LIMITED = answered(429, error("slow down", "rate_limit_exceeded"))
BROKE = answered(500, error("oops"))
BROKE_LATER = answered(503, error("oops again"))
REFUSED, LATE = FailedAttempt("connect"), FailedAttempt("no first byte")
COOLING = skipped("a", "cooling down", "cooling down: 429", 30)
FULL = skipped("b", "at limit", "requests/day 20 of 20", 900)
FAILING = skipped("c", "failing", "failing: connect", 60)
DISABLED = skipped("d", "disabled", "disabled: 401", HOUR)
SILENCED = skipped("s", "disabled", "disabled: does not speak chat", 600)
UNSET = skipped("e", "not configured", "not configured: X_KEY is not set")

NO_SUCH_ITEM = answered(404, error("Item with id 'rs_1' not found."))

PASSED = [
    ([BAD_REQUEST], BAD_REQUEST),
    ([LIMITED, BAD_REQUEST], BAD_REQUEST),
    ([BAD_REQUEST, LIMITED, BROKE], BAD_REQUEST),
    ([answered(413), LIMITED], answered(413)),
    # Something that it named is the client's to know of.
    ([NO_SUCH_ITEM], NO_SUCH_ITEM),
    ([NO_SUCH_ITEM, LIMITED, answered(404)], NO_SUCH_ITEM),
    ([BROKE], BROKE),
    ([BROKE, BROKE_LATER], BROKE_LATER),
    ([BROKE, LIMITED], BROKE),
    ([BROKE, REFUSED], BROKE),
    # A page and an empty body tell an app nothing.
    ([BROKE, answered(502, b"<html>"), answered(503)], BROKE),
    ([BROKE, answered(500, error("half"), complete=False)], BROKE),
    # Words about keys, money and the config are for whoever runs the gateway.
    ([BROKE, answered(400, error("API key not valid"))], BROKE),
    ([BROKE, answered(400, error("Your credit balance is too low"))], BROKE),
    ([BROKE, answered(400, error("x is not a valid model ID"))], BROKE),
    ([BROKE, answered(404), answered(404, error("…", "model_not_found"))], BROKE),
]


@pytest.mark.parametrize(("tried", "expected"), PASSED)
def test_last_word_of_a_provider(
    tried: Sequence[FailedAttempt], expected: FailedAttempt
) -> None:
    named = [(f"{i}/m", failed) for i, failed in enumerate(tried)]
    for rest in ((), (COOLING,), (FAILING, DISABLED)):
        assert final_response(named, rest, model="m", now=NOW) == UpstreamError(
            expected
        )


OWN = [
    ([], [FULL], 429, 900),
    ([], [COOLING, FULL], 429, 30),
    ([], [FULL, DISABLED], 429, 900),
    ([LIMITED], [COOLING], 429, 30),
    ([LIMITED, REFUSED], [COOLING], 429, 30),
    ([REFUSED], [], 502, None),
    ([REFUSED], [FAILING], 502, 60),
    ([REFUSED, LATE], [], 502, None),
    (
        [LATE, FailedAttempt("deadline"), FailedAttempt("connect timeout")],
        [],
        504,
        None,
    ),
    ([LATE], [UNSET], 504, None),
    ([LATE], [FULL], 429, 900),
    ([FailedAttempt("judged", "empty stream", 200)], [], 502, None),
    ([answered(500, b"<html>")], [], 502, None),
    ([answered(405)], [], 502, None),
    ([answered(401)], [DISABLED], 503, HOUR),
    ([answered(404)], [DISABLED], 503, HOUR),
    ([answered(405)], [SILENCED], 400, None),
    ([], [SILENCED], 400, None),
    ([answered(405)], [SILENCED, FAILING], 503, 60),
    ([LIMITED], [SILENCED], 503, 600),
    ([], [FAILING, DISABLED, UNSET], 503, 60),
    ([], [UNSET], 503, None),
    (
        [],
        [skipped("f", "ready", "costs money, and the policy is free-only")],
        429,
        None,
    ),
    ([], [], 429, None),
]


@each_row(("tried", "rest", "status", "back_in"), OWN)
def test_last_word_of_our_own(
    tried: Sequence[FailedAttempt],
    rest: Sequence[Candidate],
    status: int,
    back_in: float | None,
) -> None:
    named = [(f"{i}/m", failed) for i, failed in enumerate(tried)]
    found = final_response(named, rest, model="m", now=NOW)
    assert isinstance(found, GatewayError)
    assert found.status == status
    assert found.retry_at == (None if back_in is None else NOW + back_in)
    for name, _ in named:
        assert f"{name}: " in found.message
    for candidate in rest:
        assert f"{candidate.offer.provider}/m: {candidate.reason}" in found.message


def test_each_candidate_has_one_reason() -> None:
    found = final_response([("a/m", LIMITED)], [COOLING, FULL], model="m", now=NOW)
    assert isinstance(found, GatewayError)
    assert found.message == (
        "Every provider of 'm' is exhausted. "
        "a/m: cooling down: 429; b/m: requests/day 20 of 20"
    )
