"""The running configuration and the moment's state, as rows."""

import json
from dataclasses import replace

import pytest

from ledger.samples import AT, GROQ, OPENAI
from llm_gateway.config.load import parse_config
from llm_gateway.domain import Candidate, Limit, Metric, Reset, Verdict, Window
from llm_gateway.ledger import config_tables, lesson_tables, limit_columns, state_tables
from llm_gateway.ledger.store import GatewayState
from llm_gateway.limits.values import LimitStatus
from llm_gateway.providers import catalog

TIMEOUT = 20

CONFIG = """{
  "providers": [
    {"id": "groq", "type": "groq", "apiKey": "CANARY-sk-groq", "free": true,
     "limits": {"requestsPerDay": 100}, "resets": {"day": "03:30 America/Los_Angeles"},
     "models": [{"name": "llama", "mappedName": "flash", "aliases": ["gpt-4*"],
                 "pricing": {"inputCostPerMillionTokens": 0.5, "outputCostPerMillionTokens": 1.5}}]},
    {"id": "paid", "type": "openai-compatible", "baseURL": "http://127.0.0.1:9/v1",
     "apiKeys": ["CANARY-sk-1", "CANARY-sk-2"], "headers": {"X-Token": "CANARY-header"},
     "models": [{"name": "big", "limits": {"costPerDay": 1.5},
                 "pricing": {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}}]},
    {"id": "later", "type": "mistral", "apiKey": "${NOT_SET}", "models": [{"name": "m"}]},
    {"id": "off", "type": "mistral", "apiKey": "CANARY-sk-off", "enabled": false,
     "flatRate": {"costPerMonth": 10}, "models": [{"name": "m"}]}
  ],
  "clients": [{"name": "cursor", "key": "CANARY-client-key-1", "limits": {"tokensPerMonth": 5}}],
  "budget": {"costPerMonth": 10}
}"""


@pytest.fixture
def running():
    config = parse_config(CONFIG, {}).config
    return catalog.build(
        config, "rev1", price=lambda *_: None, window=lambda *_: None, now=AT
    )


def test_the_running_configuration(open_store, running):
    store = open_store()
    clients = [limit for client in running.clients for limit in client.limits]
    store.running_config(running, clients)
    assert store.flush().result(TIMEOUT)
    assert store.rows("SELECT * FROM providers") == [
        {
            "id": "groq",
            "type": "groq",
            "base_url": "https://api.groq.com/openai/v1",
            "accounts": 1,
            "enabled": 1,
            "reason": "",
            "free": 1,
            "flat_rate_usd_per_month": None,
            "way_out": "",
        },
        {
            "id": "later",
            "type": "mistral",
            "base_url": None,
            "accounts": 1,
            "enabled": 0,
            "reason": "not configured: NOT_SET is not set",
            "free": 0,
            "flat_rate_usd_per_month": None,
            "way_out": "",
        },
        {
            "id": "off",
            "type": "mistral",
            "base_url": "https://api.mistral.ai/v1",
            "accounts": 1,
            "enabled": 0,
            "reason": "disabled",
            "free": 0,
            "flat_rate_usd_per_month": 10.0,
            "way_out": "",
        },
        {
            "id": "paid",
            "type": "openai-compatible",
            "base_url": "http://127.0.0.1:9/v1",
            "accounts": 2,
            "enabled": 1,
            "reason": "",
            "free": 0,
            "flat_rate_usd_per_month": None,
            "way_out": "",
        },
    ]
    (model,) = store.rows("SELECT * FROM models WHERE provider = 'groq'")
    assert json.loads(model["aliases"]) == ["gpt-4*"]
    assert "chat" in json.loads(model["dialects"])
    assert (model["model"], model["name"], model["free"]) == ("llama", "flash", 1)
    assert (
        model["list_input_usd_per_million"],
        model["list_output_usd_per_million"],
    ) == (
        0.5,
        1.5,
    )
    assert store.rows("SELECT count(*) AS n FROM models") == [{"n": 4}]
    assert store.rows(
        'SELECT scope, provider, account, model, client, metric, "window", amount, reset'
        " FROM limits WHERE source = 'config' ORDER BY scope, account"
    ) == [
        limit("budget", metric="cost", window="month", amount=10.0),
        limit("client", client="cursor", metric="tokens", window="month", amount=5),
        limit("model", "paid", "1", "big", metric="cost", window="day", amount=1.5),
        limit("model", "paid", "2", "big", metric="cost", window="day", amount=1.5),
        limit(
            "provider",
            "groq",
            metric="requests",
            window="day",
            amount=100,
            reset="03:30 America/Los_Angeles",
        ),
    ]
    # A reload replaces all of it.
    store.running_config(replace(running, offers=(), budget=()))
    assert store.flush().result(TIMEOUT)
    assert store.rows("SELECT * FROM models") == []


def limit(scope, provider="", account="", model="", client="", **values):
    return {
        "scope": scope,
        "provider": provider,
        "account": account,
        "model": model,
        "client": client,
        "reset": None,
        **values,
    }


def test_no_secret_reaches_the_file(open_store, running, tmp_path):
    store = open_store()
    store.running_config(running)
    store.gateway_state(GatewayState("1.0", AT, AT))
    assert store.flush().result(TIMEOUT)
    for path in tmp_path.iterdir():
        assert b"CANARY" not in path.read_bytes(), path.name
    store.close()
    assert b"groq" in (tmp_path / "usage.db").read_bytes()
    assert b"CANARY" not in (tmp_path / "usage.db").read_bytes()


@pytest.mark.parametrize(
    ("used", "reserved", "remaining", "shown"),
    [
        (3, 0, 17, 3),  # nobody but us
        (3, 2, 5, 13),  # the provider counted what others sent with our key
        (0, 0, 0, 20),
        (25, 0, 0, 25),  # past the limit
        (18, 4, 0, 18),
    ],
)
def test_what_the_provider_says_is_left_is_left(used, reserved, remaining, shown):
    daily = Limit(("model", "groq", "", "llama"), Metric.REQUESTS, Window.DAY, 20)
    standing = LimitStatus(daily, used, reserved, remaining, None, "header", AT)
    table = state_tables.limit_state([standing], AT)
    [row] = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (row["used"], row["reserved"], row["amount"]) == (shown, reserved, 20)


def test_the_state_of_limits_and_offers(open_store):
    store = open_store()
    daily = Limit(("model", "groq", "", "llama"), Metric.REQUESTS, Window.DAY, 20)
    budget = Limit(("budget",), Metric.COST, Window.MONTH, 10_000_000_000)
    store.limit_state(
        [
            LimitStatus(daily, 19, 1, 0, AT + 60, "header", AT - 5),
            LimitStatus(budget, 350_000_000, 0, 9_650_000_000, None, "config"),
        ]
    )
    store.offer_state(
        [
            Candidate(GROQ, Verdict.SKIPPED, "requests/day 20 of 20", "at limit", returns_at=AT + 60),
            Candidate(OPENAI, Verdict.READY, "", "near limit"),
        ]
    )  # fmt: skip
    assert store.flush().result(TIMEOUT)
    assert store.rows(
        "SELECT scope, metric, used, reserved, amount, resets_at, source, observed_at, updated_at"
        " FROM limit_state ORDER BY scope DESC"
    ) == [
        {
            "scope": "model",
            "metric": "requests",
            "used": 19,
            "reserved": 1,
            "amount": 20,
            "resets_at": "2026-03-01T12:35:56.789Z",
            "source": "header",
            "observed_at": "2026-03-01T12:34:51.789Z",
            "updated_at": "2026-03-01T12:34:56.789Z",
        },
        {
            "scope": "budget",
            "metric": "cost",
            "used": 0.35,
            "reserved": 0.0,
            "amount": 10.0,
            "resets_at": None,
            "source": "config",
            "observed_at": None,
            "updated_at": "2026-03-01T12:34:56.789Z",
        },
    ]
    assert store.rows(
        "SELECT provider, account, free, state, returns_at FROM offer_state"
    ) == [
        {
            "provider": "groq",
            "account": "",
            "free": 1,
            "state": "at limit",
            "returns_at": "2026-03-01T12:35:56.789Z",
        },
        {
            "provider": "openai",
            "account": "1",
            "free": 0,
            "state": "near limit",
            "returns_at": None,
        },
    ]
    # The newest version is all there is.
    store.limit_state([])
    assert store.flush().result(TIMEOUT)
    assert store.rows("SELECT * FROM limit_state") == []


def test_the_heartbeat(open_store):
    store = open_store()
    for beat in (0, 1):
        store.gateway_state(
            GatewayState(
                "1.2.3",
                AT - 10,
                AT + beat,
                port=8080,
                pid=4711,
                policy="free-first",
                budget_set=False,
                config_revision="rev1",
                config_loaded_at=AT - 9,
                config_error="config.jsonc:3: no",
                degraded=["copilot: sign in"],
                detail={"in_flight": 2},
            )
        )
    assert store.flush().result(TIMEOUT)
    assert store.rows("SELECT * FROM gateway_state") == [
        {
            "id": 1,
            "version": "1.2.3",
            "port": 8080,
            "pid": 4711,
            "started_at": "2026-03-01T12:34:46.789Z",
            "heartbeat": "2026-03-01T12:34:57.789Z",
            "policy": "free-first",
            "budget_set": 0,
            "config_revision": "rev1",
            "config_loaded_at": "2026-03-01T12:34:47.789Z",
            "config_error": "config.jsonc:3: no",
            "degraded": '["copilot: sign in"]',
            "detail": '{"in_flight": 2}',
        }
    ]


@pytest.mark.parametrize(
    ("scope", "columns"),
    [
        (("provider", "a/b", ""), ("provider", "a/b", "", "", "")),
        (("model", "groq", "1", "x/y:free"), ("model", "groq", "1", "x/y:free", "")),
        (("tier", "openrouter", "", ":free"), ("tier", "openrouter", "", ":free", "")),
        (("client", "cursor"), ("client", "", "", "", "cursor")),
        (("budget",), ("budget", "", "", "", "")),
    ],
)
def test_scopes_have_columns(scope, columns):
    assert limit_columns.scope_columns(scope) == columns


def test_a_reset_reads_as_the_config_writes_it():
    whole = config_tables._limits(
        [Limit(("budget",), Metric.COST, Window.DAY, 1, Reset(3, 5, "Asia/Tokyo"))]
    )
    assert whole.rows[0][8] == "03:05 Asia/Tokyo"


def test_what_was_billed_though_free_is_kept_with_its_configuration(open_store):
    store = open_store()
    until = {
        ("groq", "2", "llama"): AT + 60,
        ("google", ""): AT + 30,
        ("late", "", "m"): AT - 1,
    }
    store.billed_offers(until, "rev1", AT)
    assert store.flush().result(TIMEOUT)
    held = {key: at for key, at in until.items() if at > AT}
    assert store.billed("rev1", AT) == held
    assert store.billed("rev2", AT) == {}
    assert store.billed("rev1", AT + 45) == {("groq", "2", "llama"): AT + 60}
    store.billed_offers({}, "rev1", AT)
    assert store.flush().result(TIMEOUT)
    assert store.billed("rev1", AT) == {}


def test_what_was_learned_of_conversations_is_kept(open_store):
    store = open_store()
    rows = [("a" * 32, "state:ids=out", AT), ("b" * 32, "state:thinking=out", AT)]
    store.learned_of_conversations(rows)
    store.learned_of_conversations([("a" * 32, "", AT + 1)])  # taken back
    assert store.flush().result(TIMEOUT)
    assert store.conversation_quirks() == [rows[1], ("a" * 32, "", AT + 1)]


def test_signed_blocks_are_added_and_the_oldest_go(open_store, monkeypatch):
    monkeypatch.setattr(lesson_tables, "MOST_BLOCKS", 5)
    store = open_store()
    store.signed_blocks([("h0", "anthropic"), ("h1", "anthropic")], AT)
    store.signed_blocks([("h2", "openai a 1")], AT)  # before the first was written
    assert store.flush().result(TIMEOUT)
    for n in range(3, 8):
        store.signed_blocks([(f"h{n}", "anthropic"), ("h2", "openai a 1")], AT + n)
        assert store.flush().result(TIMEOUT)
    assert store.known_blocks() == [
        *((f"h{n}", "anthropic") for n in (6, 7)),
        ("h2", "openai a 1"),
    ]
