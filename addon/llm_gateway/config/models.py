"""What a config says: frozen pydantic models, one per section.

What lives here: the keys of `config.jsonc` outside of `providers[]` (those are in
`provider.py` and can be imported from here). Keys are camelCase in the file and
snake_case here; an unknown key is an error. What this file does not know: files,
`${NAME}`, line numbers, what follows from several keys together (`checks.py`).

    Config
    ├── providers[]: Provider ── flatRate, limits, resets, simulator
    │   └── models[]: Model ──── pricing, limits
    ├── routing, budget, intercept, storage, server, network, dashboard
    └── clients[]: Client ────── limits
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from llm_gateway.domain import Metric, Policy

from .fields import (
    Count,
    Dollars,
    Flag,
    HostAndPort,
    HostOrNetwork,
    HostPattern,
    NetworkProxy,
    NoProxyEntry,
    Port,
    Seconds,
    Secret,
    Text,
    WebOrigin,
)
from .provider import (
    Amount,
    FlatRate,
    Limits,
    Model,
    Pricing,
    Provider,
    Resets,
    Section,
    Simulator,
    amounts,
)

__all__ = [
    "Amount",
    "Budget",
    "Client",
    "Config",
    "Dashboard",
    "FlatRate",
    "Intercept",
    "Limits",
    "Model",
    "Network",
    "Pricing",
    "Provider",
    "Resets",
    "Routing",
    "Section",
    "Server",
    "Simulator",
    "Storage",
]


class Routing(Section):
    """How a provider is chosen, and how long it is waited for."""

    policy: Policy = Policy.FREE_FIRST
    """free-only: nothing that costs, ever. free-first: what costs nothing before what does. any: cost plays no part in the order."""
    max_attempts: Annotated[Count, Field(ge=1, le=100)] = 4
    """Providers that are tried for one request."""
    unknown_model: Literal["passthrough", "reject"] | None = None
    """Intercepted request for a model that no provider has: let it pass to its own host with the app's own key, or refuse it; default: passthrough, under free-only reject."""
    exhausted: Literal["refuse", "passthrough"] = "refuse"
    """When every provider of the model is exhausted: answer 429, or let intercepted requests pass to their own host with the app's own key."""
    connect_timeout_seconds: Seconds = 10.0
    """Seconds to connect, TLS included."""
    first_byte_timeout_seconds: Seconds = 60.0
    """Seconds until the answer begins; then the next provider is tried."""
    idle_timeout_seconds: Seconds = 120.0
    """Seconds of silence after which a stream is cut."""
    deadline_seconds: Seconds = 600.0
    """Seconds after which no further provider is tried."""
    sticky: Flag = True
    """true: a conversation stays for 30 minutes with the free provider whose cache knows it."""
    translate: Flag = True
    """true: providers that do not speak an app's API format are asked in theirs, behind those of the same cost that do; false: never."""
    answer_model: Literal["upstream", "requested"] = "upstream"
    """Name of the model in answers: the provider's, or the one the client asked for."""


class Budget(Section):
    """The most that all paid requests together may cost. Without it: no bound."""

    cost_per_minute: Dollars | None = None
    """US$ in any 60 seconds."""
    cost_per_hour: Dollars | None = None
    """US$ in any 60 minutes."""
    cost_per_day: Dollars | None = None
    """US$ in any 24 hours."""
    cost_per_month: Dollars | None = None
    """US$ in a calendar month, UTC."""

    def amounts(self) -> Iterator[Amount]:
        """What is given, as (metric, window, amount); cost in nano-dollars."""
        return amounts(self, Metric.COST)


class Intercept(Section):
    """What is decrypted when apps use the gateway as a proxy."""

    hosts: tuple[HostPattern, ...] = ()
    """Hosts besides the known LLM hosts; `*.example.com` means every name below it."""
    passthrough: Literal["all", "free"] | None = None
    """Whether only what is free there may pass. Default: `free` under `free-only`."""


class Client(Section):
    """An app or a person with a key of its own for this gateway."""

    name: Text
    """Its name in reports: unique."""
    key: Secret
    """What it sends as API key: unique."""
    policy: Policy | None = None
    """Tightens `routing.policy` for this client."""
    limits: Limits = Limits()
    """The most that this client may use, over all providers."""


class Storage(Section):
    """How the ledger is kept."""

    retention_days: Annotated[Count, Field(ge=1, le=36_500)] = 90
    """Days for which single requests are kept; sums per day stay."""
    durability: Literal["normal", "full"] = "normal"
    """normal: nothing is lost when the process dies; full: nor when the power fails (slower)."""


class Server(Section):
    """Who may reach the gateway's own port with a browser, and what is reached through it."""

    allowed_hosts: tuple[HostAndPort, ...] = ()
    """Names besides localhost by which the gateway may be addressed; with another port: `name:port`."""
    allowed_origins: tuple[WebOrigin, ...] = ()
    """Web pages that may use /v1/*, e.g. http://localhost:3000."""
    allowed_tunnels: tuple[HostOrNetwork, ...] = ()
    """Hosts and networks inside (this machine, private addresses) that apps may reach through the proxy: `git.corp.example`, `*.corp.example`, `10.0.0.0/8`."""


class Network(Section):
    """How connections leave this machine: providers, tunnels of apps, sign-in."""

    proxy: NetworkProxy = SecretStr("env")
    """Outbound proxy: `http://`, `https://`, `socks5://` (we look names up) or `socks5h://` (it does), with user and password where it wants them; "env": HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment; "none": no proxy."""
    no_proxy: tuple[NoProxyEntry, ...] = ()
    """Hosts that are reached directly: names with all below them, addresses, networks, each with or without `:port`; `*` is everything. This machine always is."""
    ca_file: Text | None = None
    """PEM file of certificate authorities that are trusted besides the system's, for companies that read TLS."""


class Dashboard(Section):
    """The Datasette that is started beside the gateway."""

    port: Port = 8001
    """TCP port; 0: do not start it."""


class Config(Section):
    """The whole of `config.jsonc`."""

    schema_address: Text | None = Field(default=None, alias="$schema")
    """Address of the JSON schema, for editors; the gateway does not read it."""
    log_level: Literal["trace", "debug", "info", "warn", "error", "fatal"] = "info"
    """How much is logged."""
    providers: tuple[Provider, ...] = ()
    """Who can answer."""
    routing: Routing = Routing()
    """How a provider is chosen, and how long it is waited for."""
    budget: Budget = Budget()
    """The most that all paid requests together may cost."""
    intercept: Intercept = Intercept()
    """What is decrypted when apps use the gateway as a proxy."""
    clients: tuple[Client, ...] = ()
    """Apps and people with keys of their own."""
    storage: Storage = Storage()
    """How the ledger is kept."""
    server: Server = Server()
    """Who may reach the gateway's own port with a browser."""
    network: Network = Network()
    """How connections leave this machine."""
    dashboard: Dashboard = Dashboard()
    """The Datasette that is started beside the gateway."""
