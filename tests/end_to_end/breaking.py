"""A second script for mitmdump: breaks one function of the gateway at a time.

Listens on a loopback port (written to the file named by BREAKING_PORT_FILE) and takes
lines: `list` answers the names of all functions of the gateway's package that can be
broken, `break NAME` makes one raise, `mend` puts it right again.

What this file does not know: what any of them does.
"""

import inspect
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PACKAGE = "llm_gateway."


class Broken(RuntimeError):
    pass


def raising(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise Broken(f"{name} is broken")

    async def broken_later(*args: Any, **kwargs: Any) -> Any:
        raise Broken(f"{name} is broken")

    return broken_later if inspect.iscoroutinefunction(original) else broken


def ours() -> dict[str, Any]:
    return {n: m for n, m in sys.modules.items() if n.startswith(PACKAGE)}


def places(name: str) -> Iterator[tuple[Any, str, Any]]:
    """(owner, attribute, value) of everything that is this function."""
    module, _, path = name.partition(":")
    owner: Any = sys.modules[module]
    *classes, attribute = path.split(".")
    for part in classes:
        owner = getattr(owner, part)
    found = inspect.getattr_static(owner, attribute)
    yield owner, attribute, found
    if not classes:  # and wherever it was imported by name
        for other in ours().values():
            for key, value in vars(other).items():
                if value is found and other is not owner:
                    yield other, key, value


def names() -> Iterator[str]:
    for name, module in sorted(ours().items()):
        for key, value in vars(module).items():
            # Python's own (`__annotate__`) are nobody's to break.
            if getattr(value, "__module__", None) != name or key.startswith("__"):
                continue
            if inspect.isfunction(value):
                yield f"{name}:{key}"
            elif inspect.isclass(value):
                for method, found in vars(value).items():
                    if inspect.isfunction(found) and not method.startswith("__"):
                        yield f"{name}:{key}.{method}"


class Bench:
    def __init__(self) -> None:
        self.mending: list[tuple[Any, str, Any]] = []

    def do(self, line: str) -> str:
        verb, _, name = line.partition(" ")
        if verb == "list":
            return " ".join(names())
        for owner, attribute, value in self.mending:
            setattr(owner, attribute, value)
        self.mending = []
        if verb == "break":
            for owner, attribute, value in list(places(name)):
                self.mending.append((owner, attribute, value))
                setattr(owner, attribute, raising(name, value))
        return "done"


def serve(listener: socket.socket) -> None:
    bench = Bench()
    while True:
        wire, _ = listener.accept()
        with wire, wire.makefile("rw") as lines:
            for line in lines:
                lines.write(bench.do(line.strip()) + "\n")
                lines.flush()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
Path(os.environ["BREAKING_PORT_FILE"]).write_text(str(listener.getsockname()[1]))
