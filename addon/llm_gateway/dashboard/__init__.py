"""The dashboard: a Datasette plugin over the usage database.

Only hooks live here. It reads SQLite and asks the gateway's management routes; it never
imports the addon or mitmproxy, so it runs in any Datasette, 0.65 or 1.0.

    __init__   hooks                       views, writes   routes: looking, changing
    security   Host, origin, site, CSP     board           where the ledger is; cache
    sign_in    the cookie; what only       sql_limits      what a statement may take
               those who signed in see
    compat     0.65 and 1.0                reader          our own read-only connection
    assets     static files                queries         SQL
    live, alerts, ticker, standing         the live page's value
    history, story                         the other pages' values
    client                                 the gateway's management routes
"""

import logging
import os
import re
from typing import Any

from markupsafe import Markup

from llm_gateway.dashboard import (
    actions,
    assets,
    compat,
    json_views,
    request_views,
    security,
    sign_in,
    sql_limits,
    views,
)
from llm_gateway.dashboard.plugin_state import board_of

from .compat import hook

_QUIET_PATHS = ("/-/gateway/live.json", "/-/gateway/static/")

_REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_WRITES = (
    "/config/save",
    "/config/restore",
    "/reload",
    "/simulate",
    "/test",
    "/copilot/start",
    "/copilot/poll",
)
"""Paths of ours that take a POST."""


class _Quiet(logging.Filter):
    """A line for every poll of every tab would bury the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        path = args[2] if isinstance(args, tuple) and len(args) > 2 else ""
        return not any(quiet in str(path) for quiet in _QUIET_PATHS)


_QUIET = _Quiet()


@hook
def startup(datasette: Any) -> None:
    logging.getLogger("uvicorn.access").addFilter(_QUIET)
    board_of(datasette).attach()


@hook
def register_routes() -> list[tuple[str, Any]]:
    ours = r"^/-/gateway"
    return [
        (rf"{ours}$", views.live_page),
        (rf"{ours}/live\.json$", json_views.live_json),
        (rf"{ours}/history$", views.history_page),
        (rf"{ours}/history\.json$", json_views.history_json),
        (rf"{ours}/history\.csv$", json_views.history_csv),
        (rf"{ours}/since\.json$", json_views.since_json),
        (rf"{ours}/apps$", views.apps_page),
        (rf"{ours}/receipt$", views.receipt_page),
        (rf"{ours}/requests$", request_views.requests_page),
        (rf"{ours}/requests\.json$", request_views.requests_json),
        (rf"{ours}/requests/(?P<id>[^/]+)$", request_views.request_page),
        (rf"{ours}/offer\.json$", json_views.offer_json),
        (rf"{ours}/config$", views.config_page),
        (rf"{ours}/sign-in$", views.sign_in_page),
        (rf"{ours}/static/(?P<version>[0-9a-z]+)/(?P<name>.+)$", views.static),
        (rf"{ours}/config\.json$", actions.config_json),
        (rf"{ours}/config/save$", actions.config_save),
        (rf"{ours}/config/versions\.json$", actions.config_versions_json),
        (rf"{ours}/config/restore$", actions.config_restore),
        (rf"{ours}/starters\.json$", actions.starters_json),
        (rf"{ours}/test$", actions.test_call),
        (rf"{ours}/reload$", actions.reload),
        (rf"{ours}/simulate$", actions.simulate),
        (rf"{ours}/copilot/(?P<step>start|poll)$", actions.copilot),
        (rf"{ours}/status\.json$", actions.status_json),
        (rf"{ours}/route\.json$", actions.route_json),
    ]


@hook
def asgi_wrapper(datasette: Any) -> Any:
    names = os.environ.get("LLM_GATEWAY_DASHBOARD_HOSTS", "").replace(",", " ").split()
    configured = board_of(datasette).config().get("allowed_hosts") or []
    rules = security.Rules(
        hosts=frozenset(name.lower() for name in [*names, *configured]),
        prefix=datasette.setting("base_url").rstrip("/"),
    )
    return lambda app: security.wrap(sign_in.wrap(app, datasette, rules.prefix), rules)


@hook
def prepare_connection(conn: Any, datasette: Any) -> None:
    """Every connection of Datasette's, whoever uses it."""
    sql_limits.limit_statements(conn)
    sql_limits.limit_results(conn)
    if not getattr(datasette, "crossdb", False):
        sql_limits.hide_paths(conn)


@hook
def forbidden(datasette: Any, request: Any) -> Any:
    """A root token that is wrong or used up: how to get another link."""
    prefix = datasette.setting("base_url").rstrip("/")
    if request.path.removeprefix(prefix) != "/-/auth-token":
        return None
    return views.sign_in_again(request, datasette)


@hook
def skip_csrf(datasette: Any, scope: Any) -> bool | None:
    """0.65: our POSTs carry JSON and are checked for their origin instead."""
    prefix = datasette.setting("base_url").rstrip("/") + security.OURS
    return True if scope["path"].removeprefix(prefix) in _WRITES else None


@hook
def permission_allowed(datasette: Any, actor: Any, action: str) -> bool | None:
    """0.65: who may write."""
    if action != compat.ADMIN:
        return None
    return compat.root_may(actor, board_of(datasette).config().get("allow"))


@hook
def register_actions(datasette: Any) -> list[Any]:
    """1.0: the same permission, as an action; root has it."""
    from datasette.permissions import Action

    return [
        Action(name=compat.ADMIN, description="Change the LLM gateway's configuration")
    ]


@hook
def permission_resources_sql(datasette: Any, actor: Any, action: str) -> Any:
    """1.0: whom the plugin's `allow` block names."""
    if action != compat.ADMIN or not actor:
        return None
    if not compat.root_may(actor, board_of(datasette).config().get("allow")):
        return None
    from datasette.permissions import PermissionSQL

    return PermissionSQL.allow(reason="llm-gateway: allow")


@hook
def render_cell(value: Any, column: str, table: str | None, datasette: Any) -> Any:
    """In any table or query, a request's id leads to why it went where it went."""
    if column != "request" and (table, column) != ("requests", "id"):
        return None
    if not isinstance(value, str) or not _REQUEST_ID.fullmatch(value):
        return None
    path = datasette.urls.path(f"{security.OURS}/requests/{value}")
    return Markup('<a href="{}">{}</a>').format(path, value)


def _dress(datasette: Any, name: str) -> list[str]:
    path = f"{security.OURS}/static/{assets.version()}/{name}"
    return [datasette.urls.path(path)]


@hook
def extra_css_urls(datasette: Any) -> list[str]:
    """Datasette's own pages look like ours."""
    return _dress(datasette, "dress.css")


@hook
def extra_js_urls(datasette: Any) -> list[str]:
    """The way back to the dashboard, and the descriptions of columns folded."""
    return _dress(datasette, "dress.js")


@hook
def menu_links(datasette: Any) -> list[dict[str, str]]:
    pages = {
        "": "Gateway: live",
        "/requests": "Requests",
        "/history": "History",
        "/config": "Providers & config",
        "/apps": "Connect an app",
    }
    return [
        {"href": datasette.urls.path(security.OURS + path), "label": label}
        for path, label in pages.items()
    ]


@hook
def database_actions(datasette: Any, database: str) -> list[dict[str, str]] | None:
    ledger = board_of(datasette).found
    if ledger is None or ledger.database != database:
        return None
    return [
        {"href": datasette.urls.path(security.OURS), "label": "Live dashboard"},
        {"href": datasette.urls.path(security.OURS + "/history"), "label": "History"},
    ]
