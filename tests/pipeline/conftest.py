"""The stages of the pipeline with the real engine and store, and no mitmdump."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow, tutils
from providers.sending import NOW, body_of, catalog_of
from pydantic import SecretStr

from llm_gateway.app.state import AppState, ConfigStatus
from llm_gateway.client_identity import Identity
from llm_gateway.domain import FailureKind
from llm_gateway.ledger.store import Store
from llm_gateway.pipeline.answer_streaming import AnswerStreaming
from llm_gateway.pipeline.attempt_sending import AttemptSender
from llm_gateway.pipeline.candidate_reservation import Candidates
from llm_gateway.pipeline.exchange import Exchange, new_exchange
from llm_gateway.pipeline.failure_penalties import FailurePenalties
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.final_errors import FinalErrors
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.pipeline.refusals import Refusals
from llm_gateway.pipeline.request_pricing import RequestPricing
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.stream_blame import StreamBlame
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub
from llm_gateway.transport.attempt_policy import Failure


def provider(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "openai-compatible",
        "baseURL": f"https://{name}.example/v1",
        "apiKey": f"sk-{name}",
        "models": [{"name": "m"}],
        **more,
    }


class House:
    """Forwarder, failure handler and settlement over one state; a clock that stands."""

    def __init__(self, folder: Path, *providers: dict[str, Any], **config: Any) -> None:
        self.now = NOW
        self.path = folder / "usage.db"
        self.store = Store(self.path, clock=lambda: self.now)
        self.store.start()
        catalog = catalog_of(*providers, **config)
        self.state = AppState(
            catalog=catalog,
            store=self.store,
            clock=lambda: self.now,
            loading=ConfigStatus(catalog.revision, NOW),
            credentials=Credentials(
                folder, lambda: self.now, GitHub.from_environment({})
            ),
            admin_token=SecretStr("t"),
        )
        self.settlement = Settlement(
            self.state, RequestPricing(self.state), StreamBlame(self.state)
        )
        self.streaming = AnswerStreaming(self.state)
        final = FinalErrors(self.state, self.settlement)
        failures = FailureHandler(
            self.state,
            self.settlement,
            Refusals(self.state, self.settlement),
            FailurePenalties(self.state),
            final,
        )
        self.forwarder = Forwarder(
            self.state,
            Candidates(self.state, lambda: 0.0),
            AttemptSender(self.state, failures),
            failures,
            final,
        )

    def exchange(self, model: str = "m", **members: Any) -> Exchange:
        body = body_of(model=model, **members)
        flow = tflow.tflow(
            req=tutils.treq(
                method=b"POST",
                path=b"/v1/chat/completions",
                content=body.raw,
                headers=http.Headers(
                    content_type="application/json", authorization="Bearer app"
                ),
            )
        )
        flow.live = True
        ranks = self.state.catalog.names.match_tiers(model)
        return new_exchange(
            self.state,
            flow,
            Ingress.BASE_URL,
            body,
            Identity("127.0.0.1", "app"),
            ranks,
        )

    async def begin(self, exchange: Exchange) -> Exchange:
        await self.forwarder.begin(exchange)
        return exchange

    async def fail(self, exchange: Exchange, status: int, body: bytes = b"") -> Failure:
        failure = Failure(
            exchange.flow,
            FailureKind.STATUS,
            str(status),
            status=status,
            headers=http.Headers(content_type="application/json"),
            body=body,
            body_complete=True,
            request_sent=True,
        )
        await self.forwarder.failed(exchange, failure)
        return failure

    def answer(self, exchange: Exchange, usage: dict[str, int] | None) -> None:
        """The upstream's whole answer, as the hooks report it."""
        said = {"id": "x", "model": "m", "choices": [{"message": {"content": "Hi"}}]}
        body = json.dumps(said | ({"usage": usage} if usage else {})).encode()
        exchange.flow.response = http.Response.make(
            200, body, {"content-type": "application/json"}
        )
        attempt = exchange.attempt
        assert attempt is not None
        assert attempt.judge is not None
        attempt.judge.head(200, exchange.flow.response.headers)
        attempt.judge.body(body)
        attempt.judge.end()
        self.streaming.answered(exchange)
        self.settlement.finish(exchange)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        await self.store.flush()
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Any]:
    made: list[House] = []

    def build(*providers: dict[str, Any], **config: Any) -> House:
        made.append(House(tmp_path, *providers, **config))
        return made[-1]

    yield build
    for one in made:
        one.store.close()
