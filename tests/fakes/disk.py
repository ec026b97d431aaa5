"""A small file system, for disks that fill up or cannot be written."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Remount = Callable[..., None]
"""Takes mount options, as `size=1m` and `ro`."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Remount]:
    """`folder` as a file system of its own; the test is skipped where we may not mount."""
    folder.mkdir()

    def mount(*options: str) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"needs a small file system: {done.stderr.strip()}")

    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs a small file system, which only root can mount")
    mount(f"size={size}")
    yield lambda *options: mount("remount", *options)
    subprocess.run(["umount", "-l", str(folder)], check=False)
