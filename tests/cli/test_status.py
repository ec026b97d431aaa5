"""`status` and `tail`: the ledger in a terminal, whether a gateway runs or not."""

import json
import re
import time
from pathlib import Path

import pytest
from dashboard.ledgers import Ledger

from llm_gateway.cli import status_text
from llm_gateway.cli.status import entry
from llm_gateway.cli.terminal import Paint, coloured, printable
from llm_gateway.dashboard.availability import stamp

from .conftest import Command


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    """A gateway with a free model, one at its limit, a tier, a paid one and a budget."""
    made, now = Ledger(folder / "usage.db"), time.time()
    made.beat(now + 30)
    made.provider("groq", free=1)
    made.model("groq", "llama", "coder", price_source="config")
    made.offer("groq", "llama")
    made.limit("groq", "llama", "requests", "day", 62, 100, now + 3 * 3600 + 5)
    made.provider("gemini", free=1)
    made.model("gemini", "flash", aliases=["gpt-4o-mini"])
    made.offer("gemini", "flash", "at limit", reason="requests/day 20 of 20", returns_at=stamp(now + 41 * 60 + 5))  # fmt: skip
    made.limit("gemini", "flash", "requests", "day", 20, 20, now + 41 * 60 + 5)
    made.provider("deepseek")
    made.model("deepseek", "chat", "coder", free=0, price_source="config", input_usd_per_million=1.0)  # fmt: skip
    made.offer("deepseek", "chat", free=0)
    made.limit("", "", "cost", "day", 0.25, 1.0, scope="budget")
    made.request(now - 5, cost_nano=20_000_000, saved_nano=None)
    yield made
    made.close()


def test_status_says_who_answers_and_until_when(
    command: Command, ledger: Ledger
) -> None:
    code, out, err = command("status")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "2 of 3 models can answer" in out
    assert "budget per day: $0.2500 of $1.00" in out
    assert re.search(r"coder +groq free, then deepseek", out)
    assert re.search(r"flash +at limit \(gemini\), back in 41 m", out)
    assert re.search(r"groq / llama +requests/day +█+░+ 62 of 100  3 h", out)
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_line_of_it_is_wider_than_the_terminal(
    command: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, command("status")[1].splitlines())) <= int(columns)


@pytest.mark.parametrize("columns", ["40", "80"])
def test_two_models_of_one_maker_are_told_apart(
    command: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Whole names, when a limit is back, numbers and not their beginnings."""
    at = time.time() + 5 * 3600 + 65
    for name in ("llama-3.3-70b-versatile", "llama-3.3-70b-specdec"):
        ledger.model("groq", name)
        ledger.offer("groq", name, "at limit", returns_at=stamp(at))
        ledger.limit("groq", name, "tokens", "month", 1_000_000_000, 1e9, at)
    monkeypatch.setenv("COLUMNS", columns)
    out = command("status")[1]
    assert "…" not in out[out.index("limits") :]
    assert "  groq / llama-3.3-70b-versatile\n" in out
    assert "  groq / llama-3.3-70b-specdec\n" in out
    assert re.search(r"tokens/month +█+ 1G of 1G", out)
    assert re.search(r"at limit.*, (back in )?5 h 1 m", out)
    assert re.search(r"! .*:\s+100 % of tokens per month used,\s+back in 5 h 1 m", out)
    assert max(map(len, out.splitlines())) <= int(columns)


def test_one_line_for_a_status_bar(command: Command, ledger: Ledger) -> None:
    assert command("status", "--line") == (
        0,
        "groq 62 % 3 h · gemini out 41 m · $0.0200\n",
        "",
    )


def test_what_the_live_page_gets(command: Command, ledger: Ledger) -> None:
    code, out, _ = command("status", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["ready"] == [2, 3]
    assert found["today"]["cost"] == 0.02


@pytest.mark.parametrize("line", [False, True])
def test_a_gateway_that_is_down(command: Command, ledger: Ledger, line: bool) -> None:
    ledger.beat(time.time() - 300)
    code, out, _ = command("status", *(["--line"] if line else []))
    assert code == 1
    assert "down" in out


def test_nothing_can_answer(command: Command, ledger: Ledger) -> None:
    ledger.db.execute("UPDATE models SET enabled = 0, reason = 'disabled'")
    assert command("status", "--line")[0] == 1


@pytest.mark.parametrize("name", ["status", "tail"])
def test_without_a_ledger(command: Command, folder: Path, name: str) -> None:
    code, out, err = command(name)
    assert (code, out) == (1, "")
    assert err == "llm-gateway: usage.db does not exist; is the gateway started elsewhere? --db FILE\n"  # fmt: skip
    (folder / "usage.db").write_text("no database at all")
    code, _, err = command(name)
    assert code == 1
    assert "usage.db is not a ledger" in err


def test_the_last_requests(command: Command, ledger: Ledger) -> None:
    now = time.time()
    for n in range(4):
        ledger.request(now - 60 + n, outcome="error" if n % 2 else "ok", error="503" if n % 2 else None)  # fmt: skip
    ledger.request(now, outcome="in_flight")
    code, out, _ = command("tail", "--no-follow", "-n", "3")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[1] for line in lines] == ["ok", "error", "ok"]
    assert lines[-1].endswith("1.2k tokens  $0.0200  1.2 s")
    assert "gpt-4o-mini -> groq / llama-3.3-70b-versatile" in lines[-1]
    failed = command("tail", "--no-follow", "--failed")[1].splitlines()
    assert [line.split()[1] for line in failed] == ["error", "error"]
    rows = command("tail", "--no-follow", "--json", "-n", "2")[1].splitlines()
    assert [json.loads(row)["outcome"] for row in rows] == ["error", "ok"]


ENDED = {
    **dict.fromkeys(("provider", "model", "host", "error", "cost_usd", "saved_usd")),
    "ts": stamp(0), "client": "cursor", "requested_model": "fast", "outcome": "ok",
    "attempts": 1, "total_tokens": 0, "duration_ms": None, "simulated": 0,
}  # fmt: skip


def test_a_name_cannot_write_to_the_terminal() -> None:
    row = {**ENDED, "client": "a\x1b[2J\n", "requested_model": "\x07"}
    assert printable(shown := entry(row, Paint(False), 200)) == shown


@pytest.mark.parametrize("wide", [40, 60, 80])
def test_who_answered_is_seen_on_any_terminal(wide: int) -> None:
    row = {**ENDED, "provider": "groq", "model": "llama-3.3-70b-versatile"}
    shown = entry(row, Paint(False), wide)
    assert "fast -> groq / llama" in shown
    assert len(shown) <= wide


@pytest.mark.parametrize("wide", [40, 80])
def test_notes_that_do_not_fit_are_left_out_and_not_torn(wide: int) -> None:
    row = {**ENDED, "provider": "openrouter", "model": "deepseek/deepseek-chat-v3:free"}
    row |= {"total_tokens": 9560, "saved_usd": 0.0029, "duration_ms": 10_700}
    shown = entry(row, Paint(False), wide)
    assert shown.endswith("  10.7 s")
    assert len(shown) <= wide
    failed = entry({**row, "outcome": "error", "error": "503"}, Paint(False), wide)
    assert failed.endswith("  503")
    assert len(failed) <= wide


class Terminal:
    def __init__(self, tty: bool) -> None:
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("tty", "environ", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals(
    tty: bool, environ: dict[str, str], expected: bool
) -> None:
    assert coloured(Terminal(tty), environ) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (61, "1 m"), (3600, "1 h"), (12_000, "3 h 20 m"), (90_000, "1 d")],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert status_text.duration(seconds) == said


@pytest.mark.parametrize(
    ("typed", "meant"), [("explian", "explain"), ("stauts", "status"), ("xyz", None)]
)
def test_a_command_that_was_nearly_right(
    command: Command, typed: str, meant: str | None
) -> None:
    code, _, err = command(typed)
    assert code == 2
    assert (f"Did you mean {meant!r}?" in err) is bool(meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--wacth", "; did you mean --watch?\n"), ("--xyz", "arguments: --xyz\n")],
)
def test_an_option_that_was_nearly_right(
    command: Command, typed: str, meant: str
) -> None:
    code, _, err = command("status", typed)
    assert code == 2
    assert err.endswith(meant)
