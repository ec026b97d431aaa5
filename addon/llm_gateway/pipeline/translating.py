"""Translates a request for a candidate that does not speak the client's dialect.

What lives here: which other dialects an offer may be asked in, the form that is made for one
from the client's untouched request, and its memory for the time of one exchange: who is asked
again under the same quirks gets the same bytes.

What this file does not know: how anything is written in a dialect (the dialects' codecs), who
is chosen.
"""

from dataclasses import replace
from urllib.parse import quote

from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.app.state import AppState
from llm_gateway.dialects import (
    SPECS,
    DialectSpec,
    RequestError,
    read,
    translations,
    written,
)
from llm_gateway.dialects.spec import ModelPlace
from llm_gateway.domain import Candidate, Dialect, Offer
from llm_gateway.pipeline.adapting import known_quirks
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.pipeline.request_form import RequestForm, Translation
from llm_gateway.providers.upstream import Upstream
from llm_gateway.routing.selection import CANNOT_TAKE
from llm_gateway.routing.worst_case import extras_of
from llm_gateway.translation.codec import Target
from llm_gateway.translation.translator import CannotCarry, translate_request


def other_ways(exchange: Exchange, offer: Offer, but: Dialect) -> tuple[Dialect, ...]:
    """The dialects besides `but` in which this offer may still be asked."""
    if not exchange.call.translate or exchange.subpath:
        return ()
    source = exchange.dialect.name
    return tuple(
        dialect
        for dialect in (source, *translations(source))
        if dialect in offer.dialects
        and dialect != but
        and (*offer.key, dialect) not in exchange.exclude
    )


def form_of(
    runtime: AppState, exchange: Exchange, upstream: Upstream, candidate: Candidate
) -> RequestForm | str:
    """What a candidate is sent; or why it cannot be, as the reason of a skipped one."""
    if candidate.dialect is None:
        return exchange.form
    offer = candidate.offer
    quirks = known_quirks(runtime, exchange, candidate.dialect, upstream, offer)
    made = exchange.forms.get((offer.key, candidate.dialect))
    if made is not None and made[0] == quirks:
        return made[1]
    target = Target(
        model=upstream.sent_model(offer.model),
        maker=upstream.maker(offer.model),
        quirks=quirks,
        max_output=offer.max_output,
        takes=upstream.type_info.takes,
    )
    spec = SPECS[candidate.dialect]
    recall = runtime.recall(exchange.call, upstream, offer.model)
    estimate = runtime.estimator.tokens_in(exchange.call.ask.input_estimate, offer.key)
    found = _translated(
        exchange, offer, spec, target, recall, estimate, free=candidate.zero_cost
    )
    exchange.forms[offer.key, candidate.dialect] = quirks, found
    return found


def is_late(
    runtime: AppState, exchange: Exchange, upstream: Upstream, candidate: Candidate
) -> bool:
    """To translate it here and now would hold up everybody else: the body is large."""
    if candidate.dialect is None or len(exchange.body.raw) <= INLINE_BYTES:
        return False
    offer = candidate.offer
    made = exchange.forms.get((offer.key, candidate.dialect))
    if made is None:
        return True
    return made[0] != known_quirks(
        runtime, exchange, candidate.dialect, upstream, offer
    )


def _translated(
    exchange: Exchange,
    offer: Offer,
    spec: DialectSpec,
    about: Target,
    recall: Recall,
    estimate: int,
    *,
    free: bool,
) -> RequestForm | str:
    """estimate: tokens of the prompt, for answers that have to say them too early."""
    source, target = exchange.dialect.codecs, spec.codecs
    assert source is not None
    assert target is not None
    ask = exchange.call.ask
    said = exchange.form.values()
    if exchange.dialect.model_place is ModelPlace.PATH:
        said = {**said, "model": ask.model, "stream": ask.stream}
    found = translate_request(source, target, said, about, recall)
    if isinstance(found, CannotCarry):
        return str(found)
    body = read(
        spec, written(found.body), path=_path(spec, about.model, streamed=ask.stream)
    )
    if isinstance(body, RequestError):
        return f"{CANNOT_TAKE}{body.message}"
    if body.ask.extras and free:
        extras = extras_of(offer, body.ask)
        if extras.fees:
            return f"{CANNOT_TAKE}asks for a paid extra: {extras.why}"
    context = replace(found.context, input_estimate=estimate)
    if exchange.catalog.config.routing.answer_model == "upstream":
        context = replace(context, model=about.model)
    translation = Translation(source, target, found.adaptation, context)
    return RequestForm(body, translation, found.body)


def _path(spec: DialectSpec, model: str, *, streamed: bool) -> str:
    """The request's own path, where it says what the body does not."""
    path = spec.path.replace("{model}", quote(model, safe=""))
    if spec.actions is not None:
        path = path.replace("{action}", spec.actions[streamed].word)
    return path
