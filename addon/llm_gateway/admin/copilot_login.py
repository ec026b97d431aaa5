"""Copilot login over the management API: device flow, start and poll.

What this file does not know: GitHub's protocol (providers/copilot_session.py), guards.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.app.config_service import ConfigService
from llm_gateway.app.state import AppState
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers.copilot_protocol import DeviceCode, Granted, Pending, Refused
from llm_gateway.providers.copilot_session import CopilotLogin
from llm_gateway.transport.local_response import LocalResponse

STATUSES = {"expired_token": "expired", "access_denied": "denied"}


@dataclass(slots=True)
class CopilotLoginRoutes:
    login: CopilotLogin
    runtime: AppState
    config_service: ConfigService

    async def start(self, request: AdminRequest) -> LocalResponse:
        provider = self._provider(request.json())
        if isinstance(provider, LocalResponse):
            return provider
        match await self.login.start(provider):
            case DeviceCode() as code:
                return _json(
                    {
                        "providerId": provider,
                        "flow": provider,
                        "user_code": code.user_code,
                        "verification_uri": code.verification_uri,
                        "expires_in": max(
                            0, round(code.expires_at - self.runtime.clock())
                        ),
                        "interval": code.interval,
                    }
                )
            case Refused() as refused:
                return _failure(502, refused.message)

    async def poll(self, request: AdminRequest) -> LocalResponse:
        asked = request.json()
        provider = self._provider({"providerId": asked.get("flow"), **asked})
        if isinstance(provider, LocalResponse):
            return provider
        match await self.login.poll(provider):
            case Pending(interval):
                return _json({"status": "pending", "interval": interval})
            case Granted():
                self.runtime.credentials.forget(provider)
                self.runtime.health.forget(provider)
                self.runtime.event("login", provider, "signed in to GitHub Copilot")
                with suppress(ConfigError):  # which the log and /health tell
                    await self.config_service.reload()
                return _json({"status": "done"})
            case Refused() as refused:
                status = STATUSES.get(refused.code, "failed")
                return _json({"status": status, "message": refused.message})

    def _provider(self, asked: dict[str, Any]) -> str | LocalResponse:
        """The Copilot provider that is meant; the only one needs no name."""
        known = [
            p.id for p in self.runtime.catalog.config.providers if p.type == "copilot"
        ]
        given = asked.get("providerId")
        if given is None and len(known) == 1:
            return known[0]
        if isinstance(given, str) and given in known:
            return given
        names = ", ".join(known) or "none"
        return _failure(
            400, f"providerId names a provider of type copilot; there are: {names}."
        )


def _json(value: object, status: int = 200) -> LocalResponse:
    return LocalResponse(status, json.dumps(value, ensure_ascii=False).encode())


def _failure(status: int, message: str) -> LocalResponse:
    return _json({"error": {"message": message}}, status)
