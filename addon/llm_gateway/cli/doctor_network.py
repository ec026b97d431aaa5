"""What `llm-gateway doctor` says of the way out: which outbound proxies there are, and whether
anybody listens there, and the file of a company's root certificate."""

import socket
from collections.abc import Iterator
from pathlib import Path

from llm_gateway.cli.doctor_machine import Finding
from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network import trust
from llm_gateway.network.proxy_failure import why
from llm_gateway.providers.catalog import Catalog

TIMEOUT = 3.0


def outbound_proxies(catalog: Catalog, *, offline: bool) -> Iterator[Finding]:
    ca_file = catalog.config.network.ca_file
    if ca_file:
        try:
            count = trust.check(Path(ca_file).expanduser())
            yield Finding("ok", "caFile", f"{count} certificates in {ca_file}")
        except (OSError, ValueError) as e:
            yield Finding("fix", "caFile", f"cannot be used: {e}")
    users: dict[ProxyServer | None, list[str]] = {
        proxy: [] for proxy in catalog.ways.proxies()
    }
    for upstream in catalog.upstreams.values():
        if upstream.type_info.builtin:
            continue
        origin = upstream.origin
        proxy = upstream.proxy_for(origin.scheme, origin.host, origin.port)
        users.setdefault(proxy, []).append(upstream.provider)
    if not any(users):
        yield Finding("ok", "way out", "directly, without an outbound proxy")
        return
    for proxy, named in users.items():
        who = ", ".join(dict.fromkeys(named)) or "no provider"
        if proxy is None:
            yield Finding("ok", "way out", f"directly: {who}")
            continue
        given = proxy in catalog.ways.proxies()
        source = f" ({catalog.ways.source})" if given else ""
        said = f"{proxy.shown}{source}: {who}"
        trouble = "" if offline else _trouble(proxy)
        if trouble:
            yield Finding("fix", "way out", f"{said}. The outbound proxy {trouble}.")
        else:
            yield Finding("ok", "way out", said)


def _trouble(proxy: ProxyServer) -> str:
    """Why nobody answers there, as a clause; "" when somebody does."""
    try:
        socket.create_connection((proxy.host, proxy.port), TIMEOUT).close()
    except OSError as e:
        return why(e)
    return ""
