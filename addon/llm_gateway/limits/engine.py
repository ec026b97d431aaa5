"""Limits: arithmetic on windows. Knows no clock, no provider, no disk."""

from collections.abc import Iterable, Sequence

from llm_gateway.exchange import Limit, Need
from llm_gateway.limits.values import (
    LimitRefusal,
    Reservation,
    Scope,
    Spent,
    Standing,
    Word,
    scopes_of,
)

__all__ = [
    "LimitRefusal",
    "Limiter",
    "Reservation",
    "Scope",
    "Spent",
    "Standing",
    "Word",
    "scopes_of",
]


class Limiter:
    """Reserve before, settle after.

    `limits` are handed in at each call, so changed amounts apply at once and keep
    what was spent. `scopes` (see `scopes_of`) bring in the limits that were learned
    from the provider; pass the same tuples again and again, they are recognised.
    """

    def reserve(
        self,
        limits: Sequence[Limit],
        need: Need,
        now: float,
        *,
        id: str,
        scopes: Sequence[Scope] = (),
    ) -> Reservation | LimitRefusal: ...

    def settle(self, reservation: Reservation, real: Need, now: float) -> None: ...

    def release(self, reservation: Reservation, now: float) -> None: ...

    def fit(
        self,
        limits: Sequence[Limit],
        need: Need,
        now: float,
        *,
        scopes: Sequence[Scope] = (),
    ) -> LimitRefusal | None: ...

    def headroom(
        self, limits: Sequence[Limit], now: float, *, scopes: Sequence[Scope] = ()
    ) -> float: ...

    def standing(
        self, limits: Sequence[Limit], now: float, *, scopes: Sequence[Scope] = ()
    ) -> tuple[Standing, ...]: ...

    def observe(
        self,
        limits: Sequence[Limit],
        words: Sequence[Word],
        *,
        scopes: Sequence[Scope],
        now: float,
    ) -> tuple[Limit, ...]: ...

    def replay(
        self, spent: Iterable[Spent], limits: Sequence[Limit], now: float
    ) -> None: ...

    def missing(self, limits: Sequence[Limit]) -> tuple[Limit, ...]: ...

    def forget_unused(self, keys: Iterable[tuple[str, ...]]) -> None: ...
