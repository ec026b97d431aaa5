"""The vendors' SDKs for Python: their programs, from a process that has imported the SDK.

Importing one costs seconds of CPU; a test of vendors runs a program or more for each of them.
That an SDK works in a process of its own is what `end_to_end/test_clients.py` is about.
"""

import atexit
import json
import select
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen, TimeoutExpired

_SERVER = Path(__file__).with_name("programs") / "warm_server.py"
_STREAMS = ("in", "out", "err")

IMPORTED = {
    "openai": (
        "openai",
        "openai.resources.chat",
        "openai.resources.responses",
        "openai.types.responses",
    ),
    "anthropic": ("anthropic", "anthropic.resources.messages"),
    "google.genai": ("google.genai",),
}
"""What a program needs -> modules that are there before it starts."""


class _Server:
    def __init__(self, python: str) -> None:
        self.process = Popen([python, str(_SERVER)], stdin=PIPE, stdout=PIPE, text=True)
        self.lock = threading.Lock()
        atexit.register(self.close)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def run(self, order: Mapping[str, object], timeout: float) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], timeout)[0]:
                _server.cache_clear()
                self.process.kill()
                raise TimeoutExpired(str(order["program"]), timeout)
            return int(self.process.stdout.readline())


@cache
def _server(python: str) -> _Server:
    return _Server(python)


def run(
    command: Sequence[str],
    needs: Sequence[str],
    input: str,
    env: Mapping[str, str],
    timeout: float,
) -> CompletedProcess[str]:
    """`subprocess.run` of `python program …`; needs: keys of `IMPORTED`."""
    python, program, *argv = command
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        files = [Path(folder, name) for name in _STREAMS]
        for file, text in zip(files, (input, "", ""), strict=True):
            file.write_text(text)
        order = {
            "modules": [module for need in needs for module in IMPORTED[need]],
            "program": program,
            "argv": argv,
            "env": {**env},
            "files": [*map(str, files)],
        }
        code = _server(python).run(order, timeout)
        return CompletedProcess(
            command, code, files[1].read_text(), files[2].read_text()
        )
