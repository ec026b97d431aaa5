"""Why the shared server does not answer: an error of the connection, in words of our own.

What lives here: `Away`, and the table of what a server or a connection may say. What it
does not know: connections, when they are tried again.
"""

import ssl

from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
)

LACKS = "the user lacks a right; see the list in docs/cluster.md"
TOO_OLD = "the server lacks a command; Valkey 7.2 or Redis 7 is needed"
SHARDED = (
    "the server is one of several shards; name the one that has this cluster's slot"
)


class Away(Exception):
    """The server did not answer, or refused. The text says why, without any address."""


def reason(error: BaseException) -> str:
    """What went wrong, in words of our own: no address, no password."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case AuthenticationError():
            return "user or password is wrong"
        case NoPermissionError():
            return LACKS
        case NoScriptError():
            return "the script is gone"
        case OutOfMemoryError():
            return "the server is full (maxmemory)"
        case ReadOnlyError():
            return "the server is a replica"
        case ssl.SSLError():
            return "TLS failed"
        case ConnectionRefusedError():
            return "connection refused"
    text = str(error)
    for mark, said in (
        ("NOAUTH", "user or password is wrong"),
        ("WRONGPASS", "user or password is wrong"),
        ("invalid username-password", "user or password is wrong"),
        ("Authentication required", "user or password is wrong"),
        ("Connect call failed", "connection refused"),
        ("Connection refused", "connection refused"),
        ("OOM", "the server is full (maxmemory)"),
        ("LOADING", "the server is loading its data"),
        ("MISCONF", "the server cannot write its disk"),
        ("certificate", "TLS failed"),
        ("WRONGTYPE", "a key under its prefix is of another type; delete those keys"),
        ("ACL failure", LACKS),
        ("user executing the script can't", LACKS),
        ("NOPERM", LACKS),
        ("No permissions", LACKS),
        ("nknown command", TOO_OLD),
        ("nknown Redis command", TOO_OLD),
        ("MOVED", SHARDED),
        ("CROSSSLOT", SHARDED),
        ("READONLY", "the server is a replica"),
        ("MASTERDOWN", "the server is a replica that lost its first"),
    ):
        if mark in text:
            return said
    return f"connection lost ({type(error).__name__})"
