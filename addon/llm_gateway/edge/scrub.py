"""Secrets out of log lines and of other people's errors: a second net.

The first is never to write them down. What lives here: a logging filter that replaces
every configured secret, and what looks like a key of a known kind, before a record
reaches any handler of ours; and the same for a provider's error that goes to a client.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator

from llm_gateway.edge.runtime import Runtime
from llm_gateway.providers.catalog import Catalog

HIDDEN = "***"
SHORTEST = 6
"""Shorter ones are left: replacing every "me" would tear texts apart."""
_PLAIN = "[A-Za-z0-9]{16,}"
_KEYS = {
    "sk-": "[A-Za-z0-9_-]{16,}",
    "AIza": "[A-Za-z0-9_-]{30,}",
    "nvapi-": "[A-Za-z0-9_-]{16,}",
    **dict.fromkeys(("gsk_", "xai-", "hf_"), _PLAIN),
    **dict.fromkeys(("gho_", "ghu_", "ghp_", "ghs_", "ghr_"), _PLAIN),
}
"""How keys of a known kind begin, and what follows."""
_BEARER = "Bearer "
_LOOKS_LIKE_A_KEY = re.compile(
    rf"\b(?:{'|'.join(beginning + rest for beginning, rest in _KEYS.items())}"
    rf"|(?<={_BEARER})[A-Za-z0-9._~+/=-]{{16,}})"
)
_BEGINNINGS = (*_KEYS, _BEARER)


class Scrubber(logging.Filter):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime
        self._catalog: Catalog | None = None
        self._known: tuple[str, ...] = ()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info:
            # mitmproxy's formatter would format the exception anew, with all it says.
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
            record.exc_info = record.exc_text = None
        record.msg, record.args = self.clean(text), ()
        return True

    def clean(self, text: str) -> str:
        for secret in self._secrets():
            if secret in text:
                text = text.replace(secret, HIDDEN)
        # Looking for the beginnings first takes a tenth of the time.
        if any(beginning in text for beginning in _BEGINNINGS):
            text = _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)
        return text

    def _secrets(self) -> tuple[str, ...]:
        catalog = self.runtime.catalog
        if self._catalog is not catalog:
            self._catalog = catalog
            token = self.runtime.admin_token.get_secret_value()
            self._known = to_hide((token, *secrets(catalog)))
        return self._known


def secrets(catalog: Catalog) -> Iterator[str]:
    """Every secret of a configuration."""
    for upstream in catalog.upstreams.values():
        for secret in (upstream.key, upstream.oauth_token):
            if secret is not None:
                yield secret.get_secret_value()
    for provider in catalog.config.providers:
        for secret in provider.headers.values():
            yield secret.get_secret_value()
    for client in catalog.clients:
        yield client.key.get_secret_value()


def to_hide(values: Iterable[str]) -> tuple[str, ...]:
    """Those that are long enough, the longest first: one may begin with another."""
    long = {value for value in values if len(value) >= SHORTEST}
    return tuple(sorted(long, key=len, reverse=True))


def without_keys(body: bytes, catalog: Catalog) -> bytes:
    """A provider's error as a client may see it: some repeat the key they were sent."""
    for secret in to_hide(secrets(catalog)):
        in_json = json.dumps(secret)[1:-1]
        for form in {secret, in_json, in_json.replace("/", "\\/")}:
            body = body.replace(form.encode(), HIDDEN.encode())
    return body


def install(runtime: Runtime) -> None:
    """On every handler that is there: a logger's filter would miss its children."""
    scrubber = Scrubber(runtime)
    for handler in logging.getLogger().handlers:
        handler.addFilter(scrubber)
