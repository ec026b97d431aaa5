"""Composition root: builds, wires, starts and stops the gateway, from options.

What lives here: `Bootstrap`. Options are declared and set in `load`; in `configure` the
configuration, the ledger and the counters come up, before a client can connect; in
`running` the tasks begin and the log says what there is. mitmproxy takes an error that
is logged before `running` as a reason to exit with code 1, which is how a bad
configuration ends.

What this file does not know: requests.
"""

import asyncio
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader

from llm_gateway import late_patterns
from llm_gateway.app import log_redaction
from llm_gateway.app.cluster_membership import ClusterMembership
from llm_gateway.app.heartbeat import run_heartbeat
from llm_gateway.app.provider_polls import ProviderPolls
from llm_gateway.app.shutdown import GracefulShutdown
from llm_gateway.app.startup_log import log_startup_summary
from llm_gateway.app.state import AppState
from llm_gateway.config.problems import ConfigError
from llm_gateway.ledger.store import StoreError
from llm_gateway.startup.building import Built, build
from llm_gateway.startup.environment import NotStarted
from llm_gateway.startup.fast_path import make_fast
from llm_gateway.startup.listening import bound_addresses, bound_port, let_in
from llm_gateway.startup.outbound_network import proxies_of
from llm_gateway.startup.warm_connections import keep_connections
from llm_gateway.transport import (
    connecting,
    flow_logs,
    interim_responses,
    listeners,
    patches,
)
from llm_gateway.transport.early_clients import EarlyClients

logger = logging.getLogger("llm_gateway")

THREADS = 64
"""The most threads for what would block the event loop; they are made when needed."""


class Bootstrap:
    """The life of one gateway, from `load` to `done`."""

    def __init__(self) -> None:
        self.built: Built | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.early_clients = EarlyClients()
        self.membership: ClusterMembership | None = None
        self.not_yet: listeners.SuppressBindErrors | None = None
        self.dashboard: Any = None
        self.own_trust = False
        """mitmproxy was not told whom to trust."""
        self.upstream_urls: list[str] = []
        """What `--mode upstream:URL` named: the same as `network.proxy`."""

    @property
    def runtime(self) -> AppState | None:
        """The state of the process, once it is built."""
        return None if self.built is None else self.built.runtime

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
        if self.built is not None:
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

    def configure(self, updated: set[str]) -> Built | None:
        """What was built, when it was this call that did."""
        if self.built is not None or "gateway_config" not in updated:
            return None
        try:
            self.built = build(
                ctx.options,
                os.environ,
                upstream_urls=self.upstream_urls,
                own_trust=self.own_trust,
            )
        except (NotStarted, ConfigError, StoreError, OSError) as e:
            logger.error("The gateway does not start.\n%s", e)
        return self.built

    def running(self) -> None:
        built = self.built
        if built is None or self.tasks:
            return
        runtime, service = built.runtime, built.config_service
        log_redaction.install(runtime)
        flow_logs.silence(ctx.master)
        patches.drop_trailers()
        patches.check_status_lines()
        connecting.install()
        interim_responses.pass_over()
        # Names that resolve slowly wait in threads, and so does everything that reads a
        # disk: Python's own handful of threads would be full of them.
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        )
        self._task(built.simulator.start(), "simulator")
        keep_connections(ctx.master, runtime, service.loader)
        GracefulShutdown(runtime, ctx.master).install()
        self._task(self._open(built), "opening")
        self._task(service.watch(), "config watcher")
        runtime.polls = polls = ProviderPolls(runtime, service)
        self._task(polls.run(), "provider polls")

    async def _open(self, built: Built) -> None:
        """Listen where we should, say so, and keep the dashboard's numbers fresh."""
        runtime, home = built.runtime, built.config_service.loader.home
        if self.not_yet is not None:
            self.not_yet.over()
        await listeners.listen(ctx.master)
        if bound_port(ctx.master) is None:
            # mitmproxy has said why, but is past the point where it would exit for it.
            asyncio.get_running_loop().call_soon(sys.exit, 1)
            return
        listeners.raise_backlog(ctx.master)
        self._task(warm_up(), "warming up")
        make_fast(ctx.master, os.environ)
        self._task(let_in(ctx.master, self.early_clients), "letting clients in")
        runtime.port = bound_port(ctx.master) or runtime.port
        self.membership = ClusterMembership(runtime, home)
        self.membership.start()
        await self._know_own_ports(built)
        runtime.publish()
        port = runtime.dashboard_port = self._dashboard_port(runtime)
        if port:
            self._start_dashboard(built, port)
        log_startup_summary(runtime, home, built.made_config, port)
        await run_heartbeat(runtime)

    async def _know_own_ports(self, built: Built) -> None:
        """Now that it is certain where we listen: a proxy that is us is none."""
        loader = built.config_service.loader
        ports = frozenset(a[1] for a in bound_addresses(ctx.master))
        if ports == loader.own_ports:
            return
        loader.own_ports = ports
        catalog = built.runtime.catalog
        if catalog.ways.ours or proxies_of(catalog):
            with suppress(ConfigError):  # said already
                await built.config_service.reload()

    def _task(self, work: Any, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.tasks.append(loop.create_task(work, name=name))

    def _dashboard_port(self, runtime: AppState) -> int:
        given = int(ctx.options.gateway_dashboard_port)
        return given if given >= 0 else runtime.catalog.config.dashboard.port

    def _start_dashboard(self, built: Built, port: int) -> None:
        from llm_gateway.dashboard_process.child import DashboardProcess

        runtime = built.runtime
        self.dashboard = DashboardProcess(
            runtime.store.path,
            port,
            gateway_url=f"http://127.0.0.1:{runtime.port}",
            home=built.config_service.loader.home,
            hosts=runtime.catalog.config.server.allowed_hosts,
        )
        self.dashboard.start()

    def done(self) -> None:
        """mitmproxy ends, or only reads the script again: then everything stays."""
        built = self.built
        if built is None or not ctx.master.should_exit.is_set():
            return
        runtime = built.runtime
        for settle in runtime.on_shutdown:
            settle()
        if self.membership is not None:
            self.membership.stop()
        for task in self.tasks:
            task.cancel()
        built.simulator.stop()
        if self.dashboard is not None:
            self.dashboard.stop()
        runtime.save_signed_blocks()
        runtime.store.close()


async def warm_up() -> None:
    """What takes long when it is first needed: not at start, and not while the first
    request waits. genai-prices takes half a second to import."""
    from llm_gateway.accounting import prices

    await asyncio.to_thread(prices.known_price, "openai", "gpt-4o-mini", time.time())
    await asyncio.to_thread(late_patterns.compile_all)
