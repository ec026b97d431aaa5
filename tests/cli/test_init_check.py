"""`init` and `check`."""

import json
from pathlib import Path

import pytest

from llm_gateway.packaged_files import example_config
from llm_gateway.providers.registry import TYPES

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


KEY_VARIABLES = [name for row in TYPES.values() for name in row.key_variables]


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEY_VARIABLES, "CLOUDFLARE_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)


def test_detect_writes_a_config_that_check_takes(
    command: Command, folder: Path, no_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, "sk-CANARY")
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "acc")
    code, out, err = command("init", "--detect")
    text = (folder / "config.jsonc").read_text()
    assert (code, err) == (0, "")
    assert "CANARY" not in out + text
    assert (folder / "config.jsonc").stat().st_mode & 0o777 == 0o600
    assert out.endswith(
        "Wrote config.jsonc. Start the gateway: llm-gateway serve\n"
        "Its log says a line to try, once the providers have said what they have.\n"
    )
    code, out, err = command("check")
    assert (code, err) == (0, "")
    asked = {line.split()[0] for line in out.splitlines() if "its own list" in line}
    assert asked == {t for t, row in TYPES.items() if row.free_presets}
    assert "openai is skipped: disabled" in out


def test_detect_names_what_a_key_gives_and_what_it_costs(
    command: Command, no_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "sk-CANARY-1")
    monkeypatch.setenv("GOOGLE_API_KEY", "sk-CANARY-2")
    monkeypatch.setenv("CEREBRAS_API_KEY", "sk-CANARY-3")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "sk-CANARY-4")
    code, out, _ = command("init", "--detect", "mine.jsonc")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "google (GEMINI_API_KEY)"
    assert "  500 requests/day, 15 requests/minute for each of " in out
    assert "a key of a project with billing is billed for every request" in out
    assert "  prompts may be used for training" in lines
    assert (
        "  GOOGLE_API_KEY holds another key, which is left alone: "
        "keys of one project share its limits"
    ) in lines
    assert "  is skipped until CLOUDFLARE_ACCOUNT_ID is set, too" in lines
    paid = lines.index("cerebras (CEREBRAS_API_KEY)")
    assert lines[paid + 1].startswith("  has no free tier that lasts")
    assert "serve --set gateway_config=mine.jsonc" in out


def test_detect_without_a_key_writes_nothing(
    command: Command, folder: Path, no_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", " ")
    code, out, err = command("init", "--detect")
    assert (code, out) == (1, "")
    assert "GEMINI_API_KEY" in err
    assert "OPENROUTER_API_KEY" in err
    assert not (folder / "config.jsonc").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MISTRAL_API_KEY", "sk-CANARY\nof two lines"),
        ("MISTRAL_API_KEY", "ключ-CANARY"),
        ("MISTRAL_API_KEY", "“sk-CANARY”"),
    ],
)
def test_one_bad_value_does_not_spoil_what_is_written(
    command: Command,
    no_keys: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "sk-1")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "sk-2")
    monkeypatch.setenv(name, value)
    code, out, err = command("init", "--detect")
    assert code == 0
    assert f"{name} holds no key" in err
    assert "CANARY" not in err + out
    code, out, err = command("check")
    assert (code, err) == (0, "")
    assert "groq takes models from its own list" in out


def test_detect_leaves_a_config_alone(
    command: Command, folder: Path, no_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    (folder / "config.jsonc").write_text("mine")
    code, out, err = command("init", "--detect")
    assert (code, out) == (1, "")
    assert err == "config.jsonc is there already; it stays as it is.\n"
    assert (folder / "config.jsonc").read_text() == "mine"


@pytest.fixture
def tools(folder: Path, no_keys: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with files of tools in it; what cannot be used among them."""
    home = folder / "user"
    files = {
        ".gemini/.env": 'GEMINI_API_KEY="AIza-CANARY-1"\n',
        ".local/share/opencode/auth.json": json.dumps(
            {
                "openrouter": {"type": "api", "key": "sk-or-CANARY-2"},
                "anthropic": {"type": "oauth", "access": "CANARY-OAUTH"},
            }
        ),
        ".codex/auth.json": "{broken",
    }
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (home / ".aider.conf.yml").mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def test_files_of_tools_are_looked_at_when_that_is_asked_for(
    command: Command, folder: Path, tools: Path
) -> None:
    code, out, err = command("init", "--detect")
    assert (code, out) == (1, "")
    assert "--tools" in err
    code, out, err = command("init", "--detect", "--tools")
    text = (folder / "config.jsonc").read_text()
    assert code == 0
    assert err == "~/.codex/auth.json (Codex) is not written as expected: left alone\n"
    lines = out.splitlines()
    assert "google (~/.gemini/.env (Gemini CLI))" in lines
    assert "openrouter (~/.local/share/opencode/auth.json (OpenCode))" in lines
    assert "Keys from files were copied into config.jsonc, which nobody else may read." in lines  # fmt: skip
    assert "CANARY" not in out + err
    assert '"apiKey": "AIza-CANARY-1"' in text
    assert '"apiKey": "sk-or-CANARY-2"' in text
    assert "OAUTH" not in text
    assert (folder / "config.jsonc").stat().st_mode & 0o777 == 0o600
    code, out, err = command("check")
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines() if "its own list" in line} == {
        "google",
        "openrouter",
    }


def test_tools_are_for_detect(command: Command, folder: Path) -> None:
    code, _, err = command("init", "--tools")
    assert code == 2
    assert "--tools is for --detect" in err
    assert not (folder / "config.jsonc").exists()
