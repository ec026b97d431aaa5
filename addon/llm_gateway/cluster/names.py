"""Names of accounts and windows among the members of a cluster.

What lives here: an account is provider type, host and a fingerprint of its key (keyed with
a salt that the cluster shares; never the key), so that ids may differ between members.
An account without a key on this machine or network is nobody else's. A window is the
scope so named, its metric, its length and when it begins.

What it does not know: servers, sockets, windows' contents.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from llm_gateway.config.urls import is_private_host
from llm_gateway.dialects import key_headers
from llm_gateway.domain import Limit, Metric, Offer, Reset, Window
from llm_gateway.limits.limit_set import BOUNDLESS
from llm_gateway.limits.values import Scope, scopes_of
from llm_gateway.providers.upstream import Upstream

SEPARATOR = "|"
ROLLING = "rolling"
CALENDAR = "UTC calendar"
"""A month without a reset of its own."""


def fingerprint(salt: str, secret: str) -> str:
    """64 bits of a keyed hash: tells accounts apart, and nothing of their keys."""
    found = hmac.new(salt.encode(), secret.encode(), hashlib.sha256)
    return found.hexdigest()[:16]


def secret_of(upstream: Upstream, login: str = "") -> str:
    """What the account is told by; "" where it needs nothing. `login`: a stored one."""
    for key in (upstream.key, upstream.oauth_token):
        if key is not None:
            return key.get_secret_value()
    if login or upstream.token_file:
        return login or upstream.token_file
    named = {b"authorization", *(name.encode() for name in key_headers())}
    found = (value for name, value in upstream.headers if name in named)
    return next(found, b"").decode("latin-1")


def account_name(upstream: Upstream, salt: str, member: str, login: str = "") -> str:
    """`groq:api.groq.com:5f3a…`, the same for every member that has this key."""
    secret, host = secret_of(upstream, login), upstream.origin.host
    where = f"{upstream.type_info.type}:{host}"
    if upstream.origin.port not in (80, 443):
        where = f"{where}:{upstream.origin.port}"
    if not secret and is_private_host(host):
        return f"{where}:{member}"
    return f"{where}:{fingerprint(salt, secret) if secret else 'open'}"


def shape(limit: Limit) -> str:
    """Which moments a window holds: `rolling`, or the clock that it follows."""
    if limit.window in (Window.MINUTE, Window.HOUR):
        return ROLLING
    if limit.reset is not None:
        reset = limit.reset
        return f"{reset.hour:02}:{reset.minute:02} {reset.zone}"
    return CALENDAR if limit.window is Window.MONTH else ROLLING


@dataclass
class Names:
    """Scopes and windows, there and back, under one configuration."""

    accounts: Mapping[tuple[str, str], str]
    """(provider, account) -> its name among members."""
    scopes: dict[str, list[Scope]] = field(default_factory=dict)
    """Name -> the scopes of this member that it means."""
    _windows: dict[tuple[str, ...], str] = field(default_factory=dict)

    def scope(self, scope: Scope) -> str:
        """The name of a scope. Raises KeyError: of an account that is not configured."""
        match scope:
            case ("client", name):
                found = f"client:{name}"
            case (kind, provider, account, *rest):
                found = ":".join((kind, self.accounts[provider, account], *rest))
            case _:
                found = ":".join(scope)
        return found.replace(SEPARATOR, "%7C")

    def window(self, limit: Limit) -> str:
        """The name of a limit's window. Raises KeyError as `scope` does."""
        key = (*limit.key, shape(limit))
        found = self._windows.get(key)
        if found is None:
            parts = (self.scope(limit.scope), limit.metric.value, limit.window.value)
            found = self._windows[key] = SEPARATOR.join((*parts, key[-1]))
        return found

    def learn(self, offers: Iterable[Offer], clients: Iterable[str]) -> None:
        """The scopes of a configuration, to be found by their names."""
        for offer in offers:
            if offer.key[:2] in self.accounts:
                for scope in scopes_of(*offer.key, None):
                    self.learn_scope(scope)
        for client in clients:
            self.learn_scope(("client", client))

    def learn_scope(self, scope: Scope) -> None:
        known = self.scopes.setdefault(self.scope(scope), [])
        if scope not in known:
            known.append(scope)

    def limits(self, window: str) -> Iterator[Limit]:
        """What a window of others is here: a limit without a bound for each scope."""
        try:
            scope, metric, length, clock = window.split(SEPARATOR)
            reset = reset_of(clock)
            for own in self.scopes.get(scope, ()):
                yield Limit(
                    own, Metric(metric), Window(length), BOUNDLESS, reset, "cluster"
                )
        except ValueError:
            return


def reset_of(clock: str) -> Reset | None:
    """Raises ValueError: that is no clock."""
    if clock in (ROLLING, CALENDAR):
        return None
    time, _, zone = clock.partition(" ")
    hour, _, minute = time.partition(":")
    return Reset(int(hour), int(minute), zone)


def accounts_of(
    upstreams: Mapping[tuple[str, str], Upstream],
    salt: str,
    member: str,
    login: Callable[[str], str],
) -> dict[tuple[str, str], str]:
    """(provider, account) -> name. `login`: the stored sign-in of a provider."""
    return {
        key: account_name(
            up,
            salt,
            member,
            login(key[0])
            if up.type_info.credential == "copilot" and up.oauth_token is None
            else "",
        )
        for key, up in upstreams.items()
    }
