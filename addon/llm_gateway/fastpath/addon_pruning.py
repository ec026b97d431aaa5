"""Removes unused built-in add-ons of mitmproxy, makes log records cheaper, tunes the collector.

`apply(master)` in the add-on's `running` takes out the built-in add-ons that have nothing
to do, and what is done for each log record and nobody reads. Requests, providers and
limits are none of this module's business, and nothing here changes what travels through
the proxy or what the log says.

An add-on goes only when it would do nothing: its options stand at their
defaults, so `--set map_remote=...`, `--save-stream-file`, `--proxyauth` and their
relatives work as ever. Those options are looked at once, at start.
"""

import gc
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mitmproxy.log import LegacyLogEvents
from mitmproxy.master import Master
from mitmproxy.options import Options

from llm_gateway.fastpath import hook_dispatch
from llm_gateway.transport import flow_logs

logger = logging.getLogger(__name__)

Idle = Callable[[Options], bool]


def _unset(*names: str) -> Idle:
    """True while all these options are empty, absent or false."""
    return lambda options: (
        not any(name in options and getattr(options, name) for name in names)
    )


def _only_plain_modes(options: Options) -> bool:
    """True unless a `reverse:`, `dns`, `wireguard`, `local` or `tun` mode runs."""
    return all(
        mode.partition("@")[0].partition(":")[0] in {"regular", "upstream", "socks5"}
        for mode in options.mode
    )


def _only_here(options: Options) -> bool:
    """Only clients of this machine can connect."""
    return options.listen_host in {"127.0.0.1", "::1", "localhost"} and not any(
        "@" in mode for mode in options.mode
    )


def _never_shown(options: Options) -> bool:
    """True when mitmdump prints no flows: detail 0, or 1, its default, and no filter."""
    return options.flow_detail <= 1 and not options.dumper_filter


def _always(_: Options) -> bool:
    return True


PRUNED: Mapping[str, Idle] = MappingProxyType(
    {
        # They offer commands, which nobody types at mitmdump.
        "browser": _always,
        "commandhistory": _always,
        "comment": _always,
        "cut": _always,
        "export": _always,
        # They change flows when told to.
        "anticache": _unset("anticache"),
        "anticomp": _unset("anticomp"),
        "blocklist": _unset("block_list"),
        "mapremote": _unset("map_remote"),
        "maplocal": _unset("map_local"),
        "modifybody": _unset("modify_body"),
        "modifyheaders": _unset("modify_headers"),
        "stickyauth": _unset("stickyauth"),
        "stickycookie": _unset("stickycookie"),
        "proxyauth": _unset("proxyauth"),
        "upstreamauth": _unset("upstream_auth"),
        # They keep or replay flows when told to.
        "save": _unset("save_stream_file"),
        "savehar": _unset("hardump"),
        "serverplayback": _unset("server_replay"),
        # The page at http://mitm.it; `llm-gateway run` and `env` set up trust instead.
        "onboarding": _unset("onboarding"),
        # They matter in other modes than ours.
        "stripdnshttpsrecords": _only_plain_modes,
        "updatealtsvc": _only_plain_modes,
        "dumper": _never_shown,
        # It refuses clients from the open internet.
        "block": _only_here,
    }
)
"""Name of a built-in add-on -> when it has nothing to do.

What stays, and why: core, proxyserver, nextlayer, tlsconfig and dnsresolver are
the proxy; scriptloader holds us; disableh2c guards plain HTTP that passes through; clientplayback,
which listens to no flow, cannot be removed in mid-flight; termlog, errorcheck,
keepserving and readfile start and end the program.
"""

YOUNG_OBJECTS = 5_000
"""New objects between two collections of the youngest; 700 to 2000 in Python itself. What
is left of a client's connection, or of a stream that broke, stays for as long."""


def prune(master: Master) -> tuple[str, ...]:
    """Take out the built-in add-ons that have nothing to do; returns their names.

    Call it from the add-on's `running`: options are final and each add-on has
    started. Calling it again is harmless. Works with mitmproxy 11.0.2 to 12.x;
    a name that a version does not have is passed over.
    """
    if flow_logs.is_interactive(master):
        return ()
    addons: Any = master.addons
    gone = []
    for name, idle in PRUNED.items():
        addon = addons.get(name)
        if addon is not None and idle(master.options):
            addons.remove(addon)
            gone.append(name)
    return tuple(gone)


def unburden_collector() -> None:
    """Let the garbage collector leave alone what was there at start, and come less often.

    A request makes some thousand objects and, when it ends well, leaves no cycles: with
    Python's own threshold the collector ran every other request, for 4 % of the time.
    """
    gc.freeze()
    young, *older = gc.get_threshold()
    if 0 < young < YOUNG_OBJECTS:
        gc.set_threshold(YOUNG_OBJECTS, *older)


def apply(master: Master) -> None:
    """All of it. Call it once from the add-on's `running`."""
    gone = prune(master)
    cheapen_log_records(master)
    unburden_collector()
    logger.debug("Add-ons with nothing to do: %s.", ", ".join(gone) or "none")


def cheapen_log_records(master: Master) -> None:
    """Leave out what mitmproxy and Python do for each log record and nobody here reads.

    The bridge from log records to the `add_log` event, deprecated since mitmproxy 9, formats
    every line a second time, ours included: it goes when no add-on listens.
    """
    if flow_logs.are_wanted(master):
        return
    # Nothing that formats a line here asks for these, and each is a look-up per line.
    for name in ("Threads", "Processes", "Multiprocessing", "AsyncioTasks"):
        setattr(logging, f"log{name}", False)
    logging._srcfile = None  # no walk up the stack
    if not hook_dispatch.handlers(master.addons, "add_log"):
        root = logging.getLogger()
        for handler in list(root.handlers):
            if isinstance(handler, LegacyLogEvents):
                root.removeHandler(handler)
