"""What `llm-gateway doctor` asks providers: can they be reached, is the key taken, do
they have the configured models?

What lives here: one GET per account, over a connection of its own, with short waits
and bounded answers, many at a time. A key goes to its own provider, as in real use.

What this file does not know: the config's text, ports, certificates of our own.
"""

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_gateway.config.suggestions import nearest
from llm_gateway.network import way_out
from llm_gateway.network.proxy_failure import ProxyRefused, ProxyUnavailable
from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.providers.account_questions import model_list
from llm_gateway.providers.credentials import CredentialError, Credentials
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream import Upstream

TIMEOUT = 5.0
"""Seconds for each wait: connecting, the TLS handshake, reading."""
AT_A_TIME = 16
LONGEST = 8 * 1024 * 1024
"""Bytes of a list of models; OpenRouter's has about one million."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of asking one account."""

    who: str
    """`provider`, or `provider#account`."""
    problem: str = ""
    """Why it cannot serve, and what to do; empty: it can, as far as one can see."""
    note: str = ""
    """Something to look at."""
    said: str = ""
    """`14 models`, `reachable`."""


async def reach_all(
    upstreams: Sequence[tuple[Upstream, Sequence[str]]], credentials: Credentials
) -> list[Reached]:
    """Ask every upstream. The second of each pair: the model names that it is sent."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(upstream: Upstream, models: Sequence[str]) -> Reached:
        async with gate:
            return await reach(upstream, models, credentials)

    return list(await asyncio.gather(*(one(u, m) for u, m in upstreams)))


async def reach(
    upstream: Upstream, models: Sequence[str], credentials: Credentials
) -> Reached:
    who = upstream.provider + (f"#{upstream.account}" if upstream.account else "")
    if upstream.type_info.builtin:
        return Reached(who, said="built in")
    credential = None
    if upstream.needs_credential:
        try:
            credential = await credentials.get(upstream)
        except CredentialError as e:
            return Reached(who, problem=str(e))
    out = model_list(upstream, credential)
    try:
        if out is None:
            await asyncio.to_thread(_connect, upstream)
            origin = upstream.origin
            way = _way(upstream, origin.scheme, origin.host, origin.port)
            return Reached(who, said=f"reachable (it lists no models){way}")
        status, body = await asyncio.to_thread(_get, out, upstream.ways)
    except (OSError, http.client.HTTPException) as e:
        return Reached(who, problem=f"{upstream.origin.host}: {_why(e)}")
    found = _judge(who, status, body, models)
    way = _way(upstream, out.scheme, out.host, out.port)
    return replace(found, said=f"{found.said}{way}") if found.said else found


def _way(upstream: Upstream, scheme: str, host: str, port: int) -> str:
    proxy = upstream.proxy_for(scheme, host, port)
    return f", by way of {proxy.name}" if proxy is not None else ""


def _judge(who: str, status: int, body: bytes, models: Sequence[str]) -> Reached:
    if status in (401, 403):
        return Reached(
            who,
            problem=f"its key is refused (status {status}); check it, or make a new one",
        )
    if status >= 500 or status == 429:
        return Reached(who, note=f"is busy (status {status}); try again later")
    if status != 200:
        return Reached(
            who, note=f"answers {status} when asked for its models; check baseURL"
        )
    offered = names_in(body)
    if offered is None:
        return Reached(who, note="answers no list of models; check baseURL")
    missing = [name for name in models if not _has(offered, name)]
    said = f"{len(offered)} models"
    if not missing:
        return Reached(who, said=said)
    hints = []
    for name in missing:
        near = nearest(name, offered)
        hints.append(f'"{name}"' + (f' (did you mean "{near}"?)' if near else ""))
    return Reached(who, said=said, note=f"does not list {', '.join(hints)}")


def names_in(body: bytes) -> frozenset[str] | None:
    """The names in a list of models: OpenAI's, a bare list, or Ollama's; else None."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    if not isinstance(found, list):
        return None
    names = [
        item.get("id", item.get("name")) if isinstance(item, dict) else item
        for item in found
    ]
    return frozenset(name for name in names if isinstance(name, str))


def _has(offered: frozenset[str], name: str) -> bool:
    # Gemini lists `models/NAME`, Ollama adds `:latest`; Hugging Face takes `NAME:provider`.
    spellings = (name, f"models/{name}", f"{name}:latest", name.rpartition(":")[0])
    return any(spelling in offered for spelling in spellings)


def _connect(upstream: Upstream) -> None:
    origin = upstream.origin
    way_out.http_connection(
        origin.scheme, origin.host, origin.port, timeout=TIMEOUT, ways=upstream.ways
    ).close()


def _get(out: Outbound, ways: ProxyRules) -> tuple[int, bytes]:
    connection = way_out.http_connection(
        out.scheme, out.host, out.port, timeout=TIMEOUT, ways=ways
    )
    try:
        connection.putrequest(
            "GET", out.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in out.headers:
            connection.putheader(name.decode("ascii"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST)
    finally:
        connection.close()


def _why(error: OSError | http.client.HTTPException) -> str:
    match error:
        case ProxyUnavailable() | ProxyRefused():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); is something in between? A company's root goes into network.caFile"
        case ssl.SSLError():
            return f"no TLS ({error.reason or 'handshake failed'}); check baseURL"
        case socket.gaierror():
            return "its name cannot be resolved; check baseURL, or the network"
        case TimeoutError():
            return f"no answer within {TIMEOUT:g} seconds; check the network"
        case ConnectionRefusedError():
            return "refuses connections; is it running?"
        case OSError():
            return f"cannot be reached ({error.strerror or type(error).__name__})"
        case _:
            return f"answers something that is not HTTP ({type(error).__name__})"
