"""Every address that a process binds, connects to or looks up, from its first moment:
`binds_of(folder)` is an environment for it, `bound(folder)` and `reached(folder)` say which."""

from pathlib import Path

_SITE = """
import os, sys

def note(event, args):
    if event == "socket.bind":
        with open(os.environ["BINDS_FILE"], "a") as file:
            print(args[1][0], file=file)
    if event in ("socket.connect", "socket.getaddrinfo"):
        at = args[1] if event == "socket.connect" else args
        with open(os.environ["BINDS_FILE"] + ".reached", "a") as file:
            print(*at[:2] if isinstance(at, tuple) else (at, ""), file=file)

sys.addaudithook(note)
"""


def binds_of(folder: Path) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(_SITE)
    return {"PYTHONPATH": str(folder), "BINDS_FILE": str(folder / "binds")}


def bound(folder: Path) -> list[str]:
    return (folder / "binds").read_text().split()


def reached(folder: Path) -> set[str]:
    """`HOST PORT`, each once."""
    path = folder / "binds.reached"
    return set(path.read_text().splitlines()) if path.exists() else set()
