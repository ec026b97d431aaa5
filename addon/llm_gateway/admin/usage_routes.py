"""Management API of usage: now, in the past, and simulated.

What lives here: `UsageRoutes`. Whatever reads the ledger does so in a thread.

What this file does not know: who counts (limits), what is summed (ledger/reports.py).
"""

import asyncio
from dataclasses import dataclass

from llm_gateway.admin.current_usage import current_usage
from llm_gateway.admin.json_responses import AdminRequest, BadRequest, answer_json
from llm_gateway.admin.simulated_usage import simulate
from llm_gateway.app.state import AppState
from llm_gateway.ledger.reports import BadParameter, usage_historical
from llm_gateway.transport.local_response import LocalResponse


@dataclass(slots=True)
class UsageRoutes:
    runtime: AppState

    async def current(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await current_usage(self.runtime, self.runtime.clock()))

    async def historical(self, asked: AdminRequest) -> LocalResponse:
        now = self.runtime.clock()
        try:
            rows = await asyncio.to_thread(
                usage_historical, self.runtime.store, asked.query, now
            )
        except BadParameter as e:
            raise BadRequest(400, str(e)) from e
        return answer_json(rows)

    async def simulate(self, asked: AdminRequest) -> LocalResponse:
        try:
            return answer_json(await simulate(self.runtime, asked.json()))
        except ValueError as e:
            if isinstance(e, BadRequest):
                raise
            raise BadRequest(400, str(e)) from e
