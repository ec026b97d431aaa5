"""The gateway's own questions to a provider, with its key and by its way out.

What lives here: `ask_list` and `ask_quota`. The answer is read in a thread, too: a list
has a megabyte. `NoAnswer` says in a clause why there is none; it holds no key and no text
of the provider's.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from llm_gateway.limits.values import LimitObservation
from llm_gateway.network.fetch import LONGEST, TOO_LONG, Fetched, TooLong, fetch
from llm_gateway.network.proxy_failure import ProxyRefused, ProxyUnavailable
from llm_gateway.providers.account_questions import model_list, quota
from llm_gateway.providers.credentials import CredentialError, Credentials
from llm_gateway.providers.list_readers import NotAList, read_list
from llm_gateway.providers.listed_models import ModelList
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.quota_readers import NotAQuota, read_quota
from llm_gateway.providers.quota_routes import quota_route
from llm_gateway.providers.upstream import Credential, Upstream
from llm_gateway.streaming.content_coding import BadCoding, decoder

GITHUB = "github"


class NoAnswer(Exception):
    """Why there is none; the clause follows the provider's name."""


async def ask_list(
    upstream: Upstream, credentials: Credentials, etag: str = ""
) -> ModelList | None:
    """Its list of models, without address and time; None: as it was. Raises NoAnswer."""
    out = model_list(upstream, await _credential(upstream, credentials), etag=etag)
    if out is None:
        raise NoAnswer("has no list of models")

    def look() -> ModelList | None:
        got = _send(out, upstream)
        if got.status == 304 and etag:
            return None
        if got.status != 200:
            raise NoAnswer(_refused(got.status))
        models = read_list(upstream.type_info.models_shape, got.body)
        tag = got.etag if len(got.etag) < 200 and got.etag.isprintable() else ""
        return ModelList(models, "", etag=tag)

    try:
        return await asyncio.to_thread(look)
    except NotAList as e:
        raise NoAnswer(str(e)) from e


def has_quota(upstream: Upstream) -> bool:
    """There is somebody to ask what is left of this account."""
    route = quota_route(upstream.type_info, upstream.origin)
    if route is None:
        return False
    return route.path == GITHUB or upstream.key is not None


async def ask_quota(
    upstream: Upstream, credentials: Credentials, clock: Callable[[], float]
) -> tuple[LimitObservation, ...]:
    """What it says is left. Raises NoAnswer."""
    host = upstream.origin.host
    route = quota_route(upstream.type_info, upstream.origin)
    if route is None:
        raise NoAnswer("has no such route")
    try:
        if route.path == GITHUB:
            status, body = await credentials.copilot_quota(upstream)
            if status != 200:
                raise NoAnswer(_refused(status))
            return await asyncio.to_thread(read_quota, route, body, clock(), host)
        out = quota(upstream)
        if out is None:
            raise NoAnswer("has no such route")

        def look() -> tuple[LimitObservation, ...]:
            got = _send(out, upstream)
            if got.status != 200:
                raise NoAnswer(_refused(got.status))
            return read_quota(route, got.body, clock(), host)

        return await asyncio.to_thread(look)
    except NotAQuota as e:
        raise NoAnswer(str(e)) from e
    except CredentialError as e:
        raise NoAnswer(str(e)) from e
    except OSError as e:
        raise NoAnswer(_why(e)) from e


async def _credential(
    upstream: Upstream, credentials: Credentials
) -> Credential | None:
    if not upstream.needs_credential:
        return None
    try:
        return await credentials.get(upstream)
    except CredentialError as e:
        raise NoAnswer(str(e)) from e


def _send(out: Outbound, upstream: Upstream) -> Fetched:
    try:
        got = fetch(
            out.scheme, out.host, out.port, out.path, out.headers, ways=upstream.ways
        )
    except OSError as e:
        raise NoAnswer(_why(e)) from e
    try:
        undo = decoder(got.coding, most=LONGEST, aside=True)
        body = undo.feed(got.body) if undo is not None else got.body
    except BadCoding:
        raise NoAnswer("answers in a coding that cannot be undone") from None
    if undo is not None and undo.full:
        raise NoAnswer(f"sends {TOO_LONG}")
    return replace(got, body=body)


def _refused(status: int) -> str:
    if status in (401, 403):
        return f"its key is refused (status {status})"
    if status >= 500 or status == 429:
        return f"is busy (status {status})"
    return f"answers {status}"


def _why(error: OSError) -> str:
    match error:
        case ProxyUnavailable() | ProxyRefused():
            return str(error)
        case TooLong():
            return f"sends {TOO_LONG}"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "speaks no TLS"
        case socket.gaierror():
            return "its name cannot be resolved"
        case TimeoutError():
            return "does not answer in time"
        case ConnectionRefusedError():
            return "refuses connections"
    return f"cannot be reached ({error.strerror or error})"
