"""LLM Gateway: one request in, the best provider of the moment answers.

A request's way: `addon` (hooks) -> `pipeline.handler` -> `routing.selection` (decide) ->
`limits.limiter` (reserve) -> `pipeline.forwarding` (send) -> `transport` (attempt, failover)
-> `pipeline.settlement` (settle, ledger row).

Layers; imports point up this list only (tests/test_architecture.py):

    frozen ids timestamps secret_patterns private_files   stdlib
    domain                       values that travel: frozen dataclasses
    dialects                     API formats: one folder and one row each
    config                       config.jsonc: read, checked, edited
    network                      outgoing connections: addresses, other proxies, sleep
    accounting                   usage and prices
    streaming adaptation         event streams; what a model does not take
    limits                       rate limits: windows, reservations, observed quotas
    providers                    rows of provider types, catalog, credentials
    client_identity routing      who asks; selection, affinity, health, failure policy
    ledger                       SQLite, one writer thread
    mitm_compat                  which code of mitmproxy was compared
    transport                    HTTP inside mitmproxy: attempts, framing, local responses
    pool fastpath                optional: connection pool, shorter ways through mitmproxy
    app                          process state, configuration service, heartbeat, shutdown
    admin                        management API
    pipeline                     a request's stages
    startup                      parts of a start: environment, building, listening
    bootstrap addon              composition root; mitmproxy's hooks

The core, down to `routing` but for `network`, knows no socket, clock, disk or mitmproxy: time is an argument,
verdicts are returned, exceptions are for what nobody planned.

Glossary:

    dialect      an API format (chat, messages, ...)
    provider     a configured service; account: one key of it
    offer        a model of an account of a provider; candidate: an offer in one decision
    attempt      one request to one upstream; failover: the next attempt after a failed one
    exchange     a client's request from its arrival to its row
    ingress      how it reached us: base URL, forward proxy, tunnel
    passthrough  it goes to the app's own host with the app's own key
    charge       what an attempt takes from limits: requests, tokens, cost
    reservation  a charge that is held until usage is known; settle, release
    quirk        what a provider's model does not take, learned from a refusal
"""

__version__ = "0.1.0"
