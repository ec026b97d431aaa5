"""`llm-gateway dashboard`: Datasette with the dashboard, without a gateway.

Looking works on any usage database, also one whose gateway is not running; changing
something needs a running gateway, and says so.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from llm_gateway.cli.help_text import command_parser
from llm_gateway.config.load import load_config
from llm_gateway.config.problems import ConfigError
from llm_gateway.dashboard_process import command
from llm_gateway.gateway_client import loopback_answer

DEFAULT_PORT = 8001
DASHBOARD = "http://127.0.0.1:{}/-/gateway"


def dashboard(argv: list[str]) -> int:
    """Runs until it is interrupted; Datasette's exit code."""
    parser = command_parser("dashboard", "Start Datasette with the dashboard.")
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"),
        help="usage database; default: LLM_GATEWAY_DB, else usage.db",
    )
    parser.add_argument(
        "--port",
        type=int,
        help=f"default: {DEFAULT_PORT}; with --link dashboard.port of the config",
    )
    parser.add_argument(
        "--link",
        action="store_true",
        help="print a sign-in link for a dashboard that runs, and end",
    )
    parser.add_argument(
        "--gateway",
        default="",
        metavar="URL",
        help="where the gateway answers; default: what the database says",
    )
    options = parser.parse_args(argv)
    if options.link:
        return link(configured_port() if options.port is None else options.port)
    if options.port is None:
        options.port = DEFAULT_PORT
    database = options.db.expanduser().absolute()
    home = state_home()
    env = command.environment(database, home, gateway_url=options.gateway)
    if not database.is_file():
        print(f"{database} does not exist yet: the dashboard waits for it.")
    print(
        f"Dashboard: http://{command.HOST}:{options.port}/-/gateway "
        "(the first link below signs you in, once)",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="llm-gateway-") as folder:
        arguments = command.arguments(database, options.port, Path(folder))
        # It ends with us, however we end: see dashboard/loader.
        env["LLM_GATEWAY_CHILD"] = "1"
        with subprocess.Popen(arguments, env=env, stdin=subprocess.PIPE) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # A terminal has sent it to the child too; whoever else sent it has not.
                process.terminate()
                process.wait()
                return 0


def state_home() -> Path:
    return Path(os.environ.get("LLM_GATEWAY_HOME") or "~/.llm-gateway").expanduser()


def configured_port() -> int:
    """`dashboard.port` of the configuration here, where it can be read."""
    path = Path(os.environ.get("LLM_GATEWAY_CONFIG") or "config.jsonc").expanduser()
    try:
        return load_config(path, os.environ).config.dashboard.port
    except ConfigError:
        return DEFAULT_PORT


def link(port: int) -> int:
    """Prints a sign-in link. 1 where no dashboard answers."""
    from llm_gateway.dashboard import sign_in_links

    address = dashboard_address(port)
    if address is None:
        print(
            f"llm-gateway dashboard: no dashboard answers on port {port}; it starts "
            "with the gateway, or with: llm-gateway dashboard. "
            "Another port: --port N",
            file=sys.stderr,
        )
        return 1
    secret = os.environ.get("DATASETTE_SECRET") or command.secret(state_home())
    token = sign_in_links.make(secret, time.time())
    print(f"{address}/sign-in?token={token}")
    if sys.stdout.isatty():
        print("It works once, within ten minutes.", file=sys.stderr)
    return 0


def dashboard_address(port: int) -> str | None:
    """Where a dashboard answers; None where none does."""
    found = loopback_answer(port, "/-/versions.json") if port else None
    return DASHBOARD.format(port) if found and b'"datasette"' in found else None
