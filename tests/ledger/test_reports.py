"""What is asked of the ledger, over HTTP and in the terminal."""

import json
import sqlite3

import pytest

from ledger.samples import AT, ended, request
from llm_gateway.cli.report import dollars, report, table, tokens
from llm_gateway.domain import Usage
from llm_gateway.ledger.reports import (
    BadParameter,
    LedgerFile,
    spending,
    total,
    usage_historical,
)

TIMEOUT = 20
HOUR = 3600.0


@pytest.fixture
def ledger(open_store):
    store = open_store()
    store.end(
        ended(request("r1", at=AT - 30 * HOUR), usage=Usage(1, source="reported"))
    )
    store.end(ended(request("r2", at=AT - 2 * HOUR)))
    store.end(
        ended(
            request("r3", at=AT - HOUR, requested_model="best"),
            provider="openai",
            model="gpt-4o",
            cost=2_500_000_000,
            saved=None,
        )
    )
    store.end(request("refused", at=AT, outcome="refused", status=429))
    store.end(
        ended(
            request("passed", at=AT, host="llm.example.com"),
            outcome="passthrough",
            provider=None,
            model="own-model",
            cost=None,
            saved=None,
        )
    )
    store.begin(request("running", at=AT))
    store.end(
        ended(request("simulated", at=AT), simulated=True, cost=10_000_000, saved=None)
    )
    store.end(
        ended(request("broken", at=AT), outcome="error", usage=Usage(), saved=None)
    )
    assert store.flush().result(TIMEOUT)
    return store


def test_usage_historical(ledger):
    rows = usage_historical(ledger, {}, AT)
    assert rows[0] == {
        "timestamp": "2026-03-01T10:34:56.789Z",
        "providerId": "groq",
        "model": "llama",
        "promptTokens": 35,
        "completionTokens": 30,
        "totalTokens": 65,
        "cost": 0.0,
    }
    # newest last; unknown cost is null; what has no usage or no end is not there
    assert [(r["providerId"], r["model"], r["cost"]) for r in rows] == [
        ("groq", "llama", 0.0),
        ("openai", "gpt-4o", 2.5),
        (None, "own-model", None),
        ("groq", "llama", 0.01),
    ]


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ({"hours": "48"}, ["llama", "llama", "gpt-4o", "llama", "own-model"]),
        ({"hours": "1.5"}, ["gpt-4o", "llama", "own-model"]),
        ({"minutes": "30"}, ["llama", "own-model"]),
        ({"hours": "1", "minutes": "90"}, ["llama", "gpt-4o", "llama", "own-model"]),
        ({"providerId": "openai"}, ["gpt-4o"]),
        ({"model": "gpt-4o"}, ["gpt-4o"]),
        ({"model": "best"}, ["gpt-4o"]),
        ({"model": "' OR 1=1 --"}, []),
        ({"hours": "", "model": "", "providerId": "", "other": "x"}, ["llama", "gpt-4o", "llama", "own-model"]),
    ],
)  # fmt: skip
def test_usage_historical_parameters(ledger, query, models):
    assert sorted(r["model"] for r in usage_historical(ledger, query, AT)) == sorted(
        models
    )


@pytest.mark.parametrize(
    "value", ["x", "0", "-1", "nan", "inf", "1e9", "1; DROP TABLE"]
)
@pytest.mark.parametrize("name", ["hours", "minutes"])
def test_usage_historical_says_what_is_wrong_with_a_parameter(ledger, name, value):
    with pytest.raises(BadParameter, match=f"{name} is .*: write a number above 0"):
        usage_historical(ledger, {name: value}, AT)


def test_spending(ledger):
    assert spending(ledger, "provider", 1, AT) == [
        {
            "provider": "(none)",
            "requests": 2,
            "errors": 0,
            "refused": 1,
            "passthrough": 1,
            "tokens": 65,
            "cost_usd": None,
            "saved_usd": None,
            "unknown_cost": 0,
        },
        {
            "provider": "groq",
            "requests": 2,
            "errors": 1,
            "refused": 0,
            "passthrough": 0,
            "tokens": 65,
            "cost_usd": 0.0,
            "saved_usd": 0.0015,
            "unknown_cost": 0,
        },
        {
            "provider": "openai",
            "requests": 1,
            "errors": 0,
            "refused": 0,
            "passthrough": 0,
            "tokens": 65,
            "cost_usd": 2.5,
            "saved_usd": None,
            "unknown_cost": 0,
        },
    ]
    assert [(r["day"], r["requests"]) for r in spending(ledger, "day", 2, AT)] == [
        ("2026-03-01", 5),
        ("2026-02-28", 1),
    ]
    assert [r["model"] for r in spending(ledger, "model", 1, AT)] == [
        "llama",
        "(none)",
        "own-model",
        "gpt-4o",
    ]


def test_the_report_is_a_table(ledger, capsys, monkeypatch):
    monkeypatch.setattr("llm_gateway.cli.report.time.time", lambda: AT)
    assert report(["--db", str(ledger.path), "--days", "1"]) == 0
    assert capsys.readouterr().out == (
        "Today (UTC), by provider\n\n"
        "provider  requests  tokens   cost    saved  failed  refused  passed  cost unknown\n"
        "--------  --------  ------  -----  -------  ------  -------  ------  ------------\n"
        "(none)           2      65      -        -       0        1       1             0\n"
        "groq             2      65  $0.00  $0.0015       1        0       0             0\n"
        "openai           1      65  $2.50        -       0        0       0             0\n"
        "--------  --------  ------  -----  -------  ------  -------  ------  ------------\n"
        "total            5     195  $2.50  $0.0015       1        1       1             0\n"
        "\n(none): refused, or passed through to the app's own host\n"
    )


def test_a_narrow_report_is_without_columns_that_hold_nothing(ledger):
    rows, sums = spending(ledger, "provider", 1, AT), total(ledger, 1, AT)
    narrow = table("provider", rows, sums, 80).splitlines()
    assert max(map(len, narrow)) <= 80
    assert narrow[0].split() == [
        *("provider", "requests", "tokens", "cost", "saved", "failed", "refused", "passed")
    ]  # fmt: skip
    assert table("provider", rows, sums, 90).splitlines()[0].endswith("cost unknown")


def test_the_report_for_programs(ledger, capsys, monkeypatch):
    monkeypatch.setattr("llm_gateway.cli.report.time.time", lambda: AT)
    assert report(["--db", str(ledger.path), "--by", "model", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["provider"], first["model"], first["requests"]) == (
        "groq",
        "llama",
        3,
    )


def test_a_report_without_a_ledger(tmp_path, capsys):
    assert report(["--db", str(tmp_path / "none.db")]) == 1
    assert "none.db does not exist" in capsys.readouterr().err
    (tmp_path / "other.db").write_text("hello, this is no database")
    assert report(["--db", str(tmp_path / "other.db")]) == 1
    assert "is not a ledger" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        report(["--days", "x"])
    assert caught.value.code == 2
    assert "'x' is not a number of days; write e.g. 7" in capsys.readouterr().err


def test_a_report_of_nothing(open_store, capsys):
    assert report(["--db", str(open_store().path), "--days", "3"]) == 0
    assert capsys.readouterr().out == "No requests in the last 3 days.\n"


def test_a_ledger_file_is_never_written(ledger):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        LedgerFile(ledger.path).rows("DELETE FROM requests")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (999, "999"), (12_345, "12.3k"), (4_560_000, "4.56M"), (7_000_000_000, "7G")],
)  # fmt: skip
def test_tokens(value, shown):
    assert tokens(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "$0.00"),
        (0.00001, "<$0.0001"),
        (0.0123, "$0.0123"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(value, shown):
    assert dollars(value) == shown
