"""HTTP client of the gateway's management routes: for the command line and the dashboard.

On loopback (or where LLM_GATEWAY_URL says), past every proxy variable, which may well name
the gateway itself, and without following redirects, which could carry the admin token
away. The token is read from its 0600 file for each call.

What this file does not know: who asks, and whether they may (dashboard/actions.py).
"""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llm_gateway import private_files
from llm_gateway.packaged_files import activation as activation

TIMEOUT = 10.0
"""Seconds that the gateway may take."""
MAX_ANSWER_BYTES = 4 << 20
"""Bytes of an answer that we read."""
DEFAULT_PORT = 8080

TOKEN_FILE = "admin-token"
"""In the state folder."""

HOW_TO_START = "mitmdump -s addon/gateway.py"


class GatewayDown(Exception):
    """No HTTP answer comes from there. The text says where, and how to start it."""

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        """What went wrong: an exception, or its text."""

    @property
    def is_free(self) -> bool:
        """Nothing listens there."""
        return isinstance(self.reason, ConnectionRefusedError)


class NoToken(Exception):
    """The admin token cannot be read. The text says which file."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""

    def json(self) -> Any:
        """The body, or an error object in the gateway's shape when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {"error": {"message": f"the gateway answered {self.status}"}}


def home() -> Path:
    return Path(os.environ.get("LLM_GATEWAY_HOME") or "~/.llm-gateway").expanduser()


def named() -> bool:
    """Does the environment say where the gateway is?"""
    return bool(os.environ.get("LLM_GATEWAY_URL"))


def base_url(port: int | None) -> str:
    """LLM_GATEWAY_URL, else the port that the running gateway wrote down."""
    given = os.environ.get("LLM_GATEWAY_URL", "").rstrip("/")
    return given or f"http://127.0.0.1:{port or DEFAULT_PORT}"


def call(
    base: str,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    admin: bool = True,
    timeout: float = TIMEOUT,
) -> Answer:
    """One request, with the admin token unless `admin` is false; blocking.

    Any status is an answer.

    Raises:
        GatewayDown: no HTTP comes back, or `base` is no HTTP address.
        NoToken: the admin token cannot be read.
    """
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GatewayDown(
            f"LLM_GATEWAY_URL is {base!r}; write e.g. http://127.0.0.1:8080"
        )
    # By its own name it is told apart from apps in the ledger.
    own = {"accept": "application/json", "user-agent": "llm-gateway"}
    sent = {**own, **(headers or {})}
    if admin:
        sent["authorization"] = f"Bearer {admin_token()}"
    request = urllib.request.Request(base + path, body, sent, method=method)
    try:
        with _opener().open(request, timeout=timeout) as response:
            return _answer(response.status, response)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise GatewayDown(
            f"The gateway does not answer at {base} ({reason}). "
            f"Start it with: {HOW_TO_START}",
            reason,
        ) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points."""

    def redirect_request(self, *_: Any) -> None:
        return None


@cache
def _opener() -> urllib.request.OpenerDirector:
    """With an empty table of proxies: HTTPS_PROXY may well point at the gateway itself.
    Made when first asked: it reads all certificates of the machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def _answer(status: int, response: Any) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status, response.read(MAX_ANSWER_BYTES), headers)


def admin_token() -> str:
    """Raises NoToken."""
    path = home() / TOKEN_FILE
    try:
        token = private_files.read(path).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise NoToken(
            f"The admin token cannot be read from {path} "
            f"({getattr(error, 'strerror', None) or error}). The gateway makes it when it "
            "starts; run the dashboard as the same user, with the same LLM_GATEWAY_HOME."
        ) from error
    if not token:
        raise NoToken(f"{path} is empty. Delete it and start the gateway again.")
    return token


def loopback_answer(port: int, path: str) -> bytes | None:
    """What a loopback port answers; None: nobody listens. b"" when it is no HTTP."""
    try:
        return call(
            f"http://127.0.0.1:{port}", "GET", path, admin=False, timeout=2
        ).body
    except GatewayDown as e:
        return None if e.is_free else b""
