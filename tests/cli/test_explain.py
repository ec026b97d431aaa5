"""`explain`: the gateway's own word while it runs, the files' when none does."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import GatewayProcess
from llm_gateway.cli.explain import shown, table
from llm_gateway.cli.terminal import Paint

from .conftest import Command

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def candidate(provider: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "account": "",
        "model": "m",
        "free": True,
        "verdict": verdict,
        "state": "ready",
        "reason": "free",
        "expected_cost": 0,
        "headroom": 1.0,
        "returns_at": None,
        "limits": [],
        **more,
    }


def test_the_running_gateway_is_asked(
    command: Command, running: GatewayProcess
) -> None:
    for _ in range(2):
        running.chat()
    code, out, err = command("explain", "m")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["m (policy free-first)", ""]
    assert lines[2].startswith(" -> paid/m  ~$0.00")
    assert lines[2].endswith("no free one is left, and it is the cheapest") or (
        lines[2].endswith("the only one that can serve now")
    )
    assert "  x free/m  free" in lines[3]
    assert lines[3].endswith("requests/day 2 of 2 on free")
    assert re.fullmatch(r" {6}back in 2[34] h, at \d{4}-\d\d-\d\d \d\d:\d\d", lines[4])


def test_as_json_it_is_what_the_route_answers(
    command: Command, running: GatewayProcess
) -> None:
    code, out, _ = command("explain", "m", "--json")
    assert code == 0
    assert json.loads(out)["chosen"]["model"] == "m"


def test_every_dialect_has_its_say(command: Command, running: GatewayProcess) -> None:
    _, out, _ = command("explain", "m")
    assert "\nThat is for chat, completions, embeddings, responses.\n" in out
    assert "\nmessages:\n" in out
    assert "; translated to chat\n" in out
    _, out, _ = command("explain", "v")
    assert "\nmessages: nobody, so no Claude Code\n" in out
    assert "      No provider here takes Anthropic's /v1/messages for 'v'" in out


def test_one_dialect(command: Command, running: GatewayProcess) -> None:
    code, out, _ = command("explain", "m", "--dialect", "responses")
    assert code == 0
    assert "nobody" not in out
    code, out, err = command("explain", "v", "--dialect", "messages")
    assert (code, out) == (1, "")
    assert err.startswith("No provider here takes Anthropic's /v1/messages for 'v'")
    code, _, err = command("explain", "m", "--dialect", "latin")
    assert code == 2
    assert "invalid choice: 'latin'" in err


def test_one_dialect_where_no_gateway_runs(
    command: Command, gateway: GatewayProcess
) -> None:
    config = str(gateway.config_path)
    code, _, err = command("explain", "v", "--dialect", "messages", "--config", config)
    assert code == 1
    assert "No provider here takes Anthropic's /v1/messages for 'v'" in err


PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
}


def asked(folder: Path, *content: dict[str, Any]) -> str:
    body = {
        "model": "m",
        "max_tokens": 9,
        "top_k": 4,
        "messages": [{"role": "user", "content": [*content]}],
    }
    (folder / "request.json").write_text(json.dumps(body))
    return "request.json"


def test_a_request_is_judged_and_not_sent(
    command: Command, running: GatewayProcess, folder: Path
) -> None:
    before = running.rows("select count(*) as n from requests")
    file = asked(folder, {"type": "text", "text": "Hello!"})
    code, out, err = command("explain", "--request", file, "--dialect", "messages")
    assert (code, err) == (0, "")
    assert "; translated to chat\n" in out
    assert "top_k left out: " in out
    code, out, _ = command(
        "explain", "--request", asked(folder, PDF), "--dialect", "messages"
    )
    assert code == 0
    assert "cannot carry: PDF in a message" in out
    assert "Nobody can answer for it now." in out
    assert running.rows("select count(*) as n from requests") == before


def test_a_request_that_cannot_be_judged(
    command: Command, running: GatewayProcess, folder: Path
) -> None:
    code, _, err = command("explain", "--request", "nowhere.json")
    assert code == 1
    assert err.startswith("llm-gateway: nowhere.json is not a request as JSON: ")
    file = asked(folder)
    code, _, err = command("explain", "v", "--request", file, "--dialect", "messages")
    assert code == 1
    assert err.startswith("No provider here takes Anthropic's /v1/messages for 'v'")
    code, _, err = command("explain")
    assert code == 2
    assert "--request FILE" in err


def test_a_request_needs_a_running_gateway(command: Command, folder: Path) -> None:
    code, _, err = command("explain", "--request", asked(folder))
    assert code == 1
    assert err.startswith("llm-gateway: nothing answers on port ")


def test_an_unknown_model(command: Command, running: GatewayProcess) -> None:
    code, out, err = command("explain", "nobody/has:it")
    assert (code, out) == (1, "")
    assert err == "The model 'nobody/has:it' does not exist here.\n"


def test_where_no_gateway_runs_config_and_ledger_are_weighed(
    command: Command,
    gateway: GatewayProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        gateway.chat()
    monkeypatch.setenv("LLM_GATEWAY_DB", str(gateway.database))
    gateway.wait_rows(
        "select count(*) as n from requests where provider = 'free' and outcome = 'ok'",
        lambda rows: rows[0]["n"] == 2,
    )
    config = str(gateway.config_path)
    code, out, err = command("explain", "m", "--config", config)
    assert code == 0
    assert err == "No gateway is running: weighed from the config and the ledger.\n"
    assert "requests/day 2 of 2 on free" in out
    code, _, err = command("explain", "other", "--config", config)
    assert code == 1
    assert err.endswith("The model 'other' does not exist here.\n")


def test_files_that_cannot_be_weighed(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = command("explain", "demo")
    assert code == 1
    assert "config.jsonc: there is no such file" in err
    command("init")
    (folder / "usage.db").write_text("no database at all")
    code, _, err = command("explain", "demo")
    assert code == 1
    assert "usage.db is not a ledger: file is not a database" in err


def test_the_table() -> None:
    limits = [
        {"key": "requestsPerMinute", "amount": 30, "as_of": "2026-08-22"},
        {"key": "tokensPerDay", "amount": 200_000, "as_of": "2026-08-22"},
    ]
    found = {
        "model": "m",
        "policy": "free-first",
        "chosen": {"provider": "a"},
        "candidates": [
            candidate("a", "taken", reason="most headroom, 80% left", limits=limits),
            candidate("bee", "ready", headroom=0.2, state="near limit", limits=limits),
            candidate("c", "ready"),
            candidate("d", "ready", free=False, expected_cost=0.00125),
            candidate("e", "ready", free=False, expected_cost=None),
            candidate(
                "f",
                "skipped",
                account="2",
                reason="requests/minute 5 of 5 on f#2",
                returns_at="2026-11-24T12:00:41.500Z",
            ),
            candidate("g", "skipped", returns_at="2026-11-24T12:30:00.000Z"),
            candidate("h", "skipped", free=False, expected_cost=None),
        ],
    }
    preset = "free tier as of 2026-08-22: requestsPerMinute 30, tokensPerDay 200,000"
    assert table(found, NOW).splitlines() == [
        "m (policy free-first)",
        "",
        " -> a/m    free           most headroom, 80% left",
        f"      {preset}",
        " 2. bee/m  free           near limit, 20% left",
        f"      {preset}",
        " 3. c/m    free           ready",
        " 4. d/m    ~$0.001250     ready",
        " 5. e/m    price unknown  ready",
        "  x f#2/m  free           requests/minute 5 of 5 on f#2",
        "      back in 42 s",
        "  x g/m    free           free",
        "      back in 30 min",
        "  x h/m    -              free",
    ]


def test_dialects_that_differ_have_a_block_of_their_own() -> None:
    a, b = candidate("a", "taken"), candidate("b", "taken")
    found = {
        "model": "m",
        "policy": "any",
        "chosen": {"provider": "a"},
        "candidates": [a],
        "dialect": "chat",
        "dialects": {
            "chat": {"chosen": {"provider": "a"}, "candidates": [a]},
            "embeddings": {"chosen": {"provider": "a"}, "candidates": [a]},
            "responses": {"chosen": {"provider": "b"}, "candidates": [b]},
            "messages": {
                "chosen": None,
                "candidates": [],
                "reason": "Nobody does.",
                "apps": ["Claude Code"],
            },
        },
    }
    assert table(found, NOW).splitlines() == [
        "m (policy any)",
        "",
        " -> a/m  free  free",
        "",
        "That is for chat, embeddings.",
        "",
        "responses:",
        " -> b/m  free  free",
        "",
        "messages: nobody, so no Claude Code",
        "      Nobody does.",
    ]


def test_a_terminal_gets_colours_and_lines_that_fit() -> None:
    long = "requests/day 2 of 2 on free, as its own page said this morning at eight"
    found = {
        "model": "m",
        "policy": "any",
        "chosen": {"provider": "a"},
        "candidates": [candidate("a", "taken"), candidate("b", "skipped", reason=long)],
    }
    plain = shown(table(found, NOW), Paint(False), 0)
    assert plain == table(found, NOW)
    assert max(map(len, plain.splitlines())) > 60
    lines = shown(table(found, NOW), Paint(False), 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()) == " ".join(plain.split())
    painted = shown(table(found, NOW), Paint(True), 60)
    assert "\x1b[32m -> a/m" in painted
    assert "\x1b[2m  x b/m" in painted


def test_nobody_can_answer_now(command: Command, folder: Path) -> None:
    """A script sees it by the exit code."""
    config = {"providers": [{"id": "a", "type": "openai", "models": [{"name": "m"}]}]}
    (folder / "config.jsonc").write_text(json.dumps(config))
    code, out, _ = command("explain", "m")
    assert code == 1
    assert "\nNobody can answer for it now.\n" in out
    code, out, _ = command("explain", "m", "--json")
    assert (code, json.loads(out)["chosen"]) == (1, None)


def test_when_nobody_is_left() -> None:
    found = {"model": "m", "policy": "any", "chosen": None, "candidates": []}
    assert table(found, NOW).endswith("\n\nNobody can answer for it now.")
