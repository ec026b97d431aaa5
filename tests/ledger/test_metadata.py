"""`datasette-metadata.json`: every column described, every canned query answered."""

import json
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from ledger.samples import DECISION, attempt, ended, request
from llm_gateway.domain import Event
from llm_gateway.ledger.database_file import read_only
from llm_gateway.ledger.store import GatewayState

TIMEOUT = 20
HERE = Path(__file__).parent
METADATA_FILE = HERE.parents[1] / "datasette-metadata.json"
METADATA = json.loads(METADATA_FILE.read_text("utf-8"))
USAGE = METADATA["databases"]["usage"]
QUERIES = USAGE["queries"]
OF_SQLITE = {"_sqlite_migrations", "sqlite_stat1", "sqlite_stat4", "sqlite_sequence"}


@pytest.fixture
def ledger(open_store):
    """A little of everything, of the last day."""
    now = time.time()
    store = open_store(clock=lambda: now)
    record = request("failed-over", at=now - 600)
    store.begin(record, attempt("failed-over", at=now - 600), DECISION)
    store.end_attempt(
        attempt(
            "failed-over",
            at=now - 600,
            outcome="failed",
            reason="429 rate_limit_exceeded",
            status=429,
            counted=False,
        )
    )
    store.attempt(attempt("failed-over", 2, at=now - 599, provider="openai"))
    store.end_attempt(
        attempt("failed-over", 2, at=now - 599, provider="openai", outcome="ok")
    )
    store.end(
        ended(record, attempts=2, provider="openai", cost=2_000_000, streamed=True)
    )
    store.end(request("refused", at=now - 300, outcome="refused", error="exhausted"))
    store.decision(request("refused", at=now - 300), DECISION)
    store.end(ended(request("unpriced", at=now - 200), cost=None, saved=None))
    store.event(Event(now, "cooldown", "groq", "429"))
    store.gateway_state(GatewayState("1.0", now, now))
    assert store.flush().result(TIMEOUT)
    store.close()
    return store


def columns(ledger) -> dict[str, set[str]]:
    with_generated = "SELECT name FROM pragma_table_xinfo(:of)"
    tables = ledger.rows(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    )
    return {
        table["name"]: {
            column["name"]
            for column in ledger.rows(with_generated, {"of": table["name"]})
        }
        for table in tables
    }


def test_every_table_and_column_is_described(ledger):
    found = columns(ledger)
    described = {
        name: set(table.get("columns", ())) for name, table in USAGE["tables"].items()
    }
    assert set(found) - OF_SQLITE == set(described) - OF_SQLITE
    for table in set(found) - OF_SQLITE:
        assert described[table] == found[table], table
        assert USAGE["tables"][table]["title"]
        assert USAGE["tables"][table]["description"]


def test_what_people_need_not_see_is_hidden():
    hidden = {name for name, table in USAGE["tables"].items() if table.get("hidden")}
    internal = {"usage_minute", "gateway_state", "opaque", "collecting", "unsent"}
    internal |= {"conversation_quirks"}
    assert hidden == internal | OF_SQLITE


def test_no_units():
    """Datasette 0.65 answers a table with `units` in US$ with an error page."""
    assert '"units"' not in json.dumps(METADATA)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_canned_query(ledger, name):
    query = QUERIES[name]
    assert query["title"]
    assert query["description"].endswith(".")
    for days in ("", "7", 7):
        rows = ledger.rows(query["sql"], {"days": days})
    if name != "limits_now":
        assert rows, "the little ledger should have an answer to this"
    assert (":days" in query["sql"]) == ("days:" in query["description"])
    default = re.search(r"nullif\(:days, ''\), (\d+)\)", query["sql"])
    if default:
        assert f"{default[1]} if left empty" in query["description"]


def test_answers_of_canned_queries(ledger):
    def ask(name):
        return ledger.rows(QUERIES[name]["sql"], {"days": ""})

    assert [r["cost_usd"] for r in ask("spend_by_provider")] == [0.002, None, None]
    (chain,) = ask("failover_chains")
    assert chain["way"] == "groq/llama 429 rate_limit_exceeded -> openai/llama ok"
    (refused,) = ask("refused_and_why")
    assert refused["why"] == (
        "groq/llama: warm; openai/gpt-4o-mini: requests/day 20 of 20"
    )
    (unpriced,) = ask("unknown_prices")
    assert (unpriced["provider"], unpriced["requests_without_price"]) == ("groq", 1)
    (hit,) = ask("limits_hit")
    assert (hit["provider"], hit["status"], hit["times"]) == ("groq", 429, 1)
    (speed,) = ask("tokens_per_second")
    assert speed["tokens_per_second"] == 38.5  # 30 tokens in 780 ms
    assert ask("skipped_and_why") == [
        {
            "provider": "openai",
            "model": "gpt-4o-mini",
            "state": "at limit",
            "times": 2,
            "for_example": "requests/day 20 of 20",
        }
    ]


def test_canned_queries_only_read():
    for name, query in QUERIES.items():
        assert query["sql"].startswith("select "), name
        assert ";" not in query["sql"].replace("'; '", ""), name


@pytest.mark.skipif(
    not version("datasette").startswith("0."),
    reason="Datasette 1 takes queries from another file",
)
@pytest.mark.process
def test_datasette_shows_every_table_and_query(ledger):
    pages = [f"/usage/{name}?days=" for name in QUERIES]
    pages += [f"/usage/{name}" for name in USAGE["tables"] if name != "sqlite_stat4"]
    pages += ["/", "/usage", "/usage/requests"]
    done = subprocess.run(
        [sys.executable, HERE / "browse.py", ledger.path, METADATA_FILE],
        input="\n".join(pages),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    statuses, text = done.stdout.split("\n")[: len(pages)], done.stdout
    assert [line for line in statuses if not line.startswith("200 ")] == []
    assert "Charged, US$; empty: unknown" in text


def test_a_view_can_be_asked_by_the_plain_command_line(ledger):
    """No function of ours is in a view: any SQLite can open the file."""
    with read_only(ledger.path) as connection:
        for (view,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'view'"
        ).fetchall():
            connection.execute(f"SELECT * FROM {view}").fetchall()
    connection.close()
