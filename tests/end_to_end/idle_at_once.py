"""The gateway under test takes every reused connection for one that lay for long, and, on
SIGUSR1, its machine for one that slept; on SIGUSR2 the wall clock is set as CLOCK_FILE says."""

import os
import signal
import time
from pathlib import Path

from llm_gateway import addon
from llm_gateway.network import clocks
from llm_gateway.pool import mitm_hooks, pool
from llm_gateway.transport import stale_connection

stale_connection.IDLE_SECONDS = 0.0
pool.FRESH_SECONDS = 0.0
_elapsed = clocks.elapsed
_asleep = [0.0]


def elapsed() -> float:
    return _elapsed() + _asleep[0]


def sleep(*_: object) -> None:
    _asleep[0] += 3600.0


clocks.elapsed = elapsed
clocks.SleepDetector.__init__.__defaults__ = (elapsed, clocks.awake)
mitm_hooks.clocks.elapsed = elapsed
signal.signal(signal.SIGUSR1, sleep)
_time = time.time
_off = [0.0]


def set_clock(*_: object) -> None:
    _off[0] = float(Path(os.environ["CLOCK_FILE"]).read_text())


addon._state["starting"].runtime.clock.wall = lambda: _time() + _off[0]
signal.signal(signal.SIGUSR2, set_clock)
