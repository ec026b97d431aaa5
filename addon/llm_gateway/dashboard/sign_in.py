"""Being signed in: the cookie's end, and what only those who signed in may see.

Datasette's cookie `ds_actor` is valid for ever and readable by scripts. Here it gets an
end, in the cookie and in what Datasette signs and checks, and `HttpOnly`; `SameSite=Lax`
it has already. And pages of Datasette that tell about the machine instead of the data
(paths of files, threads, configuration) are refused to those who may not administer.

What this file does not know: other sites (security.py), permissions (compat.py).
"""

import re
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any

from . import compat
from .security import App, Message, Receive, Refusal, Scope, Send, refuse

COOKIE = "ds_actor"
LIFETIME = 7 * 24 * 3600
"""Seconds after which one has to sign in again."""

PRIVATE = re.compile(
    r"/+-/+(?:databases|threads|tasks|config|metadata)(?:\.\w*)?/*", re.I
)
"""Datasette's pages that name files, tasks or settings of this machine."""

_REFUSAL = Refusal(
    403, "Only who signed in may see this page: it tells about the machine."
)


def wrap(
    app: App, datasette: Any, prefix: str, clock: Callable[[], float] = time.time
) -> App:
    """`app`, with both."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        path: str = scope["path"]
        if PRIVATE.fullmatch(path.removeprefix(prefix)):
            actor = await compat.actor_of(datasette, scope)
            if not await compat.can_admin(datasette, actor):
                await refuse(send, _REFUSAL)
                return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, _with_end(datasette, value, clock()))
                    if name.lower() == b"set-cookie"
                    else (name, value)
                    for name, value in message.get("headers", [])
                ]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, sending)

    return guarded


def _with_end(datasette: Any, header: bytes, now: float) -> bytes:
    """A `Set-Cookie` as it should be; the same one when it is not the actor's."""
    try:
        morsel = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return header
    if morsel is None:
        return header
    morsel["httponly"] = True
    morsel["samesite"] = morsel["samesite"] or "lax"
    signed = _signed_until(datasette, morsel.value, int(now) + LIFETIME)
    if signed is not None:
        # As Datasette writes it: quoting only where it is needed.
        morsel.set(COOKIE, signed, signed)
        morsel["max-age"] = LIFETIME
    return morsel.OutputString().encode("latin-1")


def _signed_until(datasette: Any, value: str, end: int) -> str | None:
    """The same actor, signed with an end; None for none, and where there is one."""
    from datasette.utils import baseconv
    from itsdangerous import BadSignature

    try:
        said = datasette.unsign(value, "actor")
    except BadSignature:
        return None
    if not isinstance(said, dict) or "a" not in said or said.get("e"):
        return None
    signed: str = datasette.sign(
        {"a": said["a"], "e": baseconv.base62.encode(end)}, "actor"
    )
    return signed
