"""What can be looked at: the pages.

A view checks the permission, asks the board, and answers; texts for states without data
say what to do. What this file does not know: SQL, writes (actions.py), the JSON behind
the pages (json_views.py), requests (request_views.py).
"""

from typing import Any

from datasette import NotFound, Response

from llm_gateway.dashboard import (
    assets,
    compat,
    history_columns,
    receipt,
    request_detail,
)
from llm_gateway.dashboard.plugin_state import HISTORY_TTL

from .security import OURS
from .sign_in_links import BadLink
from .view_answers import (
    NO_STORE,
    UNREADABLE,
    Json,
    looking,
    page_of,
    problem_of,
    unreadable,
)

FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def live_page(request: Any, datasette: Any) -> Any:
    return await page_of(request, datasette, "gateway_live.html", "live", {})


async def history_page(request: Any, datasette: Any) -> Any:
    ranges = {key: one.label for key, one in history_columns.RANGES.items()}
    return await page_of(
        request, datasette, "gateway_history.html", "history", {"ranges": ranges}
    )


async def apps_page(request: Any, datasette: Any) -> Any:
    return await page_of(request, datasette, "gateway_apps.html", "apps", {})


async def sign_in_page(request: Any, datasette: Any) -> Any:
    """GET ?token=: makes root of whoever opens it, once. Without one: how to get one."""
    board, _ = await looking(request, datasette)
    if await compat.can_admin(datasette, request.actor):
        return Response.redirect(datasette.urls.path(OURS))
    token = request.args.get("token")
    if not token or request.method == "HEAD":
        return await _sign_in(request, datasette, "", 200)
    try:
        board.links.use(datasette, token, board.clock())
    except BadLink as error:
        return await _sign_in(request, datasette, str(error), 403)
    answer = Response.redirect(datasette.urls.path(OURS))
    actor = datasette.sign({"a": {"id": "root"}}, "actor")
    answer.set_cookie("ds_actor", actor, httponly=True, samesite="lax")
    return answer


async def sign_in_again(request: Any, datasette: Any) -> Any:
    """Datasette's own link did not sign in."""
    problem = "This sign-in link is not, or no longer, valid."
    return await _sign_in(request, datasette, problem, 403)


async def _sign_in(request: Any, datasette: Any, problem: str, status: int) -> Any:
    template = "gateway_sign_in.html"
    context = {"problem": problem}
    return await page_of(request, datasette, template, "", context, status=status)


async def config_page(request: Any, datasette: Any) -> Any:
    board, _ = await looking(request, datasette)
    try:
        running = await board.ask("live", request_detail.running, seconds=2.0)
    except UNREADABLE:
        running = []
    return await page_of(
        request, datasette, "gateway_config.html", "config", {"running": running}
    )


async def receipt_page(request: Any, datasette: Any) -> Any:
    """What a month saved, and how that was reckoned."""
    board, database = await looking(request, datasette)
    now = board.clock()
    try:
        month = receipt.month_of(request.args.get("month"), now)
    except receipt.BadMonth as error:
        return problem_of(400, str(error))

    async def build() -> Json:
        return await board.ask(
            "history", lambda ask: receipt.receipt(ask, month, now), seconds=5.0
        )

    try:
        found = await board.kept(("receipt", month), HISTORY_TTL, build)
    except UNREADABLE as error:
        return unreadable(error)
    first, last = receipt.bounds(month)
    span = {"first": month.isoformat(), "next": receipt.following(month).isoformat()}
    context = {
        "r": found,
        "title": month.strftime("%B %Y"),
        "earlier": receipt.address_month(receipt.preceding(month)),
        "later": ""
        if found["running"]
        else receipt.address_month(receipt.following(month)),
        "first": first,
        "last": last,
        "usd": request_detail.dollars,
        "each": receipt.each,
        "sql": compat.query_path(
            datasette, database, receipt.PER_MODEL.strip(), **span
        ),
    }
    return await page_of(request, datasette, "gateway_receipt.html", "history", context)


async def static(request: Any, datasette: Any) -> Any:
    name = request.url_vars["name"]
    if name not in assets.TYPES:
        raise NotFound("No such file")
    kind = assets.TYPES[name]
    current = request.url_vars["version"] == assets.version()
    return Response(
        assets.content(name),
        headers=FOR_EVER if current else NO_STORE,
        content_type=kind if kind.startswith("image/") else f"{kind}; charset=utf-8",
    )
