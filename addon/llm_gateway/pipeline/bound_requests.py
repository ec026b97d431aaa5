"""Requests that name what one account keeps: an answer to go on from, a file, a conversation.

What lives here: `BoundRequests`, which looks the ids of a request up and says who may not be
asked, and why. Nobody but the account that made something knows it; another client's things
are nobody's business; what an app made with its own key is at its own host.

What this file does not know: limits, health, how a request is sent.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from llm_gateway.app.state import AppState, committed
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import RequestBody
from llm_gateway.dialects.resources import NamedId, named_ids
from llm_gateway.domain import Offer
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline.account_requests import account_name
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.providers.upstream import Upstream
from llm_gateway.routing.selection import KEPT_ELSEWHERE


@dataclass(frozen=True, slots=True)
class Binding:
    """What the ids of a request say of who may be asked."""

    unfit: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """Key of an offer -> why it is not asked."""
    refusal: str = ""
    """Nobody can be asked: what the client is told."""
    own_host: str = ""
    """The app itself made it there, with its own key."""


FREE = Binding()
"""It names nothing that is known here: everybody may be asked."""


@dataclass(slots=True)
class BoundRequests:
    runtime: AppState

    async def of(
        self,
        body: RequestBody,
        identity: Identity,
        ranks: Sequence[Sequence[Offer]],
    ) -> Binding:
        members = body.dialect.id_members
        if members is None or not body.may_name_ids:
            return FREE
        if len(body.raw) <= INLINE_BYTES:
            named = named_ids(body.values(), members)
        else:
            values = await asyncio.to_thread(body.values)
            named = await asyncio.to_thread(named_ids, values, members)
        if not named:
            return FREE
        known = await self.known(one.id for one in named)
        found = [(one, known[one.id]) for one in named if one.id in known]
        upstreams = self.runtime.catalog.upstreams
        return binding(body, found, identity, ranks, upstreams) if found else FREE

    async def known(self, ids: Iterable[str]) -> dict[str, BoundAnswer]:
        store = self.runtime.store
        await committed(store.flush())
        return await asyncio.to_thread(store.bound_of, tuple(ids))


def binding(
    body: RequestBody,
    found: Sequence[tuple[NamedId, BoundAnswer]],
    identity: Identity,
    ranks: Sequence[Sequence[Offer]],
    upstreams: Mapping[tuple[str, str], Upstream],
) -> Binding:
    """`found`: what of the ids is known, and whose it is. At least one."""
    mine = identity.known.name if identity.known else None
    for name, bound in found:
        if bound.client not in (None, mine):
            return Binding(
                refusal=f"No {name.title} with the id {name.id[:80]!r} was made through "
                "this gateway, or not for you."
            )
    places = {_place(bound): (name, bound) for name, bound in found}
    if len(places) > 1:
        (one, a), (other, b) = list(places.values())[:2]
        return Binding(
            refusal=f"The {one.title} {one.id[:80]!r} was made by {_where(a)}, the "
            f"{other.title} {other.id[:80]!r} by {_where(b)}: nobody has both. Make them "
            "anew in one place."
        )
    [(name, bound)] = places.values()
    if bound.is_own_key and not bound.host:
        return FREE  # too old to say whose it was
    where = _where(bound)
    reason = f"{KEPT_ELSEWHERE}the {name.title} was made by {where}"
    unfit = {
        offer.key: reason
        for rank in ranks
        for offer in rank
        if not _is_there(offer, bound, upstreams)
        or body.dialect.name not in offer.dialects
    }
    refusal = ""
    if not any(offer.key not in unfit for rank in ranks for offer in rank):
        refusal = (
            f"The {name.title} {name.id[:80]!r} was made by {where}, which cannot be "
            f"asked for this model any more. {_advice(name, bound)}"
        )
    return Binding(unfit, refusal, bound.host if bound.is_own_key else "")


def _place(bound: BoundAnswer) -> tuple[str, str]:
    return (bound.provider, bound.account) if bound.provider else ("", bound.host)


def _where(bound: BoundAnswer) -> str:
    if bound.is_own_key:
        return f"the app itself, with its own key at {bound.host}"
    return account_name(bound)


def _is_there(
    offer: Offer, bound: BoundAnswer, upstreams: Mapping[tuple[str, str], Upstream]
) -> bool:
    place = offer.provider, offer.account
    if not bound.is_own_key:
        return place == (bound.provider, bound.account)
    upstream = upstreams.get(place)
    return upstream is not None and upstream.origin.host == bound.host


def _advice(name: NamedId, bound: BoundAnswer) -> str:
    if name.title == "answer":
        what = "Send the conversation itself"
    else:
        what = f"Make the {name.title} anew through the gateway, or send what is in it"
    other = f" ({bound.model})" if bound.model else ""
    return f"{what}, or ask for a model of that provider{other}."
