"""Several gateways, one set of limits: counters shared on a Valkey or Redis server.

    service      a member's life: connect, fold, serve, away, back
    ├── link     the connection: batches, timeouts, reconnecting
    ├── names    how accounts and windows are called among members
    ├── batches  operations of `counters.lua`, as values
    ├── words    what providers said, passed on to the other members
    └── ledger_stream   finished requests of all members, in one ledger

Imported only where the configuration has `cluster`. The counters' arithmetic on the server
is `counters.lua`; on this side the engine of `limits` goes on being what routing asks.
"""
