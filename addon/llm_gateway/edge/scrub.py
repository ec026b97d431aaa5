"""Secrets out of log lines: a second net. The first is never to log them.

What lives here: a logging filter that replaces every configured secret, and what looks
like a key of a known kind, before a record reaches any handler of ours.
"""

import logging
import re

from llm_gateway.edge.runtime import Runtime

HIDDEN = "***"
_LOOKS_LIKE_A_KEY = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{16,}|gh[oupsr]_[A-Za-z0-9]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}|xai-[A-Za-z0-9]{16,}|nvapi-[A-Za-z0-9_-]{16,}"
    r"|hf_[A-Za-z0-9]{16,}|(?<=Bearer )[A-Za-z0-9._~+/=-]{16,})"
)


class Scrubber(logging.Filter):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime
        self._revision = ""
        self._known: re.Pattern[str] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = self.clean(text)
        if clean != text:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            formatted = logging.Formatter().formatException(record.exc_info)
            record.exc_text = self.clean(formatted)
        return True

    def clean(self, text: str) -> str:
        known = self._secrets()
        if known is not None:
            text = known.sub(HIDDEN, text)
        return _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)

    def _secrets(self) -> re.Pattern[str] | None:
        """Every secret of the running configuration, as one pattern."""
        catalog = self.runtime.catalog
        if self._revision != catalog.revision:
            self._revision = catalog.revision
            values = {self.runtime.admin_token.get_secret_value()}
            for upstream in catalog.upstreams.values():
                for secret in (upstream.key, upstream.oauth_token):
                    if secret is not None:
                        values.add(secret.get_secret_value())
            values |= {c.key.get_secret_value() for c in catalog.clients}
            long = sorted((v for v in values if len(v) >= 6), key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, long))) if long else None
        return self._known


def install(runtime: Runtime) -> None:
    """On every handler that is there: a logger's filter would miss its children."""
    scrubber = Scrubber(runtime)
    for handler in logging.getLogger().handlers:
        handler.addFilter(scrubber)
