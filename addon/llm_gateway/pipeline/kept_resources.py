"""Files, conversations, caches and vector stores: requests about them reach their account.

What lives here: `KeptResources`. What was made through the gateway is asked for, changed and
deleted at the account that made it, with that account's key. Something new is made by the
account of what it names, else by the first one in the configuration whose provider keeps
such things: requests that name it go there later.

What this file does not know: how a request is sent there (account_requests.py).
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import DialectSpec, ResourcePath
from llm_gateway.dialects.json_splice import NotAnObject, scan, splice
from llm_gateway.dialects.plain_paths import oddity
from llm_gateway.dialects.resources import named_ids
from llm_gateway.domain import Offer, Policy
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline import exchange as calls
from llm_gateway.pipeline.account_requests import (
    AccountRequest,
    AccountRequests,
    MadeIds,
    account_name,
    refuse,
)
from llm_gateway.pipeline.bound_requests import BoundRequests
from llm_gateway.pipeline.ingress import BadBody, decoded
from llm_gateway.pipeline.stored_answers import is_for
from llm_gateway.providers.kept_requests import (
    keeper_dialect,
    kept_resource,
)
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream import Credential, Upstream


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)


@dataclass(slots=True)
class KeptResources:
    runtime: AppState
    accounts: AccountRequests
    bindings: BoundRequests

    async def look_up(self, line: ResourcePath) -> BoundAnswer | None:
        """Whose it is, whoever asks."""
        if not line.id:
            return None
        name = line.resource.key(line.id)
        return (await self.bindings.known([name])).get(name)

    async def begin(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec,
        line: ResourcePath,
        identity: Identity,
        cors: str,
    ) -> AccountRequest | None:
        """Send it to its account. None: it was refused."""
        request = flow.request
        try:
            body = await decoded(request)
            upstream, body, cost = await self._place(
                flow, dialect, line, identity, body
            )
        except BadBody as e:
            refuse(flow, dialect, e.status, "invalid_request", str(e))
            return None
        except _Refused as e:
            refuse(flow, dialect, e.status, e.code, str(e))
            return None
        headers = request.headers.fields
        query = request.path.partition("?")[2]

        def out(credential: Credential | None) -> Outbound:
            return kept_resource(
                upstream,
                line,
                body,
                client_headers=headers,
                query=query,
                credential=credential,
            )

        place = upstream.provider, upstream.account
        spoken = keeper_dialect(upstream, line.resource) or dialect
        asked = AccountRequest(
            flow,
            spoken,
            upstream,
            self.accounts.row(spoken, "", place, identity, cost=cost),
            asyncio.get_running_loop().time(),
            out,
            line.resource.title,
            made=MadeIds(line.resource) if request.method == "POST" else None,
            cors_origin=cors,
        )
        return asked if await self.accounts.begin(asked) else None

    async def _place(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec,
        line: ResourcePath,
        identity: Identity,
        body: bytes,
    ) -> tuple[Upstream, bytes, int | None]:
        """Whose it is or will be, what is sent there, and what it costs. Raises _Refused."""
        title = line.resource.title
        if odd := oddity(line.below):
            # It leaves with the account's key, for wherever the provider resolves it.
            raise _Refused(
                400,
                "invalid_request",
                f"Behind the id of the {title} stands {odd}, which servers read "
                "differently: write the path plainly.",
            )
        if line.id:
            bound = await self.look_up(line)
            if bound is None or not is_for(bound, identity):
                raise _Refused(
                    404,
                    "not_found",
                    f"No {title} with the id {line.id[:80]!r} was made through this "
                    "gateway, or not for you.",
                )
            upstream = self._upstream(bound)
            if upstream is None or keeper_dialect(upstream, line.resource) is None:
                raise _Refused(
                    400,
                    "account_gone",
                    f"The {title} {line.id[:80]!r} was made by {account_name(bound)}, "
                    "which is not configured any more. Configure that provider again, "
                    f"or make the {title} anew.",
                )
            return upstream, body, self._change(flow, line, identity, bound)
        if flow.request.method != "POST":
            return self._only(line, dialect), body, 0
        return await self._maker(flow, dialect, line, identity, body)

    def _change(
        self,
        flow: http.HTTPFlow,
        line: ResourcePath,
        identity: Identity,
        bound: BoundAnswer,
    ) -> int | None:
        """What a request about something that is kept costs; None: unknown. Adding to it,
        searching it and keeping it longer are billed as making it is. Raises _Refused."""
        resource = line.resource
        if not resource.bills or bound.zero_cost or line.is_free(flow.request.method):
            return 0
        if calls.policy(self.runtime, flow.request, identity) is Policy.FREE_ONLY:
            raise self._billed(line)
        return None

    @staticmethod
    def _billed(line: ResourcePath) -> _Refused:
        return _Refused(
            403,
            "may_be_billed",
            f"Keeping a {line.resource.title} is billed, and the policy is free-only.",
        )

    def _upstream(self, bound: BoundAnswer) -> Upstream | None:
        return self.runtime.catalog.upstreams.get((bound.provider, bound.account))

    def _keepers(self, line: ResourcePath, model: str = "") -> Iterator[Offer]:
        """An offer of each account that keeps such things, those first whose provider
        says so; of a model, if that matters."""
        catalog = self.runtime.catalog
        offers: Iterator[Offer] | tuple[Offer, ...] = catalog.offers
        if model:
            tiers = catalog.names.match_tiers(model)
            offers = (offer for rank in tiers for offer in rank)
        found: dict[tuple[str, str], tuple[bool, Offer]] = {}
        for offer in offers:
            place = offer.provider, offer.account
            upstream = catalog.upstreams.get(place)
            if upstream is None or not offer.enabled:
                continue
            if keeper_dialect(upstream, line.resource) is not None:
                presumed = upstream.type_info.keeps is None
                found.setdefault(place, (presumed, offer))
        return (offer for _, offer in sorted(found.values(), key=lambda one: one[0]))

    def _only(self, line: ResourcePath, dialect: DialectSpec) -> Upstream:
        """A list is that of one account, and shows what all clients keep there."""
        keepers = list(self._keepers(line))
        title = line.resource.title
        if len(keepers) == 1 and not self.runtime.catalog.clients:
            [offer] = keepers
            return self.runtime.catalog.upstreams[offer.provider, offer.account]
        if not keepers:
            raise self._nobody(line)
        raise _Refused(
            501,
            "not_routed",
            f"Lists of {line.resource.path} are not given here: several accounts keep "
            f"some, or several clients have some there. Ask for a {title} by its id.",
        )

    async def _maker(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec,
        line: ResourcePath,
        identity: Identity,
        body: bytes,
    ) -> tuple[Upstream, bytes, int | None]:
        resource = line.resource
        values = _object(flow.request, body)
        model = str(values.get(resource.model_member) or "") if values else ""
        model = model.removeprefix("models/")
        keepers = list(self._keepers(line, model))
        if not keepers:
            raise self._nobody(line, model)
        keepers = await self._of_what_it_names(dialect, values, identity, keepers)
        if resource.bills:
            policy = calls.policy(self.runtime, flow.request, identity)
            free = [offer for offer in keepers if offer.zero_cost]
            keepers = free if policy is Policy.FREE_ONLY else free or keepers
            if not keepers:
                raise self._billed(line)
        offer = keepers[0]
        upstream = self.runtime.catalog.upstreams[offer.provider, offer.account]
        if model:
            name = f"models/{upstream.sent_model(offer.model).removeprefix('models/')}"
            body = _with_member(body, resource.model_member, name)
        return upstream, body, None if resource.bills and not offer.zero_cost else 0

    async def _of_what_it_names(
        self,
        dialect: DialectSpec,
        values: dict[str, object],
        identity: Identity,
        keepers: list[Offer],
    ) -> list[Offer]:
        """Those accounts that have what the request names, such as a store's files."""
        members = dialect.id_members
        named = named_ids(values, members) if members is not None else ()
        if not named:
            return keepers
        known = await self.bindings.known(one.id for one in named)
        for one in named:
            bound = known.get(one.id)
            if bound is None:
                continue
            if not is_for(bound, identity):
                message = (
                    f"No {one.title} with the id {one.id[:80]!r} was made through this "
                    "gateway, or not for you."
                )
                raise _Refused(400, "not_found", message)
            place = bound.provider, bound.account
            keepers = [o for o in keepers if (o.provider, o.account) == place]
            if not keepers:
                message = (
                    f"The {one.title} {one.id[:80]!r} was made by {account_name(bound)}, "
                    "which cannot be asked for this together with the rest."
                )
                raise _Refused(400, "account_gone", message)
        return keepers

    @staticmethod
    def _nobody(line: ResourcePath, model: str = "") -> _Refused:
        of_model = f" for {model[:80]!r}" if model else ""
        return _Refused(
            501,
            "not_routed",
            f"No provider that is configured here keeps {line.resource.path}{of_model}.",
        )


def _object(request: http.Request, body: bytes) -> dict[str, object]:
    """The body's members; none where it is no JSON object."""
    if "json" not in request.headers.get("content-type", "").lower():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _with_member(body: bytes, key: str, value: str) -> bytes:
    try:
        members, _ = scan(body.decode())
    except (NotAnObject, UnicodeDecodeError):
        return body
    new = json.dumps(value).encode()
    return splice(body, [(m.start, m.end, new) for m in members if m.key == key])
