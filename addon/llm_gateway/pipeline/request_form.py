"""Request form: one request written in one dialect, the client's own or a translation of it.

Every attempt has one. What leaves, how the answer is judged and metered, and what a refusal
teaches go by the form of its attempt; what the client reads goes by its own, which is the
form that came.

What this file does not know: candidates, how a translation is made (translating.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llm_gateway.dialects import DialectSpec, RequestBody
from llm_gateway.domain import Adaptation
from llm_gateway.translation.codec import AnswerContext, Codecs
from llm_gateway.translation.translator import AnswerTranslator


class Translation(NamedTuple):
    """How a form came out of the client's, and how its answer goes back."""

    source: Codecs
    """The client's."""
    target: Codecs
    adaptation: Adaptation
    """The pair, and what was dropped or approximated."""
    context: AnswerContext

    @property
    def pair(self) -> str:
        """`messages>chat`."""
        return self.adaptation.pair or ""

    def answer(
        self, now: float, keep: Callable[[str, Mapping[str, object]], None]
    ) -> AnswerTranslator:
        """For one answer to this form. keep: is told of the items that a later request
        may name by their ids."""
        return AnswerTranslator(self.source, self.target, self.context, now, keep)


@dataclass(slots=True, eq=False)
class RequestForm:
    body: RequestBody
    translation: Translation | None = None
    """None: it is the client's own."""
    _values: dict[str, object] | None = None

    @property
    def dialect(self) -> DialectSpec:
        return self.body.dialect

    def values(self) -> dict[str, object]:
        """Top-level values of the body: read once, and only where wanted."""
        if self._values is None:
            self._values = self.body.values()
        return self._values
