"""Who is asked, in which order, and why.

What lives here: the weighing of candidates for one call. Zero-cost first, then the
cheapest, unknown prices last; among free ones the warm conversation, then the most
headroom. Every candidate leaves with a reason, also the skipped ones.

What this file does not know: clocks, sockets, the config's text. Limits and health
are asked through the small `RoutingState` protocol.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from llm_gateway.dialects import translations
from llm_gateway.domain import (
    Candidate,
    Charge,
    Decision,
    Dialect,
    GatewayRequest,
    Limit,
    Metric,
    Offer,
    Policy,
    Price,
    RequestInfo,
    Verdict,
)
from llm_gateway.limits.limiter import LimitRefusal
from llm_gateway.providers.paid_extras import NO_EXTRAS, Extras
from llm_gateway.routing.health import Unavailable

NEAR_LIMIT_HEADROOM = 0.25
"""Headroom at or below which an offer is called near its limit (75 % used)."""

CANNOT_TAKE = "cannot take it: "
"""How the reason of a candidate begins that this very request is not for."""
CANNOT_CARRY = "cannot carry: "
"""The same where a part of it has no place in the dialect that is spoken there."""
KEPT_ELSEWHERE = "not its account: "
"""The same where it names what another account keeps."""
_FAILED_IN_DIALECT = Unavailable("ready", "failed for this request", None, True)
_NOBODY: Mapping[tuple[str, str, str], str] = MappingProxyType({})


class RoutingState(Protocol):
    """What routing asks about an offer. Implemented over the limiter and health."""

    def limits(self, offer: Offer) -> tuple[Limit, ...]:
        """The offer's own, the client's and the budget's: all that one attempt holds."""

    def need(self, offer: Offer, ask: RequestInfo) -> Charge: ...
    def fit(
        self, offer: Offer, limits: Sequence[Limit], need: Charge
    ) -> LimitRefusal | None: ...
    def headroom(self, offer: Offer, limits: Sequence[Limit]) -> float: ...
    def unavailable(self, offer: Offer, dialect: Dialect) -> Unavailable | None: ...
    def expected_cost(self, offer: Offer, ask: RequestInfo) -> int | None: ...
    def extras(self, offer: Offer, ask: RequestInfo) -> Extras:
        """What the request's extras come to there. Asked only where it has any."""

    def price_known(self, offer: Offer, ask: RequestInfo) -> bool:
        """All that the request asks for has a known price there."""

    def most_output(self, offer: Offer, ask: RequestInfo) -> int | None:
        """What `max_tokens` comes down to, where it is more than the model takes."""

    def lowered(self, offer: Offer, ask: RequestInfo) -> int | None:
        """What `max_tokens` has to be lowered to, so that a cost limit holds it."""


def decide(
    call: GatewayRequest,
    ranks: Sequence[Sequence[Offer]],
    standings: RoutingState,
    *,
    affinity: tuple[str, str, str] | None = None,
    tie_break: Callable[[], float],
    exclude: Collection[tuple[str, ...]] = frozenset(),
    unfit: Mapping[tuple[str, str, str], str] = _NOBODY,
    min_context_window: int | None = None,
) -> Decision:
    """Weigh every offer for this call.

    `ranks` holds those that have the asked name exactly, then by alias, then by
    wildcard: among offers that cost alike, an exact name beats an alias and an alias
    beats a wildcard. One that does not speak the call's dialect is asked in another, behind
    those of the same cost that do. `exclude` holds offers that failed for this call already
    (with a fourth part: in that dialect), `unfit` those that cannot take it, and why; `min_context_window` asks for a known context window above
    that many tokens; `tie_break` breaks ties.
    """
    ready: list[tuple[tuple[float, ...], Candidate]] = []
    skipped: list[Candidate] = []
    for rank, offers in enumerate(ranks):
        for offer in offers:
            if unfit and (why := unfit.get(offer.key)):
                skipped.append(_skip(offer, why, "ready"))
                continue
            found = _weigh(call, offer, standings, exclude, min_context_window)
            if found.verdict is Verdict.SKIPPED:
                skipped.append(found)
            else:
                ready.append((_order(call, found, rank, affinity, tie_break()), found))
    ready.sort(key=lambda ranked: ranked[0])
    ordered = [candidate for _, candidate in ready]
    if ordered:
        ordered[0] = _taken(call, ordered[0], affinity, len(ordered))
    return Decision(call.ask.model, call.policy, (*ordered, *skipped))


def same_embedding_model(
    ranks: Sequence[Sequence[Offer]],
) -> tuple[tuple[Offer, ...], ...]:
    """Offers whose embeddings lie in one vector space: that of the first.

    The same upstream model, or the same `mappedName` given on purpose in the config.
    """
    first = next((offer for offers in ranks for offer in offers), None)
    if first is None:
        return ()
    return tuple(
        tuple(
            offer
            for offer in offers
            if offer.model == first.model
            or (offer.mapped and first.mapped and offer.name == first.name)
        )
        for offers in ranks
    )


def _weigh(
    call: GatewayRequest,
    offer: Offer,
    standings: RoutingState,
    exclude: Collection[tuple[str, ...]],
    larger_than: int | None,
) -> Candidate:
    if not offer.enabled:
        reason = offer.disabled_reason or "disabled"
        state = "not configured" if reason.startswith("not configured") else "disabled"
        return _skip(offer, reason, state)
    ask, dialect = call.ask, None
    rest = standings.unavailable(offer, ask.dialect)
    if rest is not None or exclude or ask.dialect not in offer.dialects:
        dialect, rest = _dialect_of(call, offer, standings, exclude, rest)
        if dialect is not None:
            # Paid extras are looked for in what comes of the translation.
            ask = replace(ask, dialect=dialect, extras=())
    extras, zero_cost = NO_EXTRAS, offer.zero_cost
    if ask.extras:
        extras = standings.extras(offer, ask)
        zero_cost = zero_cost and not extras.fees
    if call.policy is Policy.FREE_ONLY and not zero_cost:
        if offer.zero_cost:
            return _skip(offer, f"asks for a paid extra: {extras.why}", "ready")
        return _skip(offer, "costs money, and the policy is free-only", "ready")
    if rest is _FAILED_IN_DIALECT:
        return _skip(offer, rest.reason, rest.state)
    if rest is not None:
        return _skip(offer, f"{rest.state}: {rest.reason}", rest.state, rest.returns_at)
    limits = standings.limits(offer)
    priced = zero_cost or (
        standings.price_known(offer, ask) if ask.extras else offer.price is not None
    )
    if not priced and any(limit.metric is Metric.COST for limit in limits):
        what = f"the price of {extras.why}" if extras.fees else "its price"
        return _skip(
            offer, f"{what} is unknown, and a cost limit or budget holds", "ready"
        )
    if offer.key in exclude:
        return _skip(offer, "failed for this request", "ready")
    window = offer.context_window
    if larger_than is not None and (window is None or window <= larger_than):
        return _skip(offer, "its context window is not larger", "ready")
    lowered = standings.most_output(offer, ask) if ask.max_tokens else None
    if refusal := standings.fit(offer, limits, standings.need(offer, ask)):
        lowered = None
        if refusal.limit.metric is Metric.COST:
            lowered = standings.lowered(offer, ask)
        if lowered is None:
            return _skip(offer, refusal.reason, _limit_state(refusal), refusal.fits_at)
    headroom = standings.headroom(offer, limits)
    cost: int | None = None
    why = "paid, price unknown"
    if zero_cost:
        why, cost = "free", 0
    elif priced:
        why, cost = "paid", standings.expected_cost(offer, ask)
    return Candidate(
        offer,
        Verdict.READY,
        why,
        "near limit" if headroom <= NEAR_LIMIT_HEADROOM else "ready",
        cost,
        headroom,
        None,
        zero_cost,
        extras.redirects if zero_cost else frozenset(),
        lowered,
        dialect,
    )


def _dialect_of(
    call: GatewayRequest,
    offer: Offer,
    standings: RoutingState,
    exclude: Collection[tuple[str, ...]],
    rest: Unavailable | None,
) -> tuple[Dialect | None, Unavailable | None]:
    """The dialect in which an offer is asked, None for the call's own; and what keeps it
    from being asked in any. `rest`: what does so in the call's own."""
    source = call.ask.dialect
    if rest is None and exclude and (*offer.key, source) in exclude:
        rest = _FAILED_IN_DIALECT
    if not (rest.of_dialect if rest is not None else source not in offer.dialects):
        return None, rest
    for dialect in translations(source) if call.translate else ():
        if dialect not in offer.dialects or dialect in offer.presumed:
            continue
        if (*offer.key, dialect) in exclude:
            continue
        found = standings.unavailable(offer, dialect)
        if found is None or not found.of_dialect:
            return dialect, found
        rest = rest or found
    return None, rest


def _limit_state(refusal: LimitRefusal) -> str:
    """A request that is larger than a whole window will never fit in it."""
    if refusal.fits_at is None and refusal.limit.metric is not Metric.REQUESTS:
        return "too large"
    return "at limit"


def _order(
    call: GatewayRequest,
    found: Candidate,
    rank: int,
    warm: tuple[str, str, str] | None,
    chance: float,
) -> tuple[float, ...]:
    """Smaller goes first."""
    offer = found.offer
    cold = 0.0 if offer.key == warm else 1.0
    foreign = found.dialect is not None
    if call.policy is Policy.ANY or found.zero_cost:
        return (0.0, foreign, rank, cold, -(found.headroom or 0.0), chance)
    if offer.price is None or found.expected_cost is None:
        return (2.0, foreign, rank, offer.order, chance)
    return (1.0, foreign, rank, found.expected_cost, offer.price.input, offer.order)


def _skip(
    offer: Offer, reason: str, state: str, returns_at: float | None = None
) -> Candidate:
    return Candidate(offer, Verdict.SKIPPED, reason, state=state, returns_at=returns_at)


def _taken(
    call: GatewayRequest,
    found: Candidate,
    warm: tuple[str, str, str] | None,
    ready: int,
) -> Candidate:
    # Not `dataclasses.replace`: it is five times as slow, and this runs per request.
    return Candidate(
        found.offer,
        Verdict.TAKEN,
        _why_taken(call, found, warm, ready) + _changes(found),
        found.state,
        found.expected_cost,
        found.headroom,
        found.returns_at,
        found.zero_cost,
        found.drops,
        found.max_tokens,
        found.dialect,
    )


def _changes(found: Candidate) -> str:
    """What of the request is changed for it, as the end of a clause."""
    said = "" if found.dialect is None else f"; translated to {found.dialect}"
    if found.drops:
        said += f"; without {', '.join(sorted(found.drops))}: the gateway falls back"
    if found.max_tokens is not None:
        said += f"; max_tokens lowered to {found.max_tokens}"
    return said


def _why_taken(
    call: GatewayRequest,
    found: Candidate,
    warm: tuple[str, str, str] | None,
    ready: int,
) -> str:
    offer = found.offer
    if offer.key == warm and (found.zero_cost or call.policy is Policy.ANY):
        return "the conversation is warm there"
    if ready == 1:
        return "the only one that can serve now"
    if found.zero_cost or call.policy is Policy.ANY:
        return f"most headroom, {found.headroom or 0.0:.0%} left"
    if found.expected_cost is None:
        return "no free one and no known price is left"
    return "no free one is left, and it is the cheapest"


def expected_cost(
    price: Price, *, tokens_in: int, tokens_out: int, cached_share: float = 0.0
) -> int:
    """Nano-dollars that a call is likely to cost, for ranking (not for the ledger)."""
    cached = int(tokens_in * cached_share)
    cached_price = price.input if price.cached_input is None else price.cached_input
    return (
        price.request
        + (
            (tokens_in - cached) * price.input
            + cached * cached_price
            + tokens_out * price.output
        )
        // 1_000_000
    )
