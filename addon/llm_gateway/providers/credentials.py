"""Keys that change while the gateway runs.

What lives here: `Credentials`, which has the right key for an upstream that fetches
one: Copilot's session tokens, and access tokens in files that something else renews.

What this file does not know: requests, what the keys are sent with.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from llm_gateway.providers import token_store
from llm_gateway.providers.copilot_protocol import quota_request
from llm_gateway.providers.copilot_session import CopilotSession, CredentialError
from llm_gateway.providers.github_client import GitHub

from .upstream import Credential, Upstream

__all__ = ["CredentialError", "Credentials", "TokenFile"]

LOOK_AGAIN = 1.0
"""Seconds for which a token file is taken to be unchanged."""
MAX_FILE_BYTES = 64 * 1024


class TokenFile:
    """An access token that lies in a file, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token: SecretStr | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked = float("-inf")

    async def credential(self, now: float) -> Credential:
        """Raises CredentialError when there is no token to be read."""
        if self._token is None or not 0 <= now - self._looked < LOOK_AGAIN:
            await asyncio.to_thread(self._look)
            self._looked = now
        assert self._token is not None
        return Credential(self._token)

    def invalidate(self) -> None:
        self._looked = float("-inf")
        self._stamp = None

    def _look(self) -> None:
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            with self.path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as e:
            raise CredentialError(
                f"{self.path}: no access token ({_why(e)})", 401
            ) from e
        if not text or not text.isascii() or not text.isprintable():
            raise CredentialError(f"{self.path}: holds no access token", 401)
        self._token, self._stamp = SecretStr(text), stamp


class Credentials:
    """One source per upstream that fetches its key; kept while the upstream is the same."""

    def __init__(
        self, home: Path, clock: Callable[[], float], github: GitHub | None = None
    ) -> None:
        self.home = home
        self.clock = clock
        self.github = github or GitHub()
        self._sessions: dict[tuple[str, str], CopilotSession] = {}
        self._files: dict[str, TokenFile] = {}

    async def get(self, upstream: Upstream) -> Credential:
        """The credential for a request now. Raises CredentialError."""
        if upstream.token_file:
            return await self._file(upstream).credential(self.clock())
        session = await self._session(upstream)
        return await session.credential(self.clock())

    async def copilot_quota(self, upstream: Upstream) -> tuple[int, bytes]:
        """GitHub's status and words on what is left of a Copilot account.
        Raises CredentialError, OSError."""
        session = await self._session(upstream)
        return await session.github.send(quota_request(session.oauth_token))

    def invalidate(self, upstream: Upstream) -> None:
        """The provider answered 401: fetch anew next time."""
        if upstream.token_file:
            self._file(upstream).invalidate()
        elif session := self._sessions.get((upstream.provider, upstream.account)):
            session.invalidate(self.clock())

    def forget(self, provider: str) -> None:
        """A new login, or another one in the config: nothing old may be used."""
        for key in [key for key in self._sessions if key[0] == provider]:
            del self._sessions[key]

    def _file(self, upstream: Upstream) -> TokenFile:
        path = upstream.token_file
        if path not in self._files:
            self._files[path] = TokenFile(Path(path).expanduser())
        return self._files[path]

    async def _session(self, upstream: Upstream) -> CopilotSession:
        key = (upstream.provider, upstream.account)
        session = self._sessions.get(key)
        token = upstream.oauth_token
        if session is not None and token in (None, session.oauth_token):
            return session
        if token is None:
            token = await asyncio.to_thread(
                token_store.read, self.home, upstream.provider
            )
        if token is None:
            raise CredentialError("not signed in; run `llm-gateway login copilot`", 401)
        # Somebody else may have made it while the file was read.
        session = self._sessions.get(key)
        if session is None or session.oauth_token != token:
            github = replace(self.github, ways=upstream.ways)
            session = self._sessions[key] = CopilotSession(token, github)
        return session


def _why(error: OSError | UnicodeDecodeError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or type(error).__name__
