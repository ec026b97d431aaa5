"""A real Valkey or Redis server, on a free port, in a folder of its own.

    with CounterServer(tmp_path) as server:
        config["cluster"] = {"url": server.url}
        server.pause() …

Where neither is installed, a test that asks for one is skipped, and says so.
"""

import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import redis

BINARY = shutil.which("valkey-server") or shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class CounterServer:
    def __init__(self, folder: Path, *options: str, keep: bool = False) -> None:
        """`keep`: what it knows outlives a stop."""
        if BINARY is None:
            pytest.skip("no valkey-server or redis-server is installed here")
        self.folder = folder
        self.options = options
        self.keep = keep
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> "redis.Redis[Any]":
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> "CounterServer":
        self.folder.mkdir(exist_ok=True)
        assert BINARY is not None
        save = ("--appendonly", "yes") if self.keep else ("--save", "")
        self._process = subprocess.Popen(
            [
                *(BINARY, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self.folder), *save, *self.options),
            ],
            stdout=subprocess.DEVNULL,
        )
        tick = threading.Event()
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return self
            except OSError:
                tick.wait(0.02)
        raise AssertionError("the server does not listen")

    def kill(self) -> None:
        """As `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def keys(self) -> dict[str, dict[str, str]]:
        """Windows by name, as `redis-cli` would show them."""
        client = self.client
        found = {}
        for key in client.scan_iter("llm-gateway:*:window:*"):
            found[key.partition(":window:")[2]] = client.hgetall(key)
        client.close()
        return found

    def __enter__(self) -> "CounterServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
