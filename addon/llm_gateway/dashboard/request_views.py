"""Pages of requests: the list with its filters in the address, and one request.

A view checks the permission, asks the board, and answers. What this file does not know:
SQL (request_list.py, request_detail.py), how filters are written (request_filters.py).
"""

from typing import Any

from llm_gateway.dashboard import request_detail, request_filters, request_list
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.plugin_state import NoLedger

from .reader import Ask, NotReadable
from .view_answers import (
    UNREADABLE,
    Json,
    json_of,
    looking,
    page_of,
    problem_of,
    unread,
    unreadable,
)

OUTCOME_WORDS = {
    "": "any outcome",
    "unanswered": "not answered",
    "failed": "failed",
    "refused": "refused",
    "ok": "answered",
    "truncated": "cut off",
    "cancelled": "cancelled",
    "passthrough": "passed through",
    "in_flight": "on its way",
}
RANGE_WORDS = {
    "": "any time",
    "1h": "last hour",
    "6h": "last 6 hours",
    "today": "today",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    "90d": "last 90 days",
}
_NOTHING = request_list.RequestPage()


async def requests_page(request: Any, datasette: Any) -> Any:
    """The list of requests; filters that make no sense are said on the page, as 400."""
    board, _ = await looking(request, datasette)
    now = board.clock()
    args = request_args(request)
    problem, status = "", 200
    try:
        wanted = request_filters.filters(args, now)
    except request_filters.BadFilter as error:
        wanted, problem, status = request_filters.Filters(), str(error), 400
    newer = wanted.after is not None

    def work(ask: Ask) -> tuple[request_list.RequestPage, dict[str, list[str]]]:
        page = request_list.find(ask, wanted, now, newer=newer)
        if newer:
            page.rows.reverse()
        return page, request_list.choices(ask, now)

    try:
        page, choices = await board.ask("history", work, seconds=2.0)
    except UNREADABLE as error:
        page, choices, problem = _NOTHING, {}, unread(error)
    context = {
        "rows": [request_list.shown(row) for row in page.rows],
        "wanted": wanted,
        "chips": request_filters.as_text(wanted),
        "choices": choices,
        "outcomes": OUTCOME_WORDS,
        "ranges": RANGE_WORDS,
        "query": wanted.query(),
        "links": _paging(page, wanted, newer),
        "looked": moment(page.looked_until) if page.looked_until else None,
        "problem": problem,
    }
    return await page_of(
        request, datasette, "gateway_requests.html", "requests", context, status=status
    )


async def requests_json(request: Any, datasette: Any) -> Any:
    """GET: the same list as JSON, {requests, older}; `older` is the next page's `before`."""
    board, _ = await looking(request, datasette)
    now = board.clock()
    try:
        wanted = request_filters.filters(request_args(request), now)
        page = await board.ask(
            "history", lambda ask: request_list.find(ask, wanted, now), seconds=2.0
        )
    except request_filters.BadFilter as error:
        return problem_of(400, str(error))
    except UNREADABLE as error:
        return unreadable(error)
    return json_of(
        {
            "requests": [request_list.shown(row) for row in page.rows],
            "older": str(page.older) if page.older else None,
            "looked_until": page.looked_until or None,
        }
    )


def request_args(request: Any) -> dict[str, str]:
    """The query string, the first of each name."""
    return {name: request.args[name] for name in request.args}


def _paging(
    page: request_list.RequestPage, wanted: request_filters.Filters, newer: bool
) -> Json:
    """Addresses (query strings) of the pages before and after this one."""
    first, last = (page.rows[0], page.rows[-1]) if page.rows else (None, None)
    older: object = page.older
    if newer:
        older = request_filters.Cursor(last["ts"], last["row"]) if last else ""
    before = str(request_filters.Cursor(first["ts"], first["row"])) if first else ""
    moved = wanted.before is not None or (newer and page.older is not None)
    return {
        "older": wanted.query(before=str(older)) if older else "",
        "newer": wanted.query(after=before) if moved and before else "",
        "newest": wanted.query() if wanted.before or newer else None,
    }


async def request_page(request: Any, datasette: Any) -> Any:
    board, database = await looking(request, datasette)
    id_, now = request.url_vars["id"], board.clock()
    try:
        wanted = request_filters.filters(request_args(request), now)
    except request_filters.BadFilter:
        wanted = request_filters.Filters()

    def work(ask: Ask) -> tuple[Json | None, tuple[str | None, str | None]]:
        story = request_detail.request_detail(ask, id_)
        if story is None:
            return None, (None, None)
        place = request_list.place_of(ask, id_)
        assert place is not None, "it was just read"
        return story, request_list.neighbours(ask, wanted, place, now)

    try:
        found, (newer, older) = await board.ask("history", work, seconds=2.0)
    except (NoLedger, NotReadable):
        found = newer = older = None
    if found is None:
        return await page_of(
            request,
            datasette,
            "gateway_missing.html",
            "requests",
            {"id": id_},
            status=404,
        )
    rows = {
        table: datasette.urls.table(database, table)
        for table in ("requests", "attempts")
    }
    return await page_of(
        request,
        datasette,
        "gateway_request.html",
        "requests",
        {
            "story": found,
            "rows": rows,
            "newer": newer,
            "older": older,
            "query": wanted.query(),
        },
    )
