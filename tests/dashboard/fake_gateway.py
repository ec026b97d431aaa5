"""A gateway's management routes, small: what the plugin's writes are tested against.

It keeps one JSONC text, masks nothing by itself, and validates two things: that the text
is JSON (after comments are taken out) and that no limit is below 1.
"""

import difflib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CONFIG = """{
  // Free ones first.
  "providers": [
    {
      "id": "groq",
      "type": "groq",
      "apiKey": "***4f2a91c0",
      "free": true,
      "models": [
        {
          "name": "llama-3.3-70b-versatile",
          "mappedName": "llama-70b",
          "aliases": ["gpt-4o-mini"],
          "limits": {"requestsPerDay": 2000, "tokensPerMinute": 24000} // as of spring
        },
        {"name": "openai/gpt-oss-120b", "limits": {"requestsPerDay": 2000}}
      ]
    },
    {
      "id": "copilot",
      "type": "copilot",
      "flatRate": {"costPerMonth": 10},
      "limits": {"requestsPerMonth": 300},
      "models": [{"name": "gpt-4o"}, {"name": "claude-sonnet-4"}]
    },
    {
      "id": "deepseek",
      "type": "deepseek",
      "apiKey": "${DEEPSEEK_API_KEY}",
      "models": [
        {
          "name": "deepseek-chat",
          "pricing": {"inputCostPerMillionTokens": 0.27, "outputCostPerMillionTokens": 1.1},
          "limits": {"costPerDay": 0.5}
        }
      ]
    }
  ],
  "routing": {"policy": "free-first"},
  "budget": {"costPerDay": 1.00}
}
"""


class FakeGateway:
    """Serves on a port of its own while used as a context."""

    def __init__(self, config: str = CONFIG) -> None:
        self.token = "a-token-that-nobody-may-see"
        self.config = config
        self.loaded_at = 1_000.0
        self.kept: dict[str, str] = {}
        """What it was before it was changed, the oldest first."""
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        """(method, path with query, headers, body) of every request."""
        self.polls = 0
        self.free_tiers: dict[str, list[str]] = {}
        fake = self

        class Handler(_Handler):
            gateway = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.config.encode()).hexdigest()[:10]

    def __enter__(self) -> "FakeGateway":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def problems(self, text: str) -> list[dict[str, Any]]:
        """As the gateway answers them: message, path, line, column."""
        try:
            found = json.loads(re.sub(r"//[^\n]*", "", text))
        except ValueError as error:
            line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
            return [{"message": "this is no JSON", "line": line, "column": column}]
        wrong = []
        for n, provider in enumerate(found.get("providers", [])):
            sections = [(f"providers[{n}]", provider)]
            sections += [
                (f"providers[{n}].models[{m}]", model)
                for m, model in enumerate(provider.get("models", []))
                if isinstance(model, dict)
            ]
            for path, section in sections:
                for key, value in section.get("limits", {}).items():
                    if not isinstance(value, int | float) or value < 0:
                        wrong.append(_problem(text, f"{path}.limits.{key}", key, value))
        return wrong

    def take(self, text: str) -> None:
        self.kept[f"v{len(self.kept)}"] = self.config
        self.config = text
        self.loaded_at += 1


def _problem(text: str, path: str, key: str, value: Any) -> dict[str, Any]:
    at = re.search(rf'"{key}":\s*{re.escape(json.dumps(value))}', text)
    before = text[: at.start()] if at else ""
    return {
        "message": f"{path}: found {value!r}; write a whole number above 0",
        "path": path,
        "line": before.count("\n") + 1,
        "column": len(before) - before.rfind("\n"),
    }


class _Handler(BaseHTTPRequestHandler):
    gateway: FakeGateway
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.gateway.calls.append((self.command, self.path, headers, body))
        public = parts.path in ("/health", "/route") or parts.path.startswith("/usage/")
        if (
            not public
            and headers.get("authorization") != f"Bearer {self.gateway.token}"
        ):
            self._answer(401, {"error": {"message": "admin token"}})
            return
        match (self.command, parts.path):
            case ("GET", "/health"):
                self._answer(200, self._health())
            case ("GET", "/config") if query.get("format") == ["text"]:
                self._send(200, "application/jsonc", self.gateway.config.encode())
            case ("GET", "/config"):
                plain = re.sub(r"//[^\n]*", "", self.gateway.config)
                self._send(200, "application/json", plain.encode())
            case ("POST", "/config"):
                self._config(body, headers, dry="dry_run" in query)
            case ("GET", "/admin/models"):
                found = {"polls": [], "free_tiers": self.gateway.free_tiers}
                self._answer(200, found)
            case ("GET", "/config/versions"):
                self._versions(query.get("id", [""])[0])
            case ("POST", "/config/restore"):
                self._restore(json.loads(body)["id"], headers)
            case ("POST", "/admin/reload"):
                self._answer(200, {"message": "reloaded"})
            case ("GET", "/route"):
                self._answer(200, _ROUTE | {"model": query.get("model", [""])[0]})
            case ("POST", "/usage/simulate"):
                given = json.loads(body)
                self._answer(200, {"message": "counted", **given})
            case ("POST", "/api/copilot/auth/start"):
                self.gateway.polls = 0
                self._answer(200, _LOGIN)
            case ("POST", "/api/copilot/auth/poll"):
                self.gateway.polls += 1
                done = self.gateway.polls > 1
                self._answer(200, {"status": "done" if done else "pending"})
            case _:
                self._answer(404, {"error": {"message": "no such route"}})

    def _config(self, body: bytes, headers: dict[str, str], *, dry: bool) -> None:
        gateway = self.gateway
        if headers.get("if-match") != gateway.hash:
            message = "config.jsonc has changed since it was read"
            self._answer(409, {"error": {"message": message}})
            return
        text = body.decode()
        if headers.get("content-type") == "application/json":
            text = json.dumps(json.loads(text), indent=2)
        problems = gateway.problems(text)
        if problems:
            self._answer(422, {"error": problems[0], "errors": problems})
            return
        if not dry:
            gateway.take(text)
        self._answer(200, {"message": "valid" if dry else "active"})

    def _versions(self, id_: str) -> None:
        kept = self.gateway.kept
        if not id_:
            shown = [
                {"id": k, "replaced_at": "2026-03-01T12:00:00Z", "revision": k * 3, "bytes": 9}
                for k in reversed(kept)
            ]  # fmt: skip
            self._answer(200, {"versions": shown})
        elif id_ not in kept:
            self._answer(404, {"error": {"message": "There is no such version"}})
        else:
            now, then = self.gateway.config.splitlines(), kept[id_].splitlines()
            lines = list(difflib.unified_diff(now, then, lineterm=""))[2:]
            against = self.gateway.hash
            self._answer(200, {"id": id_, "against": against, "difference": lines})

    def _restore(self, id_: str, headers: dict[str, str]) -> None:
        gateway = self.gateway
        if headers.get("if-match") != gateway.hash:
            self._answer(409, {"error": {"message": "config.jsonc has changed"}})
            return
        gateway.take(gateway.kept[id_])
        self._answer(200, {"message": "active", "revision": gateway.hash})

    def _health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "timestamp": "2026-03-01T12:00:00Z",
            "version": "0.1.0",
            "degraded": [],
            "config": {
                "revision": self.gateway.hash,
                "loaded_at": self.gateway.loaded_at,
                "error": None,
            },
        }

    def _answer(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-config-hash", self.gateway.hash)
        self.end_headers()
        self.wfile.write(body)


_ROUTE = {
    "model": "",
    "policy": "free-first",
    "chosen": {"provider": "groq", "model": "llama-3.3-70b-versatile"},
    "candidates": [
        {
            "provider": "groq",
            "account": "",
            "model": "llama-3.3-70b-versatile",
            "free": True,
            "verdict": "taken",
            "reason": "most headroom, 71% left",
            "expected_cost": 0,
            "headroom": 0.71,
            "returns_at": None,
        }
    ],
}

_LOGIN = {
    "user_code": "WXYZ-1234",
    "verification_uri": "https://github.com/login/device",
    "expires_in": 900,
    "interval": 0.2,
    "flow": "flow-1",
}
