"""mitmdumps from a fork server of each worker: they start in a fraction of the time.

`ForkedProcess` is what tests need of `subprocess.Popen`.
"""

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_SERVER = Path(__file__).with_name("scripts") / "fork_server.py"
_REPOSITORY = Path(__file__).resolve().parents[2]
_READ_BY_PYTHON = ("PYTHON", "LD_", "SSL_", "OPENSSL", "MITMPROXY_", "COV_", "MALLOC_")


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether nothing is set that Python or a library reads but once, when it starts."""
    return os.name == "posix" and {
        (name, value)
        for name, value in {**env}.items()
        if name.startswith(_READ_BY_PYTHON) and name != "PYTHONUNBUFFERED"
    } == {
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_READ_BY_PYTHON) and name != "PYTHONUNBUFFERED"
    }


def uses_this_package(argv: Sequence[str]) -> bool:
    """Whether all scripts are this repository's: what they import of the gateway may be
    there already. A script elsewhere may have a package of its own beside it."""
    scripts = [argv[i + 1] for i, word in enumerate(argv) if word == "-s"]
    return all(Path(script).is_relative_to(_REPOSITORY) for script in scripts)


class ForkedProcess:
    """One process of the fork server's: `pid`, `returncode`, and ways to end it."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        self._over = threading.Event()
        self.returncode: int | None = None
        order = {"argv": [*argv], "env": {**env}, "cwd": str(cwd), "log": str(log)}
        self.pid = _server(uses_this_package(argv)).fork(order, self)

    def ended(self, code: int) -> None:
        self.returncode = code
        self._over.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._over.wait(timeout):
            raise subprocess.TimeoutExpired("mitmdump", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # its end is on the way to us
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    def __init__(self, gateway: bool) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(_SERVER), *(["gateway"] if gateway else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.started: queue.Queue[int] = queue.Queue()
        self.running: dict[int, ForkedProcess] = {}
        self.before: dict[int, int] = {}
        self.order, self.lock = threading.Lock(), threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        atexit.register(self.close)

    def fork(self, order: dict[str, Any], process: ForkedProcess) -> int:
        assert self.process.stdin is not None
        with self.order:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
            pid = self.started.get(timeout=120)
        with self.lock:
            if pid in self.before:
                process.ended(self.before.pop(pid))
            else:
                self.running[pid] = process
        return pid

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.reader.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "pid" in said:
                self.started.put(said["pid"])
                continue
            with self.lock:
                process = self.running.pop(said["ended"], None)
                if process is None:  # over before `fork` has returned
                    self.before[said["ended"]] = said["code"]
                else:
                    process.ended(said["code"])


@cache
def _server(gateway: bool) -> _Server:
    """One that has imported the gateway, or one for other scripts."""
    return _Server(gateway)
