"""Listening sockets and mitmproxy's options: address, port, backlog.

`set_options` belongs into the add-on's `load`, `listen` into its `running`: from Python 3.12
on mitmproxy reads where to listen before it loads a script.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.mode_specs import ProxyMode, UpstreamMode

from llm_gateway.mitm_compat import h2_version

BACKLOG = 1024
"""Connections that wait to be accepted; the kernel may have its own, lower limit."""

EVERYWHERE = ("0.0.0.0", "::")


def set_options(options: Any) -> None:
    """Set the options that a gateway depends on. Call it from the add-on's `load`.

    `connection_strategy` and `upstream_cert`: no connection to a host before we have
    chosen the provider. `onboarding`: no page of mitmproxy's own. `flow_detail`: the
    gateway has a line per request of its own (2 and more are left as asked for).
    `http2`: off where the library for it is one to be attacked through.
    Header validation stays on.
    """
    wanted: dict[str, Any] = {
        "connection_strategy": "lazy",
        "upstream_cert": False,
        "onboarding": False,
    }
    if h2_version.too_old() and options.http2:
        wanted["http2"] = False
    if "flow_detail" in options and options.flow_detail == 1:
        wanted["flow_detail"] = 0
    options.update(**wanted)


def call_off(master: Any) -> None:
    """Call from `load`: mitmproxy is not to listen yet, `listen` will see to it.

    From Python 3.12 on mitmproxy has read where to listen by then, and would, for as long
    as it takes to read the configuration, answer on all interfaces. It has not bound a
    socket yet: it waits for a thread that looks the address up.
    """
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is Proxyserver.setup_servers.__code__:
            task.cancel()


def raise_backlog(master: Any, backlog: int = BACKLOG) -> None:
    """Let more connections wait to be accepted than asyncio's 100, so that a burst of
    clients is not turned away. Listening again on a socket that listens changes just that.
    """
    for server in master.addons.get("proxyserver").servers:
        for listener in getattr(server, "_servers", ()):
            for listening in getattr(listener, "sockets", ()):
                with socket.socket(fileno=os.dup(listening.fileno())) as same:
                    if same.type == socket.SOCK_STREAM:
                        same.listen(backlog)


async def listen(master: Any) -> None:
    """Listen where the options say. Await it in the add-on's `running`, before `slim`.

    From Python 3.12 on mitmproxy reads `listen_host` and `listen_port` before it loads a
    script: what the script sets in `load` comes too late (`call_off`).
    """
    servers = master.addons.get("proxyserver").servers
    wanted = [ProxyMode.parse(mode) for mode in master.options.mode]
    right = [
        s.mode
        for s in servers
        if s.mode in wanted and _listens_as_told(s, master.options)
    ]
    if len(right) < len(wanted):
        for server in list(servers):
            if not server.is_running:  # nothing to stop
                servers._instances.pop(server.mode, None)
        await servers.update(right)
        await servers.update(wanted)


def _listens_as_told(server: Any, options: Any) -> bool:
    host = server.mode.listen_host(options.listen_host)
    port = server.mode.listen_port(options.listen_port)
    if not server.is_running:
        return False  # the port that was tried first is somebody else's
    return not any(
        (address[0] in EVERYWHERE and host and host not in EVERYWHERE)
        or (port and address[1] != port)
        for address in server.listen_addrs
    )


class SuppressBindErrors(logging.Filter):
    """Keeps quiet about a port that nobody asked for.

    While `listen` has not come, mitmproxy may have tried 8080 in vain although the script
    says another one, and would take its own complaint for a reason to exit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.handlers = tuple(logging.getLogger().handlers)
        for handler in self.handlers:
            handler.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return "failed to listen on" not in record.getMessage()

    def over(self) -> None:
        for handler in self.handlers:
            handler.removeFilter(self)


def without_upstream_mode(modes: Sequence[str]) -> tuple[list[str], list[str]]:
    """mitmproxy's modes with `regular` in place of each `upstream:URL`, and the URLs: it
    is the gateway that opens connections by way of a proxy (transport/connecting.py)."""
    kept, urls = [], []
    for text in modes:
        mode = ProxyMode.parse(text)
        if isinstance(mode, UpstreamMode):
            urls.append(f"{mode.scheme}://{_place(*mode.address)}")
            _, at, listening = text.rpartition("@")
            own = mode.custom_listen_port is not None
            text = f"regular@{listening}" if at and own else "regular"
        kept.append(text)
    return kept, list(dict.fromkeys(urls))


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
