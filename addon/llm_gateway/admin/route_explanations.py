"""`/route` and `/usage/model/NAME`: who would answer for a model, and why nobody else.

What lives here: `RouteExplanations`. Nothing is sent, nothing is stored.

What this file does not know: how a whole request is weighed: that is the pipeline's, and
is handed in (`Judge`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from llm_gateway.admin.json_responses import (
    AdminRequest,
    BadRequest,
    answer_json,
    failure,
)
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DEFAULT, SPECS, DialectSpec, RequestError
from llm_gateway.domain import Decision, Dialect
from llm_gateway.routing import status as current
from llm_gateway.transport.local_response import LocalResponse, seconds_until

USAGE_MODEL = "/usage/model/"

Judge = Callable[
    [AdminRequest, DialectSpec, Mapping[str, object]],
    Awaitable[Decision | RequestError | None],
]
"""Weighs the candidates of one request. None: nobody can be asked for its model."""


@dataclass(slots=True)
class RouteExplanations:
    runtime: AppState
    judge: Judge | None = None
    """Set by the pipeline, which is built later."""

    def usage_model(self, asked: AdminRequest) -> LocalResponse:
        name = unquote(asked.path.removeprefix(USAGE_MODEL))
        dialect = asked.dialect()
        now = self.runtime.clock()
        decision = current.decision(self.runtime, name, now, dialect)
        if decision is None:
            return self._nobody(name, dialect)
        if not decision.ready:
            headers: tuple[tuple[str, str], ...] = ()
            if decision.returns_at is not None:
                headers = (("retry-after", seconds_until(decision.returns_at, now)),)
            why = "; ".join(
                f"{c.offer.provider}/{c.offer.model}: {c.reason}"
                for c in decision.candidates
            )
            return failure(
                429,
                f"Every provider of {name!r} is exhausted. {why}",
                "rate_limit_exceeded",
                headers,
            )
        chosen = _chosen(decision)
        assert chosen is not None
        if dialect is None:
            decisions = {
                one: current.decision(self.runtime, name, now, one) for one in SPECS
            }
            chosen["dialects"] = {
                one: _chosen(found) for one, found in decisions.items()
            }
        return answer_json(chosen)

    def route(self, asked: AdminRequest) -> LocalResponse:
        name = asked.query.get("model", "")
        if not name:
            raise BadRequest(400, "Which model? /route?model=NAME")
        dialect = asked.dialect()
        found = current.route(self.runtime, name, self.runtime.clock(), dialect)
        return self._nobody(name, dialect) if found is None else answer_json(found)

    async def route_of(self, asked: AdminRequest) -> LocalResponse:
        """Who would answer this very request, and what would become of each part of it.
        Nothing is sent, nothing is stored."""
        said = asked.json()
        name, body = said.get("model"), said.get("body")
        dialect = Dialect(str(said.get("dialect", DEFAULT.name)))
        if dialect not in SPECS:
            raise BadRequest(400, f"dialect: write one of {', '.join(SPECS)}.")
        if not isinstance(body, dict):
            raise BadRequest(400, "`body` is the request that the app sends, as JSON.")
        if name is not None and not isinstance(name, str):
            raise BadRequest(
                400, "`model` is a name; without it, that of `body` counts."
            )
        if name is not None:
            body = {**body, "model": name}
        assert self.judge is not None
        found = await self.judge(asked, SPECS[dialect], body)
        if isinstance(found, RequestError):
            raise BadRequest(found.status, found.message)
        if found is None:
            return self._nobody(str(body.get("model")), dialect)
        return answer_json(current.explained(found, dialect) | {"dialect": dialect})

    def _nobody(self, name: str, dialect: Dialect | None) -> LocalResponse:
        """404 for a name that is unknown, 400 for one that is here in other dialects."""
        message = current.missing(self.runtime, name, dialect)
        if any(self.runtime.catalog.names.match_tiers(name)):
            return failure(400, message, "unsupported_dialect")
        return failure(404, message, "model_not_found")


def _chosen(decision: Decision | None) -> dict[str, object] | None:
    """Who is first; None: nobody can answer now."""
    if decision is None or not decision.ready:
        return None
    offer = decision.ready[0].offer
    return {"providerId": offer.provider, "model": offer.model}
