"""The tables that say how things stand now, each written whole.

What lives here: the running configuration without secrets (`providers`, `models`,
`limits`), the moment's state (`limit_state`, `offer_state`, `billed_offers`,
`gateway_state`), and how their rows are made. Only the newest version of each counts: one that was not written yet
is replaced by the next.

What this file does not know: files, threads, when something is written.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from llm_gateway.adaptation.conversation_quirks import MOST as MOST_CONVERSATIONS
from llm_gateway.adaptation.conversation_quirks import Row as ConversationRow
from llm_gateway.adaptation.learned import LearnedQuirk
from llm_gateway.adaptation.sentences import sentence
from llm_gateway.adaptation.signed_blocks import MOST as MOST_BLOCKS
from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.domain import Candidate, Limit, Metric, Offer, Origin, Price
from llm_gateway.ledger.rows import Row, dollars, iso_or_none, storable
from llm_gateway.limits.values import LimitStatus
from llm_gateway.timestamps import iso, unix


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A table's whole content."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def clearing(self) -> str:
        return f"DELETE FROM {self.table}"

    @property
    def sql(self) -> str:
        names = ", ".join(f'"{c}"' for c in self.columns)
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT OR REPLACE INTO {self.table} ({names}) VALUES ({marks})"

    def after(self, earlier: "TableSnapshot | None") -> "TableSnapshot":
        """What is to be written when `earlier` was not written yet: the newer alone."""
        return self


@dataclass(frozen=True, slots=True)
class AddedRows(TableSnapshot):
    """Rows that are added to a table of which only the newest are kept, by its `n`."""

    most: int

    @property
    def clearing(self) -> str:
        # Of the rows that are to come, each takes the place of one.
        place = f"(SELECT max(n) FROM {self.table})"
        return f"DELETE FROM {self.table} WHERE n <= {place} - {self.most - len(self.rows)}"

    def after(self, earlier: TableSnapshot | None) -> TableSnapshot:
        if earlier is None:
            return self
        return replace(self, rows=(*earlier.rows, *self.rows)[-self.most :])


@dataclass(frozen=True, slots=True)
class Change(TableSnapshot):
    """A statement that changes a table by what is in it already; may be done again."""

    statement: str

    @property
    def clearing(self) -> str:
        return self.statement

    @property
    def sql(self) -> str:
        return "DELETE FROM unsent WHERE false"  # there is no row to write


def members(rows: Iterable[Row]) -> TableSnapshot:
    """The gateways of the cluster, each with its heartbeat."""
    columns = ("member", "heartbeat", "state", "host", "port", "version")
    more = ("in_flight", "clock_offset_ms", "config_revision")
    return TableSnapshot("members", (*columns, *more), tuple(rows))


def collecting(collector: str, ledger: str) -> tuple[TableSnapshot, TableSnapshot]:
    """Finished requests go to this collector from now on: all that there are, and all
    that will be. `ledger` tells the numbers of this file from those of another."""
    fill = Change(
        "unsent (fill)",
        (),
        (),
        "INSERT OR IGNORE INTO unsent (request) SELECT id FROM requests"
        " WHERE member IS NULL AND outcome <> 'in_flight' ORDER BY ts",
    )
    named = TableSnapshot(
        "collecting", ("id", "collector", "ledger"), ((1, collector, ledger),)
    )
    return named, fill


def sent(number: int) -> TableSnapshot:
    """The collector has everything up to this one."""
    sql = f"DELETE FROM unsent WHERE n <= {int(number)}"
    return Change("unsent (sent)", (), (), sql)


COLLECTOR = "SELECT collector, ledger FROM collecting"
MADE = "SELECT min(applied_at) AS made FROM _sqlite_migrations"
UNSENT = """
SELECT unsent.n AS n, requests.* FROM unsent JOIN requests ON requests.id = unsent.request
WHERE unsent.n > :after ORDER BY unsent.n LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """How the gateway itself is: one row, refreshed as a heartbeat."""

    version: str
    started_at: float
    heartbeat: float
    port: int | None = None
    pid: int | None = None
    policy: str | None = None
    budget_set: bool | None = None
    """A budget or a cost limit bounds paid use; None: no configuration is loaded."""
    config_revision: str | None = None
    config_loaded_at: float | None = None
    config_error: str | None = None
    """Why the newest config was refused."""
    degraded: Sequence[str] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the dashboard should know; stored as JSON."""


class Running(Protocol):
    """What is read of the catalog in force."""

    @property
    def config(self) -> Any:
        """`.providers`, each with id, type, enabled, free and flat_rate."""

    @property
    def offers(self) -> tuple[Offer, ...]: ...

    @property
    def upstreams(self) -> Mapping[tuple[str, str], Any]:
        """(provider, account) -> what has an `.origin`."""

    @property
    def budget(self) -> tuple[Limit, ...]: ...

    @property
    def without_models(self) -> Mapping[str, str]:
        """Providers that have no offer -> why."""


def scope_columns(scope: Sequence[str]) -> tuple[str, str, str, str, str]:
    """(scope, provider, account, model, client), '' where a scope has no such part.

    Raises:
        ValueError: that is no limit's scope.
    """
    match tuple(scope):
        case ("client", name):
            return ("client", "", "", "", name)
        case (kind, provider, account, model):
            return (kind, provider, account, model, "")
        case (kind, provider, account):
            return (kind, provider, account, "", "")
        case (kind, *_):
            return (kind, "", "", "", "")
    raise ValueError(f"{scope!r} is not a limit's scope")


def amount(metric: Metric, value: int) -> int | float:
    """Requests and tokens as they are, nano-dollars as US$."""
    return value / 1e9 if metric is Metric.COST else value


_LIMIT = ("scope", "provider", "account", "model", "client", "metric", "window")


def _limit(limit: Limit) -> Row:
    return (*scope_columns(limit.scope), limit.metric.value, limit.window.value)


def _used(standing: LimitStatus) -> int:
    """What we counted, or more where the provider says that less is left."""
    said = standing.limit.amount - standing.remaining - standing.reserved
    return max(standing.used, said)


def limit_state(standings: Iterable[LimitStatus], now: float) -> TableSnapshot:
    """Every limit with what stands against it, as `/usage/current` says it."""
    columns = (
        *_LIMIT,
        *("used", "reserved", "amount", "resets_at"),
        *("source", "as_of", "observed_at", "updated_at"),
    )
    rows = tuple(
        (
            *_limit(s.limit),
            amount(s.limit.metric, _used(s)),
            amount(s.limit.metric, s.reserved),
            amount(s.limit.metric, s.limit.amount),
            iso_or_none(s.resets_at),
            s.source,
            s.limit.as_of,
            iso_or_none(s.observed_at),
            iso(now),
        )
        for s in standings
    )
    return TableSnapshot("limit_state", columns, rows)


def offer_state(candidates: Iterable[Candidate], now: float) -> TableSnapshot:
    """Every offer with its state word, the reason for it and when it comes back."""
    columns = ("provider", "account", "model", "name", "free", "state", "reason")
    rows = tuple(
        (
            *(c.offer.provider, c.offer.account, c.offer.model, c.offer.name),
            *(int(c.offer.zero_cost), c.state, storable(c.reason)),
            iso_or_none(c.returns_at),
            iso(now),
        )
        for c in candidates
    )
    return TableSnapshot("offer_state", (*columns, "returns_at", "updated_at"), rows)


def billed_offers(
    until: Mapping[tuple[str, ...], float], revision: str, now: float
) -> TableSnapshot:
    """(provider, account) or (provider, account, model) that was billed though it counts
    as free -> when it is asked again; under the configuration of this revision only."""
    columns = ("provider", "account", "model", "returns_at", "config_revision")
    rows = tuple(
        (key[0], key[1], key[2] if len(key) > 2 else "", iso(at), revision, iso(now))
        for key, at in until.items()
    )
    return TableSnapshot("billed_offers", (*columns, "updated_at"), rows)


def gateway_state(state: GatewayState, degraded: Sequence[str]) -> TableSnapshot:
    """`degraded`: the ledger's own reasons, shown after the gateway's."""
    row: dict[str, str | int | float | None] = {
        "id": 1,
        "version": state.version,
        "port": state.port,
        "pid": state.pid,
        "started_at": iso(state.started_at),
        "heartbeat": iso(state.heartbeat),
        "policy": state.policy,
        "budget_set": None if state.budget_set is None else int(state.budget_set),
        "config_revision": state.config_revision,
        "config_loaded_at": iso_or_none(state.config_loaded_at),
        "config_error": storable(state.config_error),
        "degraded": json.dumps(list(dict.fromkeys([*state.degraded, *degraded]))),
        "detail": json.dumps(dict(state.detail)),
    }
    return TableSnapshot("gateway_state", tuple(row), (tuple(row.values()),))


# -- what refusals taught ------------------------------------------------------------

_QUIRKS = ("provider", "model", "dialect", "quirk", "says", "learned_at", "wording")
_QUIRK_COLUMNS = (*_QUIRKS, "words", "address", "uses")
ALL_QUIRKS = f"SELECT {', '.join(_QUIRK_COLUMNS)} FROM quirks ORDER BY learned_at"


def learned_quirks(lessons: Iterable[LearnedQuirk]) -> TableSnapshot:
    rows = tuple(
        (
            *(storable(x.provider), storable(x.model), x.dialect, str(x.quirk)),
            *(
                storable(sentence(x.quirk)),
                iso(x.at),
                x.wording,
                storable(x.words),
                x.address,
                x.uses,
            ),
        )
        for x in lessons
    )
    return TableSnapshot("quirks", _QUIRK_COLUMNS, rows)


def read_quirks(rows: Iterable[Mapping[str, Any]]) -> list[LearnedQuirk]:
    """Rows of another version, whose quirks mean nothing here, are left out."""
    found = []
    for row in rows:
        try:
            quirk, at = Quirk.parse(row["quirk"]), unix(row["learned_at"])
        except ValueError:
            continue
        place = row["provider"], row["model"], row["dialect"]
        more = row["wording"], row["words"], row["address"], row["uses"]
        found.append(LearnedQuirk(*place, quirk, at, *more))
    return found


CONVERSATION_QUIRKS = (
    "SELECT talk, quirks, learned_at FROM conversation_quirks ORDER BY n"
)


def conversation_quirks(rows: Iterable[ConversationRow]) -> TableSnapshot:
    """Hashes of conversations with what was learned of them, the newest last."""
    made = tuple((talk, quirks, iso(at)) for talk, quirks, at in rows)
    columns = ("talk", "quirks", "learned_at")
    return AddedRows("conversation_quirks", columns, made, MOST_CONVERSATIONS)


def read_conversation_quirks(
    rows: Iterable[Mapping[str, Any]],
) -> list[ConversationRow]:
    found = []
    for row in rows:
        with suppress(ValueError):
            found.append((row["talk"], row["quirks"], unix(row["learned_at"])))
    return found


SIGNED_BLOCKS = "SELECT hash, maker FROM opaque ORDER BY n"


def signed_blocks(known: Iterable[tuple[str, str]], now: float) -> TableSnapshot:
    """Hashes of signed blocks with their makers, the newest last."""
    rows = tuple((digest, storable(maker), iso(now)) for digest, maker in known)
    return AddedRows("opaque", ("hash", "maker", "ts"), rows, MOST_BLOCKS)


# -- the running configuration -------------------------------------------------------


def _base_url(origin: Origin) -> str:
    usual = {"https": 443, "http": 80}.get(origin.scheme)
    port = "" if origin.port == usual else f":{origin.port}"
    return f"{origin.scheme}://{origin.host}{port}{origin.path}"


def _providers(catalog: Running) -> TableSnapshot:
    upstreams = {key[0]: upstream for key, upstream in catalog.upstreams.items()}
    rows = []
    for provider in catalog.config.providers:
        offers = [o for o in catalog.offers if o.provider == provider.id]
        enabled = provider.enabled and any(o.enabled for o in offers)
        why = catalog.without_models.get(provider.id, "")
        reason = next((o.disabled_reason for o in offers if not o.enabled), why)
        upstream = upstreams.get(provider.id)
        rows.append(
            (
                *(provider.id, str(provider.type)),
                _base_url(upstream.origin) if upstream else None,
                max(1, len({o.account for o in offers})),
                int(enabled),
                "" if enabled else reason or "disabled",
                int(provider.free),
                float(provider.flat_rate.cost_per_month)
                if provider.flat_rate
                else None,
                _way_out(upstream) if upstream else "",
            )
        )
    columns = ("id", "type", "base_url", "accounts", "enabled", "reason", "free")
    more = ("flat_rate_usd_per_month", "way_out")
    return TableSnapshot("providers", (*columns, *more), tuple(rows))


def _way_out(upstream: Any) -> str:
    """`http://10.0.0.1:3128`; "" for directly."""
    origin = upstream.origin
    proxy = upstream.proxy_for(origin.scheme, origin.host, origin.port)
    return proxy.shown if proxy is not None else ""


def _prices(price: Price | None, listed: Price | None) -> Row:
    shown: Row = (None,) * 6
    if price is not None:
        cached = price.input if price.cached_input is None else price.cached_input
        write = price.input if price.cache_write is None else price.cache_write
        nanos = (price.input, price.output, cached, write, price.request)
        shown = (*map(dollars, nanos), price.source)
    if listed is None:
        return (*shown, None, None)
    return (*shown, dollars(listed.input), dollars(listed.output))


def _models(catalog: Running) -> TableSnapshot:
    rows: dict[tuple[str, str, str], Row] = {}
    for offer in catalog.offers:
        rows.setdefault(
            (offer.provider, offer.model, offer.name),
            (
                *(offer.provider, offer.model, offer.name),
                json.dumps(list(offer.aliases)),
                json.dumps(sorted(offer.dialects)),
                int(offer.enabled),
                storable(offer.disabled_reason),
                int(offer.zero_cost),
                offer.context_window,
                *_prices(offer.price, offer.list_price),
            ),
        )
    columns = (
        *("provider", "model", "name", "aliases", "dialects", "enabled", "reason"),
        *("free", "context_window", "input_usd_per_million", "output_usd_per_million"),
        *("cached_input_usd_per_million", "cache_write_usd_per_million"),
        *("usd_per_request", "price_source"),
        *("list_input_usd_per_million", "list_output_usd_per_million"),
    )
    return TableSnapshot("models", columns, tuple(rows.values()))


def _limits(limits: Iterable[Limit]) -> TableSnapshot:
    rows = {
        limit.key: (
            *_limit(limit),
            amount(limit.metric, limit.amount),
            f"{limit.reset.hour:02}:{limit.reset.minute:02} {limit.reset.zone}"
            if limit.reset
            else None,
            limit.source,
            limit.as_of,
        )
        for limit in limits
    }
    columns = (*_LIMIT, "amount", "reset", "source", "as_of")
    return TableSnapshot("limits", columns, tuple(rows.values()))


def running_config(
    catalog: Running, clients: Iterable[Limit] = ()
) -> tuple[TableSnapshot, ...]:
    """`providers`, `models` and `limits` of the catalog in force; no secrets.

    `clients`: the limits of the configured clients.
    """
    limits = [limit for offer in catalog.offers for limit in offer.limits]
    return (
        _providers(catalog),
        _models(catalog),
        _limits([*limits, *clients, *catalog.budget]),
    )
