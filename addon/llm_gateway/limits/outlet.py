"""Outlet of a limiter: where all that changes its counters goes besides.

What it does not know: who listens.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.shared_windows import OthersUse
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.values import LimitObservation, Scope
from llm_gateway.limits.windows import AnyWindow


class Row(NamedTuple):
    """A window that a reservation counts in, as the store needs to know it."""

    limit: Limit
    window: AnyWindow
    place: int
    """Where its metric stands in `Amounts`."""
    bound: int
    """The most that may be used; -1: this member sets no bound."""
    others: OthersUse


class Outlet(Protocol):
    """Where a member's counters go besides."""

    def settled(self, held: OpenReservation, real: Charge) -> None:
        """An open reservation ended."""

    def counted(self, rows: Sequence[Row], change: Charge, at: float) -> None:
        """So much more (or less) was used at `at` without a reservation."""

    def observed(
        self,
        words: Sequence[LimitObservation],
        scopes: Sequence[Scope],
    ) -> None:
        """A provider said something about its limits."""
