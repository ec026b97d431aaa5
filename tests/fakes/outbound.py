"""Outbound proxies on loopback, by hand: HTTP CONNECT and SOCKS5, each with its faults.

    with OutboundProxy("socks5h", {"provider.test": 4433}) as proxy:
        proxy.url, proxy.asked == ["provider.test:443"]

`names`: where a name leads, a port on 127.0.0.1; nobody else knows it. `asked` holds every
host and port that was asked for, `heads` what came before the tunnel, `tunnels` how many
are open.
"""

import base64
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress

Faults = str
"""`refuse`, `hang`, `hang after`, `reset`, `407`, `403`, `502`, `die`, `garbage`, or ""."""


class OutboundProxy:
    def __init__(
        self,
        scheme: str,
        names: Mapping[str, int],
        *,
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.scheme, self.names = scheme, names
        self.user, self.password, self.tls = user, password, tls
        self.fault: Faults = ""
        self.page = b"<html><head><title>x</title></head><body><h1>Blocked</h1> by policy 7</body></html>"
        """Comes with `403` and `502`."""
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.carried = bytearray()
        """What went through towards the upstream, of all tunnels."""
        self.host = host
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}@" if self.user else ""
        return f"{self.scheme}://{who}{self.host}:{self.port}"

    @property
    def tunnels(self) -> int:
        with self._lock:
            return len(self._open)

    def start(self) -> None:
        listener = socket.create_server((self.host, self.port))
        self._listener, self.port = listener, listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more, and every tunnel breaks."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.break_tunnels()

    def break_tunnels(self) -> None:
        with self._lock:
            for wire in self._open:
                with suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "OutboundProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                wire, _ = listener.accept()
                threading.Thread(target=self._carry, args=(wire,), daemon=True).start()

    def _carry(self, wire: socket.socket) -> None:
        with suppress(OSError, ValueError, struct.error):
            if self.tls is not None:
                wire = self.tls.wrap_socket(wire, server_side=True)
            wire.settimeout(60)
            try:
                self._speak(wire)
            finally:
                with self._lock:
                    self._open.discard(wire)
                wire.close()

    def _speak(self, wire: socket.socket) -> None:
        with self._lock:
            self._open.add(wire)
        if self.fault == "hang":
            wire.recv(65536)
            while wire.recv(65536):
                pass
            return
        if self.fault == "reset":
            wire.recv(65536)
            wire.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            return
        if self.fault == "garbage":
            wire.recv(65536)
            wire.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            return
        there = (
            self._socks(wire) if self.scheme.startswith("socks") else self._http(wire)
        )
        if there is None:
            return
        with there:
            if self.fault == "hang after":
                while wire.recv(65536):
                    pass
                return
            back = threading.Thread(
                target=self._pump, args=(there, wire, None), daemon=True
            )
            back.start()
            self._pump(wire, there, self.carried)
            back.join()

    def _http(self, wire: socket.socket) -> socket.socket | None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = wire.recv(1)
            if not piece:
                return None
            head += piece
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        self.asked.append(f"{method} {target}")
        token = base64.b64encode(f"{self.user}:{self.password}".encode())
        if self.user and b"Proxy-Authorization: Basic " + token not in head:
            wire.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
            )
            return None
        if self.fault in ("407", "403", "502"):
            wire.sendall(
                b"HTTP/1.1 %s Denied\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s"
                % (self.fault.encode(), len(self.page), self.page)
            )
            return None
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or (there := self._reach(host, int(port))) is None:
            wire.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            return None
        wire.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return there

    def _socks(self, wire: socket.socket) -> socket.socket | None:
        _, count = _exactly(wire, 2)
        methods = _exactly(wire, count)
        wanted = 2 if self.user else 0
        if wanted not in methods or self.fault == "407":
            wire.sendall(b"\x05\xff")
            return None
        wire.sendall(bytes((5, wanted)))
        if self.user:
            _exactly(wire, 1)
            user = _exactly(wire, _exactly(wire, 1)[0]).decode()
            password = _exactly(wire, _exactly(wire, 1)[0]).decode()
            good = (user, password) == (self.user, self.password)
            wire.sendall(bytes((1, 0 if good else 1)))
            if not good:
                return None
        _, _, _, kind = _exactly(wire, 4)
        if kind == 3:
            host = _exactly(wire, _exactly(wire, 1)[0]).decode()
        elif kind == 1:
            host = socket.inet_ntop(socket.AF_INET, _exactly(wire, 4))
        else:
            host = socket.inet_ntop(socket.AF_INET6, _exactly(wire, 16))
        (port,) = struct.unpack("!H", _exactly(wire, 2))
        self.asked.append(f"CONNECT {host}:{port}")
        refused = {"403": 2, "502": 4}.get(self.fault, 0)
        there = None if refused else self._reach(host, port)
        code = refused or (0 if there else 4)
        wire.sendall(bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0)))
        return there

    def _reach(self, host: str, port: int) -> socket.socket | None:
        if host not in self.names:
            return None
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", self.names[host]), 10)
        return None

    @staticmethod
    def _pump(
        source: socket.socket, sink: socket.socket, copy: bytearray | None
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if copy is not None:
                    copy += data
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _exactly(wire: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = wire.recv(count - len(found))
        if not piece:
            raise OSError("closed")
        found += piece
    return found
