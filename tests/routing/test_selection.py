"""Who is asked, in which order, and what is said about everybody else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.domain import (
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
    Window,
)
from llm_gateway.limits.limiter import LimitRefusal
from llm_gateway.providers.paid_extras import Extras
from llm_gateway.routing.health import Unavailable
from llm_gateway.routing.selection import decide, expected_cost, same_embedding_model
from llm_gateway.routing.worst_case import extras_of, most_output, price_of

NOW = 1_800_000_000.0
BUDGET = Limit(("budget",), Metric.COST, Window.DAY, 10**9)
PER_DAY = Limit(("provider", "x", ""), Metric.REQUESTS, Window.DAY, 20)


def offer(id: str, price: int | Price | None = None, **more: Any) -> Offer:
    """`price`: nano-dollars per million tokens, in and out."""
    if isinstance(price, int):
        price = Price(input=price, output=price)
    found: dict[str, Any] = {
        "provider": id,
        "account": "",
        "model": "m",
        "type": "openai",
    }
    return Offer(**{**found, "name": "m", "price": price, **more})


def free(id: str, **more: Any) -> Offer:
    return offer(id, free=True, **more)


@dataclass
class Table:
    """Standings as a table, by provider."""

    full: dict[str, float | None] = field(default_factory=dict)
    """Who has no room, and when it will have."""
    left: dict[str, float] = field(default_factory=dict)
    """Headroom, where it is not 1."""
    away: dict[str, Unavailable] = field(default_factory=dict)
    held: tuple[Limit, ...] = ()
    fits: dict[str, int] = field(default_factory=dict)
    """Whose `max_tokens` fits a cost limit when it is lowered."""
    tokens: tuple[int, int] = (1_000_000, 0)

    def limits(self, offer: Offer) -> tuple[Limit, ...]:
        return (*offer.limits, *self.held)

    def need(self, offer: Offer, ask: RequestInfo) -> Charge:
        return Charge(1, 100, 0)

    def fit(
        self, offer: Offer, limits: Sequence[Limit], need: Charge
    ) -> LimitRefusal | None:
        if offer.provider not in self.full:
            return None
        return LimitRefusal(PER_DAY, "requests/day 20 of 20", self.full[offer.provider])

    def headroom(self, offer: Offer, limits: Sequence[Limit]) -> float:
        return self.left.get(offer.provider, 1.0)

    def unavailable(self, offer: Offer, dialect: Dialect) -> Unavailable | None:
        return self.away.get(offer.provider)

    def expected_cost(self, offer: Offer, ask: RequestInfo) -> int | None:
        if offer.price is None:
            return None
        tokens_in, tokens_out = self.tokens
        return expected_cost(offer.price, tokens_in=tokens_in, tokens_out=tokens_out)

    def extras(self, offer: Offer, ask: RequestInfo) -> Extras:
        return extras_of(offer, ask)

    def price_known(self, offer: Offer, ask: RequestInfo) -> bool:
        return price_of(offer, ask, NOW) is not None

    def most_output(self, offer: Offer, ask: RequestInfo) -> int | None:
        return most_output(ask, offer.max_output)

    def lowered(self, offer: Offer, ask: RequestInfo) -> int | None:
        return self.fits.get(offer.provider)


def decided(
    ranks: Sequence[Sequence[Offer]],
    table: Table | None = None,
    *,
    policy: Policy = Policy.FREE_FIRST,
    chance: Sequence[float] = (),
    **more: Any,
) -> Decision:
    ask = RequestInfo(Dialect("chat"), "m")
    call = GatewayRequest(id="1", at=NOW, ask=ask, client="c", app="a", policy=policy)
    dice = iter(chance)
    return decide(
        call, ranks, table or Table(), tie_break=lambda: next(dice, 0.0), **more
    )


def order(decision: Decision) -> str:
    """Who is tried: ids in order."""
    return " ".join(c.offer.provider for c in decision.ready)


def reasons(decision: Decision) -> dict[str, str]:
    return {c.offer.provider: c.reason for c in decision.candidates}


# -- order -----------------------------------------------------------------------------

FREE, FLAT, NULL = free("free"), offer("flat", 9, flat_rate=True), offer("null", 0)
CHEAP, DEAR, UNKNOWN = offer("cheap", 1), offer("dear", 9), offer("unknown")

ORDERS: list[tuple[str, list[list[Offer]], Table, dict[str, Any], str]] = [
    ("free first, unknown last", [[UNKNOWN, DEAR, CHEAP, FREE]], Table(), {}, "free cheap dear unknown"),
    ("flat and zero prices are free", [[CHEAP, FLAT, NULL]], Table(left={"flat": 0.5}), {}, "null flat cheap"),
    ("most headroom among the free", [[free("a"), free("b"), free("c")]], Table(left={"a": 0.2, "b": 0.9, "c": 0.5}), {}, "b c a"),
    ("chance among equals", [[free("a"), free("b"), free("c")]], Table(), {"chance": (0.9, 0.1, 0.5)}, "b c a"),
    ("warm before headroom", [[free("a"), free("b")]], Table(left={"a": 0.1}), {"affinity": ("a", "", "m")}, "a b"),
    ("warm is no reason to pay more", [[DEAR, CHEAP]], Table(), {"affinity": ("dear", "", "m")}, "cheap dear"),
    ("warm is no reason to pay at all", [[FREE, CHEAP]], Table(), {"affinity": ("cheap", "", "m")}, "free cheap"),
    ("warm but away", [[free("a"), free("b")]], Table(away={"a": Unavailable("failing", "500", NOW + 30)}), {"affinity": ("a", "", "m")}, "b"),
    ("exact before alias before wildcard", [[free("a")], [free("b")], [free("c")]], Table(left={"a": 0.1, "b": 0.5}), {}, "a b c"),
    ("a free alias before a paid name", [[CHEAP], [FREE]], Table(), {}, "free cheap"),
    ("equal cost: cheaper input, then the config", [[offer("b", 5, order=2), offer("a", 5, order=1)]], Table(), {}, "a b"),
    ("any: cost plays no part", [[DEAR, UNKNOWN, FREE]], Table(left={"dear": 0.9, "unknown": 0.5, "free": 0.2}), {"policy": Policy.ANY}, "dear unknown free"),
    ("any: warm first", [[DEAR, FREE]], Table(left={"dear": 0.1}), {"policy": Policy.ANY, "affinity": ("dear", "", "m")}, "dear free"),
    ("free-only", [[CHEAP, UNKNOWN, FREE, FLAT]], Table(left={"flat": 0.5}), {"policy": Policy.FREE_ONLY}, "free flat"),
    ("free-only, none free", [[CHEAP]], Table(), {"policy": Policy.FREE_ONLY}, ""),
    ("full ones are skipped", [[free("a"), free("b")]], Table(full={"a": NOW + 9}), {}, "b"),
    ("those away are skipped", [[free("a"), CHEAP]], Table(away={"a": Unavailable("disabled", "401", None)}), {}, "cheap"),
    ("a budget keeps unknown prices out", [[UNKNOWN, CHEAP, FREE]], Table(held=(BUDGET,)), {}, "free cheap"),
    ("so does a cost limit of its own", [[offer("unknown", limits=(BUDGET,)), CHEAP]], Table(), {}, "cheap"),
    ("a request limit does not", [[UNKNOWN, CHEAP]], Table(held=(PER_DAY,)), {}, "cheap unknown"),
    ("free without a price under a budget", [[FREE]], Table(held=(BUDGET,)), {}, "free"),
    ("any, under a budget", [[UNKNOWN, DEAR]], Table(held=(BUDGET,)), {"policy": Policy.ANY}, "dear"),
    ("failed for this request", [[CHEAP, DEAR]], Table(), {"exclude": frozenset({("cheap", "", "m")})}, "dear"),
    ("a larger window", [[offer("a", 1, context_window=8000), offer("b", 2), offer("c", 3, context_window=8001)]], Table(), {"min_context_window": 8000}, "c"),
    ("nobody", [[], []], Table(), {}, ""),
]  # fmt: skip


@each_row(
    ("ranks", "table", "more", "expected"),
    [row[1:] for row in ORDERS],
    ids=[row[0] for row in ORDERS],
)
def test_order(
    ranks: list[list[Offer]], table: Table, more: dict[str, Any], expected: str
) -> None:
    assert order(decided(ranks, table, **more)) == expected


def test_expected_cost_decides_not_the_input_price() -> None:
    chatty = offer("chatty", Price(input=1, output=100))
    terse = offer("terse", Price(input=5, output=10))
    assert (
        order(decided([[chatty, terse]], Table(tokens=(1_000_000, 0))))
        == "chatty terse"
    )
    assert (
        order(decided([[chatty, terse]], Table(tokens=(0, 1_000_000))))
        == "terse chatty"
    )


# -- reasons ---------------------------------------------------------------------------


def test_everybody_has_a_reason_and_a_state() -> None:
    away = Unavailable("cooling down", "429 slow_down", NOW + 30)
    off = offer("off", enabled=False)
    unset = offer(
        "unset", enabled=False, disabled_reason="not configured: K is not set"
    )
    ranks = [
        [off, unset, FREE, free("near"), free("full"), free("away"), CHEAP, UNKNOWN]
    ]
    table = Table(
        full={"full": NOW + 900},
        left={"near": 0.25},
        away={"away": away},
        held=(BUDGET,),
    )
    found = decided(ranks, table)
    assert {
        c.offer.provider: (c.verdict.value, c.state, c.reason) for c in found.candidates
    } == {
        "free": ("taken", "ready", "most headroom, 100% left"),
        "near": ("ready", "near limit", "free"),
        "cheap": ("ready", "ready", "paid"),
        "off": ("skipped", "disabled", "disabled"),
        "unset": ("skipped", "not configured", "not configured: K is not set"),
        "full": ("skipped", "at limit", "requests/day 20 of 20"),
        "away": ("skipped", "cooling down", "cooling down: 429 slow_down"),
        "unknown": (
            "skipped",
            "ready",
            "its price is unknown, and a cost limit or budget holds",
        ),
    }
    assert found.returns_at == NOW + 30
    assert {c.offer.provider: c.headroom for c in found.candidates} == {
        "free": 1.0, "near": 0.25, "cheap": 1.0,
        **dict.fromkeys(("off", "unset", "full", "away", "unknown")),
    }  # fmt: skip


TAKEN = [
    ([[FREE]], {}, "the only one that can serve now"),
    ([[FREE, FLAT]], {"affinity": FREE.key}, "the conversation is warm there"),
    ([[CHEAP, DEAR]], {}, "no free one is left, and it is the cheapest"),
    ([[UNKNOWN, offer("unknown2")]], {}, "no free one and no known price is left"),
    ([[CHEAP, DEAR]], {"policy": Policy.ANY}, "most headroom, 100% left"),
]


@pytest.mark.parametrize(("ranks", "more", "reason"), TAKEN)
def test_why_taken(ranks: list[list[Offer]], more: dict[str, Any], reason: str) -> None:
    first = decided(ranks, **more).candidates[0]
    assert (first.verdict, first.reason) == (Verdict.TAKEN, reason)


def test_what_it_would_cost() -> None:
    costs = {
        c.offer.provider: c.expected_cost
        for c in decided([[FREE, FLAT, CHEAP, UNKNOWN]]).ready
    }
    assert costs == {"free": 0, "flat": 0, "cheap": 1, "unknown": None}


PRICE = Price(input=1_000, output=2_000, request=7)


@pytest.mark.parametrize(
    ("price", "share", "expected"),
    [
        (PRICE, 0.0, 7 + 3_000 + 2_000),
        (PRICE, 1.0, 7 + 3_000 + 2_000),
        (Price(input=1_000, output=2_000, cached_input=100), 0.5, 1_500 + 150 + 2_000),
        (Price(input=1_000, output=2_000, cached_input=0), 1.0, 2_000),
    ],
)
def test_expected_cost(price: Price, share: float, expected: int) -> None:
    found = expected_cost(
        price, tokens_in=3_000_000, tokens_out=1_000_000, cached_share=share
    )
    assert found == expected


# -- whatever is offered -----------------------------------------------------------------

OFFERS = st.lists(
    st.builds(
        lambda i, price, is_free, enabled: offer(
            f"p{i}", price, free=is_free, enabled=enabled
        ),
        st.integers(0, 30),
        st.one_of(st.none(), st.integers(0, 5)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda o: o.provider,
)
NAMES = st.lists(st.integers(0, 30).map("p{}".format), max_size=8)


@given(
    st.lists(OFFERS, max_size=3),
    NAMES,
    NAMES,
    st.sampled_from(Policy),
    st.booleans(),
)
def test_nobody_is_lost_and_nothing_is_paid_against_the_policy(
    ranks: list[list[Offer]],
    full: list[str],
    away: list[str],
    policy: Policy,
    budget: bool,
) -> None:
    gone = Unavailable("failing", "500", NOW + 30)
    table = Table(
        full=dict.fromkeys(full, NOW + 9),
        away=dict.fromkeys(away, gone),
        held=(BUDGET,) if budget else (),
    )
    found = decided(ranks, table, policy=policy)
    offered = [o for rank in ranks for o in rank]
    assert sorted(map(id, offered)) == sorted(id(c.offer) for c in found.candidates)
    assert all(c.reason and c.state for c in found.candidates)
    ready = found.ready
    assert [c.verdict for c in ready[:1]] == [Verdict.TAKEN] * len(ready[:1])
    for candidate in ready:
        one = candidate.offer
        assert one.enabled
        assert one.provider not in {*full, *away}
        assert one.zero_cost or policy is not Policy.FREE_ONLY
        assert one.zero_cost or one.price is not None or not budget
    if policy is Policy.FREE_FIRST:
        paid = [not c.offer.zero_cost for c in ready]
        assert paid == sorted(paid)


# -- embeddings --------------------------------------------------------------------------


def test_embeddings_stay_in_one_family() -> None:
    first = free("a", model="e5")
    same = offer("b", 1, model="e5")
    other = free("c", model="ada")
    assert same_embedding_model([[first, other], [same]]) == ((first,), (same,))
    mapped = [
        free("a", model="e5", mapped=True),
        free("b", model="vendor/e5", mapped=True),
    ]
    assert same_embedding_model([mapped]) == (tuple(mapped),)
    half = [free("a", model="e5", mapped=True), free("b", model="vendor/e5")]
    assert same_embedding_model([half]) == ((half[0],),)
    assert same_embedding_model([[], []]) == ()
