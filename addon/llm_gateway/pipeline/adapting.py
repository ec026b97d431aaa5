"""Adapts a request to one candidate: its row's quirks and the learned ones, and what was changed.

What lives here: which quirks hold for an offer, the adapter's run, the body as it left (for
lessons), and how a decision shows what was changed. A candidate without quirks costs two
lookups and gets the client's bytes.

What this file does not know: what a refusal means (failures.py), limits, the ledger.
"""

import asyncio
from collections.abc import Collection
from dataclasses import replace

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted, Change
from llm_gateway.adaptation.conversation_quirks import Talk
from llm_gateway.adaptation.kept_state import asker_of
from llm_gateway.adaptation.top_level import adapt_top_level
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.app.state import AppState
from llm_gateway.domain import Adaptation, Decision, Dialect, Offer
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.providers.quirk_rows import quirks_of
from llm_gateway.providers.upstream import Upstream

MENDED = "mended in the answer"
"""What the client's SDK would have broken on, in a decision."""


def known_quirks(
    runtime: AppState,
    exchange: Exchange,
    dialect: Dialect,
    upstream: Upstream,
    offer: Offer,
) -> Quirks:
    """Those of the provider's row, those that its refusals have taught everybody or this
    asker, and those of this conversation, for what is written in `dialect`; the later win."""
    row = quirks_of(
        upstream.type_info.type,
        dialect,
        upstream.sent_model(offer.model),
        upstream.origin.host,
    )
    found = runtime.quirks.of(offer.provider, offer.model, dialect)
    known = row if found is NO_QUIRKS else row | found
    if tried := tried_quirks(runtime, exchange, dialect, offer):
        known |= tried
    if runtime.conversation_quirks:
        own = runtime.conversation_quirks.of(talk_of(exchange, dialect, offer))
        return known if own is NO_QUIRKS else known | own
    return known


def tried_quirks(
    runtime: AppState, exchange: Exchange, dialect: Dialect, offer: Offer
) -> Quirks:
    """Those that this asker alone was taught, until a request with them is answered."""
    if not runtime.tried_quirks:
        return NO_QUIRKS
    place = offer.provider, offer.model, dialect
    return runtime.tried_quirks.of(who_asks(exchange), place, runtime.clock())


def who_asks(exchange: Exchange) -> str:
    return asker_of(exchange.call.known_client, exchange.call.client)


def talk_of(exchange: Exchange, dialect: Dialect, offer: Offer) -> Talk:
    """The conversation that this request belongs to, with this offer's model."""
    call = exchange.call
    return Talk(
        who_asks(exchange),
        call.ask.opening,
        offer.provider,
        offer.model,
        dialect,
    )


def adapt(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    upstream: Upstream,
    offer: Offer,
    quirks: Quirks,
) -> Adapted:
    """What of this form's body is written otherwise for this offer."""
    if not is_touched(form, quirks):
        return UNCHANGED
    made = exchange.adapted.get((form, offer.key))
    if made is not None and made[0] == quirks:
        return made[1]
    adapter = form.dialect.adapt or adapt_top_level
    recall = runtime.recall(exchange.call, upstream, offer.model)
    found = adapter(form.values(), quirks, recall)
    return _with_headers(found, exchange) if found.headers else found


def is_touched(form: RequestForm, quirks: Quirks) -> bool:
    """Something may be written otherwise: the body has to be read."""
    return quirks is not NO_QUIRKS or form.body.needs_look


def is_late(
    exchange: Exchange, form: RequestForm, offer: Offer, quirks: Quirks
) -> bool:
    """To adapt it here and now would hold up everybody else: the body is large."""
    if len(form.body.raw) <= INLINE_BYTES or not is_touched(form, quirks):
        return False
    made = exchange.adapted.get((form, offer.key))
    return made is None or made[0] != quirks


async def adapt_aside(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    upstream: Upstream,
    offer: Offer,
    quirks: Quirks,
) -> None:
    """The same as `adapt`, on a thread; `adapt` finds what came of it."""
    found = await asyncio.to_thread(
        adapt, runtime, exchange, form, upstream, offer, quirks
    )
    exchange.adapted[form, offer.key] = quirks, found


def _with_headers(adapted: Adapted, exchange: Exchange) -> Adapted:
    """List headers of the client's that are edited are parts, too."""
    changes = adapted.changes
    for edit in adapted.headers:
        name = edit.name.encode()
        given = b",".join(v for k, v in exchange.headers if k.lower() == name)
        names = [each.strip() for each in given.decode("latin-1").split(",")]
        if any(each and not edit.keeps(each) for each in names):
            changes = (*changes, Change(edit.name))
        elif set(edit.add) - set(names):
            changes = (*changes, Change(edit.name, ", ".join(edit.add)))
    return adapted._replace(changes=changes)


def sent_values(attempt: Attempt) -> dict[str, object]:
    """Top-level values of the body as it left."""
    row, adapted = attempt.upstream.type_info, attempt.adapted
    values = {**attempt.form.values(), **adapted.replaced}
    gone = adapted.dropped | row.drops | attempt.candidate.drops
    if row.stream_usage == "reject":
        gone |= {"stream_options"}
    names = {**row.renames, **adapted.renamed}
    sent = {names.get(k, k): v for k, v in values.items() if k not in gone}
    if attempt.strip_usage:
        sent["stream_options"] = {"include_usage": True}
    return sent


def decision_with(decision: Decision, attempt: Attempt) -> Decision:
    """The same, with what was changed for the candidate of this attempt, and in its answer."""
    shown = adaptation_of(attempt.form, attempt.adapted, attempt.mended)
    if (answer := attempt.translator) is not None:
        shown = replace(
            shown,
            dropped=(*shown.dropped, *answer.dropped),
            approximated=(*shown.approximated, *answer.approximated),
        )
    key = attempt.candidate.offer.key
    return replace(
        decision,
        candidates=tuple(
            replace(c, adaptation=shown) if c.offer.key == key else c
            for c in decision.candidates
        ),
    )


def adaptation_of(
    form: RequestForm, adapted: Adapted, mended: Collection[str] = ()
) -> Adaptation:
    """Of the request, and of its answer what was mended. Parts only, never content."""
    dropped, approximated = [], []
    for part, how in dict.fromkeys(adapted.changes):
        if how:
            approximated.append((part, how))
        else:
            dropped.append((part, "not taken there"))
    approximated += [(part, MENDED) for part in sorted(mended)]
    if (translation := form.translation) is None:
        return Adaptation(tuple(dropped), tuple(approximated))
    made = translation.adaptation
    return Adaptation(
        (*made.dropped, *dropped), (*made.approximated, *approximated), made.pair
    )
