"""Refusals that teach or are about a history: adapted and sent again, or another maker is asked.

What lives here: `Refusals`. A wording of the table teaches a quirk, and the same candidate
gets the request again, at most `MOST_RESENDS` times; what nothing mends, and may be about
the turns of a conversation, goes to another maker once.

What this file does not know: other failures (failures.py), what a wording says.
"""

from dataclasses import dataclass, replace

from llm_gateway.adaptation import calls_as_text
from llm_gateway.adaptation.uses import is_about
from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.adaptation.wordings import STATUSES, Lesson, learn
from llm_gateway.app.log_redaction import mask_of
from llm_gateway.app.state import AppState
from llm_gateway.dialects.error_shapes import words_of_body
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.dialects.refused_part import (
    has_history,
    is_quoted,
    own_parameters,
    parameters_of,
)
from llm_gateway.domain import Charge
from llm_gateway.pipeline import lessons
from llm_gateway.pipeline.adapting import adapt, known_quirks, sent_values
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.routing.failure_policy import (
    FailedAttempt,
    FailureVerdict,
    NextStep,
    Penalty,
    may_refuse_history,
    may_teach,
)
from llm_gateway.routing.selection import CANNOT_TAKE
from llm_gateway.streaming.response_probe import CALL_AS_TEXT

MOST_RESENDS = 3
"""For one candidate and request. What one more refusal teaches is kept for the next."""
SHORTEST_QUOTE = 20
"""Characters: fewer stand in any prompt (`not supported`) without being quoted; they are
where the text around them, which the client sent, stands whole in the refusal."""


@dataclass(slots=True)
class Refusals:
    runtime: AppState
    settling: Settlement

    def judge(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt,
        judged: FailureVerdict,
    ) -> FailureVerdict:
        """The verdict, or what comes of it where the refusal teaches or is about turns."""
        helped = False
        if failed.kind == "judged" and failed.message == CALL_AS_TEXT:
            step = self._learn_form(exchange, attempt)
            return judged if step is None else replace(judged, next=step)
        if failed.status in STATUSES and may_teach(failed):
            step, helped = self._learn(exchange, attempt, failed)
            if step is not None:
                return replace(judged, next=step, penalty=Penalty.NOTHING)
        if may_refuse_history(failed, judged):
            return self._of_history(exchange, attempt, failed, judged, helped=helped)
        return judged

    def _learn(
        self, exchange: Exchange, attempt: Attempt, failed: FailedAttempt
    ) -> tuple[NextStep | None, bool]:
        """What the refusal's wording teaches is remembered.

        What comes of it, None: nothing; and whether there was a lesson that may help,
        the next request at least.
        """
        offer, form = attempt.candidate.offer, attempt.form
        assert failed.error is not None
        lesson = learn(
            form.dialect.name,
            failed.status or 0,
            failed.error,
            sent_values(attempt),
            attempt.quirks,
        )
        if lesson is None:
            return None, False
        if _repeats_the_request(form, lesson, failed.error):
            return None, False
        alone = lessons.contradicted(self.runtime, exchange, form, offer, lesson.quirks)
        words = mask_of(exchange.catalog).text(words_of_body(failed.body))
        return self._again(exchange, attempt, failed, lesson, words, alone=alone)

    def _learn_form(self, exchange: Exchange, attempt: Attempt) -> NextStep | None:
        """Of an answer that wrote its call as text; None: whoever comes next is asked."""
        offer, dialect = attempt.candidate.offer, attempt.form.dialect.name
        place = offer.provider, offer.model, dialect
        always = self.runtime.text_calls.wrote(place, exchange.call.ask.opening)
        lesson = calls_as_text.lesson(
            dialect, sent_values(attempt), attempt.quirks, always=always
        )
        step, _ = self._again(
            exchange, attempt, None, lesson, lesson.words, proven=always
        )
        return step

    def _again(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt | None,
        lesson: Lesson,
        words: str,
        *,
        alone: bool = False,
        proven: bool = False,
    ) -> tuple[NextStep | None, bool]:
        """A lesson is remembered, and the request adapted to it; see `_learn`.

        alone: others are served with what it would take. proven: more than one request
        says so, and nobody has to try it first.
        """
        offer, form = attempt.candidate.offer, attempt.form
        new = lessons.remember(
            self.runtime, exchange, form, attempt.upstream, offer, lesson, words
        )
        if proven:
            lessons.confirm(self.runtime, exchange, form, offer, new)
        # Another request may have been taught the same while this one was on its way.
        quirks = known_quirks(
            self.runtime, exchange, form.dialect.name, attempt.upstream, offer
        )
        again = adapt(self.runtime, exchange, form, attempt.upstream, offer, quirks)
        if again.unfit and alone:
            # It would keep the model from everybody who asks so, and others are served.
            lessons.take_back(self.runtime, exchange, form, offer, new)
            return None, False
        if again.unfit:
            exchange.unfit[offer.key] = CANNOT_TAKE + again.unfit
            if failed is not None:
                exchange.refused_unfit = failed
            return NextStep.NEXT_CANDIDATE, True
        taught = exchange.resends.setdefault(offer.key, [])
        if len(taught) >= MOST_RESENDS:
            return None, True
        if again == attempt.adapted and not _changes_more(lesson, quirks):
            lessons.take_back(self.runtime, exchange, form, offer, new)
            return None, False
        taught.append((lesson.quirks, new))
        return NextStep.RETRY_WITH_QUIRK, True

    def resend(
        self, exchange: Exchange, attempt: Attempt, failed: FailedAttempt
    ) -> None:
        """The same candidate at once, adapted. The refused request counts as a request,
        and is a row of its own; nobody is to blame."""
        runtime = self.runtime
        offer = attempt.candidate.offer
        runtime.health.release_probe(offer.key)
        runtime.health.answered(offer.key, attempt.form.dialect.name)
        # An answer that came is billed, whatever it was worth.
        billed = failed.kind == "judged"
        need = attempt.reservation.need if billed else Charge(requests=1)
        self.settling.failed.settle(exchange, attempt, failed, need)
        record = attempt.record
        taught, _ = exchange.resends[offer.key][-1]
        record.reason = ", ".join(map(str, taught))
        record.status = failed.inside or failed.status
        self.settling.end_attempt(exchange, "repaired")
        exchange.repeat = attempt.candidate
        runtime.state_dirty = True

    def _of_history(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt,
        judged: FailureVerdict,
        *,
        helped: bool,
    ) -> FailureVerdict:
        """A refusal that no lesson mends: of the turns, or of the client's own mistake?

        What was learned on the way here has not helped, and is taken back; but not where
        the client's mistake has nothing to do with it, or another lesson came.
        """
        members = parameters_of(attempt.form.values())
        translated = attempt.form.translation is not None
        own: frozenset[str] = frozenset()
        if failed.error is not None and not translated:
            own = own_parameters(failed.error, members)
        offer = attempt.candidate.offer
        for _, new in () if helped else exchange.resends.get(offer.key, ()):
            wrong = [q for q in new if is_about(q, own)] if own else new
            lessons.take_back(self.runtime, exchange, attempt.form, offer, wrong)
            if own:  # what is refused now is another thing: this has helped
                right = [q for q in new if q not in wrong]
                lessons.confirm(self.runtime, exchange, attempt.form, offer, right)
        if own:
            return judged
        if exchange.refused_history is not None or not (
            translated or has_history(attempt.form.values())
        ):
            return judged
        return replace(judged, next=NextStep.ANOTHER_MAKER)


def same_maker(exchange: Exchange, attempt: Attempt) -> set[tuple[str, str, str]]:
    """Offers of whoever refused: the same type at the same address says the same."""
    upstreams = exchange.catalog.upstreams
    maker = attempt.upstream.type_info.type, attempt.upstream.origin
    found = {attempt.candidate.offer.key}
    for offer in (offer for rank in exchange.ranks for offer in rank):
        other = upstreams.get((offer.provider, offer.account))
        if other is not None and (other.type_info.type, other.origin) == maker:
            found.add(offer.key)
    return found


def _repeats_the_request(
    form: RequestForm, lesson: Lesson, error: ProviderError
) -> bool:
    """The words are the request's own, quoted by the provider (`got "this model does not
    support tools"`): they are nobody's word about the model. A lesson after which other
    requests say as much as before is taken anyway: conversations about such refusals, and
    their code, hold the same words."""
    # A pattern may take a mark or the line's end along, which the provider wrote.
    words = lesson.words.lower().strip(" \n\t\"'`.,:;()[]")
    if all(map(_loses_nothing, lesson.quirks)):
        return False
    if len(words) < SHORTEST_QUOTE:
        return is_quoted(form.values(), words, error)
    return form.body.says(words)


def _loses_nothing(quirk: Quirk) -> bool:
    return (
        quirk.is_of_conversation
        or quirk.kind in ("message", "call", "id")
        or (quirk.kind == "content" and quirk.name in ("text", "null", "empty"))
    )


def _changes_more(lesson: Lesson, known: Quirks) -> bool:
    """It changes what the gateway itself put in, or what routing lowers."""
    held = frozenset(known)
    return any(
        quirk in held
        and (quirk.kind == "limit" or quirk[:2] == ("member", "stream_options"))
        for quirk in lesson.quirks
    )
