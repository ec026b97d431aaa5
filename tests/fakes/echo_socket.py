"""A WebSocket server behind TLS that echoes text frames, and keeps what it was asked for."""

import base64
import hashlib
import socket
import ssl
import threading
from contextlib import suppress

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(text: bytes, mask: bytes = b"") -> bytes:
    """One whole text frame of less than 126 bytes."""
    head = bytes((0x81, len(text) | (0x80 if mask else 0)))
    return head + mask + (masked(text, mask) if mask else text)


def masked(text: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[n % 4] for n, byte in enumerate(text))


class EchoSocket:
    def __init__(self, tls: ssl.SSLContext) -> None:
        self.heads: list[bytes] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "EchoSocket":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._speak, args=(wire,), daemon=True).start()

    def _speak(self, wire: socket.socket) -> None:
        with suppress(OSError, ValueError), wire:
            wire.settimeout(30)
            with self._tls.wrap_socket(wire, server_side=True) as spoken:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += _exactly(spoken, 1)
                self.heads.append(head)
                given = next(
                    line.split(b": ", 1)[1]
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"sec-websocket-key: ")
                )
                accepted = base64.b64encode(hashlib.sha1(given + _GUID).digest())
                spoken.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                    b"connection: Upgrade\r\nsec-websocket-accept: "
                    + accepted
                    + b"\r\n\r\n"
                )
                while True:
                    _, length = _exactly(spoken, 2)
                    mask = _exactly(spoken, 4)
                    text = masked(_exactly(spoken, length & 0x7F), mask)
                    spoken.sendall(frame(text))


def _exactly(wire: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = wire.recv(count - len(found))
        if not piece:
            raise OSError("closed")
        found += piece
    return found
