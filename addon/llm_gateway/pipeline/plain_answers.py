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
from llm_gateway.translation.translator import AnswerTranslator


def complete(runtime: AppState, exchange: Exchange, attempt: Attempt) -> None:
    """What is known only once a plain answer is whole: its calls, its cost, its
    model's name. What is changed is compressed no more."""
    response = exchange.flow.response
    assert response is not None
    body = _decoded(response)
    made = None if body is None else issued.mended(runtime, exchange, attempt, body)
    if attempt.translator is not None:
        made = _translated(exchange, attempt.translator, response, made or b"")
    elif made and exchange.catalog.config.routing.answer_model == "requested":
        made = renamed_answer(exchange.dialect, made, exchange.call.ask.model)
    if made is not None:
        # The key that its provider was sent is in no answer.
        search = keys_of(exchange.catalog, attempt.upstream, attempt.fetched_key)
        made = search.whole(made)
        if made != body:
            response.headers.pop("content-encoding", None)
            response.content = made
    cost = exchange.record.cost
    if cost is not None:
        said = (b"x-gateway-cost", b"%.9f" % (cost / 1e9))
        response.headers.fields = (*response.headers.fields, said)


def _decoded(response: http.Response) -> bytes | None:
    """The body without its coding; None: it cannot be read."""
    coding = response.headers.get("content-encoding", "")
    try:
        return decoded(response.raw_content or b"", coding)
    except BadCoding:
        return None


def _translated(
    exchange: Exchange,
    translator: AnswerTranslator,
    response: http.Response,
    body: bytes,
) -> bytes:
    """A plain answer that is held, in the client's dialect; a stream of it where the
    client asked for one."""
    translated_answers.set_form(response, streamed=exchange.call.ask.stream)
    made = translator.plain(body)
    if translator.failed_with is not None:
        response.status_code = exchange.record.status = 502
    elif (array := array_for(exchange)) is not None:
        response.headers["content-type"] = "application/json"
        made = array.feed(made) + array.finish()
    return made
