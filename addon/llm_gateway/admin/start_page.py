"""The page of `GET /` for a person with a browser: where what is, as one HTML text.

Programs, which do not ask for HTML, get the JSON error that every unknown path has: some
look there for a server of another kind. No script, no key, nothing of a request in it.

What this file does not know: routes, who asked.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from llm_gateway.transport.local_response import LocalResponse

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:8vh auto;padding:0 1rem}"
    "h1{font-size:1.5rem}dt{font-weight:650;margin-top:.9rem}dd{margin:0;opacity:.8}"
    "code{overflow-wrap:anywhere}"
)


def wants_page(accept: str) -> bool:
    """A browser's `Accept`, which names HTML; `*/*` is what programs send."""
    return "text/html" in accept.lower()


def start_page(
    port: int, dashboard_port: int, names: Sequence[str], version: str
) -> LocalResponse:
    """dashboard_port: 0 where there is none. names: what clients may ask for."""
    base = f"http://127.0.0.1:{port}"
    links = [
        ("/v1/models", f"Models: {len(names)} names that apps may ask for"),
        ("/health", "Health: is everything well, which configuration is active"),
        ("/usage/current", "Usage: how much of each limit is used"),
    ]
    if names:
        route = f"/route?model={quote(names[0], safe='')}"
        links.append((route, f"Route: who would answer for {names[0]} now, and why"))
    if dashboard_port:
        dashboard = f"http://127.0.0.1:{dashboard_port}/-/gateway"
        links.insert(0, (dashboard, "Dashboard: what can be used now, costs, requests"))
    items = "".join(
        f'<dt><a href="{escape(href)}">{escape(href)}</a></dt><dd>{escape(said)}</dd>'
        for href, said in links
    )
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>LLM Gateway</title><style>{_STYLE}</style></head><body>"
        f"<main><h1>LLM Gateway {escape(version)}</h1>"
        f"<p>Apps take <code>{base}/v1</code> as their base URL.</p>"
        f"<dl>{items}</dl></main></body></html>"
    )
    return LocalResponse(
        200,
        text.encode(),
        "text/html; charset=utf-8",
        (
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("vary", "accept"),
        ),
    )
