"""Answers of the dashboard: a page, JSON, a problem; and who may look.

What this file does not know: what is asked, SQL.
"""

import json
from typing import Any

from datasette import Forbidden, Response

from llm_gateway import gateway_client
from llm_gateway.dashboard import assets, compat
from llm_gateway.dashboard.plugin_state import NoLedger, PluginState, board_of

from .. import __version__
from .reader import NotReadable, TooSlow
from .security import OURS

Json = dict[str, Any]

NO_STORE = {"cache-control": "no-store"}
UNREADABLE = (NoLedger, NotReadable, TooSlow)
"""What a question of the ledger may end with."""


async def looking(request: Any, datasette: Any) -> tuple[PluginState, str]:
    """The board and the ledger's name, for an actor who may see them."""
    board = board_of(datasette)
    try:
        database = (await board.ledger()).database
    except (NoLedger, NotReadable):
        database = ""
    if not await board.may_look(request.actor, database or None):
        raise Forbidden("view-database")
    return board, database


async def page_of(
    request: Any,
    datasette: Any,
    template: str,
    tab: str,
    context: Json,
    *,
    status: int = 200,
) -> Any:
    board, database = await looking(request, datasette)
    base = datasette.urls.path(OURS)
    page = {
        "base": base,
        "assets": f"{base}/static/{assets.version()}",
        "tab": tab,
        "version": __version__,
        "database": database,
        "database_path": datasette.urls.database(database) if database else "",
        "home_path": datasette.urls.instance(),
        "logout_path": datasette.urls.logout(),
        "admin": await compat.can_admin(datasette, request.actor),
        "gateway_url": await board.gateway_url(),
        "start_command": gateway_client.HOW_TO_START,
        "activation": gateway_client.activation("mitmdump"),
    }
    html = await datasette.render_template(
        template, {"page": page, **context}, request=request
    )
    return Response.html(html, status=status, headers=NO_STORE)


def unread(error: Exception) -> str:
    """Why there is nothing to show, as a sentence."""
    if isinstance(error, NoLedger):
        return (
            f"There is no usage database yet: {error} does not exist or is empty. "
            "It is made when the gateway starts."
        )
    return f"The usage database: {error}"


def unreadable(error: Exception) -> Any:
    state = "no ledger" if isinstance(error, NoLedger) else "not readable"
    return problem_of(503, unread(error), state=state)


def problem_of(status: int, message: str, **more: str) -> Any:
    return json_of({"error": {"message": message}, **more}, status)


def json_of(body: Any, status: int = 200) -> Any:
    return Response(
        json.dumps(body, separators=(",", ":")),
        status=status,
        headers=NO_STORE,
        content_type="application/json",
    )
