"""Composition root: builds, wires, starts and stops the gateway, from options.

What lives here: `Bootstrap`. Options are declared and set in `load`; in `configure` the
configuration, the ledger and the counters come up, before a client can connect; in
`running` the tasks begin and the log says what there is. mitmproxy takes an error that
is logged before `running` as a reason to exit with code 1, which is how a bad
configuration ends.

What this file does not know: requests.
"""

import asyncio
import importlib.util
import logging
import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mitmproxy import connection, ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy.mode_specs import ProxyMode

from llm_gateway.admin.config_routes import ConfigRoutes
from llm_gateway.admin.copilot_login import CopilotLoginRoutes
from llm_gateway.admin.routes import AdminRoutes
from llm_gateway.app import log_redaction
from llm_gateway.app.cluster_membership import ClusterMembership
from llm_gateway.app.config_service import CatalogLoader, ConfigService
from llm_gateway.app.heartbeat import run_heartbeat
from llm_gateway.app.provider_polls import ProviderPolls
from llm_gateway.app.shutdown import GracefulShutdown
from llm_gateway.app.startup_log import log_startup_summary
from llm_gateway.app.state import LEVELS, AppState, ConfigStatus
from llm_gateway.config.files import (
    admin_token,
    check_ca,
    check_state,
    exposure,
    state_folder,
)
from llm_gateway.config.problems import ConfigError
from llm_gateway.config.proxy_url import ProxyServer, parse_proxy_url
from llm_gateway.config.urls import is_loopback
from llm_gateway.domain import Origin
from llm_gateway.ledger.store import Store, StoreError
from llm_gateway.mitm_compat import fingerprints, required_names
from llm_gateway.mitm_compat.sites import GROUPS, VERIFIED
from llm_gateway.network import way_out
from llm_gateway.network.clocks import WallClock
from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.packaged_files import example_config
from llm_gateway.pipeline.access_control import AccessControl
from llm_gateway.pipeline.account_requests import AccountRequests
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.forwarding import Forwarder
from llm_gateway.pipeline.handler import AnyExchange, RequestHandler
from llm_gateway.pipeline.passthrough import Passthrough
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pool import mitm_hooks
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.copilot_session import CopilotLogin
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub
from llm_gateway.providers.upstream import ways_to
from llm_gateway.simulator import Simulator
from llm_gateway.transport import (
    connecting,
    flow_logs,
    interim_responses,
    listeners,
    patches,
)
from llm_gateway.transport.connecting import opener
from llm_gateway.transport.early_clients import EarlyClients

logger = logging.getLogger("llm_gateway")

LOOK_SECONDS = 0.005
THREADS = 64
"""The most threads for what would block the event loop; they are made when needed."""


FASTPATH = "LLM_GATEWAY_FASTPATH"
"""Environment variable: `off` leaves mitmproxy's own code in place."""


class NotStarted(Exception):
    """Why the gateway cannot start, in one message."""


class Bootstrap:
    """The life of one gateway, from `load` to `done`."""

    def __init__(self) -> None:
        self.runtime: AppState | None = None
        self.config_service: ConfigService
        self.admin_routes: AdminRoutes
        self.tasks: list[asyncio.Task[Any]] = []
        self.early_clients = EarlyClients()
        self.simulator: Simulator | None = None
        self.made_config = False
        self.membership: ClusterMembership | None = None
        self.not_yet: listeners.SuppressBindErrors | None = None
        self.dashboard: Any = None
        self.own_trust = False
        """mitmproxy was not told whom to trust."""
        self.upstream_urls: list[str] = []
        """What `--mode upstream:URL` named: the same as `network.proxy`."""

    def load(self, loader: Loader) -> None:
        loader.add_option(
            "gateway_config",
            str,
            "",
            "The gateway's configuration file. Default: LLM_GATEWAY_CONFIG, else "
            "./config.jsonc, which is made from the example when it is missing.",
        )
        loader.add_option(
            "gateway_db",
            str,
            "",
            "The SQLite file of the ledger. Default: LLM_GATEWAY_DB, else ./usage.db.",
        )
        loader.add_option(
            "gateway_dashboard_port",
            int,
            -1,
            "Port of the dashboard, 0 for none. Default: dashboard.port of the "
            "configuration.",
        )
        if self.runtime is not None:
            return
        # What mitmproxy writes from here on, its CA and saved flows, is nobody else's.
        os.umask(0o077)
        options: Any = ctx.options
        listeners.set_options(options)
        modes, self.upstream_urls = listeners.without_upstream_mode(options.mode)
        if not options.listen_host or modes != list(options.mode):
            listeners.call_off(ctx.master)
        if not options.listen_host:
            options.update(listen_host="127.0.0.1")
        if modes != list(options.mode):
            options.update(mode=modes)
        self.own_trust = not (
            options.ssl_verify_upstream_trusted_ca
            or options.ssl_verify_upstream_trusted_confdir
        )
        port = os.environ.get("PORT", "")
        if options.listen_port is None and port.isdecimal() and 0 < int(port) < 65536:
            options.update(listen_port=int(port))
            self.not_yet = listeners.SuppressBindErrors()
            listeners.call_off(ctx.master)

    def configure(self, updated: set[str]) -> AppState | None:
        """The runtime, when this call built it."""
        if self.runtime is not None or "gateway_config" not in updated:
            return None
        try:
            self.runtime = self._build()
        except (NotStarted, ConfigError, StoreError, OSError) as e:
            logger.error("The gateway does not start.\n%s", e)
        return self.runtime

    # -- building --------------------------------------------------------------

    def _build(self) -> AppState:
        if missing := required_names.self_check():
            raise NotStarted(
                f"This mitmproxy is unknown: {', '.join(missing)} not found. "
                f"Known to work: {required_names.KNOWN_GOOD}."
            )
        env = os.environ
        self._check_environment(env)
        home = state_folder(env)
        check_state(home)
        check_ca(Path(ctx.options.confdir).expanduser())
        path = self._config_path()
        clock = WallClock()
        simulator = Simulator()
        # Read in threads, where nobody may hear of a clock that was set.
        catalog_loader = CatalogLoader(path, home, env, time.time, simulator.port)
        catalog_loader.forced = self._upstream_mode()
        catalog_loader.own_ports = frozenset((ctx.options.listen_port or 8080,))
        loaded, catalog = catalog_loader.load()
        config = catalog.config
        keys_required = self._beyond_loopback()
        if odd := [m for m in keys_required if m not in ("regular", "upstream")]:
            raise NotStarted(
                f"Mode {odd[0]} has no way to ask for a client key: let it listen on "
                "127.0.0.1, or set mitmproxy's own proxyauth."
            )
        if keys_required and not config.clients:
            raise NotStarted(
                "Listening beyond this machine needs client keys: add `clients` to "
                f"{path}, or leave out --listen-host."
            )
        store = Store(
            Path(ctx.options.gateway_db or env.get("LLM_GATEWAY_DB") or "usage.db"),
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
            keys_required=bool(keys_required),
            port=ctx.options.listen_port or 8080,
        )
        clock.on_step.append(runtime.clock_set)
        self.config_service = ConfigService(catalog_loader, runtime)
        login = CopilotLogin(
            home, runtime.credentials.github, clock, partial(ways_of, runtime)
        )
        self.admin_routes = AdminRoutes(
            runtime,
            ConfigRoutes(self.config_service),
            CopilotLoginRoutes(login, runtime, self.config_service),
        )
        runtime.on_config_change.append(self._follow_network)
        self._follow_network(catalog)
        opener.on_proxy = runtime.proxies.record
        runtime.replay(catalog, now)
        runtime.on_config_change.append(lambda new: simulator.configure(new.config))
        simulator.configure(config)
        self.simulator = simulator
        level = env.get("LOG_LEVEL", "").lower()
        runtime.catalog_log_level = config.log_level
        runtime.log_level_is_given = bool(level)
        runtime.set_log_level(level or config.log_level)
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        if exposed := exposure(path, path.read_text("utf-8")):
            logger.warning("%s", exposed)
        return runtime

    def _upstream_mode(self) -> ProxyRules | None:
        """`--mode upstream:URL`, with mitmproxy's `upstream_auth`."""
        if not self.upstream_urls:
            return None
        if len(self.upstream_urls) > 1:
            raise NotStarted("There is more than one upstream mode: name one proxy.")
        try:
            proxy = parse_proxy_url(self.upstream_urls[0])
        except ValueError as reason:
            raise NotStarted(f"The address of the upstream mode {reason}.") from None
        if ctx.options.upstream_auth:
            user, _, password = ctx.options.upstream_auth.partition(":")
            proxy = replace(proxy, user=user, password=password)
        return ProxyRules(proxy, proxy, source="--mode upstream", own_tls=True)

    def _follow_network(self, catalog: Catalog) -> None:
        """Which ways lead out, what is trusted there, and who hears how proxies do."""
        runtime = self.runtime
        way_out.current.rules = catalog.ways
        way_out.current.roots = roots = self.config_service.loader.roots
        options: Any = ctx.options
        if self.own_trust and roots is not None:
            options.update(ssl_verify_upstream_trusted_ca=str(roots))
        if runtime is not None:
            runtime.proxies.keep(proxies_of(catalog))

    def _check_environment(self, env: Mapping[str, str]) -> None:
        """What is given there is meant: a mistake in it is no reason for a default."""
        port, level = env.get("PORT", ""), env.get("LOG_LEVEL", "")
        if port and ctx.options.listen_port is None:
            raise NotStarted(
                f"PORT={port} is not a port; write a number from 1 to 65535."
            )
        if level and level.lower() not in LEVELS:
            raise NotStarted(
                f"LOG_LEVEL={level} is no level; write one of {', '.join(LEVELS)}."
            )
        try:
            GitHub.from_environment(env)
        except ValueError as e:
            raise NotStarted(str(e)) from e

    def _config_path(self) -> Path:
        named = ctx.options.gateway_config or os.environ.get("LLM_GATEWAY_CONFIG")
        if named:
            path = Path(named).expanduser()
            if not path.is_file():
                raise NotStarted(
                    f"{path}: there is no such file. Write one with `llm-gateway init "
                    f"{path}`, or name another with --set gateway_config=FILE."
                )
            return path
        path = Path("config.jsonc")
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(example_config())
            self.made_config = True
        return path

    def _beyond_loopback(self) -> list[str]:
        """The modes in which somebody on another machine could reach us."""
        default = ctx.options.listen_host
        ask_themselves = ("socks5", "reverse") if ctx.options.proxyauth else ()
        return [
            mode.type_name
            for mode in map(ProxyMode.parse, ctx.options.mode)
            if mode.type_name in ("regular", "upstream", "socks5", "reverse")
            and not is_loopback(mode.listen_host(default))
            and mode.type_name not in ask_themselves
        ]

    # -- running ---------------------------------------------------------------

    def running(self) -> None:
        runtime = self.runtime
        if runtime is None or self.tasks:
            return
        log_redaction.install(runtime)
        flow_logs.silence(ctx.master)
        patches.drop_trailers()
        connecting.install()
        interim_responses.pass_over()
        # Names that resolve slowly wait in threads, and so does everything that reads a
        # disk: Python's own handful of threads would be full of them.
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        )
        if self.simulator is not None:
            self._task(self.simulator.start(), "simulator")
        keeper = mitm_hooks.install(ctx.master, origins_of(runtime.catalog))
        if keeper is not None:
            trusted = self.config_service.loader.roots

            def follow(new: Catalog) -> None:
                nonlocal trusted
                keeper.pool.set_origins(origins_of(new))
                if trusted != self.config_service.loader.roots:
                    trusted = self.config_service.loader.roots
                    keeper.trust_changed()

            runtime.on_config_change.append(follow)
        GracefulShutdown(runtime, ctx.master).install()
        self._task(self._open(runtime), "opening")
        self._task(self.config_service.watch(), "config watcher")
        runtime.polls = polls = ProviderPolls(runtime, self.config_service)
        self._task(polls.run(), "provider polls")
        self._task(load_prices(), "prices")

    async def _open(self, runtime: AppState) -> None:
        """Listen where we should, say so, and keep the dashboard's numbers fresh."""
        if self.not_yet is not None:
            self.not_yet.over()
        await listeners.listen(ctx.master)
        if _bound_port() is None:
            # mitmproxy has said why, but is past the point where it would exit for it.
            asyncio.get_running_loop().call_soon(sys.exit, 1)
            return
        listeners.raise_backlog(ctx.master)
        make_fast(ctx.master, os.environ)
        self._task(self._let_in(), "letting clients in")
        runtime.port = _bound_port() or runtime.port
        self.membership = ClusterMembership(runtime, self.config_service.loader.home)
        self.membership.start()
        await self._know_own_ports(runtime)
        runtime.publish()
        port = runtime.dashboard_port = self._dashboard_port(runtime)
        if port:
            self._start_dashboard(runtime, port)
        log_startup_summary(
            runtime, self.config_service.loader.home, self.made_config, port
        )
        await run_heartbeat(runtime)

    async def _know_own_ports(self, runtime: AppState) -> None:
        """Now that it is certain where we listen: a proxy that is us is none."""
        loader = self.config_service.loader
        ports = frozenset(a[1] for a in _bound_addresses())
        if ports == loader.own_ports:
            return
        loader.own_ports = ports
        if runtime.catalog.ways.proxies():
            with suppress(ConfigError):  # said already
                await self.config_service.reload()

    async def _let_in(self) -> None:
        """Clients come in when the last add-on that they need runs, which is behind us."""
        addons: Any = ctx.master.addons
        certificates = addons.get("tlsconfig")
        while certificates is not None and certificates.certstore is None:
            await asyncio.sleep(LOOK_SECONDS)
        self.early_clients.ready.set()

    def _task(self, work: Any, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.tasks.append(loop.create_task(work, name=name))

    def _dashboard_port(self, runtime: AppState) -> int:
        given = int(ctx.options.gateway_dashboard_port)
        return given if given >= 0 else runtime.catalog.config.dashboard.port

    def _start_dashboard(self, runtime: AppState, port: int) -> None:
        from llm_gateway.dashboard_process.child import DashboardProcess

        self.dashboard = DashboardProcess(
            runtime.store.path,
            port,
            gateway_url=f"http://127.0.0.1:{runtime.port}",
            home=self.config_service.loader.home,
            hosts=runtime.catalog.config.server.allowed_hosts,
        )
        self.dashboard.start()

    def done(self) -> None:
        """mitmproxy ends, or only reads the script again: then everything stays."""
        runtime = self.runtime
        if runtime is None or not ctx.master.should_exit.is_set():
            return
        for settle in runtime.on_shutdown:
            settle()
        if self.membership is not None:
            self.membership.stop()
        for task in self.tasks:
            task.cancel()
        if self.simulator is not None:
            self.simulator.stop()
        if self.dashboard is not None:
            self.dashboard.stop()
        runtime.save_signed_blocks()
        runtime.store.close()


def build_handler(
    state: AppState,
    admin_routes: AdminRoutes,
    exchanges: MutableMapping[http.HTTPFlow, AnyExchange],
    tunnels: MutableMapping[connection.Client, str],
) -> RequestHandler:
    """The pipeline, wired: each stage gets those that it hands on to."""
    settlement = Settlement(state)
    return RequestHandler(
        state,
        exchanges,
        admission=AccessControl(state, tunnels),
        management=admin_routes,
        serving=Forwarder(state, settlement, FailureHandler(state, settlement)),
        settling=settlement,
        passing=Passthrough(state),
        accounts=AccountRequests(state, settlement),
    )


def make_fast(master: Any, env: Mapping[str, str]) -> None:
    """Put the fast path in place, where it is wanted, there, and fits this mitmproxy.

    One line says so where something is left out: requests are served alike, and slower.
    """
    if env.get(FASTPATH, "").lower() in ("off", "0", "no", "false"):
        logger.info("The fast path is off (%s).", FASTPATH)
        return
    if importlib.util.find_spec("llm_gateway.fastpath") is None:
        logger.info("The fast path is not installed.")
        return
    from llm_gateway import fastpath

    if off := fingerprints.groups_off():
        logger.info(
            "This mitmproxy was not compared with %s in part; its own code is used: %s. "
            "More: python -m llm_gateway.mitm_compat",
            VERIFIED,
            "; ".join(f"{group} ({GROUPS[group]})" for group in off),
        )
    fastpath.install(master)


def _bound_port() -> int | None:
    addresses = _bound_addresses()
    return int(addresses[0][1]) if addresses else None


def _bound_addresses() -> list[Any]:
    addons: Any = ctx.master.addons
    server = addons.get("proxyserver")
    return list(server.listen_addrs()) if server else []


async def load_prices() -> None:
    """genai-prices takes half a second to import: not when the first request waits."""
    from llm_gateway.accounting import prices

    await asyncio.to_thread(prices.known_price, "openai", "gpt-4o-mini", time.time())


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


def origins_of(catalog: Catalog) -> list[tuple[Origin, ProxyServer | None]]:
    """Where connections are kept warm: the configured providers' own addresses, each with
    the proxy by way of which it is reached."""
    return [
        (up.origin, up.proxy_for(up.origin.scheme, up.origin.host, up.origin.port))
        for up in catalog.upstreams.values()
    ]
