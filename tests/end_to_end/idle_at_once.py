"""The gateway under test takes every reused connection for one that lay for long, and, on
SIGUSR1, its machine for one that slept."""

import signal

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
