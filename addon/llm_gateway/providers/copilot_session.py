"""Copilot logins and sessions while the gateway runs.

What lives here: `CopilotLogin`, the device flow from code to stored token, and
`CopilotSession`, which keeps one session token fresh: fetched when first needed, again
before it ends and after a 401, by one request at a time however many wait for it.

What this file does not know: what the messages look like (`copilot_protocol.py`), which request
needs a token. Tokens are never logged.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.providers import token_store
from llm_gateway.providers.copilot_protocol import (
    DeviceCode,
    Granted,
    Pending,
    Refused,
    Session,
    device_request,
    poll_request,
    read_device,
    read_poll,
    read_session,
    session_request,
)
from llm_gateway.providers.github_client import GitHub
from llm_gateway.providers.upstream import Credential

logger = logging.getLogger("llm_gateway")

RETRY_AFTER = 5.0
"""Seconds after a failed renewal for which a session that still holds is used as it is."""
YOUNG = 10.0
"""Seconds for which a fresh session is not given up: the 401 was its predecessor's."""


class CredentialError(Exception):
    """No credential can be had now. `status`: GitHub's, None when it was not reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CopilotSession:
    """The session of one Copilot account."""

    def __init__(self, oauth_token: SecretStr, github: GitHub) -> None:
        self.oauth_token = oauth_token
        self.github = github
        self._session: Session | None = None
        self._since = 0.0
        self._retry_at = 0.0
        self._flight: asyncio.Task[Session] | None = None

    async def credential(self, now: float) -> Credential:
        """The session token and the origin that it is for. Raises CredentialError.

        Inside the last stretch of a session a failed renewal is no failure yet.
        """
        session = self._session
        if session is None or now >= max(session.refresh_at, self._retry_at):
            try:
                session = await self._renewed(now)
            except CredentialError as e:
                if session is None or now >= session.expires_at or e.status == 401:
                    raise
                self._retry_at = min(now + RETRY_AFTER, session.expires_at)
                logger.warning("copilot: session not renewed yet: %s", e)
        return Credential(session.token, session.origin)

    def invalidate(self, now: float) -> None:
        """It was refused: the next one who asks gets a new one."""
        if now - self._since >= YOUNG:
            self._session, self._retry_at = None, 0.0

    async def _renewed(self, now: float) -> Session:
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._fetch(now))
            self._flight.add_done_callback(self._landed)
        # Whoever waits may be cancelled; the others still want the answer.
        return await asyncio.shield(self._flight)

    def _landed(self, flight: "asyncio.Task[Session]") -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # seen: somebody who waited raises it, or nobody waits

    async def _fetch(self, now: float) -> Session:
        try:
            status, body = await self.github.send(session_request(self.oauth_token))
        except OSError as e:
            raise CredentialError(f"GitHub cannot be reached ({_what(e)})") from e
        found = read_session(status, body, now, api=self.github.api)
        if isinstance(found, Refused):
            raise CredentialError(found.message, found.status)
        self._session, self._since = found, now
        return found


class CopilotLogin:
    """Device-flow logins that are under way, by provider."""

    def __init__(
        self,
        home: Path,
        github: GitHub,
        clock: Callable[[], float],
        ways: Callable[[str], ProxyRules | None] = lambda provider: None,
    ) -> None:
        """`ways`: by way of which proxies GitHub is asked for a provider's sake; None:
        as `github` says."""
        self.home = home
        self.github = github
        self.clock = clock
        self.ways = ways
        self._waiting: dict[str, DeviceCode] = {}
        self._next_poll: dict[str, float] = {}

    async def start(self, provider: str) -> DeviceCode | Refused:
        """Begin a login; an earlier one for the same provider is forgotten."""
        try:
            status, body = await self._github(provider).send(device_request())
        except OSError as e:
            return Refused("unreachable", f"GitHub cannot be reached ({_what(e)}).")
        found = read_device(status, body, self.clock())
        if isinstance(found, DeviceCode):
            self._waiting[provider] = found
            self._next_poll[provider] = self.clock() + found.interval
        return found

    def _github(self, provider: str) -> GitHub:
        ways = self.ways(provider)
        return self.github if ways is None else replace(self.github, ways=ways)

    async def poll(self, provider: str) -> Granted | Pending | Refused:
        """Has the person said yes? Then the token is stored.

        Asking faster than GitHub allows gives `Pending` without asking GitHub.
        """
        now = self.clock()
        code = self._waiting.get(provider)
        if code is None:
            return Refused("no_login", "No login is under way; start one first.")
        if now >= code.expires_at:
            self._forget(provider)
            return Refused(
                "expired_token", "The code has expired; start the login again."
            )
        if (left := self._next_poll[provider] - now) > 0:
            return Pending(left)
        self._next_poll[provider] = now + code.interval
        try:
            request = poll_request(code.device_code)
            status, body = await self._github(provider).send(request)
        except OSError as e:
            logger.warning("copilot: login not answered yet (%s)", _what(e))
            return Pending(code.interval)
        found = read_poll(status, body, code.interval)
        match found:
            case Pending(interval):
                self._slow_down(provider, code, interval)
            case Refused():
                self._forget(provider)
            case Granted(token):
                self._forget(provider)
                try:
                    await asyncio.to_thread(
                        token_store.write, self.home, provider, token
                    )
                except OSError as e:
                    return Refused("not_stored", f"The login cannot be stored: {e}")
        return found

    def _slow_down(self, provider: str, code: DeviceCode, interval: float) -> None:
        if interval != code.interval:
            self._waiting[provider] = DeviceCode(
                code.device_code,
                code.user_code,
                code.verification_uri,
                code.expires_at,
                interval,
            )
        self._next_poll[provider] = self.clock() + interval

    def _forget(self, provider: str) -> None:
        self._waiting.pop(provider, None)
        self._next_poll.pop(provider, None)


def _what(error: OSError) -> str:
    return error.strerror or type(error).__name__
