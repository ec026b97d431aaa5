"""Wording: one row of the tables of refusals, and the values that its lesson is made of.

A row has a pattern and what it teaches: a template of quirks, in which `\\1` is a group of
the match, or a function of the refusal. Functions get what a stranger wrote and never raise.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.domain import Dialect
from llm_gateway.late_patterns import LatePattern

REFUSED = frozenset({400, 422})
"""What most refusals of a body come with."""
TEMPLATE = frozenset({400, 422, 500})
"""A chat template that failed: a server's own fault by its status."""
ELSEWHERE = frozenset({400, 404, 405, 422})
"""The model is not served at this endpoint, or not with this."""

NEEDED = frozenset({"model", "messages", "input", "contents", "tools"})
"""Top-level members that no word of a provider takes away."""


_QUOTE = r"[`'\"]"
_CLASS_OR_QUOTE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|['\"]", re.DOTALL)


class Lesson(NamedTuple):
    """What a refusal teaches."""

    quirks: tuple[Quirk, ...]
    wording: int
    """Number of the wording, for the ledger and `doctor`."""
    words: str = ""
    """What of the refusal it matched."""


class Refusal(NamedTuple):
    """What a row's function sees."""

    match: re.Match[str]
    error: ProviderError
    sent: Mapping[str, object]
    """Top-level values of the body as it left."""
    known: Quirks
    """What it was adapted to."""


Teach = Callable[[Refusal], Iterable[str]]
"""Quirks as text; none: it is the client's own mistake, or about something else."""


class Wording(NamedTuple):
    """One row."""

    number: int
    dialects: frozenset[Dialect]
    pattern: LatePattern
    """Searched in message, param, code and type, and all messages in lower case."""
    teaches: str | Teach
    """A template, several quirks apart by spaces; or a function."""
    source: str
    """Whose words they are, and where they were read."""
    statuses: frozenset[int] = REFUSED
    must_change: bool = False
    """A lesson after which this very body would be sent again is none: the next step is."""

    def taught(self, refusal: Refusal) -> tuple[str, ...]:
        if isinstance(self.teaches, str):
            return tuple(refusal.match.expand(self.teaches).split(" "))
        return tuple(self.teaches(refusal))


def words(pattern: str) -> LatePattern:
    """As the tables write them: upper and lower case are one, spaces are any space, quotes
    outside a class are any quote."""
    quoted = _CLASS_OR_QUOTE.sub(lambda m: _QUOTE if m[0] in "'\"" else m[0], pattern)
    return LatePattern(quoted.replace(" ", r"\s+"), re.IGNORECASE)


def rows_of(dialect: Dialect) -> Callable[..., Wording]:
    """Maker of one dialect's rows: (number, pattern, teaches, source, statuses)."""

    def row(
        number: int,
        pattern: str,
        teaches: str | Teach,
        source: str,
        statuses: frozenset[int] = REFUSED,
    ) -> Wording:
        return Wording(
            number, frozenset({dialect}), words(pattern), teaches, source, statuses
        )

    return row


def steps(*texts: str) -> Teach:
    """One after the other: the first that is not in use yet, behind the last that is."""
    quirks = [Quirk.parse(text) for text in texts]

    def next_step(refusal: Refusal) -> Iterable[str]:
        used = [
            n
            for n, q in enumerate(quirks)
            if refusal.known.value(q.kind, q.name, q.sign) == q.value
        ]
        after = used[-1] + 1 if used else 0
        return texts[after : after + 1]

    return next_step
