"""Log redaction: secrets are masked in log lines and error bodies. A second net.

The first is never to write them down. What lives here: a logging filter that replaces
every configured secret, and what looks like a key of a known kind, before a record
reaches any handler of ours; and the mask for a provider's error that goes to a client.
"""

import logging
from collections.abc import Iterator

from llm_gateway.app.state import AppState
from llm_gateway.network.proxy_failure import basic
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.upstream import Upstream
from llm_gateway.secret_patterns import (
    BEGINNINGS,
    HIDDEN,
    KEY_OR_BEARER,
    SecretMask,
)
from llm_gateway.streaming.key_filter import KeySearch

MOST_MASKS = 16
"""Keys that are fetched change every half hour; old ones go."""
MOST_SEARCHES = 64


class LogRedactor(logging.Filter):
    def __init__(self, runtime: AppState) -> None:
        super().__init__()
        self.runtime = runtime
        self._catalog: Catalog | None = None
        self._mask = SecretMask(())

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info:
            # mitmproxy's formatter would format the exception anew, with all it says.
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
            record.exc_info = record.exc_text = None
        # What others said comes as a warning or an error; a line per request does not.
        ours = record.levelno < logging.WARNING
        record.msg, record.args = self.clean(text, ours=ours), ()
        return True

    def clean(self, text: str, *, ours: bool = False) -> str:
        """`ours`: nobody else's words are in it, so secrets stand there as they are."""
        mask = self._current_mask()
        text = mask.literal(text) if ours else mask.text(text)
        # Looking for the beginnings first takes a tenth of the time.
        if any(map(text.__contains__, BEGINNINGS)):
            return KEY_OR_BEARER.sub(HIDDEN, text)
        return text

    def _current_mask(self) -> SecretMask:
        catalog = self.runtime.catalog
        if self._catalog is not catalog:
            self._catalog = catalog
            token = self.runtime.admin_token.get_secret_value()
            self._mask = SecretMask((token, *secrets(catalog)))
        return self._mask


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
    for ways in (catalog.ways, *(up.ways for up in catalog.upstreams.values())):
        for proxy in ways.proxies():
            if proxy.password:
                yield proxy.password
                yield basic(proxy)


class Masks:
    """The masks of the configuration that was asked for last: preparing one takes time."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._masks: dict[str, SecretMask] = {}

    def of(self, catalog: Catalog, fetched: str = "") -> SecretMask:
        """For what a provider says to a client: some repeat the key they were sent.

        fetched: a key that stands in no configuration: a session token, a token file's.
        """
        if self._catalog is not catalog or len(self._masks) >= MOST_MASKS:
            self._catalog, self._masks = catalog, {}
        if (mask := self._masks.get(fetched)) is None:
            mask = SecretMask((fetched, *secrets(catalog)))
            self._masks[fetched] = mask
        return mask


mask_of = Masks().of

_OF_A_KEY = ("auth", "key", "token", "secret", "cookie")


class KeySearches:
    """What streams are searched for: the keys that their upstream was sent."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._found: dict[tuple[str, str, str], KeySearch] = {}

    def of(self, catalog: Catalog, upstream: Upstream, fetched: str = "") -> KeySearch:
        """fetched: a key that stands in no configuration."""
        if self._catalog is not catalog or len(self._found) >= MOST_SEARCHES:
            self._catalog, self._found = catalog, {}
        place = (upstream.provider, upstream.account, fetched)
        if (search := self._found.get(place)) is None:
            search = self._found[place] = KeySearch(_sent(upstream, fetched))
        return search


def _sent(upstream: Upstream, fetched: str) -> Iterator[str]:
    yield fetched
    if upstream.key is not None:
        yield upstream.key.get_secret_value()
    for name, value in upstream.headers:
        if any(part in name.decode("latin-1").lower() for part in _OF_A_KEY):
            yield value.decode("utf-8", "replace").rpartition(" ")[2]


keys_of = KeySearches().of


def install(runtime: AppState) -> None:
    """On every handler that is there: a logger's filter would miss its children."""
    scrubber = LogRedactor(runtime)
    for handler in logging.getLogger().handlers:
        handler.addFilter(scrubber)
