"""Reads a failed answer: its error, what it says of limits, and when to come back.

What lives here: `read_failure`, of an answer with a failing status, and `read_rejected`, of one
that was judged none whatever its status. The body is decompressed and masked before anything
is read from it, and the parsers of the core say what it means.

What this file does not know: what a failure is answered with, or costs (failures.py).
"""

from dataclasses import replace

from mitmproxy import http

from llm_gateway.app.log_redaction import mask_of
from llm_gateway.app.state import AppState
from llm_gateway.dialects import read_error
from llm_gateway.dialects.access_refusals import may_be_of_headers
from llm_gateway.dialects.error_topics import (
    About,
    By,
    Topic,
    refusing_status,
    topic_of,
)
from llm_gateway.domain import FailureKind, Offer, Reset, Window
from llm_gateway.limits.durations import retry_after
from llm_gateway.limits.provider_refusals import read_refusal
from llm_gateway.limits.reset_times import reset_in
from llm_gateway.pipeline.billed_though_free import refused_as_billed
from llm_gateway.pipeline.encoded_errors import decoded
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.observed_limits import lowercase_headers
from llm_gateway.pipeline.response_headers import error_headers
from llm_gateway.routing.failure_policy import FailedAttempt
from llm_gateway.transport.attempt_policy import Failure

JSON = "application/json"


def read_failure(
    runtime: AppState,
    exchange: Exchange,
    attempt: Attempt,
    failure: Failure,
    status: int,
) -> FailedAttempt:
    """An answer that is an error, with all that it says."""
    now = runtime.clock()
    offer, row = attempt.candidate.offer, attempt.upstream.type_info
    mask = mask_of(exchange.catalog, attempt.fetched_key)
    if failure.headers is not None:
        fields = mask.fields([*failure.headers.fields])
        failure.headers = http.Headers(fields)
    headers = lowercase_headers(failure.headers)
    if (encoding := headers.get("content-encoding")) is not None:
        failure.body = _readable(exchange, failure, encoding)
    # Before anything is read from it: its code goes into log, ledger and messages.
    failure.body = mask.data(failure.body)
    error = read_error(failure.body, headers)
    refused_as_billed(runtime, attempt, error)
    days = _day_reset(offer) or row.day
    said = attempt.form.body.says
    topic = topic_of(
        status, error, model=attempt.upstream.sent_model(offer.model), said=said
    )
    own = _account_headers(exchange, row.forwarded_direct)
    if own and may_be_of_headers(status, error, own, sure=topic.by is By.CODE):
        topic = Topic(About.NAMED, By.NAME)
    return FailedAttempt(
        failure.kind.value,
        failure.message,
        status,
        error,
        failure.body,
        failure.body_complete,
        headers.get("content-type", ""),
        topic=topic,
        advice=error_headers(failure.headers, row.support_ids),
        back_at=retry_after(headers, now) or reset_in(error, now),
        sent=failure.request_sent,
        refused=read_refusal(
            row.limit_headers, status, headers, error, now, days, said
        ),
    )


def read_rejected(
    runtime: AppState, exchange: Exchange, attempt: Attempt, failure: Failure
) -> FailedAttempt:
    """An answer that was judged none. Where the error in it says that the request is refused,
    it is that refusal, whatever status it came with: a lesson, or the client's mistake."""
    judge = attempt.judge
    peek = judge.peek if judge is not None else None
    reason = judge.reject_reason if judge is not None else failure.message
    error = peek.error if peek is not None else None
    failed = FailedAttempt(
        failure.kind.value, reason, failure.status, error, sent=failure.request_sent
    )
    if peek is None or error is None or not peek.said:
        return failed
    status = refusing_status(error)
    if status is None:
        return failed
    headers = failure.headers.copy() if failure.headers is not None else None
    if headers is not None:
        headers.pop("content-encoding", None)  # the judge has read it already
        headers["content-type"] = JSON
    inner = replace(
        failure,
        kind=FailureKind.STATUS,
        status=status,
        headers=headers,
        body=peek.said,
        body_complete=True,
    )
    found = read_failure(runtime, exchange, attempt, inner, status)
    return replace(found, inside=failure.status)


def _account_headers(exchange: Exchange, row: frozenset[bytes]) -> frozenset[str]:
    """The client's headers beside our key that say whose account it means: an
    organization, a project."""
    if not row or exchange.original is not None:
        return frozenset()
    return frozenset(
        name.lower().decode("latin-1")
        for name, value in exchange.headers
        if name.lower() in row and value
    )


def _readable(exchange: Exchange, failure: Failure, encoding: str) -> bytes:
    """A compressed error body as a client can read it, or what stands for it."""
    found = decoded(failure.body, encoding)
    if found is not None:
        return found
    return exchange.dialect.error_body(
        failure.status or 502,
        "unreadable_error",
        f"The provider's error came with the content-encoding {encoding[:20]!r}, which "
        "nobody asked for and which cannot be read.",
    )


def _day_reset(offer: Offer) -> Reset | None:
    """When this offer's days begin, if its limits say so."""
    days = (limit.reset for limit in offer.limits if limit.window is Window.DAY)
    return next(days, None)
