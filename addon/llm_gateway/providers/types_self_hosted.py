"""Rows of the provider table: what runs on one's own machine, or anywhere with OpenAI's paths.

Facts only; their meaning is in `row.py`, the whole table in `table.py`.
"""

from llm_gateway.providers.provider_type import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    OPENAI,
    RESPONSES,
    ProviderType,
    QuotaRoute,
    speaks,
)

LOCAL = (
    ProviderType(
        "openai-compatible",
        "OpenAI-compatible",
        "",
        OPENAI,
        presumed=frozenset({RESPONSES}),
        needs_key=False,
        limit_headers="openai",
        notes="Any server with OpenAI's paths: give its `baseURL`, and `dialects` if it "
        "speaks fewer or others.",
        keeps=None,
        source="OpenAI's API reference",
    ),
    ProviderType(
        "custom",
        "OpenAI-compatible",
        "",
        OPENAI,
        presumed=frozenset({RESPONSES}),
        needs_key=False,
        limit_headers="openai",
        notes="Another name for openai-compatible.",
        keeps=None,
        source="OpenAI's API reference",
    ),
    ProviderType(
        "ollama",
        "Ollama",
        "http://localhost:11434/v1",
        speaks(CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES),
        needs_key=False,
        hosts=("ollama.com",),
        empty_path="/v1",
        local=True,
        notes="For Ollama Cloud set `baseURL` to https://ollama.com/v1 and `apiKey`.",
        # limits{monthly | session, weekly}{usage}: the part that is used, 0 to 1.
        quota=QuotaRoute(
            "/api/usage",
            "ollama",
            hosts=("ollama.com",),
            what="share of the month's credits (Ollama Cloud)",
            source="OmniRoute's notes on Ollama Cloud; pi-ollama-cloud#53 (2026-09-03)",
        ),
        source="freellmpool 0.13.0 (2026-08-29); streams unverified",
    ),
    ProviderType(
        "lmstudio",
        "LM Studio",
        "http://localhost:1234/v1",
        {**OPENAI, **speaks(MESSAGES)},
        needs_key=False,
        empty_path="/v1",
        local=True,
        source="unverified",
    ),
    ProviderType(
        "vllm",
        "vLLM",
        "http://localhost:8000/v1",
        {**OPENAI, **speaks(MESSAGES)},
        needs_key=False,
        empty_path="/v1",
        local=True,
        source="unverified",
    ),
    ProviderType(
        "simulator",
        "Simulator",
        "",
        speaks(CHAT),
        auth="none",
        needs_key=False,
        models_path=None,
        local=True,
        builtin=True,
        notes="Built in: answers chat with made-up words, usage included.",
        source="simulator.py",
    ),
)
