"""A machine with a network of its own: a network namespace, for one thread and all that it
starts, in which packets can be dropped, routes changed, and nobody else is disturbed.

    machine = OwnNetwork()              # `missing()` says why there can be none here
    machine.run(fake.start)             # sockets and processes of this are in it
    machine.command("iptables", "-A", "OUTPUT", …, "-j", "DROP")
"""

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def missing() -> str:
    """Why there can be none here; "" when there can."""
    if not sys.platform.startswith("linux"):
        return "there are network namespaces on Linux only"
    for program in ("ip", "iptables"):
        if shutil.which(program, path=_PATH) is None:
            return f"{program} is not installed"
    try:
        with OwnNetwork() as machine:
            machine.command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
    except (OSError, subprocess.CalledProcessError) as e:
        return f"network namespaces, or packets dropped in them, need root here ({e})"
    return ""


def _enter() -> None:
    """Only the thread that asks moves; threads and processes that it starts are where it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


class OwnNetwork:
    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        try:
            self.run(_enter)
            self.command("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def run(self, work: Callable[..., T], *args: Any, **more: Any) -> T:
        """There, on its one thread."""
        return self._thread.submit(work, *args, **more).result()

    def command(self, *command: str) -> None:
        self.run(
            subprocess.run,
            command,
            check=True,
            capture_output=True,
            env={"PATH": _PATH},
        )

    def close(self) -> None:
        self._thread.shutdown()

    def __enter__(self) -> "OwnNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
