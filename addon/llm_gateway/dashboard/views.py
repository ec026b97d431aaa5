"""What can be looked at: the pages and the JSON behind them.

A view checks the permission, asks the board, and answers; texts for states without data
say what to do. What this file does not know: SQL, writes (actions.py).
"""

import json
from typing import Any

from datasette import Forbidden, NotFound, Response

from llm_gateway import gateway_client
from llm_gateway.dashboard import (
    assets,
    compat,
    history,
    history_columns,
    receipt,
    request_detail,
    request_filters,
    request_list,
    usage_sums,
)
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.plugin_state import (
    HISTORY_TTL,
    NoLedger,
    PluginState,
    board_of,
)

from .. import __version__
from .live import WINDOWS
from .reader import Ask, NotReadable, TooSlow
from .security import OURS
from .sign_in_links import BadLink

Json = dict[str, Any]

NO_STORE = {"cache-control": "no-store"}
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def live_page(request: Any, datasette: Any) -> Any:
    return await _page(request, datasette, "gateway_live.html", "live", {})


async def history_page(request: Any, datasette: Any) -> Any:
    ranges = {key: one.label for key, one in history_columns.RANGES.items()}
    return await _page(
        request, datasette, "gateway_history.html", "history", {"ranges": ranges}
    )


async def apps_page(request: Any, datasette: Any) -> Any:
    return await _page(request, datasette, "gateway_apps.html", "apps", {})


async def sign_in_page(request: Any, datasette: Any) -> Any:
    """GET ?token=: makes root of whoever opens it, once. Without one: how to get one."""
    board, _ = await _looking(request, datasette)
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
    return await _page(request, datasette, template, "", context, status=status)


async def config_page(request: Any, datasette: Any) -> Any:
    board, _ = await _looking(request, datasette)
    try:
        running = await board.ask("live", request_detail.running, seconds=2.0)
    except (NoLedger, NotReadable, TooSlow):
        running = []
    return await _page(
        request, datasette, "gateway_config.html", "config", {"running": running}
    )


async def requests_page(request: Any, datasette: Any) -> Any:
    """The list of requests; filters that make no sense are said on the page, as 400."""
    board, _ = await _looking(request, datasette)
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
    except NoLedger as error:
        page, choices, problem = _NOTHING, {}, _NO_LEDGER.format(path=error)
    except (NotReadable, TooSlow) as error:
        page, choices, problem = _NOTHING, {}, f"The usage database: {error}"
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
    return await _page(
        request, datasette, "gateway_requests.html", "requests", context, status=status
    )


async def requests_json(request: Any, datasette: Any) -> Any:
    """GET: the same list as JSON, {requests, older}; `older` is the next page's `before`."""
    board, _ = await _looking(request, datasette)
    now = board.clock()
    try:
        wanted = request_filters.filters(request_args(request), now)
        page = await board.ask(
            "history", lambda ask: request_list.find(ask, wanted, now), seconds=2.0
        )
    except request_filters.BadFilter as error:
        return _problem(400, str(error))
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")
    return _json(
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


async def request_page(request: Any, datasette: Any) -> Any:
    board, database = await _looking(request, datasette)
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
        return await _page(
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
    return await _page(
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


async def since_json(request: Any, datasette: Any) -> Any:
    """GET ?from=: sums of what began since then, at full minutes."""
    board, _ = await _looking(request, datasette)
    now = board.clock()
    at = moment(request.args.get("from"))
    if at is None or not 0 < at <= now + 60:
        return _problem(400, "from: write a time, e.g. 2026-03-01T12:00:00Z")
    start = at - at % 60

    def work(ask: Ask) -> Json:
        return usage_sums.since(ask, start, now)

    try:
        return _json(await board.ask("history", work, seconds=2.0))
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")


async def receipt_page(request: Any, datasette: Any) -> Any:
    """What a month saved, and how that was reckoned."""
    board, database = await _looking(request, datasette)
    now = board.clock()
    try:
        month = receipt.month_of(request.args.get("month"), now)
    except receipt.BadMonth as error:
        return _problem(400, str(error))

    async def build() -> Json:
        return await board.ask(
            "history", lambda ask: receipt.receipt(ask, month, now), seconds=5.0
        )

    try:
        found = await board.kept(("receipt", month), HISTORY_TTL, build)
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")
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
    return await _page(request, datasette, "gateway_receipt.html", "history", context)


async def live_json(request: Any, datasette: Any) -> Any:
    """GET ?have=TAG: what changed since the answer with that `tag`, where it is still known;
    else, and without it, all of it."""
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
        found = await board.live(
            minutes,
            simulated=request.args.get("sim") != "0",
            other=request.args.get("other") == "1",
            where=where,
        )
    except NoLedger as error:
        return _problem(503, _NO_LEDGER.format(path=error), state="no ledger")
    except (NotReadable, TooSlow) as error:
        return _problem(503, f"The usage database: {error}", state="not readable")
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
        for name, (sql, params) in history.questions(
            wanted, found, board.clock()
        ).items()
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
    span = f"{wanted.dates.first}-{wanted.dates.last}" if wanted.dates else wanted.span
    name = f"llm-gateway-{span}-by-{wanted.by}.csv"
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
            lambda ask: request_detail.offer(ask, provider, model, board.clock()),
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
    except (NoLedger, NotReadable):
        database = ""
    if not await board.may_look(request.actor, database or None):
        raise Forbidden("view-database")
    return board, database


async def _page(
    request: Any,
    datasette: Any,
    template: str,
    tab: str,
    context: Json,
    *,
    status: int = 200,
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
        "activation": gateway_client.activation("mitmdump"),
    }
    html = await datasette.render_template(
        template, {"page": page, **context}, request=request
    )
    return Response.html(html, status=status, headers=NO_STORE)


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
