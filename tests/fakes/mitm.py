"""`MitmProcess`: a real mitmdump of the running interpreter, with a script, on a free port.

Knows how to start, watch and end the process; nothing of what the script does.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from child_processes import default_interrupt

from .forked import ForkedProcess, can_fork
from .steps import TIMEOUT

_ANNOUNCE = Path(__file__).with_name("scripts") / "announce.py"
_REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT = 30.0


class MitmProcess:
    """`with MitmProcess(script, confdir=…, options={…}) as mitm: mitm.port`

    options: mitmproxy options, as for `--set`. trust: a CA file that upstream
    certificates are checked against. confdir: where mitmproxy keeps its own CA; share
    one between processes, making it costs half a second. env: added to the environment;
    None as a value takes a variable out. forked: from a process that has imported
    mitmproxy (see `forked.py`); False starts Python and mitmdump, where that is what a
    test is about. The log (stdout and stderr) is in `log()`.
    """

    def __init__(
        self,
        script: Path,
        *,
        confdir: Path,
        options: Mapping[str, str | None] | None = None,
        trust: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        verbosity: str = "info",
        arguments: Sequence[str] = (),
        forked: bool = True,
    ) -> None:
        self.confdir = confdir
        self.port = 0
        self._folder = tempfile.TemporaryDirectory(prefix="mitm-")
        self._log = Path(self._folder.name) / "log"
        self._port_file = Path(self._folder.name) / "port"
        settings: dict[str, str | None] = {
            "confdir": str(confdir),
            "termlog_verbosity": verbosity,
            "flow_detail": "0",
            **({"ssl_verify_upstream_trusted_ca": str(trust)} if trust else {}),
            **(options or {}),
        }
        self._command = [
            str(Path(sys.executable).with_name("mitmdump")),
            *("--listen-host", "127.0.0.1", "--listen-port", "0"),
            *("-s", str(script), "-s", str(_ANNOUNCE)),
            *(
                part
                for name, value in settings.items()
                if value is not None
                for part in ("--set", f"{name}={value}")
            ),
            *arguments,
        ]
        self._env = {**os.environ, "FAKES_PORT_FILE": str(self._port_file)}
        self._env["PYTHONUNBUFFERED"] = "1"
        for name, value in (env or {}).items():
            if value is None:
                self._env.pop(name, None)
            else:
                self._env[name] = value
        self._cwd = cwd or _REPOSITORY
        self._forked = forked
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None

    def start(self) -> "MitmProcess":
        """Returns when it accepts connections; raises with the log if it ends before."""
        self._port_file.unlink(missing_ok=True)  # of an earlier run
        with self._log.open("wb") as out:
            if self._forked and can_fork(self._env):
                self.process = ForkedProcess(
                    self._command, env=self._env, cwd=self._cwd, log=self._log
                )
            else:
                self.process = subprocess.Popen(
                    self._command,
                    stdout=out,
                    stderr=out,
                    env=self._env,
                    cwd=self._cwd,
                    preexec_fn=default_interrupt,
                )
        tick = threading.Event()
        for _ in range(int(START_TIMEOUT / 0.02)):
            if self.process.poll() is not None:
                raise AssertionError(f"mitmdump ended early:\n{self.log()}")
            if self._port_file.exists():
                self.port = int(self._port_file.read_text())
                socket.create_connection(("127.0.0.1", self.port), TIMEOUT).close()
                return self
            tick.wait(0.02)
        self.stop()
        raise AssertionError(f"mitmdump did not come up:\n{self.log()}")

    def stop(self) -> int | None:
        """End it; the exit code, None if it had to be killed."""
        if self.process is None:
            return None
        code: int | None = self.process.poll()
        if code is None:
            self.process.terminate()
            try:
                code = self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(TIMEOUT)
        return code

    def __enter__(self) -> "MitmProcess":
        return self if self.process else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """What a client has to trust to be intercepted."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait_log(self, text: str, times: int = 1, timeout: float = TIMEOUT) -> None:
        """Block until the log holds a text, that often."""
        tick = threading.Event()
        for _ in range(int(timeout / 0.02)):
            if self.log().count(text) >= times:
                return
            if not self.alive:
                break
            tick.wait(0.02)
        raise AssertionError(f"{text!r} is not in the log:\n{self.log()}")

    async def logged(self, text: str, times: int = 1, timeout: float = TIMEOUT) -> None:
        """`wait_log` for a test that is a coroutine."""
        await asyncio.to_thread(self.wait_log, text, times, timeout)

    def rss(self) -> int:
        """Resident memory in bytes (Linux; 0 elsewhere)."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0
