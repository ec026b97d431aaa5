"""Builds and wires a gateway from mitmproxy's options and the environment.

What lives here: `build`: the configuration, the ledger and the counters come up here, and
the management API.

What this file does not know: tasks, listening, requests (pipeline/assembly.py).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.copilot_login import CopilotLoginRoutes
from llm_gateway.admin.management_api import ManagementApi
from llm_gateway.app.catalog_loader import CatalogLoader
from llm_gateway.app.config_service import ConfigService
from llm_gateway.app.state import AppState, ConfigStatus
from llm_gateway.config.files import (
    admin_token,
    check_ca,
    check_state,
    exposure,
    state_folder,
)
from llm_gateway.ledger.store import Store
from llm_gateway.mitm_compat import required_names
from llm_gateway.network.clocks import WallClock
from llm_gateway.providers.copilot_session import CopilotLogin
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub
from llm_gateway.simulator import Simulator
from llm_gateway.startup.environment import NotStarted, check_environment, config_path
from llm_gateway.startup.listening import client_keys_required, upstream_mode
from llm_gateway.startup.outbound_network import OutboundNetwork, ways_of
from llm_gateway.transport.connecting import opener

logger = logging.getLogger("llm_gateway")


@dataclass(frozen=True, slots=True)
class Built:
    """What a start needs further on."""

    runtime: AppState
    config_service: ConfigService
    management: ManagementApi
    simulator: Simulator
    made_config: bool
    """There was no configuration: it was made from the example."""


def build(
    options: Any,
    env: Mapping[str, str],
    *,
    upstream_urls: Sequence[str],
    own_trust: bool,
) -> Built:
    """Everything that has to be there before a client can connect.

    `options` are mitmproxy's; `upstream_urls` what `--mode upstream:URL` named;
    `own_trust`: mitmproxy was not told whom to trust. Raises NotStarted, ConfigError,
    StoreError, OSError.
    """
    if missing := required_names.self_check():
        raise NotStarted(
            f"This mitmproxy is unknown: {', '.join(missing)} not found. "
            f"Known to work: {required_names.KNOWN_GOOD}."
        )
    check_environment(env, port_is_given=options.listen_port is not None)
    home = state_folder(env)
    check_state(home)
    check_ca(Path(options.confdir).expanduser())
    path, made_config = config_path(
        options.gateway_config or env.get("LLM_GATEWAY_CONFIG") or ""
    )
    clock = WallClock()
    simulator = Simulator()
    # Read in threads, where nobody may hear of a clock that was set.
    catalog_loader = CatalogLoader(path, home, env, time.time, simulator.port)
    catalog_loader.forced = upstream_mode(upstream_urls, options.upstream_auth)
    catalog_loader.own_ports = frozenset((options.listen_port or 8080,))
    loaded, catalog = catalog_loader.load()
    config = catalog.config
    keys_required = client_keys_required(options, config.clients, path)
    store = Store(
        Path(options.gateway_db or env.get("LLM_GATEWAY_DB") or "usage.db"),
        durability=config.storage.durability,
        retention_days=config.storage.retention_days,
    )
    store.start()
    catalog_loader.lists, catalog_loader.retired = store.known_lists()
    if catalog_loader.lists:
        catalog = catalog_loader.rebuilt(catalog)
    now = clock()
    runtime = AppState(
        catalog=catalog,
        store=store,
        clock=clock,
        loading=ConfigStatus(catalog.revision, now),
        credentials=Credentials(home, clock, GitHub.from_environment(env)),
        admin_token=admin_token(home),
        keys_required=keys_required,
        port=options.listen_port or 8080,
    )
    clock.on_step.append(runtime.clock_set)
    config_service = ConfigService(catalog_loader, runtime)
    login = CopilotLogin(
        home, runtime.credentials.github, clock, partial(ways_of, runtime)
    )
    management = ManagementApi(
        runtime,
        ConfigRoutes(config_service),
        CopilotLoginRoutes(login, runtime, config_service),
    )

    def trust(roots: str) -> None:
        options.update(ssl_verify_upstream_trusted_ca=roots)

    network = OutboundNetwork(runtime, catalog_loader, trust if own_trust else None)
    runtime.on_config_change.append(network.follow)
    network.follow(catalog)
    opener.on_proxy = runtime.way_out.record
    runtime.replay(catalog, now)
    runtime.on_config_change.append(lambda new: simulator.configure(new.config))
    simulator.configure(config)
    level = env.get("LOG_LEVEL", "").lower()
    runtime.catalog_log_level = config.log_level
    runtime.log_level_is_given = bool(level)
    runtime.set_log_level(level or config.log_level)
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    if exposed := exposure(path, path.read_text("utf-8")):
        logger.warning("%s", exposed)
    return Built(runtime, config_service, management, simulator, made_config)
