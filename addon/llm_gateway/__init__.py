"""LLM Gateway: one request in, the best provider of the moment answers.

The walk, left to right; nothing calls back up:

    edge      mitmproxy's hooks, the HTTP layer, timers          addon.py, edge/
    core      what was asked, who may answer, what comes next    dialects/, routing.py, limits/, failover.py
    values    frozen dataclasses that travel                     exchange.py
    ledger    one writer thread, SQLite                          ledger/
    dashboard Datasette reads what the ledger wrote              dashboard/

The core knows no socket, clock, disk or mitmproxy: time is an argument, verdicts
are returned, exceptions are for what nobody planned.
"""

__version__ = "0.1.0"
