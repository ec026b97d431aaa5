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
from pathlib import Path
from typing import Any

from llm_gateway.cli.ask import Unreachable, ask, message_of, own_token
from llm_gateway.cli.ask import port_from_environment as usual_port
from llm_gateway.ledger import database_file
from llm_gateway.ledger.database_file import StoreError
from llm_gateway.ledger.state_tables import ALL_QUIRKS

NONE = "Nothing was learned: no provider has refused what another form would mend."


def quirks(argv: Sequence[str]) -> int:
    """0; 1 when there is no ledger to be read, or nothing could be forgotten."""
    options = _options(argv)
    try:
        rows = learned(options.db)
    except FileNotFoundError:
        print(f"llm-gateway: there is no {options.db}; --db FILE", file=sys.stderr)
        return 1
    except sqlite3.Error as error:
        print(f"llm-gateway: {options.db} is not a ledger: {error}", file=sys.stderr)
        return 1
    if options.action == "forget":
        return _forget(options, rows)
    if options.json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print(NONE)
    else:
        print("\n".join(lines(rows)))
    return 0


def learned(path: Path) -> list[dict[str, Any]]:
    """The rows of `quirks`; none in a ledger that an older version wrote."""
    if not path.exists():
        raise FileNotFoundError(path)
    connection = database_file.read_only(path)
    try:
        return [dict(row) for row in connection.execute(ALL_QUIRKS).fetchall()]
    except sqlite3.OperationalError as error:
        if "no such table: quirks" in str(error):
            return []
        raise
    finally:
        connection.close()


def lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Three lines each: where and what; when and from which refusal; how often used."""
    found = []
    for row in rows:
        said = printable(row["says"])
        dialect = row["dialect"]
        found.append(f"{row['provider']}/{row['model']} ({dialect}): {said}")
        found.append(f"    since {row['learned_at'][:16]}Z, used {row['uses']} times")
        if row["words"]:
            found.append(f"    it said: {printable(row['words'])}")
    return found


def printable(text: str) -> str:
    """A provider's text on a terminal: no escape sequences."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _forget(options: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> int:
    provider, model = options.provider, options.model
    wanted: dict[str, Any] = {"provider": provider}
    if model is not None:
        wanted["model"] = model
    try:
        status, answer = ask(
            options.port, "/admin/quirks/forget", post=wanted, token=own_token()
        )
        if status != 200:
            print(f"llm-gateway: {message_of(answer)}", file=sys.stderr)
            return 1
        count = int(answer.get("forgotten", 0))
    except Unreachable:
        try:
            count = _forget_in_file(options.db, provider, model)
        except (StoreError, sqlite3.Error) as error:
            print(f"llm-gateway: {error}", file=sys.stderr)
            return 1
    who = f"{provider}/{model}" if model else provider
    if not count:
        known = ", ".join(sorted({row["provider"] for row in rows})) or "nobody"
        print(f"llm-gateway: nothing is known of {who}; of {known}", file=sys.stderr)
        return 1
    print(f"{count} forgotten of {who}.")
    return 0


def _forget_in_file(path: Path, provider: str, model: str | None) -> int:
    """No gateway answers: the file is ours for a moment. Raises StoreError, where one
    that listens elsewhere has it."""
    with database_file.lock(path):
        connection = sqlite3.connect(path)
        try:
            with connection:
                sql = (
                    "DELETE FROM quirks WHERE provider = ? AND (? IS NULL OR model = ?)"
                )
                return connection.execute(sql, (provider, model, model)).rowcount
        finally:
            connection.close()


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="llm-gateway quirks",
        description="What providers' refusals taught: how requests are written otherwise"
        " for them. Kept for 30 days, over restarts.",
    )
    parser.add_argument("action", nargs="?", choices=("list", "forget"), default="list")
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
