"""Who may ask the gateway's own port for what: one function, from headers to a verdict.

What lives here: the answer to web pages that reach for localhost (other sites, DNS
rebinding) and to requests without the admin token. What this file does not know:
routes, sockets, mitmproxy; it asks for no clock and keeps no state.

    Host      a loopback name or an allowed one, with our port          else 403
    Origin    absent, our own, or an allowed one on the API             else 403
    Site      absent, same-origin, none, or an allowed Origin           else 403
    type      JSON for what is posted to management routes              else 415
    token     for what the table of routes gives to ADMIN, and what it does
              not know                                                  else 401

The rules are checked in this order; the first that fails gives the status.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import field
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote

from pydantic import SecretStr

from llm_gateway.config.urls import DEFAULT_PORTS, is_loopback, parse_host
from llm_gateway.frozen import frozen


class Area(Enum):
    """What a path belongs to."""

    API = "api"
    """Routed requests: /v1/* and the same with a provider's prefix."""
    OPEN = "open"
    """Reads without secrets."""
    ADMIN = "admin"
    """The token is needed: for what reads or changes the configuration, and for every
    path that no route knows."""


@frozen
class GuardRequest:
    """What the guard looks at. None: the header is absent."""

    method: str
    path: str
    """With or without its query."""
    host: str | None
    origin: str | None = None
    sec_fetch_site: str | None = None
    content_type: str | None = None
    authorization: str | None = None
    has_body: bool = False


@frozen
class GuardRules:
    """What is allowed. Hosts and origins as the config has them (lower case)."""

    port: int
    """The port that we listen on."""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    admin_token: SecretStr | None = field(default=None, repr=False)
    """None: nothing that needs it is allowed."""


@frozen
class Allowed:
    cors_origin: str | None = None
    """The value for `Access-Control-Allow-Origin`; None: no CORS header at all."""


@frozen
class Refused:
    status: int
    code: str
    message: str


def plain(path: str) -> str:
    """As a lenient server may read it: no query, no slash too many, no `.`, no capitals."""
    bare = path.partition("?")[0].partition("#")[0]
    return re.sub(r"/(?:\./|/)*", "/", unquote(bare)).lower().rstrip("/") or "/"


def _authority(text: str, default: int | None = None) -> tuple[str, int] | None:
    """(host, port) of `host`, `host:port` or `[v6]:port`; None when it is neither."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?", text)
    if not found:
        return None
    try:
        host = parse_host(found[1].strip("[]"))
    except ValueError:
        return None
    port = int(found[2]) if found[2] else default
    return (host, port) if port is not None else None


@lru_cache(maxsize=64)
def _host_is_ours(host: str, port: int, allowed_hosts: tuple[str, ...]) -> bool:
    for default in DEFAULT_PORTS.values():
        asked = _authority(host, default)
        if asked is None:
            return False
        if is_loopback(asked[0]) and asked[1] == port:
            return True
        if asked in (_authority(name, port) for name in allowed_hosts):
            return True
    return False


def _origin(text: str) -> tuple[str, str, int | None] | None:
    scheme, found, rest = text.lower().partition("://")
    place = _authority(rest, DEFAULT_PORTS.get(scheme, 0)) if found else None
    return (scheme, *place) if place else None


def _is_same_origin(origin: str, host: str) -> bool:
    said = _origin(origin)
    if said is None or said[0] not in DEFAULT_PORTS:
        return False
    return said[1:] == _authority(host, DEFAULT_PORTS[said[0]])


def _is_listed(origin: str, allowed: Iterable[str]) -> bool:
    said = _origin(origin)
    return said is not None and said in map(_origin, allowed)


def has_token(authorization: str | None, token: SecretStr | None) -> bool:
    """Whether an Authorization header holds this bearer token; None matches nothing."""
    scheme, _, given = (authorization or "").partition(" ")
    if token is None or not token.get_secret_value() or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"),
        token.get_secret_value().encode(),
    )


def _is_json(content_type: str | None, path: str) -> bool:
    kind = (content_type or "").partition(";")[0].strip().lower()
    is_config = re.fullmatch(r"/config(?:/.*)?", plain(path)) is not None
    return kind == "application/json" or (kind == "application/jsonc" and is_config)


def check(request: GuardRequest, rules: GuardRules, place: Area) -> Allowed | Refused:
    """The verdict on an origin-form request to our own port. Never raises.

    `place`: what the table of routes says of its path.
    """
    if request.host is None or not _host_is_ours(
        request.host, rules.port, rules.allowed_hosts
    ):
        return Refused(
            403,
            "host_not_allowed",
            "This gateway does not answer to this Host; use localhost with its port, "
            "or add the name to server.allowedHosts.",
        )
    origin = request.origin
    is_ours = origin is None or _is_same_origin(origin, request.host)
    is_listed = origin is not None and _is_listed(origin, rules.allowed_origins)
    may_cross = is_listed and place is Area.API
    if not is_ours and not may_cross:
        return Refused(
            403,
            "origin_not_allowed",
            "Web pages of this origin may not use this gateway"
            + (" beyond /v1." if is_listed else "; see server.allowedOrigins."),
        )
    if request.sec_fetch_site not in (None, "same-origin", "none") and not may_cross:
        return Refused(
            403,
            "site_not_allowed",
            "A web page of another site sent this; see server.allowedOrigins.",
        )
    if request.method == "OPTIONS" and not may_cross:
        return Refused(
            403,
            "preflight_not_allowed",
            "OPTIONS is answered for allowed origins on /v1 only.",
        )
    if place is not Area.API:
        is_sent = request.has_body and request.method not in ("GET", "HEAD")
        if is_sent and not _is_json(request.content_type, request.path):
            return Refused(
                415,
                "unsupported_media_type",
                "Send this with Content-Type: application/json.",
            )
    if place is Area.ADMIN and not has_token(request.authorization, rules.admin_token):
        return Refused(
            401,
            "admin_token_needed",
            "This path is for the admin token alone, or does not exist. Send the token as "
            "Authorization: Bearer; it lies in the file admin-token in the gateway's "
            "state folder. Open to all: /health, /v1/models, /usage/current, /route.",
        )
    return Allowed(cors_origin=origin if may_cross else None)
