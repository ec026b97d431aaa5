"""Questions of the gateway's own about an account: which models it has, what is left of it.

A GET each, with the account's key and the provider's headers. What this file does not
know: when they are asked (app/provider_polls.py), how answers read (quota_readers.py,
list_readers.py).
"""

from collections.abc import Callable

from llm_gateway.dialects import SPECS
from llm_gateway.dialects.spec import Headers
from llm_gateway.domain import Origin
from llm_gateway.providers.outbound_request import Outbound, key_and_origin, outbound
from llm_gateway.providers.quota_routes import quota_route
from llm_gateway.providers.sent_headers import OWN_HEADERS, with_key
from llm_gateway.providers.upstream import Credential, Upstream


def model_list(
    upstream: Upstream, credential: Credential | None = None, *, etag: str = ""
) -> Outbound | None:
    """The GET that lists a provider's models; None where it has no such list.

    `etag`: of the list that is known: an unchanged one need not be sent again.
    """
    row = upstream.type_info
    if row.models_path is None:
        return None
    more = ((b"if-none-match", etag.encode("latin-1", "replace")),) if etag else ()
    cut = row.models_cut
    return _question(
        upstream,
        credential,
        lambda origin: origin.path.removesuffix(cut) + (row.models_path or ""),
        row.models_auth or row.auth_of(next(iter(row.paths))),
        more,
    )


def quota(upstream: Upstream, credential: Credential | None = None) -> Outbound | None:
    """The GET that asks what is left of an account; None where nobody can be asked."""
    route = quota_route(upstream.type_info, upstream.origin)
    if route is None or not route.path.startswith("/"):
        return None
    if upstream.key is None and not upstream.needs_credential:
        return None
    path = route.path
    return _question(upstream, credential, lambda _: path, upstream.type_info.auth)


def _question(
    upstream: Upstream,
    credential: Credential | None,
    path: Callable[[Origin], str],
    auth: str,
    more: Headers = (),
) -> Outbound:
    key, origin = key_and_origin(upstream, credential)
    headers = dict(OWN_HEADERS)
    headers.update(SPECS[next(iter(upstream.type_info.paths))].headers)
    headers = with_key(headers, upstream, auth, key)
    headers.update(more)
    headers.pop(b"content-type", None)
    return outbound(origin, path(origin), headers.items())
