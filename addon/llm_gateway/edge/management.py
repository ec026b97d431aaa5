"""The gateway's own pages: health, models, usage, route, config, admin.

What lives here: the table of management routes and what each answers, as values. The
guard has let the request in; numbers come from the runtime, history from the ledger.

What this file does not know: sockets. Whatever reads a disk does so in a thread.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from mitmproxy import http

from llm_gateway import __version__
from llm_gateway.dialects import match, models_list
from llm_gateway.edge import current
from llm_gateway.edge.answers import Answer, put, seconds_until
from llm_gateway.edge.cors import preflight
from llm_gateway.edge.runtime import LEVELS, Runtime
from llm_gateway.edge.simulate import simulate
from llm_gateway.ledger.reports import BadParameter, usage_historical
from llm_gateway.ledger.rows import iso

logger = logging.getLogger("llm_gateway")

MODEL = "/v1/models/"
BODY_BYTES = 1 << 20
"""The largest body that a management route reads."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A management request, as its route needs it."""

    method: str
    path: str
    query: dict[str, str]
    headers: http.Headers
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; {} when there is none. Raises BadRequest."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as e:
            raise BadRequest(400, f"The body is not JSON: {e}") from e
        if not isinstance(value, dict):
            raise BadRequest(400, "The body is not a JSON object.")
        return value


class BadRequest(ValueError):
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


Route = Callable[["Management", Asked], Awaitable[Answer] | Answer]


class Management:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def answer(self, flow: http.HTTPFlow, cors_origin: str) -> None:
        """`cors_origin`: the page of an allowed origin that asks, or ""."""
        request = flow.request
        if request.method == "OPTIONS":
            put(flow, Answer(204, b"", headers=preflight(cors_origin, request.headers)))
            return
        # Bytes that are no UTF-8 become question marks: SQLite and JSON want text.
        target = request.path.encode("utf-8", "surrogateescape").decode(
            "utf-8", "replace"
        )
        path, _, query = target.partition("?")
        asked = Asked(
            request.method,
            path,
            dict(parse_qsl(query, keep_blank_values=True)),
            request.headers,
            request.raw_content or b"",
        )
        try:
            if len(asked.body) > BODY_BYTES:
                raise BadRequest(413, f"The body is larger than {BODY_BYTES} bytes.")
            answer = await self._route(asked)
        except BadRequest as e:
            answer = failure(e.status, str(e))
        put(flow, answer)

    async def _route(self, asked: Asked) -> Answer:
        method = "GET" if asked.method == "HEAD" else asked.method
        found = ROUTES.get((method, asked.path))
        if found is None and method == "GET" and asked.path.startswith("/usage/model/"):
            found = Management.usage_model
        if found is None and method == "GET" and asked.path.startswith(MODEL):
            found = Management.model
        if found is None:
            known = {m for m, p in ROUTES if p == asked.path}
            if match("POST", asked.path):
                known = {"POST"}
            if known:
                return failure(
                    405,
                    f"{asked.path} takes {' and '.join(sorted(known))}.",
                    headers=(("allow", ", ".join(sorted(known))),),
                )
            return failure(
                404,
                f"There is no {asked.path} here; see /health, /v1/models, /usage/current, /route.",
            )
        result = found(self, asked)
        return result if isinstance(result, Answer) else await result

    # -- open routes -----------------------------------------------------------

    def health(self, asked: Asked) -> Answer:
        runtime = self.runtime
        degraded = list(runtime.store.degraded)
        status = "draining" if runtime.draining else "degraded" if degraded else "ok"
        loading = runtime.loading
        return answer_json(
            {
                "status": status,
                "timestamp": iso(runtime.clock()),
                "version": __version__,
                "degraded": degraded,
                "config": {
                    "revision": loading.revision,
                    "loaded_at": iso(loading.loaded_at),
                    "error": loading.error,
                },
            }
        )

    def models(self, asked: Asked) -> Answer:
        return Answer(200, models_list(self.runtime.catalog.model_names()))

    def model(self, asked: Asked) -> Answer:
        """One model of the list, as OpenAI answers it; aliases have one, too."""
        name = unquote(asked.path.removeprefix(MODEL))
        if not any(self.runtime.catalog.names.ranks(name)):
            return failure(
                404, f"The model {name!r} does not exist here.", "model_not_found"
            )
        [only] = json.loads(models_list([name]))["data"]
        return answer_json(only)

    async def usage_current(self, asked: Asked) -> Answer:
        return answer_json(await current.usage(self.runtime, self.runtime.clock()))

    async def usage_historical(self, asked: Asked) -> Answer:
        now = self.runtime.clock()
        try:
            rows = await asyncio.to_thread(
                usage_historical, self.runtime.store, asked.query, now
            )
        except BadParameter as e:
            raise BadRequest(400, str(e)) from e
        return answer_json(rows)

    def usage_model(self, asked: Asked) -> Answer:
        name = unquote(asked.path.removeprefix("/usage/model/"))
        return self._chosen(name)

    def _chosen(self, name: str) -> Answer:
        now = self.runtime.clock()
        decision = current.decision(self.runtime, name, now)
        if decision is None:
            return failure(
                404, f"The model {name!r} does not exist here.", "model_not_found"
            )
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
        offer = decision.ready[0].offer
        return answer_json({"providerId": offer.provider, "model": offer.model})

    def route(self, asked: Asked) -> Answer:
        name = asked.query.get("model", "")
        if not name:
            raise BadRequest(400, "Which model? /route?model=NAME")
        decision = current.decision(self.runtime, name, self.runtime.clock())
        if decision is None:
            return failure(
                404, f"The model {name!r} does not exist here.", "model_not_found"
            )
        return answer_json(current.explained(decision))

    async def simulate(self, asked: Asked) -> Answer:
        try:
            return answer_json(await simulate(self.runtime, asked.json()))
        except ValueError as e:
            if isinstance(e, BadRequest):
                raise
            raise BadRequest(400, str(e)) from e

    # -- with the admin token --------------------------------------------------

    async def config_get(self, asked: Asked) -> Answer:
        return await self.runtime.desk.read(as_text=asked.query.get("format") == "text")

    async def config_set(self, asked: Asked) -> Answer:
        text = "jsonc" in asked.headers.get("content-type", "")
        return await self.runtime.desk.write(
            asked.body,
            as_text=text,
            dry_run=asked.query.get("dry_run") in ("1", "true"),
            if_match=asked.headers.get("if-match", "").removeprefix("W/").strip('"'),
        )

    def config_schema(self, asked: Asked) -> Answer:
        return self.runtime.desk.schema()

    async def reload(self, asked: Asked) -> Answer:
        return await self.runtime.desk.reload()

    def level_get(self, asked: Asked) -> Answer:
        return answer_json({"level": self.runtime.log_level})

    def level_set(self, asked: Asked) -> Answer:
        level = asked.json().get("level")
        if not isinstance(level, str) or level not in LEVELS:
            raise BadRequest(400, f"level is one of {', '.join(LEVELS)}.")
        self.runtime.set_log_level(level)
        return answer_json({"level": level})

    async def login_start(self, asked: Asked) -> Answer:
        assert self.runtime.logins is not None
        return await self.runtime.logins.start(asked.json())

    async def login_poll(self, asked: Asked) -> Answer:
        assert self.runtime.logins is not None
        return await self.runtime.logins.poll(asked.json())


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/health"): Management.health,
    ("GET", "/v1/models"): Management.models,
    ("GET", "/usage/current"): Management.usage_current,
    ("GET", "/usage/historical"): Management.usage_historical,
    ("GET", "/usage/get"): Management.usage_historical,
    ("POST", "/usage/simulate"): Management.simulate,
    ("GET", "/route"): Management.route,
    ("GET", "/config"): Management.config_get,
    ("GET", "/config/get"): Management.config_get,
    ("GET", "/config/schema"): Management.config_schema,
    ("POST", "/config"): Management.config_set,
    ("POST", "/config/set"): Management.config_set,
    ("POST", "/admin/reload"): Management.reload,
    ("GET", "/admin/logging/level"): Management.level_get,
    ("POST", "/admin/logging/level"): Management.level_set,
    ("POST", "/api/copilot/auth/start"): Management.login_start,
    ("POST", "/api/copilot/auth/poll"): Management.login_poll,
}


def answer_json(value: object, status: int = 200) -> Answer:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Answer(status, text.encode(errors="replace"))


def failure(
    status: int,
    message: str,
    code: str = "invalid_request",
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    body = json.dumps({"error": error}, ensure_ascii=False).encode(errors="replace")
    return Answer(status, body, headers=headers)
