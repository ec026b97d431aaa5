"""Lessons: what a refusal taught is remembered, said once and written down; or taken back.

One row of `events` and one line in the log for each; the table `quirks` is written by the
ledger's thread.
"""

from collections.abc import Iterable

from llm_gateway.adaptation.learned import LONGEST_WORDS, LearnedQuirk
from llm_gateway.adaptation.sentences import sentence
from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.adaptation.wordings import Lesson
from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer
from llm_gateway.pipeline.adapting import talk_of
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.providers.upstream import Upstream
from llm_gateway.providers.upstream_request import address_of


def remember(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    upstream: Upstream,
    offer: Offer,
    lesson: Lesson,
    words: str,
) -> tuple[Quirk, ...]:
    """The quirks that are new. `words`: the refusal, masked."""
    now = runtime.clock()
    words = _short(words)
    dialect, talk = form.dialect.name, talk_of(exchange, form.dialect.name, offer)
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
        and runtime.quirks.remember(
            LearnedQuirk(
                offer.provider,
                offer.model,
                dialect,
                quirk,
                now,
                lesson.wording,
                words,
                address_of(upstream.origin),
            )
        )
    )
    if new:
        said = ", ".join(map(sentence, new))
        message = f"from now on {said} (it refused: {words})"
        runtime.event("quirk", f"{offer.provider}/{offer.model}", message)
        runtime.save_quirks()
    if own:
        said = ", ".join(map(sentence, own))
        message = f"for one conversation {said} (it refused: {words})"
        runtime.event("quirk", f"{offer.provider}/{offer.model}", message)
        runtime.save_conversation_quirks()
    return new + own


def take_back(
    runtime: AppState,
    exchange: Exchange,
    form: RequestForm,
    offer: Offer,
    quirks: Iterable[Quirk],
) -> None:
    quirks = tuple(quirks)
    for quirk in quirks:
        if quirk.is_of_conversation:
            talk = talk_of(exchange, form.dialect.name, offer)
            runtime.conversation_quirks.forget(talk, quirk, runtime.clock())
            runtime.save_conversation_quirks()
    place = offer.provider, offer.model, form.dialect.name
    gone = runtime.quirks.take_back(place, quirks)
    if gone:
        said = ", ".join(sentence(lesson.quirk) for lesson in gone)
        message = f"no longer {said}: it did not help"
        runtime.event("quirk", f"{offer.provider}/{offer.model}", message)
        runtime.save_quirks()


def _short(words: str) -> str:
    """One line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"
