"""The dashboard as a child of the gateway: started, listened to, stopped.

What lives here: one `DashboardProcess`. Everything that takes time happens on its own
thread, so that the event loop never waits for it; whatever goes wrong is one warning,
and the gateway goes on without a dashboard.

What this file does not know: what Datasette is started with (command.py).
"""

import logging
import re
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from llm_gateway.dashboard_process import command

logger = logging.getLogger("llm_gateway")

STOP_SECONDS = 3.0
"""Seconds that the child may take to end before it is killed."""

_LINK = re.compile(r"https?://\S+/-/auth-token\?token=\w+")
_RUNNING = re.compile(r"Uvicorn running on (http://\S+?:\d+)")


class DashboardProcess:
    """One Datasette. `start` and `stop` may each be called once, from any thread."""

    def __init__(
        self,
        database: Path,
        port: int,
        *,
        gateway_url: str,
        home: Path,
        hosts: Sequence[str] = (),
        say: Callable[[str], None] = logger.info,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        """`say` gets the one-use sign-in link, `warn` whatever keeps it from running."""
        self._database = database.absolute()
        self._port = port
        self._gateway_url = gateway_url
        self._home = home
        self._hosts = hosts
        self._say, self._warn = say, warn
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self.url = ""
        """Where it answers; "" until it does."""
        self.ready = threading.Event()
        """Set when it answers, or when it is clear that it never will."""

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the child: asks, waits a little, then insists."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            if self._port and _taken(self._port):
                self._warn(
                    f"The dashboard is not started: port {self._port} is in use. Choose "
                    "another one with dashboard.port in config.jsonc (0: no dashboard)."
                )
                return
            with tempfile.TemporaryDirectory(prefix="llm-gateway-") as folder:
                self._serve(Path(folder))
        except Exception as error:  # the gateway goes on, whatever this was
            self._warn(f"The dashboard is not started: {error}")
        finally:
            self.ready.set()

    def _serve(self, folder: Path) -> None:
        arguments = command.arguments(self._database, self._port, folder)
        env = command.environment(
            self._database,
            self._home,
            gateway_url=self._gateway_url,
            hosts=self._hosts,
        )
        with self._lock:
            if self._stopped:
                return
            process = self._process = subprocess.Popen(
                arguments,
                env={**env, "LLM_GATEWAY_CHILD": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl-C in the terminal is for the gateway, which then stops us.
                start_new_session=True,
            )
        with process:
            last = self._listen(process)
        if not self._stopped:
            reason = " / ".join(last) or "it said nothing"
            self._warn(
                f"The dashboard ended (exit code {process.returncode}): {reason}. "
                "The gateway goes on without it."
            )

    def _listen(self, process: subprocess.Popen[str]) -> list[str]:
        """Reads what the child says until it ends; the last few lines."""
        assert process.stdout is not None
        last: deque[str] = deque(maxlen=3)
        link = ""
        for line in process.stdout:
            last.append(line.strip())
            if found := _LINK.search(line):
                link = found[0]
                last.clear()
            if (found := _RUNNING.search(line)) and not self.url:
                self.url = found[1]
                if link:
                    token = link.partition("/-/")[2]
                    self._say(f"Dashboard: sign in once with {self.url}/-/{token}")
                self.ready.set()
        return list(last)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((command.HOST, port))
        except OSError:
            return True
    return False
