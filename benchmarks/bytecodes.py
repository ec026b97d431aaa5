"""How many bytecodes Python runs for one request: a number that no busy machine changes.

    python -m benchmarks.bytecodes            # kept connections
    python -m benchmarks.bytecodes --new      # a new connection for each request
    python -m benchmarks.bytecodes --calls    # calls instead: what most of the time goes by

The gateway runs in mitmdump with `counting.py` as its script, where `sys.monitoring` counts
each instruction, by function, for some hundred requests. What C does (sockets, SQLite, JSON)
is not in the number. Python 3.12 or newer.
"""

import argparse
import json
import os
import re
import socket
import time
from pathlib import Path

from benchmarks import native
from benchmarks.contenders import BIN, SDK_HEADERS, Site, _gateway
from benchmarks.counting import REQUESTS, WARM_UP
from benchmarks.measure import BUILD, GATEWAY_CPU, clean_env, free_port, running

SCRIPT = Path(__file__).with_name("counting.py")

AREAS = (
    (
        "plumbing: events, hooks, HTTP",
        r"llm_gateway/(fastpath|transport|mitm_compat)/",
    ),
    ("plumbing: mitmproxy and h11", r"/(mitmproxy|h11)/"),
    ("upstream connections that are kept", r"llm_gateway/pool/"),
    ("event loop", r"/(asyncio|selectors|contextlib)\b"),
    ("limits", r"llm_gateway/limits/"),
    ("ledger, both threads", r"llm_gateway/ledger/"),
    (
        "usage and prices",
        r"llm_gateway/(accounting/|streaming/.*meter|dialects/(.*usage|token_counts))",
    ),
    ("what is asked", r"llm_gateway/dialects/"),
    ("the log line", r"/logging/|(pipeline/access_log|app/log_redaction)\.py"),
    ("deciding, building, settling", r"llm_gateway/"),
    ("values that are made", r"<string>"),
    ("the rest", r""),
)
"""What a function belongs to, by its file; the first that fits."""


def measure(new: bool, event: str) -> list[tuple[str, str, float]]:
    """(file, function, events per request), the most first."""
    folder = BUILD / "bytecodes"
    folder.mkdir(parents=True, exist_ok=True)
    counts = folder / "counts.json"
    counts.unlink(missing_ok=True)
    with native.upstream() as upstream:
        site = Site(free_port(), upstream, folder)
        argv, env = _gateway(str(BIN / "mitmdump"), "-s", str(SCRIPT))(site)
        env |= {"BENCH_COUNTS": str(counts), "BENCH_EVENT": event}
        env["PYTHONPATH"] += os.pathsep + str(Path(__file__).parents[1])
        request = folder / "request"
        native.write_request(
            request,
            model="bench-plain",
            headers=(("Host", f"127.0.0.1:{site.port}"), *SDK_HEADERS),
            size=16,
            stream=False,
        )
        log = folder / "log"
        with running(argv, log=log, cpu=GATEWAY_CPU, env=clean_env(env)):
            _wait_for(site.port)
            count = WARM_UP + REQUESTS + 50
            native.load(
                site.port, request, clients=16, seconds=120, count=count, new=new
            )
    return [tuple(each) for each in json.loads(counts.read_text())]


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the gateway does not start")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bytecodes")
    parser.add_argument("--new", action="store_true", help="a connection per request")
    parser.add_argument("--calls", action="store_true", help="calls, not bytecodes")
    parser.add_argument("--top", type=int, default=0, help="functions to list")
    options = parser.parse_args()
    event, what = ("CALL", "calls") if options.calls else ("INSTRUCTION", "bytecodes")
    found = measure(options.new, event)
    areas = dict.fromkeys((title for title, _ in AREAS), 0.0)
    for file, _, count in found:
        title = next(title for title, form in AREAS if re.search(form, file))
        areas[title] += count
    print(f"| | {what} per request |\n| --- | --- |")
    for title, count in areas.items():
        print(f"| {title} | {count:,.0f} |")
    print(f"| all | {sum(areas.values()):,.0f} |")
    for file, name, count in found[: options.top]:
        print(f"{count:8.0f} {name} ({'/'.join(Path(file).parts[-2:])})")


if __name__ == "__main__":
    main()
