"""Every address that a process binds, from its first moment: `binds_of(folder)` is an environment
for it, `bound(folder)` what it bound."""

from pathlib import Path

_SITE = """
import os, sys

def note(event, args):
    if event == "socket.bind":
        with open(os.environ["BINDS_FILE"], "a") as file:
            print(args[1][0], file=file)

sys.addaudithook(note)
"""


def binds_of(folder: Path) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(_SITE)
    return {"PYTHONPATH": str(folder), "BINDS_FILE": str(folder / "binds")}


def bound(folder: Path) -> list[str]:
    return (folder / "binds").read_text().split()
