"""From text to Config, or to every problem at once, each where it stands."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from tables import each_row

from llm_gateway.config.load import Loaded, load_config, locate, parse_config
from llm_gateway.config.models import Config
from llm_gateway.config.problems import ConfigError, UnlocatedProblem
from llm_gateway.domain import Metric, Origin, Policy, Price, Reset, Window

FULL = """\
// everything that the contract names
{
  "logLevel": "debug",
  "providers": [{
    "id": "gemini-free",
    "type": "google",
    "enabled": true,
    "baseURL": "https://example.com/v1",
    "apiKeys": ["${KEY}", "sk-2-CANARY"],
    "headers": {"X-Title": "me"},
    "free": true,
    "flatRate": {"costPerMonth": 10},
    "limits": {"requestsPerDay": 1500, "costPerHour": 0.1},
    "resets": {"day": "00:00 America/Los_Angeles", "month": "08:30"},
    "dialects": ["chat", "messages"],
    "models": [{
      "name": "gemini-2.5-flash",
      "mappedName": "flash",
      "aliases": ["gpt-4o-mini", "gpt-4*"],
      "pricing": {"inputCostPerMillionTokens": 0.3, "outputCostPerMillionTokens": 2.5,
                  "cachedInputCostPerMillionTokens": 0.03, "costPerRequest": 0},
      "limits": {"requestsPerMinute": 10, "tokensPerMinute": 250000},
      "contextWindow": 1048576,
    }],
  }],
  "routing": {"policy": "free-only", "maxAttempts": 3, "unknownModel": "reject", "exhausted": "passthrough",
              "connectTimeoutSeconds": 1.5, "firstByteTimeoutSeconds": 2, "idleTimeoutSeconds": 3,
              "deadlineSeconds": 4, "sticky": false, "answerModel": "requested"},
  "budget": {"costPerDay": 1.00, "costPerMonth": 10.00},
  "intercept": {"hosts": ["LLM.example.com", "*.corp.example"]},
  "clients": [{"name": "cursor", "key": "ck", "policy": "free-only", "limits": {"requestsPerHour": 7}}],
  "storage": {"retentionDays": 30, "durability": "full"},
  "server": {"allowedHosts": ["Gateway.lan"], "allowedOrigins": ["https://App.example:443/"]},
  "dashboard": {"port": 0},
}
"""


def loaded(text: str, **env: str) -> Loaded:
    return parse_config(text, env)


def problems(text: str, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, env)
    return str(caught.value).splitlines()


def test_everything() -> None:
    result = loaded(FULL, KEY="sk-1")
    config = result.config
    provider = config.providers[0]
    model = provider.models[0]
    assert config.log_level == "debug"
    assert provider.missing_env == ()
    assert provider.accounts == (
        ("1", SecretStr("sk-1")),
        ("2", SecretStr("sk-2-CANARY")),
    )
    assert provider.origin == Origin("https", "example.com", 443, "/v1")
    assert provider.headers == {"X-Title": SecretStr("me")}
    assert provider.free
    assert provider.flat_rate
    assert provider.flat_rate.cost_per_month == 10
    assert list(provider.limits.amounts()) == [
        (Metric.REQUESTS, Window.DAY, 1500),
        (Metric.COST, Window.HOUR, 100_000_000),
    ]
    assert provider.limits.cost_per_hour == Decimal("0.1")
    assert provider.resets.day == Reset(0, 0, "America/Los_Angeles")
    assert provider.resets.month == Reset(8, 30, "UTC")
    assert provider.dialects == ("chat", "messages")
    assert model.client_name == "flash"
    assert model.aliases == ("gpt-4o-mini", "gpt-4*")
    assert model.context_window == 1_048_576
    assert model.pricing
    assert model.pricing.as_price() == Price(
        input=300_000_000, output=2_500_000_000, cached_input=30_000_000
    )
    assert config.routing.policy is Policy.FREE_ONLY
    assert config.routing.connect_timeout_seconds == 1.5
    assert list(config.budget.amounts()) == [
        (Metric.COST, Window.DAY, 1_000_000_000),
        (Metric.COST, Window.MONTH, 10_000_000_000),
    ]
    assert config.intercept.hosts == ("llm.example.com", "*.corp.example")
    assert config.clients[0].key == SecretStr("ck")
    assert config.server.allowed_hosts == ("gateway.lan",)
    assert config.server.allowed_origins == ("https://app.example",)
    assert config.dashboard.port == 0


def test_nothing_is_a_config_with_every_default() -> None:
    assert loaded("{}").config == Config()


def test_the_revision_is_that_of_the_text() -> None:
    assert loaded("{}").revision == "44136fa355b3"
    assert loaded("{} ").revision != loaded("{}").revision


def test_no_secret_in_any_repr() -> None:
    result = loaded(FULL, KEY="sk-CANARY")
    for shown in (repr(result), repr(result.config), str(result)):
        assert "CANARY" not in shown


# -- Mistakes --------------------------------------------------------------------------


def test_five_mistakes_are_five_messages() -> None:
    text = """{
  "logLevle": "info",
  "providers": [
    {"id": "a", "type": "opnai",
     "limits": {"requestPerDay": 5, "costPerDay": "1"}},
    {"id": "a", "type": "groq", "apiKey": "k"},
  ],
}"""
    assert problems(text) == [
        'config.jsonc:2:3: logLevle: unknown key; did you mean "logLevel"?',
        'config.jsonc:4:25: providers[0].type: "opnai" is not a provider type; did you mean "openai"?',
        'config.jsonc:5:17: providers[0].limits.requestPerDay: unknown key; did you mean "requestsPerDay"?',
        'config.jsonc:5:51: providers[0].limits.costPerDay: "1" is not an amount of dollars; write e.g. 0.25, without quotes',
        'config.jsonc:6:12: providers[1].id: "a" is that of providers[0] too; every one needs its own',
    ]


P = '{"providers": [{"id": "a", "type": "openai-compatible", "baseURL": "https://a.example/v1", %s}]}'


@each_row(
    ("inside", "message"),
    [
        ('"base_url": "x"', 'base_url: unknown key; did you mean "baseURL"?'),
        ('"api_key": "x"', 'api_key: unknown key; did you mean "apiKey"?'),
        ('"requestsPerDay": 5', "requestsPerDay: unknown key here; it belongs into providers[].limits"),
        ('"zzz": 5', "zzz: unknown key; known here: id, type, enabled"),
        ('"enabled": 1', "enabled: 1 is neither true nor false"),
        ('"enabled": "true"', 'enabled: "true" is neither true nor false'),
        ('"limits": []', "limits: a list is not an object; write {…}"),
        ('"limits": null', "limits: null is not an object"),
        ('"models": {}', "models: an object is not a list; write […]"),
        ('"models": [{}]', 'models[0]: "name" is missing; write it (what the provider is sent)'),
        ('"models": ["m"]', 'models[0]: "m" is not an object'),
        ('"models": "fre"', 'models: "fre" is not one of "free", "all"; did you mean "free"?'),
        ('"models": ["free", 5]', "models[1]: 5 is not an object"),
        ('"models": ["m*", {"name": 5}]', "models[1].name: 5 is not a text"),
        ('"exclude": "m"', "exclude:"),
        ('"models": [{"name": ""}]', 'models[0].name: "" is empty'),
        ('"models": [{"name": 5}]', "models[0].name: 5 is not a text; write it in quotes"),
        ('"models": [{"name": "m", "contextWindow": 0}]', "0 is too small; write at least 1"),
        ('"models": [{"name": "m"}, {"name": "m"}]', "list it once and put more names into aliases"),
        ('"limits": {"requestsPerDay": 1.5}', "1.5 is not a whole number"),
        ('"limits": {"requestsPerDay": true}', "true is not a whole number"),
        ('"limits": {"requestsPerDay": "9"}', '"9" is not a whole number; write e.g. 1500, without quotes'),
        ('"limits": {"requestsPerDay": -1}', "-1 is too small; write at least 0"),
        ('"limits": {"tokensPerDay": 1e400}', "1E+400 is not a whole number"),
        ('"limits": {"costPerDay": -0.1}', "-0.1 is not between 0 and"),
        ('"flatRate": {}', '"costPerMonth" is missing'),
        ('"resets": {"day": "24:00"}', '"24:00" is not a time'),
        ('"resets": {"day": "08:00 Mars/Base"}', "names a zone that is not known here"),
        ('"resets": {"day": "08:00 ../../etc/passwd"}', "names a zone that is not known here"),
        ('"dialects": ["caht"]', 'dialects[0]: "caht" is not one of "chat"'),
        ('"tier": "fre"', 'tier: "fre" is not one of "free"; did you mean "free"?'),
        ('"headers": {"a b": "c"}', 'headers["a b"]: "a b" is not a header name'),
        ('"headers": {"Host": "c"}', '"Host" is a header that the gateway sets itself'),
        ('"headers": {"Content-Length": "5"}', "a header that the gateway sets itself"),
        ('"apiKey": "a", "apiKeys": ["b"]', "apiKeys: stands beside apiKey"),
        ('"apiKeys": ["b", "b"]', "one account would be counted twice"),
        ('"apiKey": ""', "apiKey: the value is empty"),
        ('"apiKey": 5', "apiKey: the value is not a text"),
        (r'"apiKey": "a\nb"', "the value is not a key; write visible ASCII characters only"),
        ('"apiKey": "***12345678"', "is a masked secret; write the secret itself"),
        ('"id": "b"', "id: stands here for the second time"),
        ('"region": "${X"', "region: has a ${ that begins no reference"),
        (r'"models": [{"name": "\ud800"}]', "half a surrogate pair"),
        ('"simulator": {"errorStatus": 200}', "200 is too small; write at least 400"),
        ('"simulator": {"errorRate": 2}', "2 is too large; write at most 1"),
        ('"simulator": {"tokensPerSecond": 0}', "0 is too small; write more than 0"),
    ],
)  # fmt: skip
def test_mistakes_in_a_provider(inside: str, message: str) -> None:
    found = problems(P % inside)
    assert len(found) == 1, found
    assert message in found[0]
    assert found[0].startswith("config.jsonc:1:")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ('"id": "b"', '"type" is missing'),
        ('"id": "%s", "type": "groq"' % ("x" * 33), "is longer than 32 characters"),
        ('"id": "b", "type": "claude-code"', "is not supported, because it rests on private credentials"),
        ('"id": "b", "type": "gemini-cli"', "is not supported, because it rests on private credentials"),
        ('"id": "b", "type": "zzzz"', 'is not a provider type; write one of "anthropic"'),
        ('"id": "b", "type": "together"', 'did you mean "togetherai"?'),
        ('"id": "b", "type": "custom"', 'type "custom" needs "baseURL"'),
        ('"id": "b", "type": "azure"', 'type "azure" needs "resourceName" or "baseURL"'),
        ('"id": "b", "type": "google-vertex"', 'needs "project" and "location" or "baseURL"'),
        ('"id": "b", "type": "openai", "baseURL": "http://example.com"', '"http://example.com" would send the key unencrypted'),
        ('"id": "b", "type": "openai", "baseURL": "http://10.0.0.1"', "baseURL: the address would send the key unencrypted"),
        ('"id": "b", "type": "openai", "baseURL": "http://u:hidden@x"', "the value has a user name in it"),
    ],
)  # fmt: skip
def test_mistakes_about_types_and_addresses(provider: str, message: str) -> None:
    found = problems(f'{{"providers": [{{{provider}}}]}}')
    assert len(found) == 1, found
    assert message in found[0]
    assert "hidden" not in found[0]


@each_row(
    ("text", "message"),
    [
        ("[]", "1:1: (the whole file): a list is not an object"),
        ('{"logLevel": "warning"}', 'did you mean "warn"?'),
        ('{"routing": {"policy": 5}}', '5 is not allowed here; write one of "free-only", "free-first", "any"'),
        ('{"routing": {"policy": "free_only"}}', 'did you mean "free-only"?'),
        ('{"routing": {"maxAttempts": 0}}', "0 is too small"),
        ('{"routing": {"deadlineSeconds": 1e9}}', "is too large; write at most 86400"),
        ('{"budget": {"tokensPerDay": 3}}', "it belongs into providers[].limits"),
        ('{"intercept": {"hosts": ["https://a.example"]}}', "is not a host"),
        ('{"intercept": {"hosts": ["a.*.example"]}}', "is not a host"),
        ('{"server": {"allowedOrigins": ["*"]}}', '"*" is not an origin'),
        ('{"server": {"allowedOrigins": ["null"]}}', '"null" is not an origin'),
        ('{"server": {"allowedOrigins": ["http://a/b"]}}', "is not an origin"),
        ('{"server": {"allowedHosts": ["a:0"]}}', "has a port outside of 1 to 65535"),
        ('{"dashboard": {"port": 65536}}', "is too large; write at most 65535"),
        ('{"dashboard": {"port": "${P}"}}', "P is not set; set it, or write a default: ${P:-…}"),
        ('{"storage": {"retentionDays": 0}}', "0 is too small"),
        ('{"clients": [{"name": "a", "key": "k"}, {"name": "a", "key": "l"}]}', '"a" is that of clients[0] too'),
        ('{"clients": [{"name": "a", "key": "k"}, {"name": "b", "key": "k"}]}', "the value is that of clients[0] too"),
        ('{"clients": [{"name": "a", "key": "${K}"}]}', "clients[0].key: K is not set"),
        ('{"providers": ["${X}"]}', "providers[0]: X is not set"),
        (r'{"logLevel": "\01"}', "is not JSON5"),
    ],
)  # fmt: skip
def test_mistakes_elsewhere(text: str, message: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert message in found[0]


def test_syntax_comes_alone_and_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config('{\n  "logLevel": "info"\n  "budget": {}}', {}, "my.jsonc")
    assert caught.value.syntax
    assert str(caught.value) == "my.jsonc:3:3: found '\"'; write , or } before it"
    assert caught.value.as_json() == {
        "error": {
            "message": "found '\"'; write , or } before it",
            "line": 3,
            "column": 3,
        }
    }


def test_several_problems_as_json() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config('{"a": 1,\n"b": 2}', {})
    answer = caught.value.as_json()
    assert not caught.value.syntax
    assert answer["error"] == answer["errors"][0]
    assert [(e["path"], e["line"], e["column"]) for e in answer["errors"]] == [
        ("a", 1, 2),
        ("b", 2, 1),
    ]


def test_complaints_of_later_stages_get_their_place() -> None:
    text = '{\n  "providers": [\n    {"id": "a", "tier": "free"}]}'
    error = locate(
        text, [UnlocatedProblem(("providers", 0, "tier"), "is not known")], "c"
    )
    assert str(error) == "c:3:25: providers[0].tier: is not known"


# -- The environment -------------------------------------------------------------------


def test_a_provider_without_its_variables_is_kept_and_says_so() -> None:
    text = P % (
        '"apiKey": "${A}", "headers": {"x": "${B}"}, "region": "${C:-eu}", '
        '"dialects": ["${D}"], "models": [{"name": "${E}", "aliases": ["${A}"]}]'
    )
    provider = loaded(text).config.providers[0]
    assert provider.missing_env == ("A", "B", "D", "E")
    assert provider.api_key is None
    assert provider.region == "eu"
    assert provider.models[0].name == "${E}"


def test_a_skipped_provider_may_lack_what_its_type_needs() -> None:
    text = '{"providers": [{"id": "a", "type": "azure", "resourceName": "${R}", "models": []}]}'
    result = loaded(text)
    assert result.config.providers[0].missing_env == ("R",)
    assert result.warnings == ()


def test_a_variable_set_to_nothing_is_unset() -> None:
    provider = loaded(P % '"apiKey": "${A}"', A="").config.providers[0]
    assert provider.missing_env == ("A",)


def test_variables_may_stand_for_numbers_and_truth_and_words() -> None:
    text = """{
      "logLevel": "${LEVEL}",
      "dashboard": {"port": "${PORT:-8001}"},
      "routing": {"sticky": "${STICKY}", "policy": "${POLICY}", "deadlineSeconds": "${D:-2.5}"},
      "budget": {"costPerDay": "${COST}"},
    }"""
    env = {"LEVEL": "warn", "STICKY": "false", "POLICY": "any", "COST": "0.10"}
    config = parse_config(text, env).config
    assert config.log_level == "warn"
    assert config.dashboard.port == 8001
    assert config.routing.sticky is False
    assert config.routing.policy is Policy.ANY
    assert config.routing.deadline_seconds == 2.5
    assert config.budget.cost_per_day == Decimal("0.10")


def test_a_variable_with_a_bad_value_is_shown_as_written() -> None:
    found = problems('{"dashboard": {"port": "${PORT}"}}', PORT="secret-looking")
    assert found == [
        'config.jsonc:1:24: dashboard.port: "${PORT}" is not a whole number; write e.g. 1500, without quotes'
    ]


def test_keys_lose_the_line_end_that_files_put_after_them() -> None:
    provider = loaded(P % '"apiKey": "${A}"', A="sk-1\n").config.providers[0]
    assert provider.api_key == SecretStr("sk-1")


# -- Warnings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("{}", "no providers, so every model is unknown"),
        (P % '"models": []', "no models, so it is never chosen"),
        (P % '"models": [{"name": "m"}], "region": "x"', 'type "openai-compatible" does not use it'),
        (P % '"models": [{"name": "m", "pricing": {}}]', "is empty, so the price is unknown"),
        (P % '"models": [{"name": "m", "pricing": {"inputCostPerMillionTokens": 1}}]', "answers count as free"),
        (P % '"models": [{"name": "m*"}]', "no wildcard; use aliases"),
        ('{"providers": [{"id": "a", "type": "groq", "models": [{"name": "m"}]}]}', 'no apiKey; type "groq" will refuse'),
        ('{"providers": [{"id": "a", "type": "copilot", "apiKey": "x", "models": [{"name": "m"}]}]}', "uses oauthToken, not apiKey"),
        (P % '"models": [{"name": "m"}]}], "clients": [{"name": "c", "key": "k", "policy": "any"', "is tighter"),
        (P % '"models": [{"name": "m"}]}], "routing": {"policy": "free-only", "exhausted": "passthrough"}, "clients": [{"name": "c", "key": "k"', "may cost money"),
    ],
)  # fmt: skip
def test_warnings(text: str, warning: str) -> None:
    found = loaded(text).warnings
    assert len(found) == 1, found
    assert warning in str(found[0])


SURPLUS = [
    ('"sk-SECRET"', "quote"),
    ("'sk-SECRET'", "quote"),
    ('sk-SECRET"', "quote"),
    ("`sk-SECRET`", "quote"),
    ("Bearer sk-SECRET", "Authorization header"),
    ("bearer sk-SECRET", "Authorization header"),
    ("Bearer: sk-SECRET", "Authorization header"),
    ("Authorization: Bearer sk-SECRET", "name of a header"),
    ("x-api-key: sk-SECRET", "name of a header"),
    ("OPENAI_API_KEY=sk-SECRET", "name of a variable"),
    ("export OPENAI_API_KEY=sk-SECRET", "name of a variable"),
    ("$SECRET", "${NAME}"),
    ("%SECRET%", "${NAME}"),
    ("<SECRET>", "angle brackets"),
    ("sk- SECRET", "white space"),
]
"""Keys with too much around them, and a word of what is said."""


@pytest.mark.parametrize(("key", "clause"), SURPLUS)
def test_a_key_with_too_much_around_it_is_told_and_not_shown(
    key: str, clause: str
) -> None:
    own = {"id": "acme", "type": "groq", "models": [{"name": "m"}]}
    for more, env in (
        ({"apiKey": key}, {}),
        ({"apiKey": "${KEY}"}, {"KEY": f" {key}\n"}),
        ({"apiKeys": ["sk-fine", key]}, {}),
    ):
        config = {"providers": [own | more]}
        warning = str(*parse_config(json.dumps(config), env).warnings)
        assert 'the key of provider "acme"' in warning
        assert clause in warning
        assert "SECRET" not in warning
    config = {"providers": [own | {"apiKey": "k"}], "clients": [{"name": "ann", "key": key}]}  # fmt: skip
    warning = str(*parse_config(json.dumps(config), {}).warnings)
    assert 'the key of client "ann"' in warning


@pytest.mark.parametrize(
    "key",
    ["sk-1", "gsk_a=b", "AIza-x_1", "eyJ.a.b==", "token-1", "bearer", "K_1", " sk-1\n", "sk-$HOME-${X}-$$", "a:b", "basic-1"],
)  # fmt: skip
def test_keys_that_look_odd_and_are_not(key: str) -> None:
    own = {"id": "a", "type": "groq", "models": [{"name": "m"}], "apiKey": "${KEY}"}
    text = json.dumps({"providers": [own]})
    assert parse_config(text, {"KEY": key}).warnings == ()


def test_nothing_to_warn_of_in_disabled_providers_and_embeddings() -> None:
    text = P % '"enabled": false'
    assert loaded(text).warnings == ()
    text = P % (
        '"models": [{"name": "text-embedding-3-small", '
        '"pricing": {"inputCostPerMillionTokens": 0.02}}]'
    )
    assert loaded(text).warnings == ()


# -- The file --------------------------------------------------------------------------


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    path.write_bytes(b'\xef\xbb\xbf{"logLevel": "warn"}')
    assert load_config(path, {}).config.log_level == "warn"


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value) == (
        f"{path}: there is no such file; make it with: llm-gateway init"
    )


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it has to be readable"):
        load_config(tmp_path, {})


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    path.write_bytes('{\n"logLevel": "ü"}'.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value) == f"{path}:2:14: is not UTF-8; save it as UTF-8"


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize(
    ("mode", "key", "warned"),
    [(0o644, "sk-1", True), (0o600, "sk-1", False), (0o644, "${KEY}", False)],
)
def test_keys_that_others_can_read(
    tmp_path: Path, mode: int, key: str, warned: bool
) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text(P % f'"apiKey": "{key}", "models": [{{"name": "m"}}]')
    path.chmod(mode)
    warnings = load_config(path, {"KEY": "sk-1"}).warnings
    assert any("chmod 600" in str(one) for one in warnings) is warned
