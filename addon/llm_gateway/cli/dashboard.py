"""`llm-gateway dashboard`: Datasette with the dashboard, without a gateway.

Looking works on any usage database, also one whose gateway is not running; changing
something needs a running gateway, and says so.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from llm_gateway.dashboard_process import command

DEFAULT_PORT = 8001


def dashboard(argv: list[str]) -> int:
    """Runs until it is interrupted; Datasette's exit code."""
    parser = argparse.ArgumentParser(
        prog="llm-gateway dashboard", description="Start Datasette with the dashboard."
    )
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"),
        help="usage database; default: LLM_GATEWAY_DB, else usage.db",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="default: %(default)s"
    )
    parser.add_argument(
        "--gateway",
        default="",
        metavar="URL",
        help="where the gateway answers; default: what the database says",
    )
    options = parser.parse_args(argv)
    database = options.db.expanduser().absolute()
    home = Path(os.environ.get("LLM_GATEWAY_HOME") or "~/.llm-gateway").expanduser()
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
