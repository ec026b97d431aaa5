"""Where a gateway listens: modes, who is beyond loopback and needs keys, bound addresses.

What lives here: what mitmproxy's options mean for a gateway, and when clients come in.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitmproxy.proxy.mode_specs import ProxyMode

from llm_gateway.config.proxy_url import parse_proxy_url
from llm_gateway.config.urls import is_loopback
from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.startup.environment import NotStarted
from llm_gateway.transport.early_clients import EarlyClients

LOOK_SECONDS = 0.005


def client_keys_required(options: Any, clients: Collection[object], path: Path) -> bool:
    """Could somebody on another machine reach us? Raises NotStarted where they could
    without a key.

    `clients` are those of the configuration in `path`.
    """
    beyond = modes_beyond_loopback(options)
    if odd := [m for m in beyond if m not in ("regular", "upstream")]:
        raise NotStarted(
            f"Mode {odd[0]} has no way to ask for a client key: let it listen on "
            "127.0.0.1, or set mitmproxy's own proxyauth."
        )
    if beyond and not clients:
        raise NotStarted(
            "Listening beyond this machine needs client keys: add `clients` to "
            f"{path}, or leave out --listen-host."
        )
    return bool(beyond)


def modes_beyond_loopback(options: Any) -> list[str]:
    """The modes in which somebody on another machine could reach us."""
    default = options.listen_host
    ask_themselves = ("socks5", "reverse") if options.proxyauth else ()
    return [
        mode.type_name
        for mode in map(ProxyMode.parse, options.mode)
        if mode.type_name in ("regular", "upstream", "socks5", "reverse")
        and not is_loopback(mode.listen_host(default))
        and mode.type_name not in ask_themselves
    ]


def upstream_mode(urls: Sequence[str], auth: str | None) -> ProxyRules | None:
    """`--mode upstream:URL`, with mitmproxy's `upstream_auth`. Raises NotStarted."""
    if not urls:
        return None
    if len(urls) > 1:
        raise NotStarted("There is more than one upstream mode: name one proxy.")
    try:
        proxy = parse_proxy_url(urls[0])
    except ValueError as reason:
        raise NotStarted(f"The address of the upstream mode {reason}.") from None
    if auth:
        user, _, password = auth.partition(":")
        proxy = replace(proxy, user=user, password=password)
    return ProxyRules(proxy, proxy, source="--mode upstream", own_tls=True)


def bound_port(master: Any) -> int | None:
    addresses = bound_addresses(master)
    return int(addresses[0][1]) if addresses else None


def bound_addresses(master: Any) -> list[Any]:
    addons: Any = master.addons
    server = addons.get("proxyserver")
    return list(server.listen_addrs()) if server else []


async def let_in(master: Any, clients: EarlyClients) -> None:
    """Clients come in when the last add-on that they need runs, which is behind us."""
    addons: Any = master.addons
    certificates = addons.get("tlsconfig")
    while certificates is not None and certificates.certstore is None:
        await asyncio.sleep(LOOK_SECONDS)
    clients.ready.set()
