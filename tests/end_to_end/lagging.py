"""A second script for mitmdump: how long its event loop is away at a time.

Writes `{"busy": seconds, "away": seconds, "waits": count}` to the file named by
LAGGING_FILE whenever one of them grows, and begins anew when that file is removed.
`busy` is the most processor time of the loop's thread between two looks, `away` the most
by the clock. `waits` counts looks after which the thread was neither busy nor in want of a
processor for WAIT seconds: it slept in somebody's call.
"""

import asyncio
import json
import os
import time
from pathlib import Path

EVERY = 0.005
WAIT = 0.08
"""Less than the ledger's writer waits for a lock, each time."""
SCHEDULER = Path("/proc/thread-self/schedstat")


def in_want() -> float:
    """Seconds that this thread could have run and had no processor; 0 where nobody tells."""
    try:
        return int(SCHEDULER.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Lagging:
    def __init__(self) -> None:
        self.file = Path(os.environ["LAGGING_FILE"])
        self.task: asyncio.Task[None] | None = None

    def running(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.look())

    async def look(self) -> None:
        told = {"busy": 0.0, "away": 0.0, "waits": 0}
        while True:
            thread, want, clock = time.thread_time(), in_want(), time.monotonic()
            await asyncio.sleep(EVERY)
            busy = time.thread_time() - thread
            away = time.monotonic() - clock - EVERY
            waited = away - busy - (in_want() - want) > WAIT
            there = self.file.exists()
            if not there:
                told = {"busy": 0.0, "away": 0.0, "waits": 0}
            if not there or waited or busy > told["busy"] or away > told["away"]:
                told = {
                    "busy": max(busy, told["busy"]),
                    "away": max(away, told["away"]),
                    "waits": told["waits"] + waited,
                }
                draft = self.file.with_suffix(".new")
                draft.write_text(json.dumps(told))
                draft.replace(self.file)


addons = [Lagging()]
