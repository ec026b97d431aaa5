"""What a config says about one provider: its models, prices and limits.

What lives here: the sections below `providers[]`, and `Section`, which every section
is. The text under a field is its documentation: it becomes the README's table and the
hint in an editor. What this file does not know: what follows from several keys
together (`checks.py`), what a provider type's requests look like.

Money is `Decimal` dollars as written; `nano`, `Limits.amounts` and `Pricing.as_price`
give integer nano-dollars.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    SecretStr,
    Tag,
)
from pydantic.alias_generators import to_camel

from llm_gateway.config.provider_types import LOCAL_TYPES
from llm_gateway.domain import Metric, Origin, Price, Window

from .fields import (
    BaseURL,
    Count,
    DialectName,
    Dollars,
    Flag,
    HeaderName,
    HeaderValue,
    ListWord,
    Number,
    ProviderProxy,
    ResetTime,
    Secret,
    ShortText,
    Text,
    TypeName,
    nano,
)
from .urls import parse_base_url


class Section(BaseModel):
    """A part of the config: strict, frozen, documented."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )


TEXT, STRUCTURE = "<text>", "<structure>"
"""Tags of a union's forms; they stand in pydantic's paths and in nobody else's."""

Amount = tuple[Metric, Window, int]


def amounts(section: Section, *metrics: Metric) -> Iterator[Amount]:
    for metric in metrics:
        for window in Window:
            given: int | Decimal | None = getattr(
                section, f"{metric.value}_per_{window.value}"
            )
            if given is not None:
                yield (
                    metric,
                    window,
                    (nano(given) if isinstance(given, Decimal) else given),
                )


class Limits(Section):
    """The most that may be used; all limits that apply must hold. No key: no limit."""

    requests_per_minute: Count | None = None
    """Requests in any 60 seconds."""
    requests_per_hour: Count | None = None
    """Requests in any 60 minutes."""
    requests_per_day: Count | None = None
    """Requests in a day, which begins when `resets.day` says."""
    requests_per_month: Count | None = None
    """Requests in a month, which begins when `resets.month` says."""
    tokens_per_minute: Count | None = None
    """Tokens, prompt and answer together, in any 60 seconds."""
    tokens_per_hour: Count | None = None
    """Tokens, prompt and answer together, in any 60 minutes."""
    tokens_per_day: Count | None = None
    """Tokens, prompt and answer together, in a day."""
    tokens_per_month: Count | None = None
    """Tokens, prompt and answer together, in a month."""
    cost_per_minute: Dollars | None = None
    """US$ in any 60 seconds."""
    cost_per_hour: Dollars | None = None
    """US$ in any 60 minutes."""
    cost_per_day: Dollars | None = None
    """US$ in a day."""
    cost_per_month: Dollars | None = None
    """US$ in a month."""

    def amounts(self) -> Iterator[Amount]:
        """What is given, as (metric, window, amount); cost in nano-dollars."""
        return amounts(self, *Metric)


class Pricing(Section):
    """What a model costs. A price that is left out is 0, but for cached input.

    An object in which every given price is 0 makes the model a free one; an empty
    object says nothing, and the price is unknown.
    """

    input_cost_per_million_tokens: Dollars | None = None
    """US$ per million prompt tokens."""
    output_cost_per_million_tokens: Dollars | None = None
    """US$ per million tokens of the answer, reasoning included."""
    cached_input_cost_per_million_tokens: Dollars | None = None
    """US$ per million prompt tokens read from the provider's cache; default: the input price."""
    cache_write_cost_per_million_tokens: Dollars | None = None
    """US$ per million prompt tokens written to the provider's cache; default: the input price."""
    cost_per_request: Dollars | None = None
    """US$ per request, added to the token prices."""

    def as_price(self) -> Price | None:
        """In nano-dollars; None when nothing is given."""
        if all(getattr(self, key) is None for key in type(self).model_fields):
            return None
        cached = self.cached_input_cost_per_million_tokens
        write = self.cache_write_cost_per_million_tokens
        return Price(
            input=nano(self.input_cost_per_million_tokens or Decimal(0)),
            output=nano(self.output_cost_per_million_tokens or Decimal(0)),
            cached_input=None if cached is None else nano(cached),
            cache_write=None if write is None else nano(write),
            request=nano(self.cost_per_request or Decimal(0)),
            source="config",
        )


class Model(Section):
    """One model of a provider."""

    name: Text
    """What the provider is sent."""
    mapped_name: Text | None = None
    """What clients ask for; default: `name`."""
    aliases: tuple[Text, ...] = ()
    """More names that clients may ask for; `*` stands for any characters."""
    enabled: Flag = True
    """false: keep the model in the file, but do not use it."""
    pricing: Pricing | None = None
    """What it costs; default: what genai-prices knows, else unknown."""
    limits: Limits = Limits()
    """The most that may be used of this model, per account."""
    context_window: Annotated[Count, Field(ge=1)] | None = None
    """Tokens that prompt and answer may have together; default: what genai-prices knows."""

    @property
    def client_name(self) -> str:
        return self.mapped_name or self.name


def _form(value: Any) -> str:
    """Which form of a union a value is meant in: a mistake is then said of that alone."""
    return TEXT if isinstance(value, str) else STRUCTURE


ListedModel = Annotated[
    Annotated[Model, Tag(STRUCTURE)] | Annotated[ListWord, Tag(TEXT)],
    Discriminator(_form),
]
Models = Annotated[
    Annotated[tuple[ListedModel, ...], Tag(STRUCTURE)]
    | Annotated[Literal["free", "all"], Tag(TEXT)],
    Discriminator(_form),
]


class FlatRate(Section):
    """A subscription: one more request costs nothing."""

    cost_per_month: Dollars
    """US$ per month, shown spread over what was used."""


class Resets(Section):
    """When the provider starts to count anew."""

    day: ResetTime | None = None
    """`HH:MM Zone` at which a day begins; default: what the type is known for, else any 24 hours."""
    month: ResetTime | None = None
    """`HH:MM Zone` on the first at which a month begins; default: 00:00 UTC."""


class Simulator(Section):
    """How the built-in provider type `simulator` answers."""

    latency_ms: Annotated[Number, Field(ge=0, le=600_000)] = 200.0
    """Milliseconds before the first byte."""
    tokens_per_second: Annotated[Number, Field(gt=0, le=1_000_000)] = 60.0
    """Tokens of the answer per second."""
    output_tokens: Annotated[Count, Field(le=100_000)] = 40
    """Tokens of an answer, unless the request asks for fewer."""
    error_rate: Annotated[Number, Field(ge=0, le=1)] = 0.0
    """Fraction of requests that fail, 0 to 1."""
    error_status: Annotated[Count, Field(ge=400, le=599)] = 503
    """HTTP status of a failure."""


class Provider(Section):
    """An account, or several, with a company or a machine that answers requests."""

    id: ShortText
    """Its name here: unique, at most 32 characters, any characters."""
    type: TypeName
    """What it is: decides the address, how keys are sent, which requests it understands."""
    enabled: Flag = True
    """false: keep the provider in the file, but do not use it."""
    base_url: BaseURL | None = Field(default=None, alias="baseURL")
    """What stands before /chat/completions; usually ends in /v1; default: from the type."""
    api_key: Secret | None = None
    """The key. `${NAME}` takes it from the environment."""
    api_keys: tuple[Secret, ...] = ()
    """Keys of several accounts, each with limits of its own; instead of `apiKey`."""
    oauth_token: Secret | None = None
    """GitHub token, for type `copilot`; default: the one that `llm-gateway login copilot` got."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Extra headers for every request to this provider."""
    proxy: ProviderProxy | None = None
    """Outbound proxy to this provider: `http://`, `https://`, `socks5://` or `socks5h://`, or "none"; default: `network.proxy`."""
    free: Flag = False
    """true: every model here costs nothing while its limits hold."""
    tier: Literal["free"] | None = None
    """"free": the models are on the provider's free tier; the limits it publishes hold, and yours win key by key."""
    flat_rate: FlatRate | None = None
    """A subscription: one more request costs nothing, what is paid per month is shown."""
    limits: Limits = Limits()
    """The most that may be used per account, over all its models."""
    resets: Resets = Resets()
    """When the provider starts to count anew."""
    dialects: tuple[DialectName, ...] | None = None
    """Which requests it understands: chat, completions, embeddings, responses, messages; default: from the type."""
    models: Models = ()
    """The models to use: objects; and names with `*`, "free" or "all" for those of the provider's own list, which is asked again every six hours."""
    exclude: tuple[Text, ...] = ()
    """Names, `*` stands for any characters, of its list that are not used."""
    resource_name: Text | None = None
    """azure: the resource, first part of its host name."""
    deployment_name: Text | None = None
    """azure: the deployment, where all models share one; default: the model's `name`."""
    api_version: Text | None = None
    """azure: the api-version of the older, deployment-based address; default: the v1 address, which needs none."""
    region: Text | None = None
    """bedrock: AWS region, e.g. us-east-1."""
    project: Text | None = None
    """google-vertex: Google Cloud project id."""
    location: Text | None = None
    """google-vertex: location, e.g. us-central1 or global."""
    access_token: Secret | None = None
    """google-vertex: OAuth access token; it lives for an hour."""
    access_token_file: Text | None = None
    """google-vertex: file with the access token, read again when it changes."""
    account_id: Text | None = None
    """cloudflare: account id."""
    simulator: Simulator | None = None
    """simulator: how it answers."""
    _missing_env: tuple[str, ...] = PrivateAttr(default=())

    @property
    def own_models(self) -> tuple[tuple[int, Model], ...]:
        """Those that are written out, each with its position in `models`."""
        if isinstance(self.models, str):
            return ()
        return tuple((n, m) for n, m in enumerate(self.models) if isinstance(m, Model))

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is taken from the provider's list: `free`, `all`, names with `*`. Empty:
        nothing, and the list is not asked for."""
        if isinstance(self.models, str):
            return (self.models,)
        return tuple(m for m in self.models if isinstance(m, str))

    @property
    def missing_env(self) -> tuple[str, ...]:
        """Names of unset environment variables; not empty: the provider is skipped."""
        return self._missing_env

    def with_missing_env(self, names: tuple[str, ...]) -> "Provider":
        """The same provider, not configured because these variables are unset."""
        copy = self.model_copy()
        copy._missing_env = names
        return copy

    @property
    def origin(self) -> Origin | None:
        """Where `baseURL` points; None when it is left to the type.

        Raises:
            ValueError: it is no base URL; the text says what to write.
        """
        if self.base_url is None:
            return None
        return parse_base_url(
            self.base_url, allow_private_http=self.type in LOCAL_TYPES
        )

    @property
    def accounts(self) -> tuple[tuple[str, SecretStr | None], ...]:
        """(account, key): account is "" for the only one, else "1", "2", …"""
        if len(self.api_keys) > 1:
            return tuple((str(n), key) for n, key in enumerate(self.api_keys, 1))
        only = self.api_keys[0] if self.api_keys else self.api_key
        return (("", only),)
