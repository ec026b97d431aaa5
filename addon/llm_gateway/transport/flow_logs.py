"""Silences mitmproxy's log records for each connection and flow: "client connect" and the like.

The gateway writes a line of its own for each request. mitmproxy's would also name the
hosts that a client opens tunnels to, which is nobody's business, and would come whatever
level the gateway's log has. Warnings and errors still come.
"""

import logging
from typing import Any

INTERACTIVE = ("view", "eventstore")
"""Add-ons of mitmproxy's console and web interface. Where one is present a person
looks at flows and types commands: nothing is silenced."""

QUIET = ("mitmproxy.proxy.server",)
"""Loggers that make records for each connection and flow: client connect,
server connect, "Streaming response from ..."."""


def is_interactive(master: Any) -> bool:
    """Is this mitmproxy's console or web interface, not mitmdump?"""
    return any(name in master.addons.lookup for name in INTERACTIVE)


def are_wanted(master: Any) -> bool:
    """Someone looks at flows, or asked to see everything (`termlog_verbosity=debug`)."""
    return (
        is_interactive(master)
        or getattr(master.options, "termlog_verbosity", "") == "debug"
    )


def silence(master: Any) -> None:
    """Call it in the add-on's `running`, when options are final.

    A logger's level is the cheap way: the record is never made.
    """
    if are_wanted(master):
        return
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
