"""One account of one configured provider: where it is, what it is sent.

What lives here: `Upstream`, and how it is made from the config's provider and the
row of its type. A key and the origin that it belongs to are one value here, so that
nothing later can pair a key with another address.

What this file does not know: models, limits, prices, requests, the disk.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from string import Formatter
from urllib.parse import quote

from pydantic import SecretStr
from pydantic.alias_generators import to_snake

from llm_gateway.adaptation.makers import maker_of
from llm_gateway.domain import Dialect, Origin
from llm_gateway.frozen import frozen
from llm_gateway.network.proxy_rules import DIRECT, ProxyRules, only
from llm_gateway.providers.provider_type import ProviderType, Variant

from ..config.models import Provider
from ..config.proxy_url import ProxyServer, parse_proxy_url
from ..config.urls import is_private_host, parse_base_url
from ..dialects import SPECS

_FILLING = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?")
"""What may stand in for a placeholder: nothing that could change host or path."""


@frozen
class Credential:
    """A key that was fetched for this moment, and the origin that it is for."""

    token: SecretStr
    origin: Origin | None = None
    """None: the upstream's own."""


@frozen
class Upstream:
    """One account of a provider. `key` goes to `origin` and nowhere else."""

    provider: str
    account: str
    type_info: ProviderType = field(repr=False)
    origin: Origin
    paths: Mapping[Dialect, str]
    """Path after the origin's for each dialect; `{model}` stands for the sent name."""
    bases: Mapping[Dialect, str] = field(default_factory=dict)
    """Of some dialects: what stands before their path in place of the origin's."""
    query: str = ""
    key: SecretStr | None = None
    """What is sent as it stands. None: nothing, or a `Credential` is fetched first."""
    oauth_token: SecretStr | None = None
    """Copilot: exchanged for a session token, never sent to the provider itself."""
    token_file: str = ""
    """Where an access token is read from, again whenever the file changes."""
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """Fixed ones of the type and the config's own; names in lower case."""
    deployment: str = ""
    """What is sent as model instead of the model's name."""
    ways: ProxyRules = DIRECT
    """By way of which outbound proxy it is reached."""

    def proxy_for(self, scheme: str, host: str, port: int) -> ProxyServer | None:
        """Its own host's, or that of one that a login named."""
        ways = self.ways
        return None if ways is DIRECT else ways.choose(scheme, host, port)

    @property
    def needs_credential(self) -> bool:
        """A credential has to be fetched before each request (and may be cached)."""
        return self.type_info.credential == "copilot" or bool(self.token_file)

    def maker(self, model: str) -> str:
        """Whose signatures and encrypted reasoning `model` issues and understands."""
        origin = self.origin
        where = f"{origin.host}:{origin.port}{origin.path}"
        row = self.type_info
        return maker_of(row.maker, row.type, where, self.account, model)

    def path(self, dialect: Dialect, origin: Origin | None = None) -> str:
        """Where a request in `dialect` goes. `origin`: another one than its own."""
        before = (origin or self.origin).path
        return self.bases.get(dialect, before) + self.paths[dialect]

    def sent_model(self, model: str) -> str:
        return self.deployment or model


@frozen
class NotConfigured:
    """Why there is no upstream. The clause follows the provider's name."""

    reason: str
    """`not configured: region is missing`."""
    key: str = ""
    """Config key that would help."""


def upstream(
    provider: Provider,
    row: ProviderType,
    account: str,
    key: SecretStr | None,
    *,
    signed_in: bool = False,
    simulator_port: int = 0,
    ways: ProxyRules = DIRECT,
) -> Upstream | NotConfigured:
    """The upstream of one account.

    `signed_in`: a Copilot token is stored for this provider. `simulator_port`: where
    the built-in simulator listens. `ways`: which proxies there are for all providers.
    """
    if provider.missing_env:
        names = " and ".join(provider.missing_env)
        verb = "is" if len(provider.missing_env) == 1 else "are"
        return NotConfigured(f"not configured: {names} {verb} not set", "apiKey")
    variant = _variant(provider, row)
    origin = _origin(provider, row, variant, simulator_port)
    if isinstance(origin, NotConfigured):
        return origin
    paths = row.paths if variant is None or variant.paths is None else variant.paths
    query = variant.query if variant else ""
    filled = _fill(query, provider)
    if isinstance(filled, NotConfigured):
        return filled
    headers = _headers(provider, row)
    found = Upstream(
        provider.id,
        account,
        row,
        origin,
        _spoken(provider, row, paths, bases := _bases(provider, row, origin)),
        bases,
        query=filled,
        headers=headers,
        deployment=provider.deployment_name or "",
        ways=_ways(provider, row, origin, ways),
    )
    return _with_key(found, provider, key, signed_in)


def _ways(
    provider: Provider, row: ProviderType, origin: Origin, ways: ProxyRules
) -> ProxyRules:
    """Its own `proxy` wins; without it, what runs in the house is reached directly."""
    if row.builtin:
        return DIRECT
    if provider.proxy is not None:
        return ways_to(provider, ways)
    at_home = row.local and is_private_host(origin.host)
    return DIRECT if at_home or not ways.proxies() else ways


def ways_to(provider: Provider, ways: ProxyRules) -> ProxyRules:
    """For all that is asked for its sake: its own `proxy`, else that of everybody."""
    if provider.proxy is None:
        return ways
    proxy = own_proxies([provider]).get(provider.id)
    if proxy is None:
        return DIRECT
    return ways if proxy in ways.ours else only(proxy)


def own_proxies(providers: Iterable[Provider]) -> dict[str, ProxyServer]:
    """The outbound proxies that providers name as their own, by the providers' ids."""
    said = {p.id: p.proxy.get_secret_value() for p in providers if p.proxy is not None}
    return {id: parse_proxy_url(url) for id, url in said.items() if url != "none"}


def _with_key(
    found: Upstream, provider: Provider, key: SecretStr | None, signed_in: bool
) -> Upstream | NotConfigured:
    row = found.type_info
    match row.credential:
        case "copilot":
            if provider.oauth_token is None and not signed_in:
                return NotConfigured(
                    "not configured: not signed in, run `llm-gateway login copilot`",
                    "oauthToken",
                )
            return replace(found, oauth_token=provider.oauth_token)
        case "token":
            if provider.access_token_file:
                return replace(found, token_file=provider.access_token_file)
            key = provider.access_token or key
            missing = "accessToken and accessTokenFile are"
        case "key":
            missing = "apiKey is"
    own_auth = any(
        name in (b"authorization", _auth_header(row)) for name, _ in found.headers
    )
    if key is None and row.needs_key and not own_auth:
        return NotConfigured(f"not configured: {missing} missing", "apiKey")
    return replace(found, key=key)


def _auth_header(row: ProviderType) -> bytes:
    return b"authorization" if row.auth == "bearer" else row.auth.encode()


def _variant(provider: Provider, row: ProviderType) -> Variant | None:
    for variant in row.variants:
        value = getattr(provider, to_snake(variant.when))
        if value is not None and variant.value in (None, value):
            return variant
    return None


def _origin(
    provider: Provider, row: ProviderType, variant: Variant | None, simulator_port: int
) -> Origin | NotConfigured:
    if row.builtin:
        return Origin(
            "http", "127.0.0.1", simulator_port, f"/{quote(provider.id, safe='')}"
        )
    if (given := provider.origin) is not None:
        empty = row.empty_path
        if variant is not None and variant.empty_path is not None:
            empty = variant.empty_path
        return given if given.path else replace(given, path=empty)
    base = variant.base_url if variant else row.base_url
    if not base:
        return NotConfigured("not configured: baseURL is missing", "baseURL")
    filled = _fill(base, provider)
    return filled if isinstance(filled, NotConfigured) else parse_base_url(filled)


def _fill(template: str, provider: Provider) -> str | NotConfigured:
    values: dict[str, str] = {}
    for key in _placeholders(template):
        value: str | None = getattr(provider, to_snake(key))
        if value is None:
            return NotConfigured(f"not configured: {key} is missing", key)
        if not _FILLING.fullmatch(value):
            return NotConfigured(
                f"not configured: {key} has a character that no address has", key
            )
        values[key] = value
    return template.format_map(values)


def _placeholders(template: str) -> list[str]:
    return [key for _, key, _, _ in Formatter().parse(template) if key]


def _bases(
    provider: Provider, row: ProviderType, origin: Origin
) -> Mapping[Dialect, str]:
    """Those of the row, where the address is laid out as the row's own is."""
    if row.cut_base:
        return {d: origin.path.removesuffix(end) for d, end in row.cut_base.items()}
    if not row.bases or origin.path != parse_base_url(row.base_url).path:
        return {}
    if provider.dialects is None:
        return row.bases
    return {d: base for d, base in row.bases.items() if d in provider.dialects}


def _spoken(
    provider: Provider,
    row: ProviderType,
    paths: Mapping[Dialect, str],
    bases: Mapping[Dialect, str],
) -> Mapping[Dialect, str]:
    if provider.dialects is None:
        unknown = row.bases.keys() - bases.keys()
        return {d: p for d, p in paths.items() if d not in unknown}
    return {d: paths.get(d, SPECS[d].path) for d in provider.dialects}


def _headers(provider: Provider, row: ProviderType) -> tuple[tuple[bytes, bytes], ...]:
    """The type's headers and the config's; the config's win."""
    merged = {name.encode(): value.encode() for name, value in row.headers}
    for name, secret in provider.headers.items():
        merged[name.lower().encode()] = secret.get_secret_value().encode()
    return tuple(merged.items())
