"""The table, the schema and the example say what the models say."""

import json
from pathlib import Path

import pytest

from llm_gateway.config.docs import reference, schema
from llm_gateway.config.introspection import keys_of, walk
from llm_gateway.config.jsonc import Node, parse
from llm_gateway.config.load import parse_config
from llm_gateway.config.models import Config
from llm_gateway.config.provider_types import (
    LOCAL_TYPES,
    PROVIDER_TYPES,
    UNSUPPORTED_TYPES,
)
from llm_gateway.config.suggestions import nearest
from llm_gateway.domain import Policy

EXAMPLE = Path(__file__).parents[2] / "config.example.jsonc"


def test_every_key_is_documented_in_a_sentence() -> None:
    for key in walk():
        assert key.info.description, key.pattern
        assert key.info.description.endswith("."), key.pattern


def test_the_table() -> None:
    rows = reference().splitlines()
    assert rows[0] == "| key | type | default | meaning |"
    assert (
        "| `routing.maxAttempts` | whole number | `4` | Providers that are tried for one request. |"
        in rows
    )
    assert (
        '| `routing.policy` | `free-only`, `free-first`, `any` | `"free-first"` |'
        in reference()
    )
    assert "| `providers[].id` | text | needed |" in reference()
    assert "| `providers[].apiKeys` | list of secrets |  |" in reference()
    assert "| `providers[].limits.requestsPerDay` | whole number |  |" in reference()
    assert "Keys as in `providers[].limits`." in reference()
    assert all(row.count("|") == 5 for row in rows)


def test_every_key_of_every_section_is_in_the_table() -> None:
    shown = reference()
    for key in walk():
        assert f"{key.pattern[-1]}`" in shown, key.pattern


def test_the_example_runs_as_it_is() -> None:
    loaded = parse_config(EXAMPLE.read_text("utf-8"), {}, "config.example.jsonc")
    assert loaded.warnings == ()
    ready = [p for p in loaded.config.providers if p.enabled and not p.missing_env]
    demo = [p for p in ready if p.models[0].client_name == "demo"]
    assert [p.id for p in demo] == ["free-a", "free-b", "paid"]
    assert {p.type for p in demo} == {"simulator"}
    # the third costs, and a budget bounds it
    assert [p.free for p in demo] == [True, True, False]
    assert loaded.config.routing.policy is Policy.FREE_FIRST
    assert loaded.config.budget.cost_per_day
    skipped = {p.type for p in loaded.config.providers if p.missing_env}
    assert {"google", "groq", "openrouter", "mistral", "openai", "anthropic"} <= skipped


def test_the_example_with_every_variable_set() -> None:
    env = {
        f"{name}_API_KEY": "x"
        for name in ("GEMINI", "GROQ", "OPENROUTER", "MISTRAL", "OPENAI", "ANTHROPIC")
    }
    loaded = parse_config(EXAMPLE.read_text("utf-8"), env)
    assert loaded.warnings == ()
    assert not any(p.missing_env for p in loaded.config.providers)


def test_the_example_teaches_every_key() -> None:
    text = EXAMPLE.read_text("utf-8")
    in_reference_only = {"$schema"}
    for key in walk():
        name = key.pattern[-1]
        if name.endswith(("PerMinute", "PerHour", "PerDay", "PerMonth")):
            continue  # twelve of a kind: the reference lists them
        if name not in in_reference_only:
            assert f'"{name}"' in text, key.pattern


def test_the_example_is_read_by_a_plain_tree_too() -> None:
    tree = parse(EXAMPLE.read_text("utf-8"))
    assert isinstance(tree, Node)
    assert [member.key for member in tree.members] == [
        key for key in keys_of(Config) if key != "$schema"
    ]


def test_the_schema() -> None:
    described = schema()
    provider = described["$defs"]["Provider"]
    assert json.loads(json.dumps(described)) == described
    assert set(provider["properties"]["type"]["enum"]) == PROVIDER_TYPES
    assert provider["additionalProperties"] is False
    assert provider["required"] == ["id", "type"]
    assert provider["properties"]["apiKey"]["description"].startswith("The key.")
    limits = described["$defs"]["Limits"]["properties"]
    assert list(limits)[:2] == ["requestsPerMinute", "requestsPerHour"]
    assert len(limits) == 12
    count = limits["requestsPerMinute"]["anyOf"][0]
    assert count == {"type": "integer", "minimum": 0, "maximum": 9007199254740992}


def test_the_schemas_own_address_is_allowed() -> None:
    loaded = parse_config('{"$schema": "./schema.json"}', {})
    assert loaded.config.schema_address == "./schema.json"


def test_types() -> None:
    assert LOCAL_TYPES < PROVIDER_TYPES
    assert not PROVIDER_TYPES & UNSUPPORTED_TYPES.keys()


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("base_url", ["baseURL", "models"], "baseURL"),
        ("requestPerDay", ["requestsPerDay", "requestsPerHour"], "requestsPerDay"),
        ("APIKEY", ["apiKey", "apiKeys"], "apiKey"),
        ("zzz", ["apiKey"], None),
        ("", ["apiKey"], None),
    ],
)
def test_nearest(name: str, known: list[str], near: str | None) -> None:
    assert nearest(name, known) == near
