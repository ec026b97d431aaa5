"""Plain (not streamed) answers that are held: mended, translated, renamed, with their cost.

What this file does not know: answers that go by as they come (answer_streaming.py).
"""

from mitmproxy import http

from llm_gateway.app.log_redaction import keys_of
from llm_gateway.app.state import AppState
from llm_gateway.dialects import renamed_answer
from llm_gateway.pipeline import issued, translated_answers
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.stream_filters import array_for
from llm_gateway.streaming.content_coding import BadCoding, decoded
from llm_gateway.streaming.key_filter import KeyFilter
from llm_gateway.translation.translator import AnswerTranslator


def complete(runtime: AppState, exchange: Exchange, attempt: Attempt) -> None:
    """What is known only once a plain answer is whole: its calls, its cost, its
    model's name."""
    response = exchange.flow.response
    assert response is not None
    issued.mend(runtime, exchange, attempt, response)
    if attempt.translator is not None:
        _translate(exchange, attempt.translator, response)
    elif exchange.catalog.config.routing.answer_model == "requested":
        _rename(exchange, response)
    _without_keys(exchange, attempt, response)
    cost = exchange.record.cost
    if cost is not None:
        said = (b"x-gateway-cost", b"%.9f" % (cost / 1e9))
        response.headers.fields = (*response.headers.fields, said)


def _without_keys(
    exchange: Exchange, attempt: Attempt, response: http.Response
) -> None:
    """The key that its provider was sent is in no answer."""
    search = keys_of(exchange.catalog, attempt.upstream, attempt.fetched_key)
    coding = response.headers.get("content-encoding", "")
    try:
        body = decoded(response.raw_content or b"", coding)
    except BadCoding:
        return
    keys = KeyFilter(search)
    clean = keys.whole(body)
    if keys.found:
        response.headers.pop("content-encoding", None)
        response.content = clean


def _translate(
    exchange: Exchange,
    translator: AnswerTranslator,
    response: http.Response,
) -> None:
    """A plain answer that is held, in the client's dialect; a stream of it where the
    client asked for one."""
    coding = response.headers.get("content-encoding", "")
    try:
        body = decoded(response.raw_content or b"", coding)
    except BadCoding:
        body = b""
    translated_answers.set_form(response, streamed=exchange.call.ask.stream)
    made = translator.plain(body)
    if translator.failed_with is not None:
        response.status_code = exchange.record.status = 502
    elif (array := array_for(exchange)) is not None:
        response.headers["content-type"] = "application/json"
        made = array.feed(made) + array.finish()
    response.content = made


def _rename(exchange: Exchange, response: http.Response) -> None:
    """The model as the client named it; what was compressed is so no more."""
    coding = response.headers.get("content-encoding", "")
    try:
        body = decoded(response.raw_content or b"", coding)
    except BadCoding:
        return
    response.headers.pop("content-encoding", None)
    asked = exchange.call.ask.model
    response.content = renamed_answer(exchange.dialect, body, asked)
