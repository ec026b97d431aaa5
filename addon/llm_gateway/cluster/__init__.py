"""Several gateways, one set of limits: counters shared on a Valkey or Redis server.

    service              a member, as the rest of the house sees it
    ├── connecting       hello, fold, up, away: the state of a member
    ├── granting         reservations confirmed, settlements told
    ├── looks            the others' use of each window
    ├── folding          this member's part of every window, replaced whole
    ├── heartbeat        a sign of life a second, and the others'
    ├── word_exchange    what providers said, told and heard
    └── ledger_stream    finished requests of all members, in one ledger
        link             the connection: batches, timeouts, reconnecting
        batches, words   operations of the script, and words, as values
        names            how accounts and windows are called among members
        script           `counters/*.lua`: the arithmetic on the server

Imported only where the configuration has `cluster`. On this side the engine of `limits`
goes on being what routing asks.
"""
