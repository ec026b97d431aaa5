"""What an outbound proxy's failure is called, and whose it is.

    ProxyUnavailable   the proxy's own failure: it refuses, hangs, wants a password, dies
    ProxyRefused       its word about one host: 403, 502, "host unreachable"

What lives here: both errors, the clauses that follow a proxy's name, and its own words made
fit for one line. What this file does not know: what is spoken with a proxy.
"""

import base64
import re
import socket
import ssl
from html import unescape
from urllib.parse import quote_plus

from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.secret_patterns import HIDDEN, SecretMask

WORDS = 120
"""Characters of what a proxy says that are told on."""
_TAGS = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>|\s+", re.I | re.S)

UNAVAILABLE = "outbound proxy "
"""How `ProxyUnavailable` begins; mitmproxy hands errors on as text."""
REFUSED = "the outbound proxy "

UNANSWERED = "closed the connection unanswered"
SILENT = "does not answer"


class ProxyUnavailable(OSError):
    """`outbound proxy 10.0.0.1:3128 refuses connections`."""

    def __init__(self, proxy: ProxyServer, what: str) -> None:
        super().__init__(f"{UNAVAILABLE}{proxy.name} {what}")


class ProxyRefused(OSError):
    """`the outbound proxy 10.0.0.1:3128 answered 403 Forbidden for x.test:443: …`."""

    def __init__(self, proxy: ProxyServer, what: str) -> None:
        super().__init__(f"{REFUSED}{proxy.name} {what}")


def went_away(proxy: ProxyServer) -> str:
    """It carried a connection, broke it off, and nobody listens there any more."""
    return f"{UNAVAILABLE}{proxy.name} went away"


def why(error: OSError) -> str:
    """A clause that follows the proxy's name."""
    match error:
        case ConnectionRefusedError():
            return "refuses connections"
        case TimeoutError():
            return SILENT
        case socket.gaierror():
            return "cannot be found: its name does not resolve"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "speaks no TLS that we understand"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return UNANSWERED
    return f"cannot be reached ({error.strerror or type(error).__name__})"


def basic(proxy: ProxyServer) -> str:
    """User and password as HTTP has them (RFC 7617)."""
    return base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()


def one_line(proxy: ProxyServer, page: bytes) -> str:
    """One bounded line of text; what was sent to the proxy is not in it."""
    # Before and after: what is in a secret may look like a tag, and be spelled as HTML.
    text = _without_secrets(proxy, page.decode("utf-8", "replace"))
    text = _without_secrets(proxy, unescape(_TAGS.sub(" ", text)))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


def _without_secrets(proxy: ProxyServer, text: str) -> str:
    """In whatever spelling; short ones where they stand as a word of their own."""
    if not (proxy.user or proxy.password):
        return text
    known = basic(proxy), proxy.password, quote_plus(proxy.password)
    text = SecretMask(known).text(text)
    for secret in filter(None, (proxy.password, proxy.user)):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text
