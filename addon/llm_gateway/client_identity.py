"""Who is asking: client keys, proxy users, families of user agents.

What lives here: reading a client's name from what it sends. A key or a proxy user
that belongs to a `clients[]` entry makes it a known client, with that entry's policy
and limits; everybody else is called after its User-Agent.

What this file does not know: mitmproxy, sockets, how keys are compared.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache

from llm_gateway.frozen import frozen
from llm_gateway.providers.catalog import KnownClient
from llm_gateway.secret_patterns import looks_like_a_key

SPOKEN_NAMES = {
    "openai/python": "openai-python",
    "asyncopenai/python": "openai-python",
    "openai/js": "openai-node",
    "anthropic/python": "anthropic-python",
    "asyncanthropic/python": "anthropic-python",
    "anthropic/js": "anthropic-node",
    "mozilla": "browser",
    "python-urllib": "python-urllib",
}
"""Families that do not call themselves what people call them."""

SDKS = {
    "openai/js": "openai-node",
    "openai/python": "openai-python",
    "anthropic/js": "anthropic-node",
    "anthropic/python": "anthropic-python",
}
"""What an SDK is called when its own class has lost its name: maker/language."""

_MINIFIED = re.compile(r"[A-Za-z_$][\w$]{0,2}/(?:JS|Python) ")
"""`ls/JS 5.23.2`: a bundler gave the SDK's class a name of one to three characters."""
_RANDOM = re.compile(r"(?=[A-Za-z_]*\d)(?=[\d_]*[A-Za-z])[A-Za-z0-9_]{20}")
"""Letters and digits, mixed and without a break: nobody is called so."""
_TOKEN = re.compile(r"[A-Za-z0-9._-]+")


@frozen
class Identity:
    client: str
    """For reports: known client, else proxy user, else the app."""
    app: str
    known: KnownClient | None = None
    authenticated: bool = False
    """A key was shown, not just a name."""


@lru_cache(maxsize=1024)
def is_nameless(user_agent: str) -> bool:
    """An SDK whose own class has lost its name: other headers may know it."""
    return _MINIFIED.match(user_agent) is not None


@lru_cache(maxsize=1024)
def family(user_agent: str, sdk: str = "") -> str:
    """`OpenAI/Python 3.54.0` -> `openai-python`; `curl/8.5` -> `curl`; "" -> `unknown`.

    `sdk`: what other headers say of it (`openai/js`), for names that a bundler shortened.
    """
    text = user_agent.strip()
    if sdk in SDKS and _MINIFIED.match(text):
        return SDKS[sdk]
    first, _, rest = text.partition("/")
    word = rest.split(" ")[0].split("/")[0]
    # A bundler that meets a class twice calls it `_OpenAI` or `OpenAI2`.
    spoken = f"{first.lstrip('_').rstrip('0123456789')}/{word}".lower()
    name = SPOKEN_NAMES.get(spoken) or SPOKEN_NAMES.get(first.lower())
    if name:
        return name
    found = _TOKEN.match(first)
    return found.group().lower()[:40] if found else "unknown"


def bearer(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def proxy_user(authorization: str) -> str:
    """User name of a `Proxy-Authorization: Basic …`, or ""."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[0]


def identify(
    client_of: Callable[[str], KnownClient | None],
    named: Callable[[str], KnownClient | None],
    *,
    key: str,
    user: str,
    user_agent: str,
    sdk: str = "",
) -> Identity:
    """`key` of a base-URL client, in whichever header; `user` of the proxy.

    `client_of` finds the client that a key belongs to, `named` one by its name: a
    proxy user may be a client's key or, among people who trust each other on one
    machine, just its name.
    """
    app = family(user_agent, sdk)
    for given in filter(None, (key, user)):
        if found := client_of(given):
            return Identity(found.name, app, found, authenticated=True)
    if user and (found := named(user)):
        return Identity(found.name, app, found)
    return Identity((user and _printable(user)) or app, app)


def _printable(user: str) -> str:
    """Proxy users end up in reports; something that looks like a key does not."""
    if len(user) > 40 or looks_like_a_key(user) or _RANDOM.search(user):
        return ""
    return "".join(c for c in user if c.isprintable())
