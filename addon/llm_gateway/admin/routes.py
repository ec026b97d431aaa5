"""Management API: the table of routes, with access levels, and what each answers.

What lives here: the table of management routes and what each answers, as values. The
guard has let the request in; numbers come from the runtime, history from the ledger.

What this file does not know: sockets. Whatever reads a disk does so in a thread.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from mitmproxy import http
from mitmproxy.version import VERSION as MITMPROXY

from llm_gateway import __version__
from llm_gateway.admin.cluster_routes import (
    cluster_fold,
    cluster_settle,
    cluster_status,
)
from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.copilot_login import CopilotLoginRoutes
from llm_gateway.admin.current_usage import current_usage
from llm_gateway.admin.guard import Area, plain
from llm_gateway.admin.json_responses import (
    AdminRequest,
    BadRequest,
    answer_json,
    failure,
)
from llm_gateway.admin.model_lists import (
    BadPage,
    anthropic_entry,
    anthropic_page,
    asked_model,
    listed_model,
    version_of,
)
from llm_gateway.admin.simulated_usage import simulate
from llm_gateway.admin.start_page import start_page, wants_page
from llm_gateway.app.state import LEVELS, AppState
from llm_gateway.dialects import (
    DEFAULT,
    SPECS,
    DialectSpec,
    RequestError,
    is_request_path,
    lists_models_as,
    match,
    models_list,
    plain_path,
    spoken_with,
    unrouted,
)
from llm_gateway.dialects.spec import ModelLists
from llm_gateway.domain import Decision, Dialect
from llm_gateway.frozen import frozen
from llm_gateway.ledger.reports import BadParameter, usage_historical
from llm_gateway.mitm_compat import fingerprints
from llm_gateway.providers.model_index import unknown_model
from llm_gateway.routing import status as current
from llm_gateway.timestamps import iso
from llm_gateway.transport.local_response import (
    LocalResponse,
    preflight,
    seconds_until,
    set_response,
)

logger = logging.getLogger("llm_gateway")

USAGE_MODEL = "/usage/model/"
BODY_BYTES = 1 << 20
"""The largest body that a management route reads."""


Handler = Callable[
    ["AdminRoutes", AdminRequest], Awaitable[LocalResponse] | LocalResponse
]


Judge = Callable[
    [AdminRequest, DialectSpec, Mapping[str, object]],
    Awaitable[Decision | RequestError | None],
]
"""Weighs the candidates of one request. None: nobody can be asked for its model."""


@frozen
class Route:
    """Who answers, and what a client needs to be answered."""

    handler: Handler
    access: Area


class AdminRoutes:
    def __init__(
        self, runtime: AppState, config: ConfigRoutes, logins: CopilotLoginRoutes
    ) -> None:
        self.runtime = runtime
        self.config = config
        self.logins = logins
        self.judge: Judge | None = None
        """Set by the pipeline, which is built later."""

    async def answer(self, flow: http.HTTPFlow, cors_origin: str) -> None:
        """`cors_origin`: the page of an allowed origin that asks, or ""."""
        request = flow.request
        if request.method == "OPTIONS":
            set_response(
                flow,
                LocalResponse(
                    204, b"", headers=preflight(cors_origin, request.headers)
                ),
            )
            return
        # Bytes that are no UTF-8 become question marks: SQLite and JSON want text.
        target = request.path.encode("utf-8", "surrogateescape").decode(
            "utf-8", "replace"
        )
        query = target.partition("?")[2]
        asked = AdminRequest(
            request.method,
            plain_path(target),
            dict(parse_qsl(query, keep_blank_values=True)),
            request.headers,
            request.raw_content or b"",
            flow,
        )
        try:
            if len(asked.body) > BODY_BYTES:
                raise BadRequest(413, f"The body is larger than {BODY_BYTES} bytes.")
            answer = await self._route(asked)
        except BadRequest as e:
            answer = failure(e.status, str(e))
        set_response(flow, answer)

    async def _route(self, asked: AdminRequest) -> LocalResponse:
        method = "GET" if asked.method == "HEAD" else asked.method
        found = _route(asked.method, asked.path) or _route(method, asked.path)
        if found is None:
            if other := unrouted(asked.path):
                spoken, message = other
                body = spoken.error_body(501, "not_routed", message)
                return LocalResponse(501, body)
            known = _methods(asked.path)
            if known:
                return failure(
                    405,
                    f"{asked.path} takes {' and '.join(sorted(known))}.",
                    headers=(("allow", ", ".join(sorted(known))),),
                )
            return nothing_here(asked.path)
        result = found.handler(self, asked)
        return result if isinstance(result, LocalResponse) else await result

    # -- open routes -----------------------------------------------------------

    def root(self, asked: AdminRequest) -> LocalResponse:
        """Apps ask whether anybody is there at all; browsers get a page, nobody else."""
        if not wants_page(asked.headers.get("accept", "")):
            if asked.method == "HEAD":
                return LocalResponse(200, b"")
            return nothing_here(asked.path)
        runtime = self.runtime
        names = runtime.catalog.model_names()
        return start_page(runtime.port, runtime.dashboard_port, names, __version__)

    def health(self, asked: AdminRequest) -> LocalResponse:
        runtime = self.runtime
        degraded = runtime.degraded
        status = "draining" if runtime.draining else "degraded" if degraded else "ok"
        loading = runtime.loading
        cluster = runtime.cluster
        return answer_json(
            {
                **({} if cluster is None else {"cluster": cluster.status()}),
                "status": status,
                "timestamp": iso(runtime.clock()),
                "version": __version__,
                "degraded": degraded,
                "mitmproxy": {
                    "version": MITMPROXY,
                    "unknown": sorted(fingerprints.groups_off()),
                },
                "config": {
                    "revision": loading.revision,
                    "loaded_at": iso(loading.loaded_at),
                    "error": loading.error,
                },
            }
        )

    def models(self, asked: AdminRequest) -> LocalResponse:
        """The list, or one of it; aliases have an entry of their own, too."""
        name = listed_model(asked.path)
        own = lists_models_as(version_of(asked.path), asked.headers)
        if own is not None:
            return self._own_models(*own, name or "", asked.query)
        name = asked_model(asked.path)
        spoken = spoken_with(asked.headers)
        anthropic = spoken is not DEFAULT
        names = self.runtime.catalog.model_names()
        if not name:
            if not anthropic:
                return LocalResponse(200, models_list(names))
            try:
                return answer_json(anthropic_page(names, asked.query))
            except BadPage as e:
                body = spoken.error_body(400, "invalid_request", str(e))
                return LocalResponse(400, body)
        if not any(self.runtime.catalog.names.match_tiers(name)):
            message = unknown_model(name, self.runtime.catalog.model_names())
            return LocalResponse(
                404, spoken.error_body(404, "model_not_found", message)
            )
        if anthropic:
            return answer_json(anthropic_entry(name))
        [only] = json.loads(models_list([name]))["data"]
        return answer_json(only)

    def _own_models(
        self,
        spoken: DialectSpec,
        lists: ModelLists,
        name: str,
        query: Mapping[str, str],
    ) -> LocalResponse:
        """The list, or one of it, in a dialect's own form."""
        if not name:
            try:
                return answer_json(
                    lists.page(self.runtime.catalog.model_names(), query)
                )
            except ValueError as e:
                body = spoken.error_body(400, "invalid_request", str(e))
                return LocalResponse(400, body)
        if not any(self.runtime.catalog.names.match_tiers(name)):
            message = unknown_model(name, self.runtime.catalog.model_names())
            return LocalResponse(
                404, spoken.error_body(404, "model_not_found", message)
            )
        return answer_json(lists.entry(name))

    async def usage_current(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await current_usage(self.runtime, self.runtime.clock()))

    async def usage_historical(self, asked: AdminRequest) -> LocalResponse:
        now = self.runtime.clock()
        try:
            rows = await asyncio.to_thread(
                usage_historical, self.runtime.store, asked.query, now
            )
        except BadParameter as e:
            raise BadRequest(400, str(e)) from e
        return answer_json(rows)

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

    async def simulate(self, asked: AdminRequest) -> LocalResponse:
        try:
            return answer_json(await simulate(self.runtime, asked.json()))
        except ValueError as e:
            if isinstance(e, BadRequest):
                raise
            raise BadRequest(400, str(e)) from e

    # -- with the admin token --------------------------------------------------

    async def config_get(self, asked: AdminRequest) -> LocalResponse:
        return await self.config.read(as_text=asked.query.get("format") == "text")

    async def config_set(self, asked: AdminRequest) -> LocalResponse:
        text = "jsonc" in asked.headers.get("content-type", "")
        return await self.config.write(
            asked.body,
            as_text=text,
            dry_run=asked.query.get("dry_run") in ("1", "true"),
            if_match=asked.match(),
        )

    async def config_versions(self, asked: AdminRequest) -> LocalResponse:
        if (id_ := asked.query.get("id")) is not None:
            return await self.config.difference(id_)
        return await self.config.versions()

    async def config_restore(self, asked: AdminRequest) -> LocalResponse:
        return await self.config.restore(asked.json().get("id"), if_match=asked.match())

    def config_schema(self, asked: AdminRequest) -> LocalResponse:
        return self.config.schema()

    async def reload(self, asked: AdminRequest) -> LocalResponse:
        """Everything is looked at again: the file, and what providers have and allow."""
        answer = await self.config.reload()
        if self.runtime.polls is not None:
            self.runtime.polls.ask_all()
        return answer

    async def models_refresh(self, asked: AdminRequest) -> LocalResponse:
        """Ask every provider for its list and for what is left, and wait for it."""
        polls = self.runtime.polls
        if polls is None:
            return answer_json({"polls": []})
        await polls.refresh()
        return answer_json({"polls": polls.as_json()})

    def polls(self, asked: AdminRequest) -> LocalResponse:
        """How old what providers said of their models and quotas is."""
        polls = self.runtime.polls
        return answer_json({"polls": polls.as_json() if polls is not None else []})

    def notices(self, asked: AdminRequest) -> LocalResponse:
        """What was warned of once, and how often it came since."""
        return answer_json({"notices": self.runtime.notices.as_json()})

    def quirks_forget(self, asked: AdminRequest) -> LocalResponse:
        """What refusals of a provider, or of one of its models, taught."""
        said = asked.json()
        provider, model = said.get("provider"), said.get("model")
        if not isinstance(provider, str) or not provider:
            raise BadRequest(400, 'Whose? {"provider": ID} and, if you like, "model".')
        if model is not None and not isinstance(model, str):
            raise BadRequest(400, "`model` is the name that the provider is sent.")
        return answer_json({"forgotten": self.runtime.forget_quirks(provider, model)})

    def cluster_get(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(cluster_status(self.runtime))

    async def cluster_fold(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await cluster_fold(self.runtime))

    async def cluster_settle(self, asked: AdminRequest) -> LocalResponse:
        return answer_json(await cluster_settle(self.runtime, asked))

    def level_get(self, asked: AdminRequest) -> LocalResponse:
        return answer_json({"level": self.runtime.log_level})

    def level_set(self, asked: AdminRequest) -> LocalResponse:
        level = asked.json().get("level")
        if not isinstance(level, str) or level not in LEVELS:
            raise BadRequest(400, f"level is one of {', '.join(LEVELS)}.")
        self.runtime.set_log_level(level)
        return answer_json({"level": level})

    async def login_start(self, asked: AdminRequest) -> LocalResponse:
        return await self.logins.start(asked.json())

    async def login_poll(self, asked: AdminRequest) -> LocalResponse:
        return await self.logins.poll(asked.json())


ROUTES: dict[tuple[str, str], Route] = {
    ("HEAD", "/"): Route(AdminRoutes.root, Area.OPEN),
    ("GET", "/health"): Route(AdminRoutes.health, Area.OPEN),
    ("GET", "/v1/models"): Route(AdminRoutes.models, Area.API),
    ("GET", "/usage/current"): Route(AdminRoutes.usage_current, Area.OPEN),
    ("GET", "/usage/historical"): Route(AdminRoutes.usage_historical, Area.OPEN),
    ("GET", "/usage/get"): Route(AdminRoutes.usage_historical, Area.OPEN),
    ("POST", "/usage/simulate"): Route(AdminRoutes.simulate, Area.OPEN),
    ("GET", "/route"): Route(AdminRoutes.route, Area.OPEN),
    ("POST", "/route"): Route(AdminRoutes.route_of, Area.OPEN),
    ("GET", "/config"): Route(AdminRoutes.config_get, Area.ADMIN),
    ("GET", "/config/get"): Route(AdminRoutes.config_get, Area.ADMIN),
    ("GET", "/config/schema"): Route(AdminRoutes.config_schema, Area.ADMIN),
    ("GET", "/config/versions"): Route(AdminRoutes.config_versions, Area.ADMIN),
    ("POST", "/config/restore"): Route(AdminRoutes.config_restore, Area.ADMIN),
    ("POST", "/config"): Route(AdminRoutes.config_set, Area.ADMIN),
    ("POST", "/config/set"): Route(AdminRoutes.config_set, Area.ADMIN),
    ("POST", "/admin/reload"): Route(AdminRoutes.reload, Area.ADMIN),
    ("GET", "/admin/models"): Route(AdminRoutes.polls, Area.ADMIN),
    ("POST", "/admin/models/refresh"): Route(AdminRoutes.models_refresh, Area.ADMIN),
    ("GET", "/admin/notices"): Route(AdminRoutes.notices, Area.ADMIN),
    ("POST", "/admin/quirks/forget"): Route(AdminRoutes.quirks_forget, Area.ADMIN),
    ("GET", "/admin/cluster"): Route(AdminRoutes.cluster_get, Area.ADMIN),
    ("POST", "/admin/cluster/fold"): Route(AdminRoutes.cluster_fold, Area.ADMIN),
    ("POST", "/admin/cluster/settle"): Route(AdminRoutes.cluster_settle, Area.ADMIN),
    ("GET", "/admin/logging/level"): Route(AdminRoutes.level_get, Area.ADMIN),
    ("POST", "/admin/logging/level"): Route(AdminRoutes.level_set, Area.ADMIN),
    ("POST", "/api/copilot/auth/start"): Route(AdminRoutes.login_start, Area.ADMIN),
    ("POST", "/api/copilot/auth/poll"): Route(AdminRoutes.login_poll, Area.ADMIN),
}
"""Every route with its level. A path that is not here is for the admin token alone."""

USAGE_OF_MODEL = Route(AdminRoutes.usage_model, Area.OPEN)
MODELS = Route(AdminRoutes.models, Area.API)
"""Both know their paths by how they begin or end: see `_route`."""

ACCESS: dict[str, Area] = {}
"""Path -> the strictest level of its methods."""
for (_, _path), _known in ROUTES.items():
    if ACCESS.get(_path) is not Area.ADMIN:
        ACCESS[_path] = _known.access
_ADMIN_ROOTS = {p.split("/")[1] for p, level in ACCESS.items() if level is Area.ADMIN}
_API = re.compile(r"/(?:.*/)?v1/|/(?:.*/)?models(?:/|$)")


@lru_cache(maxsize=64)
def area(path: str) -> Area:
    """What a path belongs to: as the table says, and ADMIN where it says nothing.

    In doubt about spelling the stricter one.
    """
    spelled = plain(path)
    if "/.." in spelled or spelled.lstrip("/").partition("/")[0] in _ADMIN_ROOTS:
        return Area.ADMIN
    if spelled in ACCESS:
        return ACCESS[spelled]
    if spelled.startswith(USAGE_MODEL):
        return USAGE_OF_MODEL.access
    if _API.match(spelled) or is_request_path(spelled):
        return Area.API
    return Area.ADMIN


def _route(method: str, path: str) -> Route | None:
    """Who answers; a path that names a model is known by how it begins."""
    found = ROUTES.get((method, path))
    if found is None and method == "GET":
        if path == "/":  # for browsers: `root` knows who is one
            return ROUTES["HEAD", path]
        if path.startswith(USAGE_MODEL):
            return USAGE_OF_MODEL
        if listed_model(path) is not None:
            return MODELS
    return found


def nothing_here(path: str) -> LocalResponse:
    said = f"There is no {path} here; see /health, /v1/models, /usage/current, /route."
    return failure(404, said)


def _methods(path: str) -> set[str]:
    """What a path takes; empty: there is no such path."""
    if match("POST", path):
        return {"POST"}
    if path == "/":  # a sign of life, and a page for browsers
        return set()
    known = {method for method, known in ROUTES if known == path}
    return known or ({"GET"} if _route("GET", path) else set())


def _chosen(decision: Decision | None) -> dict[str, object] | None:
    """Who is first; None: nobody can answer now."""
    if decision is None or not decision.ready:
        return None
    offer = decision.ready[0].offer
    return {"providerId": offer.provider, "model": offer.model}
