"""Candidates that do not speak a request's dialect: who is asked in which, in which order, and why not."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.dialects import SPECS, translations
from llm_gateway.domain import (
    Decision,
    Dialect,
    Extra,
    GatewayRequest,
    Offer,
    Policy,
    Price,
    RequestInfo,
    Verdict,
)
from llm_gateway.providers.model_index import ModelIndex
from llm_gateway.routing.health import Unavailable
from llm_gateway.routing.selection import decide

from .test_selection import Table

NOW = 1_800_000_000.0
CHAT, MESSAGES, EMBEDDINGS = map(Dialect, ("chat", "messages", "embeddings"))
Key = tuple[str, str]


def offer(
    id: str,
    *dialects: Dialect,
    free: bool = True,
    price: int | None = None,
    **more: Any,
) -> Offer:
    return Offer(
        id,
        "",
        "m",
        "openai",
        "m",
        dialects=frozenset(dialects),
        free=free and price is None,
        price=None if price is None else Price(input=price, output=price),
        **more,
    )


@dataclass
class Standings(Table):
    silent: dict[Key, Unavailable] = field(default_factory=dict)
    """(provider, dialect): it is not asked in this one."""

    def unavailable(self, offer: Offer, dialect: Dialect) -> Unavailable | None:
        found = super().unavailable(offer, dialect)
        return found or self.silent.get((offer.provider, dialect))


def unspoken(dialect: str) -> Unavailable:
    return Unavailable(
        "disabled", f"does not speak {dialect}", NOW + 600, of_dialect=True
    )


def decided(
    ranks: list[list[Offer]],
    standings: Table | None = None,
    *,
    dialect: Dialect = MESSAGES,
    policy: Policy = Policy.FREE_FIRST,
    translate: bool = True,
    extras: tuple[Extra, ...] = (),
    **more: Any,
) -> Decision:
    ask = RequestInfo(dialect, "m", extras=extras)
    call = GatewayRequest(
        id="1",
        at=NOW,
        ask=ask,
        client="c",
        app="a",
        policy=policy,
        translate=translate,
    )
    return decide(call, ranks, standings or Standings(), tie_break=lambda: 0.0, **more)


def shown(decision: Decision) -> str:
    """Who is tried, in order, each with the dialect that it is asked in."""
    return " ".join(
        c.offer.provider if c.dialect is None else f"{c.offer.provider}:{c.dialect}"
        for c in decision.ready
    )


NATIVE, BOTH = offer("native", MESSAGES), offer("both", CHAT, MESSAGES)
CHATTY, VECTORS = offer("chatty", CHAT), offer("vectors", EMBEDDINGS)
PAID, PAID_CHAT = offer("paid", MESSAGES, price=9), offer("pchat", CHAT, price=1)
UNKNOWN = offer("unknown", MESSAGES, free=False)

ORDERS: list[tuple[str, list[list[Offer]], Standings, dict[str, Any], str]] = [
    ("native first", [[CHATTY, NATIVE]], Standings(), {}, "native chatty:chat"),
    ("whoever speaks both is native", [[BOTH, CHATTY]], Standings(), {}, "both chatty:chat"),
    ("free and translated before paid and native", [[PAID, CHATTY]], Standings(), {}, "chatty:chat paid"),
    ("paid: native first, though dearer", [[PAID_CHAT, PAID]], Standings(), {}, "paid pchat:chat"),
    ("native without a known price is last", [[UNKNOWN, PAID_CHAT]], Standings(), {}, "pchat:chat unknown"),
    ("before rank", [[CHATTY], [NATIVE]], Standings(), {}, "native chatty:chat"),
    ("before warmth", [[CHATTY, NATIVE]], Standings(), {"affinity": CHATTY.key}, "native chatty:chat"),
    ("before headroom", [[CHATTY, NATIVE]], Standings(left={"native": 0.1}), {}, "native chatty:chat"),
    ("any policy", [[CHATTY, PAID]], Standings(), {"policy": Policy.ANY}, "paid chatty:chat"),
    ("free only", [[PAID, CHATTY, PAID_CHAT]], Standings(), {"policy": Policy.FREE_ONLY}, "chatty:chat"),
    ("forbidden", [[NATIVE, BOTH]], Standings(silent={("both", MESSAGES): unspoken(MESSAGES)}), {"translate": False}, "native"),
    ("turned out not to speak it", [[BOTH]], Standings(silent={("both", MESSAGES): unspoken(MESSAGES)}), {}, "both:chat"),
    ("failed in it for this request", [[BOTH]], Standings(), {"exclude": {(*BOTH.key, MESSAGES)}}, "both:chat"),
    ("failed in all of them", [[BOTH]], Standings(), {"exclude": {(*BOTH.key, MESSAGES), (*BOTH.key, CHAT)}}, ""),
    ("failed", [[BOTH]], Standings(), {"exclude": {BOTH.key}}, ""),
    ("away is away in every dialect", [[BOTH]], Standings(away={"both": Unavailable("failing", "5xx", NOW + 9)}), {}, ""),
    ("not to embeddings", [[VECTORS]], Standings(silent={("vectors", MESSAGES): unspoken(MESSAGES)}), {}, ""),
    ("nor from them", [[CHATTY]], Standings(silent={("chatty", EMBEDDINGS): unspoken(EMBEDDINGS)}), {"dialect": EMBEDDINGS}, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ranks", "standings", "more", "expected"),
    [row[1:] for row in ORDERS],
    ids=[row[0] for row in ORDERS],
)
def test_order(
    ranks: list[list[Offer]], standings: Standings, more: dict[str, Any], expected: str
) -> None:
    assert shown(decided(ranks, standings, **more)) == expected


def test_the_reason_says_so() -> None:
    [only] = decided([[CHATTY]]).candidates
    assert only.reason == "the only one that can serve now; translated to chat"
    silent = {
        ("both", MESSAGES): unspoken(MESSAGES),
        ("both", CHAT): unspoken(CHAT),
    }
    [skipped] = decided([[BOTH]], Standings(silent=silent)).candidates
    assert skipped.reason.startswith("disabled: does not speak")
    tried = {(*BOTH.key, MESSAGES), (*BOTH.key, CHAT)}
    [failed] = decided([[BOTH]], exclude=tried).candidates
    assert failed.reason == "failed for this request"
    why = {CHATTY.key: "cannot carry: PDF in a message"}
    [unfit] = decided([[CHATTY]], unfit=why).candidates
    assert unfit.reason == "cannot carry: PDF in a message"


def test_extras_of_the_clients_dialect_are_no_reason_there() -> None:
    """A server tool is left out or needed: the translation says which."""
    paid = (Extra("tools", "web_search_20250305"),)
    native = offer("native", MESSAGES)
    found = decided([[native, CHATTY]], extras=paid)
    assert [c.zero_cost for c in found.ready if c.offer is CHATTY] == [True]


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from([CHAT, MESSAGES, EMBEDDINGS]), min_size=1),
            st.sampled_from([None, 0, 1, 9]),
        ),
        max_size=8,
    ),
    st.sampled_from(list(Policy)),
    st.sampled_from([CHAT, MESSAGES]),
)
def test_within_a_class_of_cost_native_ones_come_first(
    given_offers: list[tuple[set[Dialect], int | None]],
    policy: Policy,
    dialect: Dialect,
) -> None:
    offers = [
        offer(f"p{n}", *dialects, price=price)
        for n, (dialects, price) in enumerate(given_offers)
    ]
    ranks = ModelIndex(offers).able("m", dialect)
    found = decided([list(rank) for rank in ranks], policy=policy, dialect=dialect)
    for candidate in found.ready:
        native = dialect in candidate.offer.dialects
        assert (candidate.dialect is None) == native
        assert native or candidate.dialect in candidate.offer.dialects
    for one, next_ in zip(found.ready, found.ready[1:], strict=False):
        if one.dialect is not None and next_.dialect is None:
            assert policy is not Policy.ANY
            assert (one.zero_cost, next_.zero_cost) == (True, False)
    if policy is Policy.FREE_ONLY:
        assert all(c.zero_cost for c in found.ready)
    assert {c.verdict for c in found.candidates} <= set(Verdict)


def test_who_can_be_asked_at_all() -> None:
    index = ModelIndex([NATIVE, CHATTY, VECTORS, BOTH])

    def names(dialect: Dialect, *, translate: bool = True) -> str:
        ranks = index.able("m", dialect, translate=translate)
        return " ".join(o.provider for rank in ranks for o in rank)

    assert names(MESSAGES) == "native chatty both"
    assert names(MESSAGES, translate=False) == "native both"
    assert names(EMBEDDINGS) == "vectors"
    assert not any(index.able("nobody's", MESSAGES))
    assert index.able("m", MESSAGES) is index.able("m", MESSAGES)


def test_translations_go_both_ways() -> None:
    for source in SPECS:
        for target in translations(source):
            assert source in translations(target)
        assert source not in translations(source)
    assert translations(EMBEDDINGS) == ()
