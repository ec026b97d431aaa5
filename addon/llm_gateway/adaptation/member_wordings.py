"""Wordings that refuse a member, for any dialect: the same words, another shape of body.

Vendors' servers say "extra inputs are not permitted" or "unknown parameter" whatever they
speak; the patterns are chat's, read with the members of another dialect.
"""

from functools import partial

from llm_gateway.adaptation.refused_member import Shape, left_out, listed
from llm_gateway.adaptation.wording import Wording
from llm_gateway.adaptation.wordings_chat import WORDINGS as CHAT
from llm_gateway.domain import Dialect

FIRST = 120
NUMBERS = frozenset({*range(FIRST, 132), 133, 134})
"""Of chat's rows that refuse members, and know nothing of chat."""


def member_wordings(
    dialects: frozenset[Dialect], shape: Shape, number: int
) -> tuple[Wording, ...]:
    """Rows for these dialects, from `number` on, as far apart as chat's."""
    return tuple(
        row._replace(
            number=number + row.number - FIRST,
            dialects=dialects,
            teaches=partial(listed if _is_list(row) else left_out, shape),
        )
        for row in CHAT
        if row.number in NUMBERS
    )


def _is_list(row: Wording) -> bool:
    return isinstance(row.teaches, partial) and row.teaches.func is listed
