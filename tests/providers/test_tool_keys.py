"""Keys in the files of tools: which count, whose they are, and what is left alone."""

import pytest
from tables import each_row

from llm_gateway.providers.key_detection import entry, found_keys
from llm_gateway.providers.registry import TYPES
from llm_gateway.providers.tool_keys import FORMS, TOOLS, ToolKeys, keys_in, names_of

ROWS = TYPES.values()
NAMES = names_of(ROWS)
A, B = "sk-CANARY-aaaa", "sk-CANARY-bbbb"


def keys(form: str, text: str) -> dict[str, str]:
    found = keys_in(form, text, NAMES)
    return {name: key.get_secret_value() for name, key in found.items()}


def test_every_tool_has_a_form_and_a_source() -> None:
    assert {tool.form for tool in TOOLS} == FORMS.keys()
    assert all(tool.source for tool in TOOLS)
    assert len({tool.path for tool in TOOLS}) == len(TOOLS)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("gemini", "GEMINI_API_KEY"),
        ("google", "GEMINI_API_KEY"),
        ("google_api_key", "GEMINI_API_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("hf", "HF_TOKEN"),
        ("huggingface", "HF_TOKEN"),
        ("openai_api_key", "OPENAI_API_KEY"),
        ("somebody", None),
    ],
)
def test_who_is_meant(name: str, variable: str | None) -> None:
    assert NAMES.get(name) == variable


@each_row(
    ("form", "text", "expected"),
    [
        ("dotenv", f"GEMINI_API_KEY={A}", {"GEMINI_API_KEY": A}),
        ("dotenv", f"export GROQ_API_KEY = \"{A}\"  # mine\r\n\n#X=1", {"GROQ_API_KEY": A}),
        ("dotenv", f"GROQ_API_KEY={A} # mine\nHF_TOKEN='{B}'", {"GROQ_API_KEY": A, "HF_TOKEN": B}),
        ("dotenv", f"# GROQ_API_KEY={A}\nGROQ={A}\nOTHER_API_KEY={B}", {}),
        ("dotenv", "GROQ_API_KEY=${ELSEWHERE}\nGEMINI_API_KEY=$KEY12345\nXAI_API_KEY=", {}),
        ("dotenv", f"OPENAI_API_KEY={A}\nOPENAI_BASE_URL=https://x.example/v1", {}),
        ("dotenv", f"OPENAI_API_BASE=https://x.example/v1\nOPENAI_API_KEY={A}\nGROQ_API_KEY={B}", {"GROQ_API_KEY": B}),
        ("dotenv", f"OPENAI_BASE_URL=\nOPENAI_API_KEY={A}", {"OPENAI_API_KEY": A}),
        ("aider", f"openai-api-key: {A}\nmodel: x", {"OPENAI_API_KEY": A}),
        ("aider", f"openai-api-base: https://x.example/v1\nopenai-api-key: {A}", {}),
        ("aider", f"api-key:\n  - gemini={A} # mine\n  - 'openrouter={B}'\nmodel: gemini={B}", {"GEMINI_API_KEY": A, "OPENROUTER_API_KEY": B}),
        ("aider", f"api-key: [gemini={A}, groq={B}]", {"GEMINI_API_KEY": A, "GROQ_API_KEY": B}),
        ("aider", f"read:\n- gemini={A}\n#openai-api-key: {A}", {}),
        ("opencode", f'{{"openrouter": {{"type": "api", "key": "{A}"}}}}', {"OPENROUTER_API_KEY": A}),
        ("opencode", f'{{"anthropic": {{"type": "oauth", "access": "{A}", "key": "{B}"}}, "google": 1}}', {}),
        ("by name", f'{{"gemini": "{A}", "// Note": "no key", "other": "{B}", "groq": 7}}', {"GEMINI_API_KEY": A}),
        ("by variable", f'{{"OPENAI_API_KEY": "{A}", "tokens": {{"access_token": "{B}"}}}}', {"OPENAI_API_KEY": A}),
        ("by variable", f'{{"OPENAI_API_KEY": null, "tokens": {{"access_token": "{B}"}}}}', {}),
        ("by name", '{"groq": "short"}', {}),
        ("by name", '{"groq": "with a space in it"}', {}),
        ("by name", '{"groq": "sk-\\u0000-12345678"}', {}),
    ],
)  # fmt: skip
def test_what_counts_in_a_file(form: str, text: str, expected: dict[str, str]) -> None:
    assert keys(form, text) == expected


@pytest.mark.parametrize("form", ["opencode", "by name", "by variable"])
@pytest.mark.parametrize("text", ["", "{", "[]", "5", "[" * 100_000])
def test_what_is_not_of_its_form(form: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        keys(form, text)


def test_the_environment_comes_first_then_the_files_in_order() -> None:
    files = [
        ToolKeys("x", "~/x", keys_in("by name", f'{{"groq": "{A}"}}', NAMES)),
        ToolKeys("y", "~/y", keys_in("by name", f'{{"groq": "{B}"}}', NAMES)),
    ]
    (found,) = found_keys({"GROQ_API_KEY": A}, ROWS, files)
    assert (found.place, found.others, found.key) == ("GROQ_API_KEY", ("~/y",), None)
    assert entry(found)["apiKey"] == "${GROQ_API_KEY}"
    (found,) = found_keys({}, ROWS, files)
    assert (found.place, found.others) == ("~/x", ("~/y",))
    assert entry(found)["apiKey"] == A
    assert "CANARY" not in repr(found)
