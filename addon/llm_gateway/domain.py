"""The values that travel through one request.

What lives here: frozen dataclasses and enums, in the order in which a request meets
them: what was asked (`GatewayRequest`), who could answer (`Offer`), what that would take
(`Charge`), what was decided (`Decision`), what happened (`Usage`, `AttemptRecord`,
`RequestRecord`). No behaviour beyond arithmetic on a value's own fields.

What this file does not know: sockets, clocks, disks, mitmproxy, pydantic.

Units, everywhere: time in unix seconds (float), tokens and requests as integers,
money in integer nano-dollars (1 US$ = 1_000_000_000), prices in nano-dollars per
million tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from llm_gateway.frozen import frozen

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


Dialect = NewType("Dialect", str)
"""The name of what a request is written in, as the config calls it: a row of
`dialects.SPECS`."""


class Metric(StrEnum):
    REQUESTS = "requests"
    TOKENS = "tokens"
    COST = "cost"


class Window(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Policy(StrEnum):
    """How freely money may be spent, tightest first."""

    FREE_ONLY = "free-only"
    FREE_FIRST = "free-first"
    ANY = "any"


@frozen
class Usage:
    """Tokens of one answer in disjoint classes: they add up to `total`."""

    input_tokens: int = 0
    """Prompt tokens that were neither read from nor written to a cache."""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    """Tokens of the visible answer, without reasoning."""
    reasoning_tokens: int = 0
    source: str = "unknown"
    """`reported` by the provider, `estimated` by us, or `unknown`."""
    model: str | None = None
    """The model the provider says that it was."""
    classes: tuple[tuple[str, int], ...] = ()
    """Those of the tokens above that have prices of their own, and what is billed
    beside tokens: (name of a row of `prices.CLASSES`, count)."""
    tariff: tuple[tuple[str, str], ...] = ()
    """What the answer says of the tariff it was served under: ("service_tier", "flex")."""
    parts: tuple["Usage", ...] = ()
    """The calls that one answer is the sum of, where each has a model (and a price) of
    its own: Anthropic's `iterations`. Empty: there was one."""
    bill: int | None = None
    """Nano-dollars that the provider says it charges for this answer."""

    @property
    def prompt(self) -> int:
        return self.input_tokens + self.cached_tokens + self.cache_write_tokens

    @property
    def completion(self) -> int:
        return self.output_tokens + self.reasoning_tokens

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@frozen
class Price:
    """Nano-dollars per million tokens, and per request."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    """None: cached input costs what input costs."""
    cache_write: int | None = None
    """None: writing to the cache costs what input costs."""
    request: int = 0
    """Nano-dollars per request, added to the token prices."""
    source: str = "config"
    """`config`, `list` (the provider's own), `catalog`, `genai-prices` or `local`."""
    tiers: tuple[tuple[int, "Price"], ...] = ()
    """(prompt tokens above which it applies, price), rising."""
    reasoning: int | None = None
    """None: reasoning costs what output costs (nearly everywhere)."""
    classes: tuple[tuple[str, int], ...] = ()
    """(name of a row of `prices.CLASSES`, nano-dollars per million of them)."""

    @property
    def is_zero(self) -> bool:
        return not (
            self.input
            or self.output
            or self.cached_input
            or self.cache_write
            or self.request
            or self.reasoning
        )


@frozen
class Charge:
    """What one request takes, or took, from every limit that applies."""

    requests: int = 0
    tokens: int = 0
    cost: int = 0
    """Nano-dollars."""

    def of(self, metric: Metric) -> int:
        match metric:
            case Metric.REQUESTS:
                return self.requests
            case Metric.TOKENS:
                return self.tokens
            case Metric.COST:
                return self.cost


@frozen
class Reset:
    """When a calendar window starts anew: a wall clock time in a zone."""

    hour: int = 0
    minute: int = 0
    zone: str = "UTC"
    """IANA name."""


@frozen
class Limit:
    """So much of a metric, per window, in a scope."""

    scope: tuple[str, ...]
    """("provider", id, account), ("model", id, account, model), ("client", name) or ("budget",)."""
    metric: Metric
    window: Window
    amount: int
    reset: Reset | None = None
    """None: the window rolls (a month then is a calendar month, UTC)."""
    source: str = "config"
    """`config`, `preset`, `header`, `body`, `learned` or `quota`: who says so."""
    as_of: str = ""
    """ISO date of a preset's source."""

    @property
    def key(self) -> tuple[str, ...]:
        """Identity: a changed amount is the same limit, and keeps what was spent."""
        return (*self.scope, self.metric.value, self.window.value)


@frozen
class Origin:
    """Where a provider's requests go."""

    scheme: str
    host: str
    port: int
    path: str
    """What stands before the dialect's path, without a trailing slash."""


@frozen
class Offer:
    """One model of one account of one provider: what can be chosen."""

    provider: str
    account: str
    """"" for the only account, else "1", "2", … in the order of `apiKeys`."""
    model: str
    """The name that the provider is sent."""
    type: str
    """The provider's type: a row of `providers.TYPES`."""
    name: str
    """The name that clients ask for."""
    aliases: tuple[str, ...] = ()
    mapped: bool = False
    """`mappedName` was given on purpose."""
    dialects: frozenset[Dialect] = frozenset()
    """Those that it is asked in."""
    presumed: frozenset[Dialect] = frozenset()
    """Of these, those that not every server of its kind speaks: what was asked in one is
    sent on as it is, and nothing is translated to them."""
    free: bool = False
    flat_rate: bool = False
    price: Price | None = None
    """None: unknown."""
    list_price: Price | None = None
    """What a paying customer would be charged; None: no saving is claimed."""
    genai: str | None = None
    """Whose public prices hold for it, in genai-prices' terms."""
    limits: tuple[Limit, ...] = ()
    """All that hold for this offer (provider's and model's; not client's or budget's)."""
    context_window: int | None = None
    max_output: int | None = None
    """The most tokens that an answer may be asked for; None: not known."""
    order: int = 0
    """Position in the config."""
    enabled: bool = True
    disabled_reason: str = ""
    """`disabled` or `not configured: GROQ_API_KEY is not set`."""

    key: tuple[str, str, str] = field(init=False, repr=False, compare=False)
    zero_cost: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for some fifty times per request, and made once per configuration.
        costs_nothing = (
            self.free
            or self.flat_rate
            or (self.price is not None and self.price.is_zero)
        )
        object.__setattr__(self, "key", (self.provider, self.account, self.model))
        object.__setattr__(self, "zero_cost", costs_nothing)

    @property
    def label(self) -> str:
        """`groq#2/llama-3.3-70b`, for logs, events and messages."""
        return offer_label(self.provider, self.account, self.model)


def offer_label(provider: str, account: str, model: str) -> str:
    return f"{provider}#{account}/{model}" if account else f"{provider}/{model}"


@frozen
class Extra:
    """A member of a body that may change who answers, or what an answer costs."""

    member: str
    """`models`, `tools`, `service_tier`, …; `content` for a kind of part."""
    word: str = ""
    """Its value, as far as it tells one from another: a tool's type, a plugin's id."""
    times: int = 1
    """How often it may be used, where the body bounds that."""


@frozen
class RequestInfo:
    """What a request says, as far as routing and limits need to know."""

    dialect: Dialect
    model: str
    stream: bool = False
    max_tokens: int | None = None
    wants_usage: bool = False
    """The client itself asked for usage in its stream."""
    input_estimate: int = 0
    """Prompt tokens, by the heuristic, before the learned correction."""
    conversation: str = ""
    """Hash of system and first user message: the same for all turns of a talk."""
    opening: str = ""
    """Hash of the first user message alone: what is kept of a talk goes by it."""
    initiator: str = "user"
    """`agent` when the last message is an assistant's or a tool's (Copilot bills by it)."""
    has_images: bool = False
    n: int = 1
    extras: tuple["Extra", ...] = ()
    """What it asks for beyond an answer: see `dialects.extras`."""
    thinking_budget: int = 0
    """Tokens of `max_tokens` that are for thinking: it has to stay above."""


@frozen
class GatewayRequest:
    """One client request that the gateway serves."""

    id: str
    """UUIDv7."""
    at: float
    ask: RequestInfo
    client: str
    """Client key's name, proxy user, or family of the User-Agent."""
    app: str
    """Family of the User-Agent."""
    known_client: str | None = None
    """Name of the `clients[]` entry that the key belongs to."""
    ingress: str = "base_url"
    """`base_url` or `proxy`."""
    host: str = ""
    """The host that an intercepted app named."""
    policy: Policy = Policy.FREE_FIRST
    """The tightest of the gateway's, the client's and the request's."""
    limits: tuple[Limit, ...] = ()
    """The client's own limits."""
    revision: str = ""
    """Config revision that this call is served under, whole."""
    translate: bool = True
    """Providers that do not speak its dialect may be asked in theirs."""


class Verdict(StrEnum):
    """What routing says of a candidate."""

    TAKEN = "taken"
    READY = "ready"
    SKIPPED = "skipped"


@frozen
class Adaptation:
    """What of a request is written otherwise for one candidate: parts, never content."""

    dropped: tuple[tuple[str, str], ...] = ()
    """(part, why)"""
    approximated: tuple[tuple[str, str], ...] = ()
    """(part, how)"""
    pair: str | None = None
    """`messages>chat` where it is translated; None: it stays in its dialect."""


@frozen
class Candidate:
    """An offer, weighed for one call."""

    offer: Offer
    verdict: Verdict
    reason: str
    """One clause that a person can read: `requests/day 20 of 20`, `warm`, `paid, policy free-only`."""
    state: str = "ready"
    """ready, near limit, at limit, cooling down, failing, disabled, not configured."""
    expected_cost: int | None = None
    """Nano-dollars, for paid offers with a known price."""
    headroom: float | None = None
    """Fraction left of the tightest window; None: it was skipped, so nobody looked."""
    returns_at: float | None = None
    """When a skipped one may be tried again."""
    zero_cost: bool = False
    """This request costs nothing there: it asks for nothing that the offer is paid for."""
    drops: frozenset[str] = frozenset()
    """Members of the body that would let somebody else answer, and are taken out."""
    max_tokens: int | None = None
    """What the answer's length is lowered to, so that it fits; None: as was asked."""
    dialect: Dialect | None = None
    """What the request is translated to for it; None: it is asked as the client asks."""
    adaptation: Adaptation | None = None
    """Known of those that were asked; None: it got the client's bytes, or was not asked."""


@frozen
class Decision:
    """Who is tried, in which order, and why."""

    model: str
    policy: Policy
    candidates: tuple[Candidate, ...]
    """Those to try first, in order; then the skipped ones."""

    @property
    def ready(self) -> tuple[Candidate, ...]:
        return tuple(c for c in self.candidates if c.verdict is not Verdict.SKIPPED)

    @property
    def returns_at(self) -> float | None:
        """The soonest moment at which a skipped candidate comes back."""
        times = [c.returns_at for c in self.candidates if c.returns_at is not None]
        return min(times, default=None)


@dataclass(slots=True)
class RequestRecord:
    """One row of `requests`. Written when it begins, completed when it ends."""

    id: str
    at: float
    client: str
    app: str
    dialect: str
    requested_model: str
    streamed: bool = False
    host: str = ""
    provider: str | None = None
    account: str = ""
    model: str | None = None
    status: int | None = None
    outcome: str = "in_flight"
    """ok, error, refused, cancelled, truncated, passthrough, in_flight, lost."""
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: int | None = None
    """Nano-dollars; None: unknown."""
    saved: int | None = None
    price_source: str | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    error: str | None = None
    """A class and the provider's error code, never its free text."""
    simulated: bool = False
    config_revision: str = ""
    reserved_tokens: int = 0
    reserved_cost: int = 0
    known_client: str | None = None
    adapted: str = ""
    """Parts of the request that were written otherwise for the provider: `ids, roles`."""
    translated: str = ""
    """Pair of dialects of a request that was translated: `messages>chat`."""
    member: str = ""
    """Which other gateway of the cluster served it; "": this one."""


@dataclass(slots=True)
class AttemptRecord:
    """One row of `attempts`: one try at one upstream."""

    request: str
    n: int
    """From 1."""
    at: float
    provider: str
    account: str
    model: str
    status: int | None = None
    outcome: str = "in_flight"
    """ok, failed, repaired, truncated, cancelled, in_flight, lost."""
    reason: str = ""
    """A class of failure: `429 rate_limit_exceeded`, `connect refused`, `first byte timeout`."""
    retry_after: float | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    counted: bool = True
    """The provider counts it against its limits."""
    tokens: int = 0
    """Tokens that stand against the limits: reserved while in flight, then real."""
    cost: int = 0
    """Nano-dollars that stand against the limits."""


@frozen
class Event:
    """One row of `events`."""

    at: float
    kind: str
    """config, cooldown, circuit, disabled, billed, login, degraded, quirk, limit, own key,
    trust; model.new, model.gone, model.price, model.retired, model.back."""
    subject: str
    message: str
    detail: Mapping[str, str | int | float | None] = field(default_factory=dict)


class FailureKind(StrEnum):
    """Why an attempt failed, in the order in which an attempt can fail."""

    RESOLVE = "cannot resolve"
    PROXY = "outbound proxy"
    """The proxy by way of which we go out failed: it says nothing of the upstream."""
    OFFLINE = "no network"
    """This machine has no way to anything outside."""
    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect timeout"
    TLS = "tls"
    CLOSED = "closed before headers"
    """Also: closed after the headers, before the answer was known to be good (`status` is
    set then)."""
    FIRST_BYTE = "no first byte"
    """Also: a held answer that stalled."""
    STATUS = "status"
    """The inspector said COLLECT; body (a part, or whole) in the failure."""
    JUDGED = "judged"
    """The inspector said FAIL."""
    PROTOCOL = "protocol error"
    """Not HTTP, invalid headers, a 1xx that ends nothing."""
    DEADLINE = "deadline"
