"""The values that the limits hand out and take in.

What lives here: frozen dataclasses of the limits' own vocabulary, and the scopes
that one attempt counts in. What it does not know: windows, providers, clocks.
Units are those of `exchange`: unix seconds, whole tokens and requests, nano-dollars.
"""

from functools import lru_cache

from llm_gateway.domain import Charge, Limit, Metric, Reset, Window
from llm_gateway.frozen import frozen

Scope = tuple[str, ...]
"""As in `Limit.scope`; besides ("tier", provider, account, ":free"), for learned limits."""


@lru_cache(maxsize=4096)
def scopes_of(
    provider: str, account: str, model: str, client: str | None
) -> tuple[Scope, ...]:
    """Every scope that an attempt counts in.

    The same arguments give the same object, which lets the limiter recognise it.
    Models with a variant suffix (`name:free`) also count in their tier: OpenRouter
    counts all `:free` models of an account together, and only those.
    """
    scopes: list[Scope] = [
        ("provider", provider, account),
        ("model", provider, account, model),
    ]
    if model.endswith(":free"):
        scopes.append(("tier", provider, account, ":free"))
    if client is not None:
        scopes.append(("client", client))
    scopes.append(("budget",))
    return tuple(scopes)


@frozen
class Reservation:
    """A promise of room. Hand it back to `settle` or `release`, once."""

    id: str
    """The caller's id for the attempt."""
    serial: int
    """The limiter's own number for it, rising."""
    at: float
    need: Charge


@frozen
class LimitRefusal:
    """No room: which limit says so, and when the same need would fit."""

    limit: Limit
    reason: str
    """One clause that a person can read: `requests/day 20 of 20 on groq`."""
    fits_at: float | None
    """Unix time from which the same need fits if nothing else is reserved and what
    is open ends now. None: never, the need is larger than the limit."""


@frozen
class LimitStatus:
    """How a limit stands at a moment."""

    limit: Limit
    used: int
    """What counts against it and has ended; requests count from the moment they leave."""
    reserved: int
    """Tokens or cost held for requests that are still running."""
    remaining: int
    """What may still be asked for, the provider's own word included; never below 0."""
    resets_at: float | None
    """When room comes back next; None while nothing stands against the limit."""
    source: str
    """Who set what remains: the limit's own source, or `header`, `body`, `learned`."""
    observed_at: float | None = None
    """When the provider last spoke about it."""


@frozen
class SpentAttempt:
    """One attempt out of the ledger, as far as limits care."""

    at: float
    """When it left for the provider."""
    provider: str
    account: str
    model: str
    client: str | None
    need: Charge
    """What it took; what it had reserved when it has not ended."""
    reserved: bool = False
    """It has not ended (or nobody knows how): counted as if it had taken all it reserved."""
    ended: float | None = None
    """When it ended; tokens and cost count from then, and from `at` when None."""
    id: str = ""
    """The id that `reserve` was given; lets a reload tell what is still running."""


@frozen
class LimitObservation:
    """What a provider says about one of its own limits."""

    metric: Metric
    window: Window
    at: float
    """When it said so."""
    limit: int | None = None
    """The amount per window; None: not said."""
    remaining: int | None = None
    resets_at: float | None = None
    """When `remaining` is whole again; None: not said, the window's own end is taken."""
    source: str = "header"
    """`header`, `body`, `learned` (concluded from a refusal), or `quota`: it was asked."""
    scope: str = "model"
    """Whom it is about: `model`, `provider` (the account) or `tier` (all `:free` models)."""
    continuous_refill: bool = False
    """What was used comes back bit by bit until `resets_at`, not all at once."""
    remaining_only: bool = False
    """Counted in units of the provider's own: only `remaining` binds, not our count."""
    reset: Reset | None = None
    """The provider's clock, for a day that does not roll."""
