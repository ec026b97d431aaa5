"""A GitHub on a loopback port: device login, token exchange, what goes wrong there.

It answers what the script in `polls` and `sessions` says, in order, and remembers
every request, so that a test reads like a transcript.
"""

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CLIENT_ID = "Iv1.b507a08c87ecfe98"
Reply = tuple[int, Any]


def pending() -> Reply:
    return 200, {"error": "authorization_pending", "error_description": "not yet"}


def slow_down(interval: int) -> Reply:
    return 200, {"error": "slow_down", "interval": interval}


def failed(error: str) -> Reply:
    return 200, {"error": error}


def granted(token: str = "gho_OAUTH") -> Reply:
    return 200, {"access_token": token, "token_type": "bearer", "scope": "read:user"}


def session(
    token: str = "SESSION", *, expires_at: float, refresh_in: int = 1500, api: str = ""
) -> Reply:
    answer: dict[str, Any] = {
        "token": token,
        "expires_at": int(expires_at),
        "refresh_in": refresh_in,
        "sku": "free_limited_copilot",
        "chat_enabled": True,
    }
    if api:
        answer["endpoints"] = {"api": api, "telemetry": "https://telemetry.example"}
    return 200, answer


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeGitHub:
    polls: list[Reply] = field(default_factory=list)
    sessions: list[Reply] = field(default_factory=list)
    device: Reply | None = None
    seen: list[Seen] = field(default_factory=list)
    hold: threading.Event | None = None
    """While it is not set, token exchanges wait."""
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set once somebody has asked for something."""

    def __enter__(self) -> "FakeGitHub":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply()

            def do_POST(self) -> None:
                self._reply()

            def _reply(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                fake.seen.append(
                    Seen(
                        self.command,
                        self.path,
                        {k.lower(): v for k, v in self.headers.items()},
                        json.loads(raw) if raw else None,
                    )
                )
                fake.arrived.set()
                status, answer = fake.answer(self.path)
                text = (
                    answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                )
                self.send_response(status)
                self.send_header("content-type", "application/json")
                if status in (301, 302):
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(text)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(text)
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def over_tls(self, context: ssl.SSLContext) -> None:
        """From now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str) -> Reply:
        match path:
            case "/login/device/code":
                return self.device or (
                    200,
                    {
                        "device_code": "DEVICE",
                        "user_code": "ABCD-1234",
                        "verification_uri": "https://github.com/login/device",
                        "expires_in": 900,
                        "interval": 5,
                    },
                )
            case "/login/oauth/access_token":
                return self.polls.pop(0)
            case "/copilot_internal/v2/token":
                if self.hold is not None:
                    self.hold.wait(10)
                return self.sessions.pop(0)
        return 404, {"message": "Not Found", "status": "404"}

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]
