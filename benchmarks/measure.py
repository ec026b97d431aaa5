"""Processes: starting them, and what they use. Linux only (/proc, CPU clocks of others)."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
"""Compiled programs, configurations, logs, peers. Not in git."""


def pin(cpu: int):
    """For `preexec_fn`: this process stays on one CPU, where there are two or more."""

    def stay() -> None:
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:
            os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})

    return stay


GATEWAY_CPU, CLIENT_CPU = 0, 1


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_env(extra: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The environment of a user's shell: bytecode is cached, output is buffered."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return env | {"PYTHONPYCACHEPREFIX": str(BUILD / "pycache")} | dict(extra)


@contextmanager
def running(
    argv: Sequence[str],
    *,
    log: Path,
    cpu: int,
    env: Mapping[str, str],
    cwd: Path = ROOT,
) -> Iterator[subprocess.Popen]:
    """A process (group) for as long as the block lasts; its output goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=pin(cpu),
            start_new_session=True,
            env=dict(env),
            cwd=cwd,
        )
        try:
            yield process
        finally:
            for sig, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
                try:
                    os.killpg(process.pid, sig)
                    process.wait(patience)
                    break
                except ProcessLookupError:
                    break
                except subprocess.TimeoutExpired:
                    continue


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that these processes have used, all threads, in seconds (1 ns steps)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def memory_mib(pids: Sequence[int]) -> float:
    """Proportional set size: shared pages count by their share."""
    kib = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib / 1024
