"""A second script for mitmdump: how long its event loop is away at a time.

Writes `{"busy": seconds, "away": seconds}` to the file named by LAGGING_FILE whenever a
maximum grows, and begins anew when that file is removed. `busy` is the processor time
of the loop's thread between two looks (a crowded machine does not count), `away` the
time by the clock.
"""

import asyncio
import json
import os
import time
from pathlib import Path

EVERY = 0.005


class Lagging:
    def __init__(self) -> None:
        self.file = Path(os.environ["LAGGING_FILE"])
        self.task: asyncio.Task[None] | None = None

    def running(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.look())

    async def look(self) -> None:
        busy = away = 0.0
        while True:
            thread, clock = time.thread_time(), time.monotonic()
            await asyncio.sleep(EVERY)
            if not self.file.exists():
                busy = away = 0.0
            busy_now = time.thread_time() - thread
            away_now = time.monotonic() - clock - EVERY
            if busy_now > busy or away_now > away or not self.file.exists():
                busy, away = max(busy, busy_now), max(away, away_now)
                draft = self.file.with_suffix(".new")
                draft.write_text(json.dumps({"busy": busy, "away": away}))
                draft.replace(self.file)


addons = [Lagging()]
