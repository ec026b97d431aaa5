"""GitHub's side of Copilot: the login and the session tokens, as messages.

What lives here: the requests of the device flow and of the token exchange, and what
the answers to them mean. Everything is a value; nothing here opens a socket.

    device_request  -> read_device  -> DeviceCode          show its user_code to a person
    poll_request    -> read_poll    -> Granted | Pending   every `interval` seconds
    session_request -> read_session -> Session             good for about half an hour

Each reader may also return `Refused`, whose message can be shown as it stands.

What this file does not know: sockets, files, when it is time to ask again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from llm_gateway.config.urls import is_loopback, parse_base_url
from llm_gateway.domain import Origin
from llm_gateway.providers.registry import TYPES

GITHUB = "https://github.com"
GITHUB_API = "https://api.github.com"
CLIENT_ID = "Iv1.b507a08c87ecfe98"
"""The GitHub app of Copilot's editor plug-ins: the one whose tokens can be exchanged."""
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_API_SUFFIXES = (".githubcopilot.com", ".ghe.com")
EARLY = 60.0
"""Seconds before a session ends at which it is not used for anything new."""


@dataclass(frozen=True, slots=True)
class GitHubRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    of_api: bool = False
    """Goes to the API's host, not to github.com."""

    def __repr__(self) -> str:  # headers and body hold tokens
        return f"GitHubRequest({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A login that waits for a person to type `user_code` at `verification_uri`."""

    device_code: SecretStr
    user_code: str
    verification_uri: str
    expires_at: float
    interval: float
    """Seconds between two polls, at least."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The person said yes."""

    oauth_token: SecretStr


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet; ask again in `interval` seconds."""

    interval: float


@dataclass(frozen=True, slots=True)
class Refused:
    """GitHub said no. `code` is its word, `message` is for people."""

    code: str
    message: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A token that Copilot's API takes."""

    token: SecretStr
    expires_at: float
    refresh_at: float
    """From here on a new one is fetched; until `expires_at` this one still serves."""
    origin: Origin | None = None
    """The account's own API host, where the answer named one that can be trusted."""


def device_request() -> GitHubRequest:
    return _post("/login/device/code", {"client_id": CLIENT_ID, "scope": "read:user"})


def poll_request(device_code: SecretStr) -> GitHubRequest:
    return _post(
        "/login/oauth/access_token",
        {
            "client_id": CLIENT_ID,
            "device_code": device_code.get_secret_value(),
            "grant_type": _GRANT,
        },
    )


def session_request(oauth_token: SecretStr) -> GitHubRequest:
    headers = dict(TYPES["copilot"].headers)
    headers["authorization"] = f"token {oauth_token.get_secret_value()}"
    headers["accept"] = "application/json"
    return GitHubRequest("GET", "/copilot_internal/v2/token", headers, of_api=True)


def quota_request(oauth_token: SecretStr) -> GitHubRequest:
    """What is left of the plan's allowance."""
    headers = {**session_request(oauth_token).headers}
    return GitHubRequest("GET", "/copilot_internal/user", headers, of_api=True)


def read_device(status: int, body: bytes, now: float) -> DeviceCode | Refused:
    found = _object(body)
    code, user_code = found.get("device_code"), found.get("user_code")
    address = found.get("verification_uri")
    if (
        status != 200
        or not isinstance(code, str)
        or not isinstance(user_code, str)
        or not isinstance(address, str)
        # It is opened in a browser.
        or not address.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    ):
        return _refused(status, found, "GitHub did not start a login")
    return DeviceCode(
        SecretStr(code),
        user_code,
        address,
        now + _number(found.get("expires_in"), 900.0),
        _number(found.get("interval"), 5.0),
    )


def read_poll(status: int, body: bytes, interval: float) -> Granted | Pending | Refused:
    """What a poll says. `interval`: seconds that were waited for this one."""
    found = _object(body)
    token = found.get("access_token")
    if _is_token(token):
        return Granted(SecretStr(str(token)))
    match found.get("error"):
        case "authorization_pending":
            return Pending(interval)
        case "slow_down":
            # GitHub names the new interval; the standard says five seconds more.
            return Pending(
                max(interval, _number(found.get("interval"), interval + 5.0))
            )
        case "expired_token":
            return Refused(
                "expired_token", "The code has expired; start the login again."
            )
        case "access_denied":
            return Refused("access_denied", "The login was refused on GitHub's page.")
    return _refused(status, found, "GitHub did not finish the login")


def read_session(
    status: int, body: bytes, now: float, *, api: str = GITHUB_API
) -> Session | Refused:
    """A session. `api`: where it came from; a loopback one may name loopback hosts."""
    found = _object(body)
    token = found.get("token")
    if status != 200 or not _is_token(token):
        if status == 401:
            return Refused(
                "bad_credentials",
                "GitHub does not accept the login any more; run `llm-gateway login copilot`.",
                401,
            )
        return _refused(status, found, "GitHub gave no Copilot session")
    # `expires_at` is in unix seconds by GitHub's clock, `refresh_in` in seconds from now.
    expires_at = _number(found.get("expires_at"), now + 1_500.0)
    refresh_in = _number(found.get("refresh_in"), 0.0)
    refresh_at = now + refresh_in if refresh_in else expires_at - EARLY
    if refresh_at > expires_at - EARLY > now:
        refresh_at = expires_at - EARLY
    if expires_at <= now:
        # Our clock is ahead of GitHub's, and `refresh_in` is the better word.
        expires_at = now + max(refresh_in, EARLY) + EARLY
    endpoints = found.get("endpoints")
    named = endpoints.get("api") if isinstance(endpoints, Mapping) else None
    return Session(
        SecretStr(str(token)),
        expires_at,
        max(refresh_at, now + 1.0),
        _trusted(named, api),
    )


def _trusted(url: object, api: str) -> Origin | None:
    """The origin of a Copilot API, or None: a session token goes nowhere else."""
    if not isinstance(url, str):
        return None
    try:
        origin = parse_base_url(url)
    except ValueError:
        return None
    if origin.host.endswith(_API_SUFFIXES):
        return origin if origin.scheme == "https" else None
    here = is_loopback(origin.host) and is_loopback(parse_base_url(api).host)
    return origin if here else None


def _refused(status: int, found: Mapping[str, object], what: str) -> Refused:
    """The most telling words of an answer that is not what was asked for."""
    details = found.get("error_details")
    inner = details if isinstance(details, Mapping) else {}
    code = found.get("error") or inner.get("notification_id") or found.get("status")
    said = (
        inner.get("message") or found.get("error_description") or found.get("message")
    )
    text = f"{what}: {said}" if isinstance(said, str) and said else what
    if said is None:
        text += f" (status {status})"
    return Refused(code if isinstance(code, str) else "", _line(text), status)


def _post(path: str, form: Mapping[str, str]) -> GitHubRequest:
    headers = {"accept": "application/json", "content-type": "application/json"}
    return GitHubRequest("POST", path, headers, json.dumps(form).encode())


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_token(value: object) -> bool:
    """Can it stand in a header?"""
    return (
        isinstance(value, str)
        and bool(value)
        and value.isascii()
        and value.isprintable()
    )


def _number(value: object, default: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and 0 < value < 1e11 else default  # type: ignore[arg-type, operator]


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]
