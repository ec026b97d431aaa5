"""Stored answers: fetch, cancel or delete one at the provider account that made it.

What lives here: `StoredAnswers`. `GET /v1/responses/ID`, its input items, cancel and
delete go to the account that the ledger names for the id, with that account's key; an
answer that was made in the background is settled when it is seen. Each is a row of its
own, which takes no tokens and costs nothing.

What this file does not know: how an answer was routed, how a request is sent there
(account_requests.py).
"""

import asyncio
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.app.state import AppState, committed
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import StoredPath
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline.account_requests import (
    AccountRequest,
    AccountRequests,
    account_name,
    refuse,
)
from llm_gateway.providers.kept_requests import stored_answer
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream import Credential


def is_for(bound: BoundAnswer, identity: Identity) -> bool:
    """An account of ours keeps it, and it was made for who asks."""
    mine = identity.known.name if identity.known else None
    return not bound.is_own_key and bound.client in (None, mine)


@dataclass(slots=True)
class StoredAnswers:
    runtime: AppState
    accounts: AccountRequests

    async def look_up(self, line: StoredPath) -> BoundAnswer | None:
        """What is known of its id, whoever asks; also of one with an app's own key."""
        store = self.runtime.store
        await committed(store.flush())
        bound = await asyncio.to_thread(store.bound, line.id)
        known = bound is not None and bound.dialect == line.dialect.name
        return bound if known else None

    async def begin(
        self, flow: http.HTTPFlow, line: StoredPath, identity: Identity, cors: str
    ) -> AccountRequest | None:
        """Send it to the account that made the answer. None: it was refused."""
        dialect = line.dialect
        bound = await self.look_up(line)
        if bound is None or not is_for(bound, identity):
            message = (
                f"No answer with the id {line.id[:80]!r} was made through this gateway, "
                "or not for you."
            )
            refuse(flow, dialect, 404, "not_found", message)
            return None
        upstream = self.runtime.catalog.upstreams.get((bound.provider, bound.account))
        if upstream is None or dialect.name not in upstream.paths:
            message = (
                f"The answer {line.id[:80]!r} was made by {account_name(bound)}, "
                "which is not configured any more. Send the conversation itself, in a "
                "new request, or configure that provider again."
            )
            refuse(flow, dialect, 400, "account_gone", message)
            return None
        headers = flow.request.headers.fields
        query = flow.request.path.partition("?")[2]

        def out(credential: Credential | None) -> Outbound:
            return stored_answer(
                upstream,
                dialect,
                line.id,
                line.below,
                client_headers=headers,
                query=query,
                credential=credential,
            )

        settles = dialect.stored is not None and line.below in dialect.stored.settles
        place = bound.provider, bound.account
        asked = AccountRequest(
            flow,
            dialect,
            upstream,
            self.accounts.row(dialect, bound.model, place, identity),
            asyncio.get_running_loop().time(),
            out,
            "stored answer",
            bound=bound if settles else None,
            cors_origin=cors,
        )
        return asked if await self.accounts.begin(asked) else None
