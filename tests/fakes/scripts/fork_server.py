"""Starts mitmdumps faster than Python does: all that mitmproxy imports is there already.

A line of JSON on stdin, `{"argv", "env", "cwd", "log"}`, forks one; a line on stdout names
it: `{"pid"}`. Its end is a line, too: `{"ended", "code"}`. At the end of stdin all are killed.

With `gateway` as an argument this repository's package is imported, too.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path

import aioquic.quic.configuration  # noqa: F401
import json5  # noqa: F401
import mitmproxy.contentviews
import mitmproxy.tools.dump
import mitmproxy.tools.main
import pydantic.main  # noqa: F401
import python_socks.async_.asyncio  # noqa: F401
import sqlite_utils  # noqa: F401
import zstandard  # noqa: F401

with contextlib.suppress(ImportError):  # an older line of it
    import genai_prices.data_snapshot  # noqa: F401

if "gateway" in sys.argv[1:]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "addon"))
    import llm_gateway.adaptation.wordings
    import llm_gateway.addon
    import llm_gateway.app.config_service
    import llm_gateway.late_patterns
    import llm_gateway.mitm_compat.fingerprints

    # Reads the sources of what it replaces, and remembers what it found.
    llm_gateway.mitm_compat.fingerprints.compare()
    llm_gateway.late_patterns.compile_all(lambda _: None)
    del sys.path[0]


def run(order: dict) -> int:
    """What the interpreter does for the script `mitmdump`; the exit code."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = order["argv"]
    try:
        mitmproxy.tools.main.mitmdump()
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1


def main() -> None:
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    running = set()
    gc.collect()
    gc.freeze()
    ready = selectors.DefaultSelector()
    ready.register(0, selectors.EVENT_READ)
    ready.register(woken, selectors.EVENT_READ)
    unread = b""
    while True:
        events = [key.fd for key, _ in ready.select()]
        if woken in events:
            os.read(woken, 512)
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            running.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            print(json.dumps({"ended": pid, "code": code}), file=out)
        if 0 not in events:
            continue
        data = os.read(0, 1 << 20)
        if not data:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return
        *lines, unread = (unread + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                for kind in (signal.SIGCHLD, signal.SIGINT):
                    signal.signal(kind, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for fd in (woken, wake, out.fileno()):
                    os.close(fd)
                code = 1
                try:
                    code = run(json.loads(line))
                finally:
                    end(code)
            running.add(pid)
            print(json.dumps({"pid": pid}), file=out)


def end(code: int) -> None:
    """As the interpreter ends: threads are waited for, `atexit` runs, all is written."""
    import atexit
    import threading

    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


main()
