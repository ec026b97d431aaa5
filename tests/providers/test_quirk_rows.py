"""What rows say of providers and models, and that it is enough: no refusal is needed."""

import copy

import pytest
from adaptation.test_chat_moves import HISTORIES, applied
from tables import each_row
from vendors.chat_refusals import PROFILES

from llm_gateway.adaptation.vocabulary import KINDS, NO_QUIRKS, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.chat import CHAT
from llm_gateway.providers.quirk_row import ANY, QuirkRow
from llm_gateway.providers.quirk_rows import ROWS, TABLES, quirks_of
from llm_gateway.providers.registry import TYPES

NINE = "id:call=[a-zA-Z0-9]{9}"


@each_row("row", ROWS, ids=lambda row: f"{row.types} {row.models}")
def test_a_row_is_sound(row: QuirkRow) -> None:
    assert row.types == ANY or {*row.types.split(",")} <= TYPES.keys()
    assert row.dialect in SPECS
    assert all(row.dialect in TYPES[t].paths for t in row.types.split(",") if t != ANY)
    assert row.models == row.models.lower()
    quirks = Quirks.parse(*row.quirks.split())
    assert len(quirks) == len(row.quirks.split())
    assert {q.kind for q in quirks} <= KINDS
    assert row.source
    assert row.as_of


SAID = [
    ("groq", "llama-3.3-70b-versatile", "message:*", True),
    ("groq", "llama-3.3-70b-versatile", "reasoning:as=reasoning", False),
    ("groq", "openai/gpt-oss-120b", "reasoning:as=reasoning", True),
    ("cerebras", "gpt-oss-120b", "tools:one_strict", True),
    ("mistral", "magistral-medium-latest", NINE, True),
    ("openrouter", "mistralai/mistral-small-3.2:free", NINE, True),
    ("nvidia", "mistralai/Mixtral-8x22B-Instruct", NINE, True),
    ("openrouter", "mistralai/mistral-small-3.2:free", "message:*", False),
    ("ollama", "llama3.1", NINE, False),
    ("deepseek", "deepseek-chat", "reasoning:wanted=reasoning_content", True),
    ("deepseek", "deepseek-v4-flash", "thinking:off=forced_tool", True),
    ("deepseek", "deepseek-reasoner", "thinking:off=forced_tool", False),
    ("deepseek", "deepseek-reasoner", "tool_choice:forced=auto", True),
    ("moonshot", "kimi-k3", "reasoning:wanted=reasoning_content", True),
    ("moonshot", "moonshot-v1-8k", "reasoning:wanted=reasoning_content", False),
    ("google", "gemini-3.1-pro-preview", "signature:google", True),
    ("google-vertex", "google/gemini-3.5-flash", "signature:google", True),
    ("google", "gemini-3-pro-image", "signature:google", False),
    ("google", "gemini-2.5-flash", "signature:google", False),
    ("google", "gemini-3.5-flash", "role:last=user", False),
    ("google", "gemini-3.6-flash", "role:last=user", True),
    ("google", "gemma-3-27b-it", "sampling:presence_penalty", False),
    ("cloudflare", "@cf/meta/llama-3.3-70b-instruct", "content:null", True),
    ("openai", "gpt-5-mini-2025-08-07", "effort:allowed=minimal,low,medium,high", True),
    ("openai", "gpt-5.1", "effort:allowed=none,low,medium,high", True),
    ("openai", "gpt-5.1-chat-latest", "effort:allowed=medium", True),
    ("openai", "gpt-5.4", "endpoint:tools_with_effort=responses", True),
    ("openai", "gpt-5.2", "endpoint:tools_with_effort=responses", False),
    ("openai", "gpt-5.6", "endpoint:tools_unless_none=responses", True),
    ("openai", "gpt-6.1-sol", "endpoint:tools=responses", True),
    ("openai", "gpt-6.1-terra", "endpoint:tools=responses", False),
    ("openai", "gpt-5.3-codex", "endpoint:any=responses", True),
    ("openai", "gpt-5-pro", "endpoint:any=responses", True),
    ("openai", "o3-mini", "rename:max_tokens=max_completion_tokens", True),
    ("copilot", "gpt-5.4", "endpoint:any=responses", True),
    ("copilot", "gpt-5.2", "endpoint:any=responses", False),
    ("fireworks", "accounts/fireworks/models/x", "limit:plain_max_tokens<=4096", True),
    ("lmstudio", "x", "tool_choice:forced=string", True),
    ("openai-compatible", "MiniMax-M2", "role:system=one", True),
    ("minimax", "MiniMax-M3", "tools:parameters", True),
    ("minimax", "MiniMax-M3", "tool:strict", True),
    ("openai-compatible", "MiniMax-M3", "tool:strict", False),
    ("azure", "gpt-5.1", "effort:allowed=none,low,medium,high", True),
    ("azure", "o4-mini", "rename:max_tokens=max_completion_tokens", True),
    ("azure", "gpt-5.3-codex", "endpoint:any=responses", True),
    ("azure", "our-own-deployment", "endpoint:any=responses", False),
]


@each_row(("type_", "model", "quirk", "known"), SAID)
def test_what_is_known(type_: str, model: str, quirk: str, known: bool) -> None:
    found = quirks_of(type_, CHAT.name, model)
    assert (quirk in map(str, found)) is known
    assert quirks_of(type_, CHAT.name, model) is found, "looked up once"


@pytest.mark.parametrize(
    ("type_", "model"),
    [
        *(("openai", m) for m in ("gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo")),
        ("openrouter", "anthropic/claude-opus-5.5"),
        ("openai-compatible", "llama-3.3-70b"),
        ("nvidia", "meta/llama-3.3-70b-instruct"),
        *(("vllm", "qwen3"), ("togetherai", "x"), ("xai", "grok-5"), ("nobody", "x")),
    ],
)
def test_nothing_is_taken_from_others(type_: str, model: str) -> None:
    assert quirks_of(type_, CHAT.name, model) == NO_QUIRKS


def test_another_dialect_has_rows_of_its_own() -> None:
    for dialect in SPECS:
        if dialect != CHAT.name and dialect not in TABLES:
            assert quirks_of("mistral", dialect, "mistral-large") == NO_QUIRKS


VENDORS = [
    ("groq", "groq", "llama-3.3-70b-versatile"),
    ("groq", "groq", "openai/gpt-oss-20b"),
    ("cerebras", "cerebras", "qwen-3-235b"),
    ("mistral", "mistral", "mistral-large-latest"),
    ("deepseek", "deepseek", "deepseek-v4-pro"),
    ("kimi", "moonshot", "kimi-k3"),
    ("cloudflare", "cloudflare", "@cf/x/y"),
    ("minimax", "openai-compatible", "MiniMax-M2.5"),
    ("minimax", "minimax", "MiniMax-M2.7"),
    ("zai", "zai", "glm-5"),
]


@each_row("client", HISTORIES)
@each_row(("vendor", "type_", "model"), VENDORS)
def test_with_its_row_nothing_is_refused(
    vendor: str, type_: str, model: str, client: str
) -> None:
    body = {"model": model, "messages": HISTORIES[client]}
    sent = applied(copy.deepcopy(body), quirks_of(type_, CHAT.name, model))
    assert PROFILES[vendor](sent) is None
