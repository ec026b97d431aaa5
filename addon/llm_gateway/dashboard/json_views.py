"""JSON and CSV behind the pages: live, history, what came since, one offer.

What this file does not know: SQL, pages (views.py), requests (request_views.py).
"""

from typing import Any

from datasette import Response

from llm_gateway.dashboard import compat, history, request_detail, usage_sums
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.plugin_state import PluginState

from .live import WINDOWS
from .reader import Ask
from .view_answers import (
    NO_STORE,
    UNREADABLE,
    Json,
    json_of,
    looking,
    problem_of,
    unreadable,
)

_NO_ZONE = "tz is {found!r}; write the name of a time zone, e.g. Europe/Berlin"


async def live_json(request: Any, datasette: Any) -> Any:
    """GET ?have=TAG: what changed since the answer with that `tag`, where it is still known;
    else, and without it, all of it."""
    board, _ = await looking(request, datasette)
    text = request.args.get("window") or "5"
    minutes = int(text) if text.isdecimal() else 0
    if minutes not in WINDOWS:
        known = ", ".join(map(str, WINDOWS))
        return problem_of(400, f"window is {text!r}; write one of {known}")
    where = usage_sums.zone(request.args.get("tz"))
    if where is None:
        return problem_of(400, _NO_ZONE.format(found=request.args.get("tz")))
    try:
        found = await board.live(
            minutes,
            simulated=request.args.get("sim") != "0",
            other=request.args.get("other") == "1",
            where=where,
        )
    except UNREADABLE as error:
        return unreadable(error)
    have = request.args.get("have")
    accepted = "gzip" in request.headers.get("accept-encoding", "")
    packed = found.packed(have) if accepted else None
    headers = NO_STORE | {"vary": "accept-encoding"}
    if packed is None:
        answer = found.text(have)
    else:
        answer, headers = packed, headers | {"content-encoding": "gzip"}
    return Response(answer, headers=headers, content_type="application/json")


async def history_json(request: Any, datasette: Any) -> Any:
    board, database = await looking(request, datasette)
    asked = await _history(board, request)
    if isinstance(asked, Response):
        return asked
    wanted, found = asked
    links = {
        name: compat.query_path(datasette, database, sql, **params)
        for name, (sql, params) in history.questions(
            wanted, found, board.clock()
        ).items()
    }
    return json_of(found | {"sql": links})


async def history_csv(request: Any, datasette: Any) -> Any:
    board, _ = await looking(request, datasette)
    asked = await _history(board, request)
    if isinstance(asked, Response):
        return asked
    wanted, found = asked
    span = f"{wanted.dates.first}-{wanted.dates.last}" if wanted.dates else wanted.span
    name = f"llm-gateway-{span}-by-{wanted.by}.csv"
    return Response(
        history.as_csv(found, wanted),
        headers={"content-disposition": f'attachment; filename="{name}"'},
        content_type="text/csv; charset=utf-8",
    )


async def _history(board: PluginState, request: Any) -> Any:
    """What was asked and what there is of it; else the answer that says why not."""
    wanted = history.wanted(request.args)
    if isinstance(wanted, str):
        return problem_of(400, wanted)
    try:
        return wanted, await history.load(board, wanted)
    except UNREADABLE as error:
        return unreadable(error)


async def offer_json(request: Any, datasette: Any) -> Any:
    """The last requests and failures of one model of one provider."""
    board, database = await looking(request, datasette)
    provider = request.args.get("provider") or ""
    model = request.args.get("model") or ""
    try:
        found = await board.ask(
            "history",
            lambda ask: request_detail.offer(ask, provider, model, board.clock()),
            seconds=2.0,
        )
    except UNREADABLE as error:
        return unreadable(error)
    table = datasette.urls.table(database, "requests")
    return json_of(found | {"table": table})


async def since_json(request: Any, datasette: Any) -> Any:
    """GET ?from=: sums of what began since then, at full minutes."""
    board, _ = await looking(request, datasette)
    now = board.clock()
    at = moment(request.args.get("from"))
    if at is None or not 0 < at <= now + 60:
        return problem_of(400, "from: write a time, e.g. 2026-03-01T12:00:00Z")
    start = at - at % 60

    def work(ask: Ask) -> Json:
        return usage_sums.since(ask, start, now)

    try:
        return json_of(await board.ask("history", work, seconds=2.0))
    except UNREADABLE as error:
        return unreadable(error)
