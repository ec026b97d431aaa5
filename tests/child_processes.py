"""Child processes of tests: they take SIGINT, and never outlive their limit.

with child([sys.executable, "-m", ...], stdout=PIPE) as process:
    for line in process.stdout: ...
"""

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LIMIT = 60.0
"""Seconds that a child may live: then it is killed, and whoever reads from it goes on."""


def default_interrupt() -> None:
    """For `preexec_fn`: SIGINT ends it, also where we were started with SIGINT ignored,
    as a script's background jobs are."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def child(
    command: Sequence[str], *, limit: float = LIMIT, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A process that is killed when its block is left, or after `limit` seconds.

    A block that wants the exit code waits for it. `options` are those of `Popen`.
    """
    process = subprocess.Popen(command, preexec_fn=default_interrupt, **options)
    watch = threading.Timer(limit, process.kill)
    watch.start()
    try:
        yield process
    finally:
        watch.cancel()
        process.kill()
        process.wait(LIMIT)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
