"""Warnings to the user that are given once, however often their cause comes back.

What lives here: `Notices`: an intercepted app that spends its own key though the model is
here in another dialect, a client that does not trust our CA, a host of a product with
private credentials of its own. Each is one line in the log (and an event, where somebody
should act), then a count, which `GET /admin/notices` and `llm-gateway doctor` show.

What this file does not know: requests, connections.
"""

from collections.abc import Callable
from dataclasses import dataclass

from llm_gateway.providers.hosts import PRIVATE_HOSTS

MAX_NOTICES = 200
"""Names of apps and models are the clients' own: they can make up any number of them."""
FORGOTTEN_AFTER = 24 * 3600.0
"""Seconds without its cause after which a notice makes room for others."""

Tell = Callable[[str, str, str], None]
"""`tell(kind, subject, message)`: into the log and, if it is worth that, the events."""


@dataclass(slots=True)
class Notice:
    kind: str
    """`own key`, `trust` or `private host`."""
    subject: str
    """The app."""
    message: str
    first_at: float
    last_at: float
    count: int = 1

    def as_json(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "message": self.message,
            "count": self.count,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }


class Notices:
    """By cause. One event loop owns it."""

    def __init__(self, tell: Tell, clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._known: dict[tuple[str, ...], Notice] = {}

    def own_key(self, app: str, model: str, host: str, endpoint: str) -> None:
        """A request passes with the app's own key: `model` is here in another dialect.

        `endpoint`: what the app asked for, in words.
        """
        self._say(
            ("own key", app, model),
            f"asks for {_short(model)}, which is offered here, but not for {endpoint}: "
            f"it went to {_short(host)} with the app's own key. `llm-gateway doctor` says "
            "who answers what",
        )

    def untrusting(self, app: str, host: str, *, sure: bool) -> None:
        """A client broke off the TLS handshake. `sure`: it said that it is for the CA."""
        verb = "does not trust" if sure else "probably does not trust"
        self._say(
            ("trust", app, host),
            f"{verb} the gateway's certificate for {_short(host)}: start it by "
            "`llm-gateway run -- APP`, which sets the variables for its CA",
        )

    def private_host(self, app: str, host: str) -> None:
        """A tunnel to a host that is known and not routed."""
        self._say(
            ("private host", app, host),
            f"{host} ({PRIVATE_HOSTS[host]}) is tunnelled, not routed: that login is "
            "private to its product. Use an API key, or the base URL, to be served here",
        )

    def as_json(self) -> list[dict[str, object]]:
        """The newest first."""
        found = sorted(self._known.values(), key=lambda n: n.last_at, reverse=True)
        return [notice.as_json() for notice in found]

    def _say(self, cause: tuple[str, str, str], message: str) -> None:
        now = self._clock()
        if (known := self._known.get(cause)) is not None:
            known.count += 1
            known.last_at = now
            return
        if len(self._known) >= MAX_NOTICES and not self._make_room(now):
            return
        kind, app, _ = cause
        self._known[cause] = Notice(kind, app, message, now, now)
        self._tell(kind, app, message)

    def _make_room(self, now: float) -> bool:
        oldest = min(self._known, key=lambda cause: self._known[cause].last_at)
        if now - self._known[oldest].last_at < FORGOTTEN_AFTER:
            return False
        del self._known[oldest]
        return True


def _short(name: str) -> str:
    """A name that a client chose: on one line, and not for ever."""
    return (name if name.isprintable() else ascii(name))[:100]
