"""Why the shared server does not answer: an error of the connection, in words of our own.

What lives here: `Away`, and the table of what a server or a connection may say. What it
does not know: connections, when they are tried again.
"""

import ssl

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as SlowServer

LACKS = "the user lacks a right; see the list in docs/cluster.md"
TOO_OLD = "the server lacks a command; Valkey 7.2 or Redis 7 is needed"
SHARDED = (
    "the server is one of several shards; name the one that has this cluster's slot"
)
CLOSED = (
    "the server takes only its own machine (protected mode); give it a password, and the"
    " address of this network to listen on"
)
NO_HOST = "its host is not known"
NO_SERVER = "what answers there is no Valkey or Redis server"


class Away(Exception):
    """The server did not answer, or refused. The text says why, without any address."""


def reason(error: BaseException) -> str:
    """What went wrong, in words of our own: no address, no password."""
    match error:
        case TimeoutError() | SlowServer():
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
        case MasterDownError():
            return "the server is a replica that lost its first"
        case BusyLoadingError():
            return "the server is loading its data"
        case MovedError() | AskError() | ClusterCrossSlotError():
            return SHARDED
        case TryAgainError():
            return "the server hands this cluster's slot to another shard"
        case ClusterDownError():
            return "the server's shards are not complete"
        case InvalidResponse():
            return NO_SERVER
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
        ("MISCONF", "the server cannot write its disk"),
        ("certificate", "TLS failed"),
        ("WRONGTYPE", "a key under its prefix is of another type; delete those keys"),
        ("ACL failure", LACKS),
        ("user executing the script can't", LACKS),
        ("NOPERM", LACKS),
        ("No permissions", LACKS),
        ("nknown command", TOO_OLD),
        ("nknown Redis command", TOO_OLD),
        ("Write commands not allowed after non deterministic", TOO_OLD),
        ("not allowed in cluster mode", "the server has one database only; name none"),
        ("DB index is out of range", "the server has no database of that number"),
        ("protected mode", CLOSED),
        ("max number of clients reached", "the server has too many connections"),
        ("BUSY", "the server is busy with somebody's script"),
        ("Protocol Error", NO_SERVER),
        ("Name or service not known", NO_HOST),
        ("No address associated", NO_HOST),
        ("nodename nor servname", NO_HOST),
        ("Temporary failure in name resolution", NO_HOST),
        ("No such file or directory", "there is no socket of that name"),
        ("Permission denied", "this user may not open its socket"),
        ("No route to host", "there is no way to its host"),
        ("Network is unreachable", "there is no way to its host"),
        ("WRONG_VERSION_NUMBER", "the server speaks no TLS; write redis://"),
        ("wrong version number", "the server speaks no TLS; write redis://"),
        ("READONLY", "the server is a replica"),
    ):
        if mark in text:
            return said
    return f"connection lost ({type(error).__name__})"
