"""Who may talk to the dashboard, as an ASGI wrapper around all of Datasette.

Neither Datasette line looks at the Host header, so any web page could read a
Datasette on loopback through DNS rebinding; and 0.65 lets cookie-less cross-site
POSTs in. The rules here, for every page of the instance:

    Host          a loopback name with our port, or a name on the list       else 403
    any method    same origin (Sec-Fetch-Site, else Origin) or no browser    else 403
                  but a link from elsewhere may lead to a page (below)
    our writes    application/json (a type that a form cannot send)          else 415
                  at most BODY_LIMIT bytes                                   else 413

A GET counts too, though its answer is unreadable for another site: it runs SQL, and how
long it takes, or what it takes, can be seen from there. What passes is a navigation of a
whole tab to a page, by its path alone. Everything behind a `?` may be SQL or become part
of it (`sql`, `_where`, filters, facets, sorting, parameters of stored queries), so it has
to come from here; only our own pages, whose parameters are words from a list, and the
sign-in link take one from elsewhere.

Every answer carries a Content-Security-Policy. `refusal` is pure; `wrap` is the
edge. What this file does not know: actors and permissions (compat.py), what a write
does (actions.py).
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 1 << 20
"""Bytes of a write: a configuration is a few kilobytes."""

OURS = "/-/gateway"
"""Every page of the plugin lives below this path."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443}

STRICT_CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Our own pages: no inline script, no inline style, nothing from elsewhere."""

DATASETTE_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Datasette's pages hold inline scripts of their own."""


@dataclass(frozen=True, slots=True)
class Rules:
    hosts: frozenset[str] = frozenset()
    """Further host names, lower case; `name` with any port or `name:port`."""
    prefix: str = ""
    """Datasette's base_url without the slash at its end."""


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str


def refusal(
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    *,
    scheme: str,
    port: int | None,
    rules: Rules,
    query: str = "",
) -> Refusal | None:
    """Why this request is turned away; None when it may pass.

    `headers` have lower-case names; `port` is the one we listen on, None when unknown
    (a socket file, an in-process client).
    """
    hosts = [value for name, value in headers if name == "host"]
    host = hosts[0].strip().lower() if len(hosts) == 1 else ""
    if not _allowed_host(host, scheme, port, rules):
        return Refusal(
            403,
            f"The host name {_printable(host)} is not allowed here. If it is yours, add "
            "it to server.allowedHosts in config.jsonc, or to the environment variable "
            "LLM_GATEWAY_DASHBOARD_HOSTS, and start the dashboard again.",
        )
    values = dict(headers)
    if method in SAFE_METHODS:
        if _same_origin(values, host, scheme) or _follows_a_link(
            method, path, query, values, rules
        ):
            return None
        return Refusal(
            403,
            "Another web page asked for this. Open the dashboard's start page, "
            f"{rules.prefix}{OURS}, and go on from there; or open this address in a "
            "new tab.",
        )
    if not _same_origin(values, host, scheme):
        return Refusal(403, "Writes are taken from this dashboard's own pages only.")
    if is_ours(path, rules):
        kind = values.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            return Refusal(415, "Send the content type application/json.")
        length = values.get("content-length", "0")
        if not length.isdecimal() or int(length[:12]) > BODY_LIMIT:
            return _TOO_LARGE
    return None


_TOO_LARGE = Refusal(413, f"The body is larger than {BODY_LIMIT >> 20} MiB.")


def is_ours(path: str, rules: Rules) -> bool:
    ours = rules.prefix + OURS
    return path == ours or path.startswith(ours + "/")


def wrap(app: App, rules: Rules) -> App:
    """`app`, behind the rules."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        path: str = scope["path"]
        method: str = scope["method"]
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ]
        server = scope.get("server")
        verdict = refusal(
            method,
            path,
            headers,
            scheme=scope.get("scheme", "http"),
            port=server[1] if server else None,
            rules=rules,
            query=scope.get("query_string", b"").decode("latin-1"),
        )
        ours = is_ours(path, rules)
        if verdict is None and ours and method not in SAFE_METHODS:
            body = await _read(receive)
            if body is None:
                verdict = _TOO_LARGE
            else:
                receive = _replay(body, receive)
        if verdict is not None:
            await refuse(send, verdict, as_json=ours and method not in SAFE_METHODS)
            return
        await app(scope, receive, _with_headers(send, path, ours=ours, rules=rules))

    return guarded


def _allowed_host(host: str, scheme: str, port: int | None, rules: Rules) -> bool:
    if not host or any(c in host for c in "/@\\ \t"):
        return False
    if host in rules.hosts:
        return True
    try:
        parts = urlsplit(f"//{host}")
        name, said = parts.hostname or "", parts.port
    except ValueError:
        return False
    if name in rules.hosts:
        return True
    if name not in LOOPBACK and not name.endswith(".localhost"):
        return False
    return port is None or port == (said or DEFAULT_PORTS.get(scheme))


def _same_origin(headers: dict[str, str], host: str, scheme: str) -> bool:
    """Browsers say where a request comes from; other programs say nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    # Behind a TLS-terminating proxy we see http where the browser sees https.
    return origin is None or origin.lower() in (f"{scheme}://{host}", f"https://{host}")


_PAGE = re.compile(r"(?:/[^/.]*)*/?")
"""A path without a format: what ends in .json, .csv or .db is data, not a page."""

_OUR_PAGE = re.compile(
    re.escape(OURS)
    + r"(?:/(?:history|config|sign-in|apps|receipt|requests|requests/[^/.]+))?/?|/-/auth-token"
)


def _follows_a_link(
    method: str, path: str, query: str, headers: dict[str, str], rules: Rules
) -> bool:
    """A person follows a link, on another site, to a page that runs no SQL of its own."""
    if method != "GET" or (
        headers.get("sec-fetch-mode"),
        headers.get("sec-fetch-dest"),
    ) != ("navigate", "document"):
        return False
    path = path.removeprefix(rules.prefix)
    if query:
        return _OUR_PAGE.fullmatch(path) is not None
    return _PAGE.fullmatch(path) is not None


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def refuse(send: Send, verdict: Refusal, *, as_json: bool = False) -> None:
    text = (
        json.dumps({"error": {"message": verdict.message}})
        if as_json
        else verdict.message
    )
    await send(
        {
            "type": "http.response.start",
            "status": verdict.status,
            "headers": [
                (
                    b"content-type",
                    b"application/json" if as_json else b"text/plain; charset=utf-8",
                ),
                (b"x-content-type-options", b"nosniff"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": text.encode()})


def _with_headers(send: Send, path: str, *, ours: bool, rules: Rules) -> Send:
    added = [
        (b"content-security-policy", (STRICT_CSP if ours else DATASETTE_CSP).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    signing_in = path == rules.prefix + "/-/auth-token"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            headers += [(k, v) for k, v in added if k not in present]
            if signing_in and message["status"] in (302, 303):
                # Whoever signs in came for the dashboard, not for the list of databases.
                home = (rules.prefix + OURS).encode()
                headers = [
                    (k, home if k.lower() == b"location" else v) for k, v in headers
                ]
            message = {**message, "headers": headers}
        await send(message)

    return sending


def _printable(text: str) -> str:
    return '"' + "".join(c if " " < c < "\x7f" else "?" for c in text[:80]) + '"'
