"""Wordings that refuse a member, for any dialect: the same words, another shape of body.

Vendors' servers say "extra inputs are not permitted" or "unknown parameter" whatever they
speak; the patterns are chat's, read with the members of another dialect.
"""

from functools import partial

from llm_gateway.adaptation.refused_member import Shape
from llm_gateway.adaptation.wording import Teach, Wording
from llm_gateway.adaptation.wordings_chat import WORDINGS as CHAT
from llm_gateway.domain import Dialect

FIRST = 120
NUMBERS = frozenset({*range(FIRST, 132), 133, 134, 136, 137, 138})
"""Of chat's rows that refuse members, and know nothing of chat."""


def member_wordings(
    dialects: frozenset[Dialect], shape: Shape, number: int
) -> tuple[Wording, ...]:
    """Rows for these dialects, from `number` on, as far apart as chat's."""
    return tuple(
        row._replace(
            number=number + row.number - FIRST,
            dialects=dialects,
            teaches=_with(row, shape),
        )
        for row in CHAT
        if row.number in NUMBERS
    )


def _with(row: Wording, shape: Shape) -> Teach:
    """The same function with another shape of body."""
    assert isinstance(row.teaches, partial)
    return partial(row.teaches.func, shape)
