"""Where Datasette 0.65 and 1.0 differ, and nothing else.

Everything else in the plugin uses what both lines have. On 0.65 a permission is a
hook and `datasette.permission_allowed`; on 1.0 it is a registered action and
`datasette.allowed`.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import datasette

ADMIN = "gateway-admin"
"""The permission to change something at the gateway."""

V1 = not datasette.__version__.startswith("0.")

Actor = dict[str, Any] | None

F = TypeVar("F", bound=Callable[..., Any])


def hook(function: F) -> F:
    """Datasette's `hookimpl`, with types: neither line has any."""
    marked: F = datasette.hookimpl(function)
    return marked


async def can_admin(ds: Any, actor: Actor) -> bool:
    """May this actor write? Datasette's root may, and whom the plugin's `allow` names."""
    if actor is None:
        return False
    if V1:
        return bool(await ds.allowed(action=ADMIN, actor=actor))
    return bool(await ds.permission_allowed(actor, ADMIN, default=False))


async def actor_of(ds: Any, scope: Any) -> Actor:
    """Who sent this request: what Datasette itself finds out, before it does."""
    from datasette.plugins import pm
    from datasette.utils import await_me_maybe
    from datasette.utils.asgi import Request

    request = Request(scope, None)
    for found in pm.hook.actor_from_request(datasette=ds, request=request):
        actor: Actor = await await_me_maybe(found)
        if actor:
            return actor
    return None


async def can_view(ds: Any, actor: Actor, database: str | None) -> bool:
    """May this actor look at the instance, and at the usage database?"""
    if V1:
        from datasette.resources import DatabaseResource

        if not await ds.allowed(action="view-instance", actor=actor):
            return False
        return database is None or bool(
            await ds.allowed(
                action="view-database",
                resource=DatabaseResource(database=database),
                actor=actor,
            )
        )
    if not await ds.permission_allowed(actor, "view-instance", default=True):
        return False
    return database is None or bool(
        await ds.permission_allowed(
            actor, "view-database", resource=database, default=True
        )
    )


def query_path(ds: Any, database: str, sql: str, **params: str) -> str:
    """Path of Datasette's page that runs `sql`."""
    path = ds.urls.database(database) + ("/-/query" if V1 else "")
    return f"{path}?{urlencode({'sql': sql, **params})}"


def root_may(actor: Actor, allow: Any) -> bool | None:
    """The verdict of our permission: True, or None for "no opinion"."""
    from datasette.utils import actor_matches_allow

    if actor is None:
        return None
    if actor.get("id") == "root":
        return True
    return True if allow is not None and actor_matches_allow(actor, allow) else None
