"""Requests, newest first, by filters: a page of them in milliseconds, of a million rows too.

Pages follow each other by key (`ts`, rowid), in the order of the index, never by counting. A filter that few rows meet
would have SQLite walk through all of them, so: what did not end well has an index; for a
provider, a model or a client the rollups say in which minutes and hours there is something;
and whatever else is looked for, no page looks at more than LOOKED_AT rows, and says how far
back it came.

What this file does not know: addresses, HTML, clocks (`now` is an argument).
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llm_gateway.dashboard.availability import moment, stamp
from llm_gateway.dashboard.reader import Ask
from llm_gateway.dashboard.request_detail import (
    HEADLINES,
    cost_of,
    dollars,
    milliseconds,
)
from llm_gateway.dashboard.request_filters import Cursor, Filters

Json = dict[str, Any]

COUNT = 50
LOOKED_AT = 6_000
"""Rows that one page looks at, at most."""
MINUTES_KEPT = 6 * 86_400
UNCOUNTED = 900
"""Seconds in which a request may still be on its way, and in no rollup."""
FIRST, LAST = "0000", "9999"
"""Before and after every time."""

_COLUMNS = """rowid AS row, id, ts, client, app, dialect, requested_model, host, provider, model, status,
  outcome, streamed, attempts, total_tokens, cost_usd, saved_usd, duration_ms, error,
  simulated, adapted"""


@dataclass(slots=True)
class RequestPage:
    rows: list[sqlite3.Row] = field(default_factory=list)
    """Newest first."""
    older: Cursor | None = None
    """Where the next page begins; None: there is nothing before."""
    looked_until: str = ""
    """Time at which it stopped looking, where it did; "" where it found all there is."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Rows with `start` <= ts < `end`."""

    start: str
    end: str


def find(
    ask: Ask, wanted: Filters, now: float, *, count: int = COUNT, newer: bool = False
) -> RequestPage:
    """Requests that meet the filters, from `wanted.before` back in time; with `newer` from
    `wanted.after` on, the next one first found.

    Raises sqlite3.Error.
    """
    found = RequestPage()
    looked = 0
    place = wanted.after if newer else wanted.before
    bounds = _Span(wanted.since or FIRST, wanted.until or LAST)
    if place:
        # A row of the same moment may still come: `place` itself is left out below.
        bounds = (
            _Span(max(bounds.start, place.ts), bounds.end)
            if newer
            else _Span(bounds.start, min(bounds.end, place.ts + "~"))
        )
    for span in _spans(ask, wanted, bounds, now, newer):
        rows, saw, stopped = _slice(
            ask, wanted, span, place, count + 1 - len(found.rows), LOOKED_AT - looked, newer
        )  # fmt: skip
        found.rows += rows
        looked += saw
        if len(found.rows) > count:
            found.rows = found.rows[:count]
            last = found.rows[-1]
            found.older = Cursor(last["ts"], last["row"])
            return found
        if stopped or looked >= LOOKED_AT:
            found.older = stopped or Cursor(span.start, 0)
            found.looked_until = found.older.ts
            return found
    return found


def _slice(
    ask: Ask,
    wanted: Filters,
    span: _Span,
    place: Cursor | None,
    count: int,
    most: int,
    newer: bool,
) -> tuple[list[sqlite3.Row], int, Cursor | None]:
    """(rows, how many were looked at, where it stopped because there were too many)."""
    condition, params = wanted.conditions()
    order = "ASC" if newer else "DESC"
    bound = "ts >= :start AND ts < :end"
    values: dict[str, str | int | float | None] = {
        **params,
        "start": span.start,
        "end": span.end,
        "count": count,
        "most": most,
    }
    if place:
        bound += f" AND (ts, rowid) {'>' if newer else '<'} (:place_ts, :place_row)"
        values |= {"place_ts": place.ts, "place_row": place.row}
    # `outcome <> 'ok'` word for word is how SQLite recognises the partial index.
    bound += " AND outcome <> 'ok'" if wanted.not_ok else ""
    # Looked at in order and left early; the bound is on what is looked at, not on what fits.
    inner = f"""SELECT {_COLUMNS}, cost_nano FROM requests WHERE {bound}
  ORDER BY ts {order}, rowid {order} LIMIT :most"""
    rows = ask(f"SELECT * FROM ({inner}) WHERE {condition} LIMIT :count", values)
    if len(rows) >= count:
        return rows, 0, None
    edge = ask(
        f"""SELECT ts, rowid AS row FROM requests WHERE {bound}
  ORDER BY ts {order}, rowid {order} LIMIT 1 OFFSET :most - 1""",
        values,
    )
    if edge:
        return rows, most, Cursor(edge[0]["ts"], edge[0]["row"])
    saw = ask(f"SELECT count(*) AS saw FROM requests WHERE {bound}", values)[0]["saw"]
    return rows, saw, None


def _spans(
    ask: Ask, wanted: Filters, bounds: _Span, now: float, newer: bool
) -> Iterator[_Span]:
    """Where in time there is something, in the order of looking."""
    if not wanted.keyed or wanted.not_ok:
        yield bounds
        return
    # From the newest: what no rollup has yet, minutes of the last days, hours before.
    recent = stamp(now - UNCOUNTED)[:16]
    edge = stamp(now - MINUTES_KEPT)[:13] + ":00"
    parts = [
        _unfinished(bounds, recent),
        _known(ask, wanted, "minute", edge, recent, bounds, newer),
        _known(ask, wanted, "hour", FIRST, edge, bounds, newer),
    ]
    for part in reversed(parts) if newer else parts:
        yield from part


def _unfinished(bounds: _Span, recent: str) -> Iterator[_Span]:
    if bounds.end > recent:
        yield _Span(max(bounds.start, recent), bounds.end)


_PERIODS = """
SELECT DISTINCT {period} AS at FROM usage_{period}
WHERE {period} >= :start AND {period} < :end AND {key} ORDER BY {period} {order} LIMIT {most}
"""
_LENGTH = {"minute": (60.0, 16), "hour": (3600.0, 13)}
"""Seconds, and how much of an ISO time names the period."""
AT_ONCE = 100
"""Periods that are asked for at once."""


def _known(
    ask: Ask,
    wanted: Filters,
    period: str,
    first: str,
    last: str,
    bounds: _Span,
    newer: bool,
) -> Iterator[_Span]:
    """Periods from `first` until `last` in which the rollups have something."""
    seconds, digits = _LENGTH[period]
    start = max(first, bounds.start[:digits])
    end = min(last, bounds.end)
    sql = _PERIODS.format(
        period=period,
        key=" AND ".join(f"{name} = :{name}" for name in wanted.keyed),
        order="ASC" if newer else "DESC",
        most=AT_ONCE,
    )
    while start < end:
        rows = ask(sql, {**wanted.keyed, "start": start, "end": end})
        for row in rows:
            begin = moment(row["at"] + "Z") or 0.0
            found = _Span(
                max(stamp(begin), bounds.start), min(stamp(begin + seconds), bounds.end)
            )
            if found.start < found.end:
                yield found
        if len(rows) < AT_ONCE:
            return
        if newer:
            start = rows[-1]["at"] + "~"
        else:
            end = rows[-1]["at"]


def neighbours(
    ask: Ask, wanted: Filters, here: Cursor, now: float
) -> tuple[str | None, str | None]:
    """Ids of the next newer and the next older request under the same filters."""
    newer = find(ask, wanted.at(here, newer=True), now, count=1, newer=True).rows
    older = find(ask, wanted.at(here), now, count=1).rows
    return (newer[0]["id"] if newer else None, older[0]["id"] if older else None)


def shown(row: sqlite3.Row) -> Json:
    """A row for the page and its JSON."""
    found = dict(row)
    return {
        **found,
        "at": moment(row["ts"]),
        "said": HEADLINES.get(row["outcome"], row["outcome"]).split(":")[0],
        "cost": cost_of(found),
        "saved": dollars(row["saved_usd"]),
        "took": milliseconds(row["duration_ms"]),
    }


def place_of(ask: Ask, id_: str) -> Cursor | None:
    """Where a request stands in the list."""
    rows = ask("SELECT ts, rowid AS row FROM requests WHERE id = :id", {"id": id_})
    return Cursor(rows[0]["ts"], rows[0]["row"]) if rows else None


CHOICES = {
    "provider": "SELECT id AS value FROM providers ORDER BY id",
    "model": "SELECT DISTINCT model AS value FROM models ORDER BY 1",
    "client": """SELECT DISTINCT client AS value FROM usage_day
WHERE day >= :since ORDER BY 1 LIMIT 200""",
    "asked": "SELECT DISTINCT name AS value FROM models ORDER BY 1",
}


def choices(ask: Ask, now: float) -> dict[str, list[str]]:
    """What may be chosen, for the fields of the page."""
    since = {"since": stamp(now - 30 * 86_400)[:10]}
    return {
        name: [row["value"] for row in ask(sql, since if ":since" in sql else {})]
        for name, sql in CHOICES.items()
    }
