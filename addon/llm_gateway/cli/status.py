"""`llm-gateway status` and `llm-gateway tail`: the Live page and its requests in a terminal.

Both read the ledger's file, as the dashboard does, so they also work while no gateway
runs, and say so.
"""

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.cli import status_text
from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.report import dollars, tokens
from llm_gateway.cli.terminal import Paint, cut, paint_for, printable, width
from llm_gateway.ledger import database_file
from llm_gateway.timestamps import iso

MINUTES = 60
NO_LEDGER = "is the gateway started elsewhere? --db FILE"


def local_zone() -> ZoneInfo:
    """The zone of this machine, by its name; UTC where it has none."""
    names = [os.environ.get("TZ", "").removeprefix(":")]
    place = os.path.realpath("/etc/localtime")
    names.append(place.partition("zoneinfo/")[2])
    for name in filter(None, names):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            continue
    return ZoneInfo("UTC")


def _parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = command_parser(name, about)
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"),
        help="the ledger; default LLM_GATEWAY_DB, else usage.db",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.2 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: write seconds, 0.2 to 3600")
    return value


def _snapshot(connection: sqlite3.Connection, now: float) -> dict[str, Any]:
    # Datasette comes with the dashboard; only who asks for a status waits for it.
    from llm_gateway.dashboard.live import snapshot
    from llm_gateway.dashboard.recent_requests import RecentRequests

    return snapshot(
        lambda sql, params: connection.execute(sql, params).fetchall(),
        RecentRequests(),
        minutes=MINUTES,
        simulated=True,
        now=now,
        where=local_zone(),
    )


def _opened(path: Path) -> sqlite3.Connection:
    """Raises FileNotFoundError or sqlite3.Error."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    connection = database_file.read_only(path)
    connection.row_factory = sqlite3.Row
    return connection


def status(argv: Sequence[str]) -> int:
    """0 when something can answer; 1 when nothing can, no gateway runs, or no ledger."""
    parser = _parser("status", "What can be used now, and until when.")
    parser.add_argument(
        "--watch",
        type=_seconds,
        nargs="?",
        const=2.0,
        metavar="SECONDS",
        help="again and again; default every 2 seconds",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--line", action="store_true", help="one line, without colour")
    form.add_argument("--json", action="store_true", help="as the Live page's JSON")
    options = parser.parse_args(argv)
    try:
        with closing(_opened(options.db)) as connection:
            while True:
                found = _snapshot(connection, time.time())
                _show(found, options)
                if options.watch is None:
                    return status_text.code(found)
                time.sleep(options.watch)
    except (FileNotFoundError, sqlite3.Error) as error:
        return _no_ledger(error, options.db)


def _show(found: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(found), flush=True)
        return
    if options.line:
        print(status_text.line(found), flush=True)
        return
    paint = paint_for()
    clear = "\x1b[H\x1b[2J" if options.watch is not None and sys.stdout.isatty() else ""
    print(clear + status_text.text(found, paint, width()), flush=True)


def _no_ledger(error: Exception, path: Path) -> int:
    if isinstance(error, FileNotFoundError):
        print(f"llm-gateway: {error}; {NO_LEDGER}", file=sys.stderr)
    else:
        print(f"llm-gateway: {path} is not a ledger: {error}", file=sys.stderr)
    return 1


# -- tail ------------------------------------------------------------------------------

FINISHED = """
SELECT id, ts, client, requested_model, provider, model, host, outcome, attempts,
  total_tokens, cost_usd, saved_usd, duration_ms, error, simulated
FROM requests
WHERE ts >= :since AND outcome <> 'in_flight' AND dialect <> 'other'
ORDER BY ts DESC LIMIT :most
"""
LONGEST_REQUEST = 900.0
"""Seconds back in which a request that ends now may have begun."""
MOST = 1000
UNANSWERED = ("error", "refused", "truncated", "lost")
_COLOURS = dict.fromkeys(UNANSWERED, "red") | {"ok": "green"}


def tail(argv: Sequence[str]) -> int:
    """0 when it ends by itself, 1 when there is no ledger."""
    parser = _parser("tail", "Requests as they end, one line each.")
    parser.add_argument(
        "-n",
        type=int,
        default=10,
        metavar="N",
        help="begin with the last N; default 10",
    )
    parser.add_argument(
        "--no-follow", action="store_true", help="print these, and no more"
    )
    parser.add_argument(
        "--failed", action="store_true", help="only what was not answered"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    # A pipe has no edge at which a line would break.
    wide = width(400) if sys.stdout.isatty() else 10_000
    try:
        with closing(_opened(options.db)) as connection:
            for row in _following(connection, options):
                print(json.dumps(dict(row)) if options.json else entry(row, paint_for(), wide), flush=True)  # fmt: skip
    except (FileNotFoundError, sqlite3.Error) as error:
        return _no_ledger(error, options.db)
    return 0


def _following(
    connection: sqlite3.Connection, options: argparse.Namespace
) -> Iterator[sqlite3.Row]:
    def fits(row: sqlite3.Row) -> bool:
        return not options.failed or row["outcome"] in UNANSWERED

    first = connection.execute(FINISHED, {"since": "", "most": MOST}).fetchall()
    seen = {row["id"]: row["ts"] for row in first}
    yield from [row for row in first if fits(row)][: max(0, options.n)][::-1]
    while not options.no_follow:
        time.sleep(0.5)
        since = iso(time.time() - LONGEST_REQUEST)
        rows = connection.execute(FINISHED, {"since": since, "most": MOST}).fetchall()
        fresh = [row for row in rows if row["id"] not in seen]
        seen = {k: ts for k, ts in seen.items() if ts >= since}
        seen |= {row["id"]: row["ts"] for row in fresh}
        yield from filter(fits, reversed(fresh))


NARROW = 70
"""Columns: a line of `tail` is shortened below that."""


def entry(row: sqlite3.Row | dict[str, Any], paint: Paint, wide: int) -> str:
    """`12:00:04 ok     cursor  gpt-4o -> groq / llama  1.2k tokens  saved $0.0020  1.2 s`"""
    at = datetime.fromisoformat(row["ts"]).astimezone()
    outcome = row["outcome"]
    way = printable(row["requested_model"])
    model = ""
    if row["provider"]:
        way += f" -> {printable(row['provider'])}"
        model = f" / {printable(row['model'])}"
    elif row["host"]:
        way += f" -> {printable(row['host'])}"
    notes = []
    if row["attempts"] > 1:
        notes.append(f"{row['attempts']} attempts")
    if row["total_tokens"]:
        notes.append(f"{tokens(row['total_tokens'])} tokens")
    if row["cost_usd"]:
        notes.append(dollars(row["cost_usd"]))
    elif row["saved_usd"]:
        notes.append(f"saved {dollars(row['saved_usd'])}")
    if row["duration_ms"] is not None:
        notes.append(f"{row['duration_ms'] / 1000:.1f} s")
    why = printable(row["error"]) if row["error"] and outcome != "ok" else ""
    if why:
        notes.append(why)
    if row["simulated"]:
        notes.append("simulated")
    head = f"{at:%H:%M:%S}  {outcome:<11}  {printable(row['client'])}"
    if wide < NARROW:  # who answered says more than who asked
        head = f"{at:%H:%M}  {outcome}"
    # What does not fit is left out, not torn: first the notes, those that say most last.
    while len(notes) > bool(why) and len("  ".join((head, way, *notes))) > wide:
        notes.pop(0)
    room = wide - len("  ".join((head, way, *notes)))
    way += model if len(model) <= room else cut(model, room) if room > 8 else ""
    plain = cut("  ".join((head, way, *notes)), wide)
    return plain.replace(outcome, paint(_COLOURS.get(outcome, "soft"), outcome), 1)
