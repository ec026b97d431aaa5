"""The kinds of values that a config is made of.

What lives here: annotated types with their checks: counts, money, seconds, names,
secrets, reset times, hosts, origins. A failed check is a clause that follows the
value in a sentence ("… is not a whole number; write e.g. 1500") and never repeats
the value, which may be a secret. What this file does not know: which key uses what.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
)
from pydantic.json_schema import WithJsonSchema
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticKnownError,
    core_schema,
)

from llm_gateway.config.provider_types import PROVIDER_TYPES, UNSUPPORTED_TYPES
from llm_gateway.config.suggestions import nearest
from llm_gateway.domain import NANO, Dialect, Reset

from ..dialects import SPECS
from .cluster_url import parse_cluster_url
from .key_forms import is_key
from .proxy_url import parse_proxy_url
from .urls import DEFAULT_PORTS, parse_base_url, parse_host

MAX_NUMBER = 2**53
"""The largest whole number that every JSON reader and SQLite agree about."""


class FromEnvironment(str):
    """A text that came out of `${NAME}`: it may stand for a number or a truth value too."""

    __slots__ = ()


@dataclass(frozen=True)
class SecretWith:
    """A text that holds a secret only where this is in it: a URL with a password."""

    mark: str


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """A text that is one of a table's keys, as the table is when a config is read."""

    words: Mapping[str, object]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}

    def _check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            words = {"expected": ", ".join(map(repr, self.words))}
            raise PydanticKnownError("literal_error", words)
        return str(value)


def invalid(clause: str) -> PydanticCustomError:
    """A failed check. `clause` follows the value in the message."""
    return PydanticCustomError("config", "{clause}", {"clause": clause})


def nano(dollars: Decimal) -> int:
    """Nano-dollars, rounded up to the next whole one."""
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, FromEnvironment):
        try:
            value = Decimal(str(value).strip())
        except ArithmeticError:
            return None
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _whole(value: Any) -> int:
    number = _decimal(value)
    if (
        number is None
        or abs(number) > MAX_NUMBER
        or number != number.to_integral_value()
    ):
        raise invalid("is not a whole number; write e.g. 1500, without quotes")
    return int(number)


def _money(value: Any) -> Decimal:
    number = _decimal(value)
    if number is None:
        raise invalid("is not an amount of dollars; write e.g. 0.25, without quotes")
    if not 0 <= number <= NANO:
        raise invalid("is not between 0 and 1000000000 dollars")
    return number


def _number(value: Any) -> float:
    number = _decimal(value)
    if number is None or abs(number) > MAX_NUMBER:
        raise invalid("is not a number; write e.g. 2.5, without quotes")
    return float(number)


def _flag(value: Any) -> bool:
    if isinstance(value, FromEnvironment):
        words = {"true": True, "1": True, "false": False, "0": False}
        value = words.get(value.strip().lower())
    if not isinstance(value, bool):
        raise invalid("is neither true nor false; write one of them, without quotes")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid("is not a text; write it in quotes")
    if not value:
        raise invalid("is empty; write something or leave the key out")
    if any("\ud800" <= ch <= "\udfff" for ch in value):
        raise invalid("has half a surrogate pair in it; write the whole character")
    return str(value)


def _secret(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = _text(value).strip()
    if not is_key(text):
        raise invalid("is not a key; write visible ASCII characters only")
    return SecretStr(text)


def _header_value(value: Any) -> SecretStr:
    if isinstance(value, str) and not value:
        return SecretStr("")
    return _secret(value)


_GATEWAYS_OWN = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def _header_name(value: Any) -> str:
    name = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise invalid("is not a header name; write e.g. X-Title")
    if name.lower() in _GATEWAYS_OWN or name.lower().startswith("proxy-"):
        raise invalid("is a header that the gateway sets itself; leave it out")
    return name


def _reset(value: Any) -> Reset:
    if isinstance(value, Reset):
        return value
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)(?: +(\S+))?", _text(value).strip())
    if not found:
        raise invalid('is not a time; write e.g. "00:00 America/Los_Angeles"')
    zone = found[3] or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise invalid(
            'names a zone that is not known here; write e.g. "UTC" or "Europe/Berlin"'
        ) from None
    return Reset(int(found[1]), int(found[2]), zone)


def _host(value: Any) -> str:
    text = _text(value)
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return parse_host(bare)
    except ValueError:
        raise invalid(
            "is not a host; write a name or an address only, e.g. llm.example.com"
        ) from None


def _host_pattern(value: Any) -> str:
    text = _text(value)
    return f"*.{_host(text[2:])}" if text.startswith("*.") else _host(text)


def _host_and_port(value: Any) -> str:
    text = _text(value)
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d{1,5})", text)
    if not found:
        host = _host(text)
        return f"[{host}]" if ":" in host else host
    if not 1 <= int(found[2]) <= 65535:
        raise invalid("has a port outside of 1 to 65535")
    host = _host(found[1])
    return f"[{host}]:{int(found[2])}" if ":" in host else f"{host}:{int(found[2])}"


def _web_origin(value: Any) -> str:
    text = _text(value).rstrip("/")
    scheme, found, authority = text.lower().partition("://")
    if not found or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise invalid('is not an origin; write e.g. "http://localhost:3000"')
    try:
        place = _host_and_port(authority)
    except PydanticCustomError:
        raise invalid('is not an origin; write e.g. "http://localhost:3000"') from None
    default = DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{place.removesuffix(f':{default}')}"


def _known_type(value: str) -> str:
    if value in PROVIDER_TYPES:
        return value
    if instead := UNSUPPORTED_TYPES.get(value):
        raise invalid(
            "is not supported, because it rests on private credentials of another"
            f" product; {instead}"
        )
    near = nearest(value, PROVIDER_TYPES)
    raise invalid(
        f'is not a provider type; did you mean "{near}"?'
        if near
        else "is not a provider type; write one of "
        + ", ".join(f'"{name}"' for name in sorted(PROVIDER_TYPES))
    )


def _base_url(value: str) -> str:
    # Whether plain http is fine depends on the type: `checks.py` asks again.
    try:
        parse_base_url(value, allow_private_http=True)
    except ValueError as reason:
        raise invalid(str(reason)) from None
    return value


LIST_WORD = r"^(free|all|.*\*.*)$"


def _list_word(value: str) -> str:
    if value not in ("free", "all") and "*" not in value:
        raise invalid(
            'is not an object; write {"name": …}, or for models of the provider\'s own '
            'list "free", "all", or a name with *'
        )
    return value


def _short(value: str) -> str:
    if len(value) > 32:
        raise invalid("is longer than 32 characters; shorten it")
    return value


def as_network(text: str) -> IPv4Network | IPv6Network | None:
    """The addresses that a text stands for; None: it is a name."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def _host_or_network(value: object) -> str:
    text = _text(value)
    if as_network(text) is not None:
        return text
    if "/" in text:
        raise invalid("is no network; write an address and a size, e.g. 10.0.0.0/8")
    return _host_pattern(value)


def _proxy(value: Any, *words: str) -> SecretStr:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = _text(value)
    if text not in words:
        try:
            parse_proxy_url(text)
        except ValueError as reason:
            said = " or ".join(f'"{word}"' for word in words)
            raise invalid(f"{reason}, or {said}") from None
    return SecretStr(text)


def _provider_proxy(value: Any) -> SecretStr:
    return _proxy(value, "none")


def _network_proxy(value: Any) -> SecretStr:
    return _proxy(value, "env", "none")


def _no_proxy(value: Any) -> str:
    text = _text(value).strip()
    if not re.fullmatch(r"[^\s,/]+(/\d{1,3})?", text):
        raise invalid(
            "is no host; write a name, an address or a network, e.g. 10.0.0.0/8"
        )
    return text


def _cluster_url(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = _text(value).strip()
    try:
        parse_cluster_url(text)
    except ValueError as reason:
        raise invalid(str(reason)) from None
    return SecretStr(text)


def _cluster_name(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", text):
        raise invalid(
            "is no name for it; write up to 64 letters, digits, `.`, `_`, `:` or `-`"
        )
    return text


Count = Annotated[
    int,
    BeforeValidator(_whole),
    Field(ge=0, le=MAX_NUMBER),
]
"""A whole number, 0 or more."""
Dollars = Annotated[
    Decimal,
    BeforeValidator(_money),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
"""US$, exact."""
Number = Annotated[float, BeforeValidator(_number)]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=86_400)]
Port = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=65_535)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, BeforeValidator(_text)]
"""A text with at least one character, any characters."""
ListWord = Annotated[
    str, AfterValidator(_list_word), Field(json_schema_extra={"pattern": LIST_WORD})
]
"""What is taken from a provider's own list of models."""
ShortText = Annotated[Text, AfterValidator(_short)]
"""A text of at most 32 characters."""
TypeName = Annotated[
    Text,
    AfterValidator(_known_type),
    Field(json_schema_extra={"enum": sorted(PROVIDER_TYPES)}),
]
DialectName = Annotated[Dialect, OneOf(SPECS)]
BaseURL = Annotated[Text, AfterValidator(_base_url)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
HeaderName = Annotated[str, BeforeValidator(_header_name)]
HeaderValue = Annotated[SecretStr, BeforeValidator(_header_value)]
ResetTime = Annotated[
    Reset,
    BeforeValidator(_reset),
    WithJsonSchema({"type": "string", "examples": ["00:00 America/Los_Angeles"]}),
]
"""`HH:MM Zone`; the zone is an IANA name, UTC when left out."""
HostPattern = Annotated[str, BeforeValidator(_host_pattern)]
"""`llm.example.com`, or `*.example.com` for every name below it."""
HostOrNetwork = Annotated[str, BeforeValidator(_host_or_network)]
"""A `HostPattern`, an address, or a network like `10.0.0.0/8`."""
HostAndPort = Annotated[str, BeforeValidator(_host_and_port)]
ProviderProxy = Annotated[SecretStr, BeforeValidator(_provider_proxy), SecretWith("@")]
"""`none`, or the URL of an outbound proxy."""
NetworkProxy = Annotated[SecretStr, BeforeValidator(_network_proxy), SecretWith("@")]
"""`env`, `none`, or the URL of an outbound proxy."""
ClusterUrl = Annotated[SecretStr, BeforeValidator(_cluster_url), SecretWith("@")]
"""`redis://`, `rediss://` or `unix://`, with user and password where it wants them."""
ClusterName = Annotated[str, BeforeValidator(_cluster_name)]
NoProxyEntry = Annotated[str, BeforeValidator(_no_proxy)]
WebOrigin = Annotated[str, BeforeValidator(_web_origin)]
