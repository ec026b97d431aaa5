"""`GatewayProcess`: the real gateway, started as its users start it, in a folder of its own.

    with GatewayProcess(tmp_path, config, confdir=shared) as gateway:
        status, headers, body = gateway.post("/v1/chat/completions", {…})
        gateway.rows("select * from requests")

Knows the gateway from outside only: its port, its files, its log.
"""

import http.client
import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fakes import FakeProvider, MitmProcess

SCRIPT = Path(__file__).resolve().parents[1] / "addon" / "gateway.py"
TIMEOUT = 20.0


def provider(fake: FakeProvider, id: str, *models: str, **more: Any) -> dict[str, Any]:
    """A config entry for a fake: openai-compatible, with a key of its own."""
    return {
        "id": id,
        "type": "openai-compatible",
        "baseURL": f"{fake.base_url}/v1",
        "apiKey": f"sk-CANARY-{id}",
        "models": [{"name": name} for name in models or ("m",)],
        **more,
    }


def chat(model: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello!"}], **more}


class GatewayProcess(MitmProcess):
    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | str | None,
        *,
        confdir: Path,
        env: Mapping[str, str | None] | None = None,
        options: Mapping[str, str | None] | None = None,
        script: Path = SCRIPT,
        **more: Any,
    ) -> None:
        self.folder = folder
        self.config_path = folder / "config.jsonc"
        self.database = folder / "usage.db"
        self.home = folder / "home"
        if config is not None:
            self.write_config(config)
        super().__init__(
            script,
            confdir=confdir,
            cwd=folder,
            options={"gateway_dashboard_port": "0", **(options or {})},
            env={
                "LLM_GATEWAY_HOME": str(self.home),
                "LLM_GATEWAY_CONFIG": None,
                "LLM_GATEWAY_DB": None,
                "LOG_LEVEL": None,
                "PORT": None,
                **(env or {}),
            },
            **more,
        )

    def write_config(self, config: Mapping[str, Any] | str) -> None:
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        draft = self.config_path.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o600)
        draft.replace(self.config_path)

    @property
    def admin(self) -> dict[str, str]:
        token = (self.home / "admin-token").read_text().strip()
        return {"authorization": f"Bearer {token}"}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers (lower case), body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            found = {k.lower(): v for k, v in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def post(
        self, path: str, value: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """JSON in, JSON out (bytes where it is no JSON)."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        given = {"content-type": "application/json", **(headers or {})}
        status, found, answer = self.ask("POST", path, body, given)
        return status, found, _parsed(answer)

    def get(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        status, found, answer = self.ask("GET", path, headers=headers)
        return status, found, _parsed(answer)

    def chat(
        self, model: str = "m", headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, dict[str, str], Any]:
        return self.post("/v1/chat/completions", chat(model, **more), headers)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, values)]
        finally:
            connection.close()

    def wait_rows(
        self,
        sql: str,
        condition: Callable[[list[dict[str, Any]]], bool] = bool,
        *values: Any,
    ) -> list[dict[str, Any]]:
        """The rows, as soon as they meet the condition: the writer is a thread."""
        tick = threading.Event()
        found: list[dict[str, Any]] = []
        for _ in range(int(TIMEOUT / 0.02)):
            found = self.rows(sql, *values)
            if condition(found):
                return found
            tick.wait(0.02)
        raise AssertionError(f"{sql} still gives {found}\n{self.log()}")

    def ended(self, count: int) -> list[dict[str, Any]]:
        """All requests, once `count` of them are over."""
        return self.wait_rows(
            "select * from requests order by ts",
            lambda rows: (
                len(rows) >= count
                and all(row["outcome"] != "in_flight" for row in rows)
            ),
        )

    def ended_one(self, id: str) -> list[dict[str, Any]]:
        """The row of one request, once it is over."""
        return self.wait_rows(
            "select * from requests where id = ? and outcome <> 'in_flight'", bool, id
        )

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        tick = threading.Event()
        for _ in range(int(TIMEOUT / 0.02)):
            if condition():
                return
            tick.wait(0.02)
        raise AssertionError(f"waited in vain for {what}\n{self.log()}")


def _parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer
