"""An upstream of several processes behind one port, as web servers are: each can be stopped
(SIGSTOP) while its kernel goes on, takes connections and acknowledges what comes.

    with Upstream(tmp_path) as upstream:
        first = upstream.worker()      # accepts from now on, and answers every chat
        first.stop(); second = upstream.worker(); first.go_on()
        first.seen == second.seen == 1
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from child_processes import child

from .answers import chat_body
from .steps import TIMEOUT

_SCRIPT = """
import socket, sys, threading

listener = socket.socket(fileno=int(sys.argv[1]))
answer = sys.stdin.buffer.read()
seen = open(sys.argv[2], "w", buffering=1)
print("begins", file=seen)

def serve(wire):
    file = wire.makefile("rb")
    while line := file.readline():
        length = 0
        while (header := file.readline()) not in (b"\\r\\n", b""):
            name, _, value = header.lower().partition(b":")
            length = int(value) if name == b"content-length" else length
        file.read(length)
        if line.startswith(b"POST"):
            print("chat", file=seen)
        head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
        wire.sendall(head % len(answer) + answer)
    print("left", file=seen)

while True:
    try:
        wire, _ = listener.accept()
    except OSError:  # nobody listens any more; what lies here is served to its end
        threading.Event().wait()
    threading.Thread(target=serve, args=(wire,), daemon=True).start()
"""


class Worker:
    def __init__(self, process: subprocess.Popen[bytes], seen: Path) -> None:
        self.process, self._seen = process, seen

    def lines(self) -> list[str]:
        return self._seen.read_text().split() if self._seen.exists() else []

    @property
    def seen(self) -> int:
        """Chats that reached this process."""
        return self.lines().count("chat")

    def stop(self) -> None:
        """Returns when it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def wait(self, line: str) -> None:
        tick = threading.Event()
        for _ in range(int(TIMEOUT / 0.02)):
            if line in self.lines():
                return
            tick.wait(0.02)
        raise AssertionError(f"a worker waited in vain: {line}")


class Upstream:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._stack = ExitStack()
        self._count = 0

    def worker(self) -> Worker:
        """One more process that accepts."""
        self._count += 1
        seen = self._folder / f"worker-{self._count}"
        number = self._listener.fileno()
        process = self._stack.enter_context(
            child(
                [sys.executable, "-c", _SCRIPT, str(number), str(seen)],
                pass_fds=[number],
                stdin=subprocess.PIPE,
            )
        )
        assert process.stdin is not None
        process.stdin.write(chat_body(f"worker {self._count}"))
        process.stdin.close()
        found = Worker(process, seen)
        found.wait("begins")
        return found

    def refuse(self) -> None:
        """Nobody listens any more, whoever lives or has been stopped."""
        self._listener.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._listener.close()
