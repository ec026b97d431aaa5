"""Answers on their way to a client: mended by their dialect, what they issue is kept.

Calls, thoughts and signatures of every answer that goes through are remembered for who
asked, whatever the provider, before the client can send the next request.
"""

from collections.abc import Callable, Mapping
from functools import partial

from llm_gateway.adaptation.adapted import AnswerNames
from llm_gateway.adaptation.kept_state import CallKey, asker_of, fingerprint
from llm_gateway.app.state import AppState
from llm_gateway.dialects import RequestBody
from llm_gateway.dialects.answer_observer import (
    Answered,
    Issued,
    StreamObserver,
    parsed,
    with_members,
)
from llm_gateway.dialects.restoring_observer import RestoringObserver
from llm_gateway.pipeline.exchange import Attempt, Exchange


def observer(
    runtime: AppState, exchange: Exchange, attempt: Attempt
) -> StreamObserver | None:
    """For the meter of a stream; None where the dialect has none."""
    observe, restore = attempt.form.dialect.observe, attempt.adapted.restore
    if exchange.subpath or (observe is None and restore is None):
        return None
    found = (
        observe(_answered(runtime, exchange, attempt)) if observe is not None else None
    )
    if restore is not None:
        found = RestoringObserver(restore(), found)
    assert found is not None
    attempt.mended = found.mended
    return found


def mended(
    runtime: AppState, exchange: Exchange, attempt: Attempt, body: bytes
) -> bytes:
    """A plain answer that is held, as it goes to the client; the same where nothing is
    mended."""
    peek = attempt.judge.peek if attempt.judge is not None else None
    answer = peek.answer if peek is not None and body[:1] == b"{" else None
    return read_whole(runtime, exchange, attempt, body, answer)


def read_whole(
    runtime: AppState,
    exchange: Exchange,
    attempt: Attempt,
    body: bytes,
    answer: Mapping[str, object] | None = None,
) -> bytes:
    """The body of a plain answer as it goes to the client; its calls are kept.

    answer: what is in it, where it was parsed already.
    """
    restore = attempt.adapted.restore
    if restore is not None and body and not exchange.subpath:
        body, answer = _restored(restore(), body), None
    read_plain = attempt.form.dialect.read_plain
    if read_plain is None or exchange.subpath or not body:
        return body
    asked = _answered(runtime, exchange, attempt)
    found = read_plain(body, asked, answer)
    if found.issued.calls or found.issued.signed:
        asked.keep(found.issued)
    attempt.mended |= found.mended
    return found.body


def _restored(names: AnswerNames, body: bytes) -> bytes:
    answer = parsed(body)
    if answer is None:
        return body
    made = names.answer(answer)
    if made is answer:
        return body
    return with_members(body, {k: v for k, v in made.items() if v != answer.get(k)})


def _answered(runtime: AppState, exchange: Exchange, attempt: Attempt) -> Answered:
    def keep(what: Issued) -> None:
        _keep(runtime, exchange, attempt, what)

    def history() -> bytes:
        body = attempt.form.body
        where = body.dialect.history_member
        return b"".join(
            body.raw[m.start : m.end] for m in body.members if m.key == where
        )

    return Answered(history, exchange.call.ask.n, keep)


def _keep(
    runtime: AppState, exchange: Exchange, attempt: Attempt, what: Issued
) -> None:
    call, kept = exchange.call, runtime.kept
    maker = attempt.upstream.maker(attempt.candidate.offer.model)
    for block in what.signed:
        kept.signed.remember(block, maker)
    if what.calls:
        offer = attempt.candidate.offer
        place = offer.provider, offer.model, attempt.form.dialect.name
        runtime.text_calls.called(place)
        kept.remember(
            asker_of(call.known_client, call.client),
            maker,
            what.calls,
            conversation=call.ask.opening,
            earlier=_earlier(attempt.form.body),
        )


def item_keeper(
    runtime: AppState, exchange: Exchange
) -> Callable[[str, Mapping[str, object]], None]:
    """Remembers items of translated answers for who asks."""
    call = exchange.call
    remember = runtime.kept.items.remember
    return partial(remember, asker_of(call.known_client, call.client))


def _earlier(body: RequestBody) -> Callable[[CallKey], int]:
    """How often a call stands in the history that was answered; reads it when asked."""
    read = body.dialect.history_calls

    def count(call: CallKey) -> int:
        values = parsed(body.raw)
        if read is None or values is None:
            return 0
        which = call.id, fingerprint(call.name, call.arguments)
        return sum(
            (one.id, fingerprint(one.name, one.arguments)) == which
            for one in read(values)
            if one.id == call.id
        )

    return count
