"""`llm-gateway report`: where requests, tokens and money went, as a table.

What lives here: the options, and a table that fits a terminal. It reads the ledger's
file, whether a gateway is running or not.
"""

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.terminal import width
from llm_gateway.ledger.reports import SPENDING, LedgerFile, spending, total

Cell = str | int | float | None


def tokens(value: Cell) -> str:
    """Short, three digits at least: 950, 12.3k, 4.56M."""
    number = float(value or 0)
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return (
                f"{number / size:.3g}{unit}"
                if number < 1000 * size
                else f"{number / size:.0f}{unit}"
            )
    return f"{number:.0f}"


def dollars(value: Cell) -> str:
    """Cents where there are dollars, more digits where there are none."""
    if value is None:
        return "-"
    number = float(value)
    if number == 0 or number >= 1:
        return f"${number:,.2f}"
    return f"${number:.4f}" if number >= 0.0001 else "<$0.0001"


def count(value: Cell) -> str:
    return f"{int(value or 0):,}"


def _cost(row: dict[str, Any]) -> str:
    return (
        "unknown"
        if row["cost_usd"] is None and row["unknown_cost"]
        else dollars(row["cost_usd"])
    )


Columns = Sequence[tuple[str, Callable[[dict[str, Any]], str]]]

COLUMNS: Columns = (
    ("requests", lambda row: count(row["requests"])),
    ("tokens", lambda row: tokens(row["tokens"])),
    ("cost", _cost),
    ("saved", lambda row: dollars(row["saved_usd"])),
    ("failed", lambda row: count(row["errors"])),
    ("refused", lambda row: count(row["refused"])),
    ("passed", lambda row: count(row["passthrough"])),
    ("cost unknown", lambda row: count(row["unknown_cost"])),
)


RARE = ("failed", "refused", "passed", "cost unknown")
"""Columns that can be left out where they hold nothing."""


def table(
    by: str, rows: Sequence[dict[str, Any]], sums: dict[str, Any], wide: int = 1_000
) -> str:
    """Names to the left, numbers to the right, the sum at the foot. In less than `wide`
    columns where that is possible: without those that hold nothing."""
    text = _table(by, rows, sums, COLUMNS)
    if max(map(len, text.splitlines())) <= wide:
        return text
    empty = {name for name, show in COLUMNS if name in RARE and show(sums) == "0"}
    return _table(by, rows, sums, [c for c in COLUMNS if c[0] not in empty])


def _table(
    by: str, rows: Sequence[dict[str, Any]], sums: dict[str, Any], columns: Columns
) -> str:
    names = ("provider", "model") if by == "model" else (by,)
    head = [*names, *(title for title, _ in columns)]
    body = [
        [*(str(row[name]) for name in names), *(show(row) for _, show in columns)]
        for row in rows
    ]
    foot = ["total", *[""] * (len(names) - 1), *(show(sums) for _, show in columns)]
    widths = [max(map(len, column)) for column in zip(head, *body, foot, strict=True)]
    rule = ["-" * width for width in widths]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if n < len(names) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join(map(line, [head, rule, *body, rule, foot]))


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of days; write e.g. 7"
        )
    return int(text)


def report(argv: Sequence[str]) -> int:
    """0 when there was something to ask, 1 when there is no ledger to be read."""
    parser = command_parser("report", "Requests, tokens, cost and savings.")
    parser.add_argument(
        "--days", type=_days, default=30, help="how far back; default 30"
    )
    parser.add_argument(
        "--by",
        choices=sorted(SPENDING),
        default="provider",
        help="a row for each; default provider",
    )
    parser.add_argument("--json", action="store_true", help="rows for programs, US$")
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"),
        help="the ledger; default LLM_GATEWAY_DB, else usage.db",
    )
    options = parser.parse_args(argv)
    try:
        ledger, now = LedgerFile(options.db), time.time()
        rows = spending(ledger, options.by, options.days, now)
        sums = total(ledger, options.days, now)
    except FileNotFoundError as error:
        print(
            f"llm-gateway: {error}; is the gateway started elsewhere? --db FILE",
            file=sys.stderr,
        )
        return 1
    except sqlite3.Error as error:
        print(f"llm-gateway: {options.db} is not a ledger: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(rows, indent=2))
    elif sums is None:
        print(f"No requests in the last {options.days} days.")
    else:
        days = "Today" if options.days == 1 else f"The last {options.days} days"
        print(f"{days} (UTC), by {options.by}\n")
        wide = width(1_000) if sys.stdout.isatty() else 1_000
        print(table(options.by, rows, sums, wide))
        if any(row.get("provider") == "(none)" for row in rows):
            print("\n(none): refused, or passed through to the app's own host")
    return 0
