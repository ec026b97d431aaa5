"""`init` and `check`."""

import json
from pathlib import Path

from llm_gateway.packaged_files import example_config

from .conftest import Command


def test_init_writes_the_example_once(command: Command, folder: Path) -> None:
    path = folder / "config.jsonc"
    assert command("init") == (
        0,
        "Wrote config.jsonc. Edit it, then: llm-gateway check config.jsonc\n",
        "",
    )
    assert path.read_text() == example_config()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("mine")
    code, out, err = command("init")
    assert (code, out) == (1, "")
    assert err == "config.jsonc is there already; it stays as it is.\n"
    assert path.read_text() == "mine"


def test_init_where_nothing_can_be_written(command: Command) -> None:
    code, _, err = command("init", "nowhere/config.jsonc")
    assert code == 1
    assert err == "nowhere/config.jsonc cannot be written: No such file or directory\n"


def test_check_says_what_can_be_used(command: Command, folder: Path) -> None:
    command("init")
    code, out, err = command("check")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        "config.jsonc: fine. 3 of 11 providers can be used, 1 model name."
    )
    assert "  groq is skipped: not configured: GROQ_API_KEY is not set" in lines


def test_check_names_every_mistake_and_its_place(
    command: Command, folder: Path
) -> None:
    text = '{\n  "providers": [{"id": "a", "typ": "groq"}],\n  "rooting": {}\n}'
    (folder / "mine.jsonc").write_text(text)
    code, out, err = command("check", "mine.jsonc")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        'mine.jsonc:2:17: providers[0]: "type" is missing; write it (what it is)',
        'mine.jsonc:2:29: providers[0].typ: unknown key; did you mean "type"?',
        'mine.jsonc:3:3: rooting: unknown key; did you mean "routing"?',
    ]


def test_check_of_what_is_no_config(
    command: Command, folder: Path, monkeypatch
) -> None:
    assert command("check")[0] == 1
    monkeypatch.setenv("LLM_GATEWAY_CONFIG", "elsewhere.jsonc")
    code, _, err = command("check")
    assert code == 1
    assert err == (
        "elsewhere.jsonc: there is no such file; make it with: llm-gateway init\n"
    )
    (folder / "elsewhere.jsonc").write_text("{")
    assert command("check")[0] == 1


def test_check_never_shows_a_key(command: Command, folder: Path) -> None:
    provider = {"id": "a", "type": "groq", "apiKey": "sk-CANARY", "limits": 7}
    (folder / "config.jsonc").write_text(json.dumps({"providers": [provider]}))
    code, out, err = command("check")
    assert code == 1
    assert "CANARY" not in out + err
