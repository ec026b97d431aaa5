"""Lessons: what a refusal taught is tried by its asker; answered, it is everybody's, and said.

Taken back where it did not help or contradicts what others are served with. One row of
`events` and one line in the log for each that is kept; the table `quirks` is written by
the ledger's thread.
"""

from collections.abc import Iterable

from llm_gateway.adaptation.learned import LONGEST_WORDS, LearnedQuirk
from llm_gateway.adaptation.sentences import sentence
from llm_gateway.adaptation.uses import has_changed
from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.adaptation.wordings import Lesson
from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer
from llm_gateway.pipeline.adapting import talk_of, who_asks
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.providers.outbound_request import address_of
from llm_gateway.providers.upstream import Upstream


def remember(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    upstream: Upstream,
    offer: Offer,
    lesson: Lesson,
    words: str,
) -> tuple[Quirk, ...]:
    """The quirks that are new, to be tried by who asked. `words`: the refusal, masked."""
    now = runtime.clock()
    words = _short(words)
    dialect, talk = form.dialect.name, talk_of(exchange, form.dialect.name, offer)
    known = runtime.quirks.of(offer.provider, offer.model, dialect)
    own = tuple(
        quirk
        for quirk in lesson.quirks
        if quirk.is_of_conversation
        and runtime.conversation_quirks.remember(talk, quirk, now)
    )
    new = tuple(
        quirk
        for quirk in lesson.quirks
        if not quirk.is_of_conversation
        and known.value(quirk.kind, quirk.name, quirk.sign) != quirk.value
        and runtime.tried_quirks.remember(
            who_asks(exchange),
            LearnedQuirk(
                offer.provider,
                offer.model,
                dialect,
                quirk,
                now,
                lesson.wording,
                words,
                address_of(upstream.origin),
            ),
        )
    )
    if own:
        said = ", ".join(map(sentence, own))
        message = f"for one conversation {said} (it refused: {words})"
        runtime.event("quirk", f"{offer.provider}/{offer.model}", message)
        runtime.save_conversation_quirks()
    return new + own


def answered(
    runtime: AppState, exchange: Exchange, attempt: Attempt, now: float
) -> None:
    """A good answer: what it was adapted with has helped, and what it was sent with is
    served. What was tried until now becomes everybody's."""
    offer, form, adapted = attempt.candidate.offer, attempt.form, attempt.adapted
    place = offer.provider, offer.model, form.dialect.name
    if runtime.tried_quirks:
        resent = exchange.resends.get(offer.key, ())
        told = {quirk for quirks, _ in resent for quirk in quirks}
        tried = runtime.tried_quirks.of(who_asks(exchange), place, now)
        told |= {quirk for quirk in tried if has_changed(quirk, adapted)}
        confirm(runtime, exchange, form, offer, told)
    if adapted.changes and runtime.quirks.used(place, adapted):
        runtime.quirks_dirty = True
    sent = form.body.names - adapted.dropped if adapted.dropped else form.body.names
    runtime.served_members.record(place, who_asks(exchange), sent, now)


def confirm(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    offer: Offer,
    quirks: Iterable[Quirk],
) -> None:
    """What was tried holds for everybody from now on, and is written down; but where others,
    or who asks, were served with what it takes, it is forgotten: it was this request's own."""
    place = offer.provider, offer.model, form.dialect.name
    taken = runtime.tried_quirks.take(who_asks(exchange), place, quirks)
    new_ones = [one.quirk for one in taken]
    if contradicted(runtime, exchange, form, offer, new_ones) or (
        runtime.served_members.contradict(place, "", new_ones, runtime.clock())
    ):
        return
    new = [one for one in taken if runtime.quirks.remember(one)]
    by_refusal: dict[tuple[int, str], list[str]] = {}
    for one in new:
        said = by_refusal.setdefault((one.wording, one.words), [])
        said.append(sentence(one.quirk))
    for (_, words), said in by_refusal.items():
        message = f"from now on {', '.join(said)} (it refused: {words})"
        runtime.event("quirk", f"{offer.provider}/{offer.model}", message)
    if new:
        runtime.save_quirks()


def contradicted(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    offer: Offer,
    quirks: Iterable[Quirk],
) -> bool:
    """They would take from everybody what others were served with a moment ago."""
    now, asker = runtime.clock(), exchange.call.client
    place = offer.provider, offer.model, form.dialect.name
    quirks = tuple(quirks)
    if any(quirk[:2] == ("endpoint", "any") for quirk in quirks) and asker:
        return runtime.health.is_told_alone(offer.key, place[2], asker, now)
    return runtime.served_members.contradict(place, who_asks(exchange), quirks, now)


def take_back(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    offer: Offer,
    quirks: Iterable[Quirk],
) -> None:
    """They did not help: forgotten, before anybody else was told."""
    quirks = tuple(quirks)
    for quirk in quirks:
        if quirk.is_of_conversation:
            talk = talk_of(exchange, form.dialect.name, offer)
            runtime.conversation_quirks.forget(talk, quirk, runtime.clock())
            runtime.save_conversation_quirks()
    place = offer.provider, offer.model, form.dialect.name
    runtime.tried_quirks.take(who_asks(exchange), place, quirks)


def _short(words: str) -> str:
    """One line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"
