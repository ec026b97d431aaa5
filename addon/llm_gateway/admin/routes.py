"""Management API: the table of routes, with access levels and who answers each.

What lives here: `ROUTES`, what belongs to which level (`area`), and who answers a method
and path (`route_to`).

What this file does not know: what is answered, flows (management_api.py).
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache

from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.copilot_login import CopilotLoginRoutes
from llm_gateway.admin.guard import Area, plain
from llm_gateway.admin.health_route import HealthRoute
from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.admin.model_lists import listed_model
from llm_gateway.admin.model_routes import ModelRoutes
from llm_gateway.admin.operator_routes import OperatorRoutes
from llm_gateway.admin.route_explanations import USAGE_MODEL, RouteExplanations
from llm_gateway.admin.usage_routes import UsageRoutes
from llm_gateway.dialects import is_request_path, match
from llm_gateway.frozen import frozen
from llm_gateway.transport.local_response import LocalResponse


@dataclass(slots=True)
class Handlers:
    """Who answers, by subject."""

    health: HealthRoute
    models: ModelRoutes
    usage: UsageRoutes
    explanations: RouteExplanations
    operator: OperatorRoutes
    config: ConfigRoutes
    logins: CopilotLoginRoutes


Handler = Callable[[AdminRequest], Awaitable[LocalResponse] | LocalResponse]


@frozen
class Route:
    """Who answers, and what a client needs to be answered."""

    handler: Callable[[Handlers], Handler]
    access: Area


ROUTES: dict[tuple[str, str], Route] = {
    ("HEAD", "/"): Route(lambda to: to.health.root, Area.OPEN),
    ("GET", "/health"): Route(lambda to: to.health.health, Area.OPEN),
    ("GET", "/v1/models"): Route(lambda to: to.models.models, Area.API),
    ("GET", "/usage/current"): Route(lambda to: to.usage.current, Area.OPEN),
    ("GET", "/usage/historical"): Route(lambda to: to.usage.historical, Area.OPEN),
    ("GET", "/usage/get"): Route(lambda to: to.usage.historical, Area.OPEN),
    ("POST", "/usage/simulate"): Route(lambda to: to.usage.simulate, Area.OPEN),
    ("GET", "/route"): Route(lambda to: to.explanations.route, Area.OPEN),
    ("POST", "/route"): Route(lambda to: to.explanations.route_of, Area.OPEN),
    ("GET", "/config"): Route(lambda to: to.config.read, Area.ADMIN),
    ("GET", "/config/get"): Route(lambda to: to.config.read, Area.ADMIN),
    ("GET", "/config/schema"): Route(lambda to: to.config.schema, Area.ADMIN),
    ("GET", "/config/versions"): Route(lambda to: to.config.versions, Area.ADMIN),
    ("POST", "/config/restore"): Route(lambda to: to.config.restore, Area.ADMIN),
    ("POST", "/config"): Route(lambda to: to.config.write, Area.ADMIN),
    ("POST", "/config/set"): Route(lambda to: to.config.write, Area.ADMIN),
    ("POST", "/admin/reload"): Route(lambda to: to.operator.reload, Area.ADMIN),
    ("GET", "/admin/models"): Route(lambda to: to.operator.polls, Area.ADMIN),
    ("POST", "/admin/models/refresh"): Route(
        lambda to: to.operator.models_refresh, Area.ADMIN
    ),
    ("GET", "/admin/notices"): Route(lambda to: to.operator.notices, Area.ADMIN),
    ("POST", "/admin/quirks/forget"): Route(
        lambda to: to.operator.quirks_forget, Area.ADMIN
    ),
    ("GET", "/admin/cluster"): Route(lambda to: to.operator.cluster_get, Area.ADMIN),
    ("POST", "/admin/cluster/fold"): Route(
        lambda to: to.operator.cluster_fold, Area.ADMIN
    ),
    ("POST", "/admin/cluster/settle"): Route(
        lambda to: to.operator.cluster_settle, Area.ADMIN
    ),
    ("GET", "/admin/logging/level"): Route(
        lambda to: to.operator.level_get, Area.ADMIN
    ),
    ("POST", "/admin/logging/level"): Route(
        lambda to: to.operator.level_set, Area.ADMIN
    ),
    ("POST", "/api/copilot/auth/start"): Route(lambda to: to.logins.start, Area.ADMIN),
    ("POST", "/api/copilot/auth/poll"): Route(lambda to: to.logins.poll, Area.ADMIN),
}
"""Every route with its level. A path that is not here is for the admin token alone."""

USAGE_OF_MODEL = Route(lambda to: to.explanations.usage_model, Area.OPEN)
MODELS = Route(lambda to: to.models.models, Area.API)
"""Both know their paths by how they begin or end: see `route_to`."""

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


def route_to(method: str, path: str) -> Route | None:
    """Who answers; a path that names a model is known by how it begins."""
    found = ROUTES.get((method, path))
    if found is None and method == "GET":
        if path == "/":  # for browsers: `HealthRoute.root` knows who is one
            return ROUTES["HEAD", path]
        if path.startswith(USAGE_MODEL):
            return USAGE_OF_MODEL
        if listed_model(path) is not None:
            return MODELS
    return found


def methods_of(path: str) -> set[str]:
    """What a path takes; empty: there is no such path."""
    if match("POST", path):
        return {"POST"}
    if path == "/":  # a sign of life, and a page for browsers
        return set()
    known = {method for method, known in ROUTES if known == path}
    return known or ({"GET"} if route_to("GET", path) else set())
