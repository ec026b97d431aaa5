"""What can be looked at: the pages and the JSON behind them.

A view checks the permission, asks the board, and answers; texts for states without data
say what to do. What this file does not know: SQL, writes (actions.py).
"""

import asyncio
import gzip
import json
from typing import Any

from datasette import Forbidden, NotFound, Response

from llm_gateway import gateway_client
from llm_gateway.dashboard import (
    assets,
    compat,
    history,
    request_detail,
    usage_sums,
)
from llm_gateway.dashboard.plugin_state import NoLedger, PluginState, board_of

from .. import __version__
from .live import WINDOWS
from .reader import NotReadable, TooSlow
from .security import OURS

Json = dict[str, Any]

NO_STORE = {"cache-control": "no-store"}
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def live_page(request: Any, datasette: Any) -> Any:
    return await _page(request, datasette, "gateway_live.html", "live", {})


async def history_page(request: Any, datasette: Any) -> Any:
    ranges = {key: found.label for key, found in history.RANGES.items()}
    return await _page(
        request, datasette, "gateway_history.html", "history", {"ranges": ranges}
    )


async def config_page(request: Any, datasette: Any) -> Any:
    board, _ = await _looking(request, datasette)
    try:
        running = await board.ask("live", request_detail.running, seconds=2.0)
    except (NoLedger, NotReadable, TooSlow):
        running = []
    return await _page(
        request, datasette, "gateway_config.html", "config", {"running": running}
    )


async def request_page(request: Any, datasette: Any) -> Any:
    board, database = await _looking(request, datasette)
    id_ = request.url_vars["id"]
    try:
        found = await board.ask(
            "live", lambda ask: request_detail.request_detail(ask, id_), seconds=2.0
        )
    except (NoLedger, NotReadable):
        found = None
    if found is None:
        raise NotFound(f"There is no request {id_} in the ledger")
    rows = {
        table: datasette.urls.table(database, table)
        for table in ("requests", "attempts")
    }
    return await _page(
        request,
        datasette,
        "gateway_request.html",
        "live",
        {"story": found, "rows": rows},
    )


async def live_json(request: Any, datasette: Any) -> Any:
    board, _ = await _looking(request, datasette)
    text = request.args.get("window") or "5"
    minutes = int(text) if text.isdecimal() else 0
    if minutes not in WINDOWS:
        known = ", ".join(map(str, WINDOWS))
        return _problem(400, f"window is {text!r}; write one of {known}")
    where = usage_sums.zone(request.args.get("tz"))
    if where is None:
        return _problem(400, _NO_ZONE.format(found=request.args.get("tz")))
    try:
        body = await board.live(
            minutes,
            simulated=request.args.get("sim") != "0",
            other=request.args.get("other") == "1",
            where=where,
        )
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")
    if "gzip" not in request.headers.get("accept-encoding", ""):
        text = await asyncio.to_thread(gzip.decompress, body)
        return Response(text, headers=NO_STORE, content_type="application/json")
    headers = NO_STORE | {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(body, headers=headers, content_type="application/json")


async def history_json(request: Any, datasette: Any) -> Any:
    board, database = await _looking(request, datasette)
    wanted = history.wanted(request.args)
    if isinstance(wanted, str):
        return _problem(400, wanted)
    try:
        found = await history.load(board, wanted)
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")
    links = {
        name: compat.query_path(datasette, database, sql, **params)
        for name, (sql, params) in history.questions(wanted, found).items()
    }
    return _json(found | {"sql": links})


async def history_csv(request: Any, datasette: Any) -> Any:
    board, _ = await _looking(request, datasette)
    wanted = history.wanted(request.args)
    if isinstance(wanted, str):
        return _problem(400, wanted)
    try:
        found = await history.load(board, wanted)
    except (NoLedger, NotReadable, TooSlow) as error:
        return _problem(503, str(error))
    name = f"llm-gateway-{wanted.span}-by-{wanted.by}.csv"
    return Response(
        history.as_csv(found, wanted),
        headers={"content-disposition": f'attachment; filename="{name}"'},
        content_type="text/csv; charset=utf-8",
    )


async def offer_json(request: Any, datasette: Any) -> Any:
    """The last requests and failures of one model of one provider."""
    board, database = await _looking(request, datasette)
    provider = request.args.get("provider") or ""
    model = request.args.get("model") or ""
    try:
        found = await board.ask(
            "history",
            lambda ask: request_detail.offer(ask, provider, model),
            seconds=2.0,
        )
    except (NoLedger, NotReadable, TooSlow) as error:
        return _problem(503, str(error))
    table = datasette.urls.table(database, "requests")
    return _json(found | {"table": table})


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


async def _looking(request: Any, datasette: Any) -> tuple[PluginState, str]:
    """The board and the ledger's name, for an actor who may see them."""
    board = board_of(datasette)
    try:
        database = (await board.ledger()).database
    except NoLedger:
        database = ""
    if not await board.may_look(request.actor, database or None):
        raise Forbidden("view-database")
    return board, database


async def _page(
    request: Any, datasette: Any, template: str, tab: str, context: Json
) -> Any:
    board, database = await _looking(request, datasette)
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
    }
    html = await datasette.render_template(
        template, {"page": page, **context}, request=request
    )
    return Response.html(html, headers=NO_STORE)


_NO_ZONE = "tz is {found!r}; write the name of a time zone, e.g. Europe/Berlin"
_NO_LEDGER = (
    "There is no usage database yet: {path} does not exist or is empty. "
    "It is made when the gateway starts."
)


def _problem(status: int, message: str, **more: str) -> Any:
    return _json({"error": {"message": message}, **more}, status)


def _json(body: Json, status: int = 200) -> Any:
    return Response(
        json.dumps(body, separators=(",", ":")),
        status=status,
        headers=NO_STORE,
        content_type="application/json",
    )
