"""A client of the gateway that keeps its connection, or takes a new one each time."""

import http.client
import json
import time

from gateway import GatewayProcess, chat


class Client:
    def __init__(self, gateway: GatewayProcess, *, kept: bool) -> None:
        self.gateway, self.kept = gateway, kept
        self.wire = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)

    def chat(self) -> tuple[int, str, float]:
        if not self.kept:
            self.leave()
        began = time.monotonic()
        head = {"content-type": "application/json"}
        self.wire.request("POST", "/v1/chat/completions", json.dumps(chat()), head)
        answer = self.wire.getresponse()
        answer.read()
        attempts = answer.headers["x-gateway-attempts"]
        return answer.status, attempts, time.monotonic() - began

    def leave(self) -> None:
        """Returns when the gateway has seen it, and has put upstream connections by."""
        self.wire.close()
        self.gateway.get("/health")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()
