"""Loads the dashboard into a Datasette that our own commands start.

An installed package is found through its entry point; a clone that was never installed
is not, so this file is passed as `--plugins-dir`. Registered once, however often named.

A gateway that is killed cannot stop its child. So the child reads from a pipe whose
other end only the gateway holds, and ends when that end is gone.
"""

import os
import signal
import threading

from datasette.plugins import pm

from llm_gateway import dashboard

if not pm.is_registered(dashboard):
    pm.register(dashboard, name="llm_gateway")


def _end_with_parent() -> None:
    # Not sys.stdin.read(): a lock held there makes the interpreter abort when it ends.
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if os.environ.get("LLM_GATEWAY_CHILD") == "1":
    threading.Thread(target=_end_with_parent, daemon=True).start()
