"""One-use sign-in links: signed with the cookie's secret, for ten minutes.

Datasette's own root token is made when it starts and used up by the first browser. Who may
read the secret in the state folder may make as many links as there are browsers, without
a restart of anything: `llm-gateway dashboard --link`. Pure but for the nonces that were
used; a link from before the start of this Datasette is no longer known as used or unused,
so it is not taken.

What this file does not know: HTTP, cookies (views.py, sign_in.py), files.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

NAMESPACE = "llm-gateway-sign-in"
"""Of the signature: nothing else that this secret signs is a link."""
LIFETIME = 600.0
"""Seconds for which a link may be opened."""
EARLY = 5.0
"""Seconds that the maker's clock may be ahead of ours."""


def make(secret: str, now: float) -> str:
    """A token for the address of one sign-in."""
    said = {"t": round(now, 3), "n": secrets.token_urlsafe(12)}
    token = URLSafeSerializer(secret, NAMESPACE).dumps(said)
    return token if isinstance(token, str) else token.decode()


class BadLink(Exception):
    """It signs nobody in. The text says why, as a sentence."""


@dataclass(slots=True)
class Links:
    """What one Datasette knows of links. started: Unix seconds."""

    started: float
    _used: dict[str, float] = field(default_factory=dict)

    def use(self, datasette: Any, token: str, now: float) -> None:
        """Takes the link, once. Raises BadLink."""
        try:
            said = datasette.unsign(token, NAMESPACE)
            made, nonce = float(said["t"]), str(said["n"])
        except (BadSignature, TypeError, KeyError, ValueError):
            raise BadLink("This is no sign-in link of this dashboard.") from None
        if nonce in self._used:
            raise BadLink("This sign-in link has been used.")
        if made + LIFETIME < now or made > now + EARLY:
            raise BadLink("This sign-in link is older than ten minutes.")
        if made < self.started:
            raise BadLink("The dashboard was started after this sign-in link was made.")
        self._used = {n: t for n, t in self._used.items() if t + LIFETIME >= now}
        self._used[nonce] = made
