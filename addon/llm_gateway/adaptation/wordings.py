"""Wordings of refusals and what each teaches, as a table of data with sources.

`learn` reads a provider's refusal (its status is one of `STATUSES`) and the
body that was refused, and says which quirks the model has. What every request needs
(`model`, `messages`, `input`, `contents`, `tools`) is never taken away on its word, and only
what the vocabulary knows is changed: the rest is the client's own mistake. So is a value
that is refused: it takes the member from nobody.

    wordings_chat.py        numbers 1 to 199
    wordings_messages.py    200 to 399
    wordings_responses.py   400 to 599
    wordings_generate_content.py  600 to 799
    calls_as_text.py        800: an answer, and no refusal

A number is kept for good: the ledger names it. Rows are tried in the order of their table;
the first that fits and teaches something new holds.
"""

import html
import re
from collections.abc import Mapping
from functools import cache

from llm_gateway.adaptation import (
    wordings_chat,
    wordings_generate_content,
    wordings_messages,
    wordings_responses,
)
from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.refused_value import is_of_value, takes_a_choice
from llm_gateway.adaptation.vocabulary import MOST, Quirk, Quirks
from llm_gateway.adaptation.wording import NEEDED, Lesson, Refusal, Wording
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.domain import Dialect

__all__ = ["STATUSES", "WORDINGS", "Lesson", "Wording", "learn", "wording"]

WORDINGS: tuple[Wording, ...] = (
    *wordings_chat.WORDINGS,
    *wordings_messages.WORDINGS,
    *wordings_responses.WORDINGS,
    *wordings_generate_content.WORDINGS,
)

STATUSES = frozenset().union(*(row.statuses for row in WORDINGS))
"""Of refusals that may teach something."""
_STEPS = 4
_LENGTH = 4_000
"""Characters of a refusal that are read."""
_CODE_POINT = re.compile(r"\\{1,8}u(?![dD][89a-fA-F])([0-9a-fA-F]{4})")
"""Without those that mean something in pairs only."""
_QUOTES = str.maketrans("‘’‚‛′“”„‟″«»\u00a0", "'''''" + '"' * 7 + " ")
"""As tables write them; each stands for one, so that places stay."""
_ESCAPED_SPACE = re.compile(r"\\{1,8}[nrt]")
_ESCAPED_MARK = re.compile(r"\\{1,8}([\"'/])")


def learn(
    dialect: Dialect,
    status: int,
    error: ProviderError,
    sent: Mapping[str, object],
    known: Quirks,
) -> Lesson | None:
    """None: no wording fits, or what it teaches is known already and did not help, or would
    change nothing of this body.

    sent: top-level values of the body as it left. known: quirks that it was adapted to.
    """
    if status not in STATUSES or len(known) >= MOST:
        return None
    said = (error.message, error.param, f"{error.code} {error.type}", error.text)
    words = _unescaped("\n".join(said)[:_LENGTH])
    text = words.translate(_QUOTES)
    for row in _rows(dialect, status):
        match = row.pattern.search(text)
        if match is None:
            continue
        new = _lesson(dialect, row, Refusal(match, error, sent, known))
        if new:
            return Lesson(new, row.number, words[match.start() : match.end()])
    return None


def _unescaped(text: str) -> str:
    """Texts in texts bring the escapes of JSON and of HTML along."""
    if "\\" in text:
        text = _CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text)
        text = _ESCAPED_MARK.sub(r"\1", text)
        text = _ESCAPED_SPACE.sub("\n", text)
    return html.unescape(text) if "&" in text else text


def _lesson(dialect: Dialect, row: Wording, refusal: Refusal) -> tuple[Quirk, ...]:
    """What the row teaches: of its steps the first after which something else is sent."""
    known = refusal.known
    for _ in range(_STEPS):
        new = _new(row.taught(refusal._replace(known=known)), known)
        if any(map(takes_a_choice, new)) and is_of_value(refusal):
            break
        if not new:
            break
        more = known | Quirks(new)
        if not row.must_change or differs(dialect, refusal.sent, known, more):
            return new
        known = more
    return ()


def differs(
    dialect: Dialect, sent: Mapping[str, object], known: Quirks, more: Quirks
) -> bool:
    """Would a resend be another request?"""
    adapt = SPECS[dialect].adapt
    if adapt is None:
        return True
    return adapt(sent, more, nothing_kept) != adapt(sent, known, nothing_kept)


def wording(number: int) -> Wording | None:
    """The row of a number that the ledger keeps."""
    return next((row for row in WORDINGS if row.number == number), None)


@cache
def _rows(dialect: Dialect, status: int) -> tuple[Wording, ...]:
    return tuple(
        row for row in WORDINGS if status in row.statuses and dialect in row.dialects
    )


def _new(texts: tuple[str, ...], known: Quirks) -> tuple[Quirk, ...]:
    """Those that are quirks, hurt nobody and are not in use already."""
    new: dict[Quirk, None] = {}
    for text in texts:
        try:
            quirk = Quirk.parse(text)
        except ValueError:
            continue
        if quirk.kind in ("member", "rename") and quirk.name in NEEDED:
            continue
        if known.value(quirk.kind, quirk.name, quirk.sign) != quirk.value:
            new[quirk] = None
    return tuple(new)[: max(MOST - len(known), 0)]
