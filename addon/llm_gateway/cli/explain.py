"""`llm-gateway explain MODEL`: who would answer now, and why not the others.

With `--request FILE` it is about that very request: what would be written otherwise for each
candidate, and who cannot be asked because a part of it has no place there.

The running gateway is asked. Where none runs, the config and the ledger on disk are
weighed in its place; cooldowns, which live in memory, are then unknown.
"""

import argparse
import json
import os
import sqlite3
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llm_gateway.cli.ask import Unreachable, add_port_option, ask, message_of
from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.init_check import add_config_option, read
from llm_gateway.cli.terminal import Paint, paint_for, width
from llm_gateway.config.problems import ConfigError
from llm_gateway.dialects import DEFAULT, SPECS
from llm_gateway.domain import Dialect, offer_label


def explain(argv: list[str]) -> int:
    """The exit code. Raises SystemExit for arguments, or a PORT, that are none."""
    parser = command_parser(
        "explain",
        "Who would answer for a model now, and why.",
    )
    parser.add_argument("model", nargs="?", help="default: that of the request")
    parser.add_argument(
        "--dialect",
        choices=list(SPECS),
        help="what the app speaks (default: all of them)",
    )
    parser.add_argument(
        "--request",
        type=Path,
        metavar="FILE",
        help="a request's body as JSON (- for standard input): is it taken, and how?",
    )
    add_port_option(parser)
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="as GET /route answers")
    options = parser.parse_args(argv)
    if options.request is not None:
        return _of_request(options)
    if options.model is None:
        parser.error("which model? Write its name, or --request FILE.")
    try:
        path = f"/route?model={quote(options.model, safe='')}"
        if options.dialect:
            path += f"&dialect={options.dialect}"
        status, found = ask(options.port, path)
    except Unreachable:
        try:
            status, found = _offline(options.model, options.dialect, options.config)
        except ConfigError as e:
            print(e, file=sys.stderr)
            return 1
        except sqlite3.Error as e:
            print(f"llm-gateway: {database()} is not a ledger: {e}", file=sys.stderr)
            return 1
    if status != 200:
        print(message_of(found), file=sys.stderr)
        return 1
    now = datetime.now(UTC)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        columns = width() if sys.stdout.isatty() else 0
        print(shown(table(found, now), paint_for(), columns))
    return 0 if found["chosen"] is not None else 1


def _of_request(options: argparse.Namespace) -> int:
    """The running gateway judges it; nothing is sent on, nothing is stored."""
    file: Path = options.request
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        body = json.loads(text)
    except (OSError, ValueError, RecursionError) as e:
        print(f"llm-gateway: {file} is not a request as JSON: {e}", file=sys.stderr)
        return 1
    asked = {"dialect": options.dialect or DEFAULT.name, "body": body}
    if options.model is not None:
        asked["model"] = options.model
    try:
        status, found = ask(options.port, "/route", post=asked)
    except Unreachable as e:
        print(f"llm-gateway: {e}", file=sys.stderr)
        return 1
    if status != 200:
        print(message_of(found), file=sys.stderr)
        return 1
    now = datetime.now(UTC)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        columns = width() if sys.stdout.isatty() else 0
        print(shown(table(found, now), paint_for(), columns))
    return 0


def database() -> Path:
    return Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db")


def _offline(model: str, dialect: str | None, path: Path) -> tuple[int, Any]:
    from llm_gateway.cli.known_lists import known_lists
    from llm_gateway.ledger.spent import LONGEST_WINDOW
    from llm_gateway.ledger.store import Store
    from llm_gateway.routing import status as current
    from llm_gateway.routing.state import RoutingContext

    print(
        "No gateway is running: weighed from the config and the ledger.",
        file=sys.stderr,
    )
    now = time.time()
    store = Store(database())
    standpoint = RoutingContext(read(path, *known_lists(store.path)))
    if store.path.exists():
        spent = store.spent(now - LONGEST_WINDOW)
        standpoint.limiter.replay(spent, tuple(standpoint.catalog.limits()), now)
    spoken = Dialect(dialect) if dialect else None
    found = current.route(standpoint, model, now, spoken)
    if found is None:
        why = current.missing(standpoint, model, spoken)
        return 404, {"error": {"message": why}}
    return 200, found


def table(found: dict[str, Any], now: datetime) -> str:
    """The decision as a person reads it, in the order of the tries; what is the same for
    another dialect is said so, what is not has a block of its own."""
    lines = [f"{found['model']} (policy {found['policy']})", ""]
    lines += _rows(found, now)
    first = _outcome(found)
    same = [found.get("dialect", "")]
    others: list[str] = []
    for dialect, block in found.get("dialects", {}).items():
        if dialect == found["dialect"]:
            continue
        if "reason" in block:
            apps = f", so no {', '.join(block['apps'])}" if block["apps"] else ""
            others += ["", f"{dialect}: nobody{apps}", f"{'':>6}{block['reason']}"]
        elif _outcome(block) == first:
            same.append(dialect)
        else:
            others += ["", f"{dialect}:", *_rows(block, now)]
    if len(same) > 1 or others:
        lines += ["", f"That is for {', '.join(same)}.", *others]
    return "\n".join(lines)


def shown(text: str, paint: Paint, columns: int) -> str:
    """A table as a terminal has it: who answers in green, who is left out soft, lines
    broken between words. columns: 0 for as long as they are."""
    lines = []
    for line in text.splitlines():
        if columns and len(line) > columns:
            hang = " " * (len(line) - len(line.lstrip()) + 4)
            line = textwrap.fill(line, columns, subsequent_indent=hang)
        how = {" ->": "green", "  x": "soft"}.get(line[:3], "")
        lines.append(paint(how, line) if how else line)
    return "\n".join(lines)


def _outcome(block: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What makes two decisions the same to a person."""
    return [
        (_name(c), c["verdict"], c["reason"] + str(c.get("translated")))
        for c in block["candidates"]
    ]


def _rows(block: dict[str, Any], now: datetime) -> list[str]:
    candidates = block["candidates"]
    rows = [
        (_mark(n, candidate), _name(candidate), _price(candidate), _why(candidate))
        for n, candidate in enumerate(candidates, 1)
    ]
    wide = max((len(name) for _, name, _, _ in rows), default=0)
    dear = max((len(price) for _, _, price, _ in rows), default=0)
    lines = []
    for (mark, name, price, why), candidate in zip(rows, candidates, strict=True):
        lines.append(f"{mark:>3} {name:<{wide}}  {price:<{dear}}  {why}")
        lines += [f"{'':>6}{note}" for note in _notes(candidate, now)]
    if block["chosen"] is None:
        lines += ["", "Nobody can answer for it now."]
    return lines


def _mark(n: int, candidate: dict[str, Any]) -> str:
    return {"taken": "->", "ready": f"{n}.", "skipped": "x"}[candidate["verdict"]]


def _name(candidate: dict[str, Any]) -> str:
    return offer_label(candidate["provider"], candidate["account"], candidate["model"])


def _price(candidate: dict[str, Any]) -> str:
    if candidate["free"]:
        return "free"
    cost = candidate["expected_cost"]
    if cost is None:
        return "-" if candidate["verdict"] == "skipped" else "price unknown"
    return f"~${cost:.6f}"


def _why(candidate: dict[str, Any]) -> str:
    pair = candidate.get("translated")
    said = _why_so(candidate)
    if pair and "translated to" not in said and candidate["verdict"] != "skipped":
        said += f"; translated to {pair.rpartition('>')[2]}"
    return said


def _why_so(candidate: dict[str, Any]) -> str:
    if candidate["verdict"] == "ready":
        left = f"{candidate['headroom']:.0%} left" if candidate["limits"] else "ready"
        return f"near limit, {left}" if candidate["state"] == "near limit" else left
    return str(candidate["reason"])


def _notes(candidate: dict[str, Any], now: datetime) -> Iterator[str]:
    if candidate["returns_at"]:
        yield f"back {_when(datetime.fromisoformat(candidate['returns_at']), now)}"
    adaptation = candidate.get("adaptation") or {}
    for note in adaptation.get("approximated", ()):
        yield f"{note['part']}: {note['how']}"
    for note in adaptation.get("dropped", ()):
        yield f"{note['part']} left out: {note['why']}"
    presets: dict[str, list[str]] = {}
    for limit in candidate["limits"]:
        if as_of := limit.get("as_of"):
            amount = f"{limit['key']} {limit['amount']:,}"
            presets.setdefault(as_of, []).append(amount)
    for as_of, amounts in presets.items():
        yield f"free tier as of {as_of}: {', '.join(amounts)}"


def _when(at: datetime, now: datetime) -> str:
    """`in 42 s`, `in 5 min`, `in 3 h, at 2026-11-25 08:00` (local time)."""
    seconds = max(0, round((at - now).total_seconds()))
    if seconds < 120:
        return f"in {seconds} s"
    if seconds < 7200:
        return f"in {seconds // 60} min"
    return f"in {seconds // 3600} h, at {at.astimezone():%Y-%m-%d %H:%M}"
