"""The connection pool: providers' connections are kept, by way of the configured proxies.

What lives here: `keep_connections`, which follows the configuration, and what of a catalog
it asks: origins and proxies.
"""

from typing import Any

from llm_gateway.app.catalog_loader import CatalogLoader
from llm_gateway.app.state import AppState
from llm_gateway.config.proxy_url import ProxyServer
from llm_gateway.domain import Origin
from llm_gateway.pool import mitm_hooks
from llm_gateway.providers.catalog import Catalog


def keep_connections(master: Any, runtime: AppState, loader: CatalogLoader) -> None:
    keeper = mitm_hooks.install(master, origins_of(runtime.catalog))
    if keeper is None:
        return
    trusted = loader.roots

    def follow(new: Catalog) -> None:
        nonlocal trusted
        keeper.pool.set_origins(origins_of(new))
        if trusted != loader.roots:
            trusted = loader.roots
            keeper.trust_changed()

    runtime.on_config_change.append(follow)
    runtime.on_clock_set.append(keeper.clock_set)


def origins_of(catalog: Catalog) -> list[tuple[Origin, ProxyServer | None]]:
    """Where connections are kept warm: the configured providers' own addresses, each with
    the proxy by way of which it is reached."""
    return [
        (up.origin, up.proxy_for(up.origin.scheme, up.origin.host, up.origin.port))
        for up in catalog.upstreams.values()
    ]
