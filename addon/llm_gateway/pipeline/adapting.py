"""Adapts a request to one candidate: its row's quirks and the learned ones, and what was changed.

What lives here: which quirks hold for an offer, the adapter's run, the body as it left (for
lessons), and how a decision shows what was changed. A candidate without quirks costs two
lookups and gets the client's bytes.

What this file does not know: what a refusal means (failures.py), limits, the ledger.
"""

from dataclasses import replace

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.adaptation.learned import LearnedQuirks
from llm_gateway.adaptation.top_level import adapt_top_level
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DialectSpec
from llm_gateway.domain import Adaptation, Decision, Offer
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.providers.quirk_rows import quirks_of
from llm_gateway.providers.upstream import Upstream


def known_quirks(
    learned: LearnedQuirks, upstream: Upstream, offer: Offer, dialect: DialectSpec
) -> Quirks:
    """Those of the provider's row and those that its refusals have taught; the learned
    ones win."""
    row = quirks_of(
        upstream.type_info.type, dialect.name, upstream.sent_model(offer.model)
    )
    found = learned.of(offer.provider, offer.model, dialect.name)
    return row if found is NO_QUIRKS else row | found


def adapt(
    runtime: AppState,
    exchange: Exchange,
    upstream: Upstream,
    offer: Offer,
    quirks: Quirks,
) -> Adapted:
    """What of the client's body is written otherwise for this offer."""
    if quirks is NO_QUIRKS and not exchange.needs_look():
        return UNCHANGED
    adapter = exchange.dialect.adapt or adapt_top_level
    recall = runtime.recall(exchange.call, upstream, offer.model)
    return adapter(exchange.values(), quirks, recall)


def sent_values(exchange: Exchange, attempt: Attempt) -> dict[str, object]:
    """Top-level values of the body as it left."""
    row, adapted = attempt.upstream.type_info, attempt.adapted
    values = {**exchange.values(), **adapted.replaced}
    gone = adapted.dropped | row.drops | attempt.candidate.drops
    if row.stream_usage == "reject":
        gone |= {"stream_options"}
    names = {**row.renames, **adapted.renamed}
    sent = {names.get(k, k): v for k, v in values.items() if k not in gone}
    if attempt.strip_usage:
        sent["stream_options"] = {"include_usage": True}
    return sent


def decision_with(decision: Decision, attempt: Attempt) -> Decision:
    """The same, with what was changed for the candidate of this attempt."""
    shown = adaptation_of(attempt)
    key = attempt.candidate.offer.key
    return replace(
        decision,
        candidates=tuple(
            replace(c, adaptation=shown) if c.offer.key == key else c
            for c in decision.candidates
        ),
    )


def adaptation_of(attempt: Attempt) -> Adaptation:
    """Parts only, never content."""
    dropped, approximated = [], []
    for part, how in dict.fromkeys(attempt.adapted.changes):
        if how:
            approximated.append((part, how))
        else:
            dropped.append((part, "not taken there"))
    return Adaptation(tuple(dropped), tuple(approximated))
