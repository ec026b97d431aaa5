"""The way out of commands that ask somebody themselves: outbound proxies, trusted roots.

What lives here: `follow`, which puts what a configuration (or, without one, the environment)
says in force for this process, as the running gateway does for its own.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from llm_gateway.config.models import Network
from llm_gateway.config.provider import Provider
from llm_gateway.network import way_out
from llm_gateway.network.own_addresses import is_this_machine
from llm_gateway.network.proxy_rules import ProxyRules, configured, without_ours
from llm_gateway.providers.upstream import own_proxies


def follow(
    network: Network, port: int, providers: Iterable[Provider] = ()
) -> tuple[ProxyRules, tuple[str, ...]]:
    """The rules, and what is left out of what was said, as lines. `port`: the gateway's
    own, which is nobody's way out."""
    ways, complaints = configured(
        network.proxy.get_secret_value(), network.no_proxy, os.environ
    )
    ways, left_out = without_ours(
        ways,
        own_proxies(providers),
        lambda p: p.port == port and is_this_machine(p.host),
    )
    way_out.current.rules = ways
    if network.ca_file:
        way_out.current.roots = Path(network.ca_file).expanduser()
    return ways, (*complaints, *left_out)
