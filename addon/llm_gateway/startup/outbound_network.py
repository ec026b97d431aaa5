"""The way out of a gateway as its configuration says: proxies, what is trusted, who asks.

What lives here: `OutboundNetwork`, which follows the configuration, and which proxies stand
on the way to a provider.
"""

from collections.abc import Callable
from dataclasses import dataclass

from llm_gateway.app.catalog_loader import CatalogLoader
from llm_gateway.app.state import AppState
from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.network import way_out
from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.upstream import ways_to


@dataclass(slots=True)
class OutboundNetwork:
    runtime: AppState
    loader: CatalogLoader
    trust: Callable[[str], None] | None
    """Tells mitmproxy whom to trust; None: it was told already."""

    def follow(self, catalog: Catalog) -> None:
        """Which ways lead out, what is trusted there, and who hears how proxies do."""
        way_out.current.rules = catalog.ways
        way_out.current.roots = roots = self.loader.roots
        if self.trust is not None and roots is not None:
            self.trust(str(roots))
        self.runtime.way_out.keep(proxies_of(catalog))


def proxies_of(catalog: Catalog) -> set[ProxyServer]:
    """Every outbound proxy of a configuration."""
    ways = (catalog.ways, *(up.ways for up in catalog.upstreams.values()))
    return {proxy for way in ways for proxy in way.proxies()}


def ways_of(runtime: AppState, provider: str) -> ProxyRules | None:
    """By way of which proxies something is asked for a provider's sake."""
    for entry in runtime.catalog.config.providers:
        if entry.id == provider:
            return ways_to(entry, runtime.catalog.ways)
    return None
