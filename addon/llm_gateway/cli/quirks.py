"""`llm-gateway quirks`: how requests are written otherwise, since a provider refused them.

What lives here: the list, read from the ledger's file whether a gateway runs or not, and
`forget`, which asks the running gateway, or writes the file where none runs.
"""

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from llm_gateway.cli.ask import Unreachable, ask, message_of, own_token
from llm_gateway.cli.ask import port_from_environment as usual_port
from llm_gateway.cli.help_text import command_parser
from llm_gateway.config.suggestions import nearest
from llm_gateway.ledger import database_file
from llm_gateway.ledger.database_file import InUse, StoreError
from llm_gateway.ledger.lesson_tables import ALL_QUIRKS

NONE = "Nothing was learned: no provider has refused what another form would mend."
HEAD = ("provider", "model", "dialect", "learned", "used", "requests go")
Row = dict[str, Any]


def quirks(argv: Sequence[str]) -> int:
    """0; 1 when there is no ledger to be read, or nothing could be forgotten."""
    options = _options(argv)
    try:
        if options.action == "forget":
            return _forget(options)
        rows = learned(options.db)
    except FileNotFoundError as error:
        _complain(f"{error}; is the gateway started elsewhere? --db FILE")
        return 1
    except sqlite3.Error as error:
        _complain(f"{options.db} is not a ledger: {error}")
        return 1
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(table(rows) if rows else NONE)
    return 0


def learned(path: Path) -> list[Row]:
    """The rows of `quirks`; none in a ledger that an older version wrote.

    Raises FileNotFoundError where there is no file, sqlite3.Error where it is no ledger.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    connection = database_file.read_only(path)
    try:
        return [dict(row) for row in connection.execute(ALL_QUIRKS).fetchall()]
    except sqlite3.OperationalError as error:
        if "no such table: quirks" in str(error):
            return []
        raise
    finally:
        connection.close()


def table(rows: Sequence[Row]) -> str:
    """A line for each lesson, provider by provider; below those that one refusal taught,
    what it said."""
    ordered = sorted(rows, key=lambda row: (row["provider"], row["model"]))
    cells = [HEAD, *map(_cells, ordered)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[-1] = len(HEAD[-1])
    lines = [_line(HEAD, widths), _line(["-" * width for width in widths], widths)]
    for (*_, words), group in groupby(ordered, key=_refusal):
        lines += [_line(_cells(row), widths) for row in group]
        if words:
            lines.append(f"    it had refused: {printable(words)}")
    return "\n".join(lines)


def _refusal(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("provider", "model", "dialect", "words"))


def _cells(row: Row) -> tuple[str, ...]:
    names = (printable(row[name]) for name in ("provider", "model", "dialect"))
    return (*names, row["learned_at"][:10], f"{row['uses']:,}", printable(row["says"]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    padded[-2] = cells[-2].rjust(widths[-2])
    return "  ".join(padded).rstrip()


def printable(text: str) -> str:
    """A provider's text on a terminal: no escape sequences."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _complain(text: str) -> None:
    print(f"llm-gateway: {text}", file=sys.stderr)


def _forget(options: argparse.Namespace) -> int:
    provider, model = options.provider, options.model
    wanted = {"provider": provider} | ({"model": model} if model is not None else {})
    token = own_token()
    try:
        path = "/admin/quirks/forget"
        status, answer = ask(options.port, path, post=wanted, token=token)
    except Unreachable:
        try:
            count = _forget_in_file(options.db, provider, model)
        except StoreError as error:
            is_elsewhere = isinstance(error, InUse)
            where = "the gateway that writes to it listens elsewhere: --port PORT"
            _complain(f"{options.db}: {where}" if is_elsewhere else str(error))
            return 1
    else:
        if status != 200:
            _complain(message_of(answer))
            return 1
        count = int(answer.get("forgotten", 0))
    who = f"{provider}/{model}" if model is not None else provider
    if count:
        print(f"{count} forgotten of {who}.")
        return 0
    try:
        rows = learned(options.db)
    except (OSError, sqlite3.Error):
        rows = []  # of a gateway that was started elsewhere
    _complain(f"nothing was learned of {printable(who)}{_known(provider, model, rows)}")
    return 1


def _known(provider: str, model: str | None, rows: Sequence[Row]) -> str:
    """The rest of the sentence: which name was probably meant, or whose there are."""
    names = {row["model"] for row in rows if row["provider"] == provider}
    asked = model or ""
    if not names:
        names, asked = {row["provider"] for row in rows}, provider
    if not names:
        return ", nor of anybody else"
    if (near := nearest(asked, sorted(names))) is not None:
        return f'; did you mean "{printable(near)}"?'
    return f", only of {', '.join(map(printable, sorted(names)))}"


def _forget_in_file(path: Path, provider: str, model: str | None) -> int:
    """No gateway answers: the file is ours for a moment.

    Raises StoreError where one that listens elsewhere has it, and as `learned` does.
    """
    if not any(
        row["provider"] == provider and model in (None, row["model"])
        for row in learned(path)
    ):
        return 0
    sql = "DELETE FROM quirks WHERE provider = ? AND (? IS NULL OR model = ?)"
    with (
        database_file.lock(path),
        closing(sqlite3.connect(path)) as connection,
        connection,
    ):
        return connection.execute(sql, (provider, model, model)).rowcount


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = command_parser(
        "quirks",
        "What providers' refusals taught: how requests are written otherwise"
        " for them. Kept for 30 days, over restarts.",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "forget"),
        default="list",
        help="default list",
    )
    parser.add_argument("provider", nargs="?", help="whose, for `forget`")
    parser.add_argument("model", nargs="?", help="one of its models, as it is sent")
    parser.add_argument("--json", action="store_true", help="rows for programs")
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"),
        help="the ledger; default LLM_GATEWAY_DB, else usage.db",
    )
    parser.add_argument(
        "--port", type=int, default=None, help="the gateway's; default PORT, else 8080"
    )
    options = parser.parse_args(argv)
    if options.action == "forget" and not options.provider:
        parser.error("whose? llm-gateway quirks forget PROVIDER [MODEL]")
    if options.action == "list" and options.provider:
        parser.error("to list takes no name; did you mean `forget`?")
    if options.port is None:
        options.port = usual_port()
    return options
