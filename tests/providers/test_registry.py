"""Every type, as its provider documents it: address, key, headers, body.

The expected values are literal on purpose: they come from the providers' documents,
not from the table.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from tables import each_row

from llm_gateway import __version__
from llm_gateway.config.provider_types import PROVIDER_TYPES, UNSUPPORTED_TYPES
from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    GENERATE_CONTENT,
    MESSAGES,
    RESPONSES,
    SPECS,
    DialectSpec,
)
from llm_gateway.providers import KNOWN_HOSTS, TYPES, UNSUPPORTED, is_known_host
from llm_gateway.providers.sent_headers import PER_REQUEST
from llm_gateway.providers.upstream import Credential

from .sending import headers, sent, url

ASKED = {"stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Case:
    provider: dict[str, Any]
    urls: dict[DialectSpec, str]
    auth: dict[str, str] = field(
        default_factory=lambda: {"authorization": "Bearer KEY"}
    )
    auth_for: dict[DialectSpec, dict[str, str]] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    usage: str = "ask"
    """What a streamed chat does about usage: ask, always or reject."""
    model: str = "m"
    sent_model: str = "m"
    credential: str | None = None


def openai_paths(base: str, *dialects: DialectSpec) -> dict[DialectSpec, str]:
    ends = {
        CHAT: "/chat/completions",
        COMPLETIONS: "/completions",
        EMBEDDINGS: "/embeddings",
        RESPONSES: "/responses",
        MESSAGES: "/messages",
    }
    return {dialect: base + ends[dialect] for dialect in dialects}


def keyed(type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "apiKey": "KEY", **more}


FOUR = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES)

CASES = {
    # companies with models of their own
    "openai": Case(keyed("openai"), openai_paths("https://api.openai.com/v1", *FOUR)),
    "google": Case(
        keyed("google"),
        openai_paths(
            "https://generativelanguage.googleapis.com/v1beta/openai", CHAT, EMBEDDINGS
        )
        | {
            GENERATE_CONTENT: "https://generativelanguage.googleapis.com/v1beta"
            "/models/m:generateContent"
        },
        auth_for={GENERATE_CONTENT: {"x-goog-api-key": "KEY"}},
    ),
    "google, by way of a relay": Case(
        keyed("google", baseURL="https://relay.test/gemini/v1beta"),
        openai_paths("https://relay.test/gemini/v1beta", CHAT, EMBEDDINGS)
        | {
            GENERATE_CONTENT: "https://relay.test/gemini/v1beta/models/m:generateContent"
        },
        auth_for={GENERATE_CONTENT: {"x-goog-api-key": "KEY"}},
    ),
    "mistral": Case(
        keyed("mistral"),
        openai_paths("https://api.mistral.ai/v1", CHAT, EMBEDDINGS),
        usage="reject",
    ),
    "deepseek": Case(
        keyed("deepseek"),
        {
            CHAT: "https://api.deepseek.com/chat/completions",
            MESSAGES: "https://api.deepseek.com/anthropic/v1/messages",
        },
    ),
    "xai": Case(keyed("xai"), openai_paths("https://api.x.ai/v1", *FOUR)),
    "perplexity": Case(
        keyed("perplexity"),
        {CHAT: "https://api.perplexity.ai/chat/completions"},
        usage="always",
    ),
    "cohere": Case(
        keyed("cohere"),
        openai_paths("https://api.cohere.ai/compatibility/v1", CHAT, EMBEDDINGS),
    ),
    "qwen": Case(
        keyed("qwen"),
        openai_paths("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", *FOUR),
    ),
    "zai": Case(
        keyed("zai"),
        {
            CHAT: "https://api.z.ai/api/paas/v4/chat/completions",
            MESSAGES: "https://api.z.ai/api/anthropic/v1/messages",
        },
    ),
    "moonshot": Case(
        keyed("moonshot"),
        {
            CHAT: "https://api.moonshot.ai/v1/chat/completions",
            MESSAGES: "https://api.moonshot.ai/anthropic/v1/messages",
        },
    ),
    "moonshot, China": Case(
        keyed("moonshot", baseURL="https://api.moonshot.cn/v1"),
        {MESSAGES: "https://api.moonshot.cn/anthropic/v1/messages"},
    ),
    "moonshot, beside the base": Case(
        keyed("moonshot", baseURL="https://proxy.example/kimi", dialects=["messages"]),
        {MESSAGES: "https://proxy.example/kimi/messages"},
    ),
    "minimax": Case(
        keyed("minimax"),
        {
            CHAT: "https://api.minimax.io/v1/chat/completions",
            MESSAGES: "https://api.minimax.io/anthropic/v1/messages",
        },
    ),
    "minimax, China": Case(
        keyed("minimax", baseURL="https://api.minimaxi.com/v1"),
        {MESSAGES: "https://api.minimaxi.com/anthropic/v1/messages"},
    ),
    "volcengine": Case(
        keyed("volcengine"),
        openai_paths("https://ark.cn-beijing.volces.com/api/v3", CHAT, RESPONSES),
    ),
    # clouds and platforms
    "google-vertex": Case(
        {
            "type": "google-vertex",
            "project": "my-project",
            "location": "us-central1",
            "accessToken": "KEY",
        },
        {
            CHAT: "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project"
            "/locations/us-central1/endpoints/openapi/chat/completions",
            GENERATE_CONTENT: "https://us-central1-aiplatform.googleapis.com/v1/projects"
            "/my-project/locations/us-central1/publishers/google/models"
            "/gemini-2.5-flash:generateContent",
        },
        model="google/gemini-2.5-flash",
        sent_model="google/gemini-2.5-flash",
    ),
    "google-vertex, global": Case(
        {
            "type": "google-vertex",
            "project": "my-project",
            "location": "global",
            "accessToken": "KEY",
        },
        {
            CHAT: "https://aiplatform.googleapis.com/v1/projects/my-project"
            "/locations/global/endpoints/openapi/chat/completions",
            GENERATE_CONTENT: "https://aiplatform.googleapis.com/v1/projects/my-project"
            "/locations/global/publishers/google/models/m:generateContent",
        },
        model="google/m",
        sent_model="google/m",
    ),
    "azure": Case(
        keyed("azure", resourceName="contoso"),
        openai_paths("https://contoso.openai.azure.com/openai/v1", *FOUR),
        auth={"api-key": "KEY"},
    ),
    "azure, one deployment": Case(
        keyed("azure", resourceName="contoso", deploymentName="prod-4o"),
        openai_paths("https://contoso.openai.azure.com/openai/v1", CHAT),
        auth={"api-key": "KEY"},
        sent_model="prod-4o",
    ),
    "azure, dated": Case(
        keyed(
            "azure",
            resourceName="contoso",
            deploymentName="prod-4o",
            apiVersion="2024-10-21",
        ),
        {
            CHAT: "https://contoso.openai.azure.com/openai/deployments/prod-4o"
            "/chat/completions?api-version=2024-10-21",
            COMPLETIONS: "https://contoso.openai.azure.com/openai/deployments/prod-4o"
            "/completions?api-version=2024-10-21",
            EMBEDDINGS: "https://contoso.openai.azure.com/openai/deployments/prod-4o"
            "/embeddings?api-version=2024-10-21",
        },
        auth={"api-key": "KEY"},
        sent_model="prod-4o",
    ),
    "azure, address given": Case(
        keyed("azure", baseURL="https://contoso.services.ai.azure.com"),
        openai_paths("https://contoso.services.ai.azure.com/openai/v1", CHAT),
        auth={"api-key": "KEY"},
    ),
    "bedrock": Case(
        keyed("bedrock", region="eu-central-1"),
        openai_paths(
            "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1",
            CHAT,
            RESPONSES,
        ),
    ),
    "groq": Case(
        keyed("groq"), openai_paths("https://api.groq.com/openai/v1", CHAT, RESPONSES)
    ),
    "cerebras": Case(
        keyed("cerebras"),
        openai_paths("https://api.cerebras.ai/v1", CHAT, COMPLETIONS, RESPONSES),
    ),
    "togetherai": Case(
        keyed("togetherai"),
        openai_paths("https://api.together.xyz/v1", CHAT, COMPLETIONS, EMBEDDINGS),
    ),
    "fireworks": Case(
        keyed("fireworks"),
        openai_paths("https://api.fireworks.ai/inference/v1", *FOUR),
    ),
    "openrouter": Case(
        keyed("openrouter"),
        openai_paths(
            "https://openrouter.ai/api/v1", CHAT, RESPONSES, MESSAGES, EMBEDDINGS
        ),
        usage="always",
    ),
    "huggingface": Case(
        keyed("huggingface"),
        openai_paths("https://router.huggingface.co/v1", CHAT, RESPONSES),
        usage="always",
    ),
    "nvidia": Case(
        keyed("nvidia"),
        openai_paths("https://integrate.api.nvidia.com/v1", CHAT, EMBEDDINGS),
    ),
    "sambanova": Case(
        keyed("sambanova"), {CHAT: "https://api.sambanova.ai/v1/chat/completions"}
    ),
    "cloudflare": Case(
        keyed("cloudflare", accountId="0123abcd"),
        openai_paths(
            "https://api.cloudflare.com/client/v4/accounts/0123abcd/ai/v1",
            CHAT,
            RESPONSES,
            EMBEDDINGS,
        ),
    ),
    "copilot": Case(
        {"type": "copilot", "oauthToken": "OAUTH"},
        {
            CHAT: "https://api.githubcopilot.com/chat/completions",
            RESPONSES: "https://api.githubcopilot.com/responses",
            EMBEDDINGS: "https://api.githubcopilot.com/embeddings",
            MESSAGES: "https://api.githubcopilot.com/v1/messages",
        },
        auth={"authorization": "Bearer SESSION"},
        extra={
            "editor-version": "vscode/1.104.0",
            "editor-plugin-version": "copilot-chat/0.31.0",
            "copilot-integration-id": "vscode-chat",
            "user-agent": "GitHubCopilotChat/0.31.0",
            "openai-intent": "conversation-panel",
            "x-github-api-version": "2025-05-01",
            "x-request-id": "018f-request",
            "x-initiator": "user",
        },
        credential="SESSION",
    ),
    # one's own machine
    "openai-compatible": Case(
        keyed("openai-compatible", baseURL="https://llm.example.com/v1"),
        openai_paths("https://llm.example.com/v1", *FOUR),
    ),
    "openai-compatible, without a key": Case(
        {"type": "openai-compatible", "baseURL": "http://127.0.0.1:9000/v1/"},
        openai_paths("http://127.0.0.1:9000/v1", *FOUR),
        auth={},
    ),
    "openai-compatible, messages": Case(
        keyed(
            "openai-compatible",
            baseURL="https://llm.example.com/v1",
            dialects=["messages"],
        ),
        {MESSAGES: "https://llm.example.com/v1/messages"},
    ),
    "custom": Case(
        keyed("custom", baseURL="https://llm.example.com/v1"),
        openai_paths("https://llm.example.com/v1", *FOUR),
    ),
    "ollama": Case(
        {"type": "ollama"},
        openai_paths("http://localhost:11434/v1", *FOUR, MESSAGES),
        auth={},
    ),
    "ollama, cloud": Case(
        keyed("ollama", baseURL="https://ollama.com/v1"),
        openai_paths("https://ollama.com/v1", CHAT),
    ),
    "ollama, in the house": Case(
        {"type": "ollama", "baseURL": "http://192.168.1.5:11434"},
        openai_paths("http://192.168.1.5:11434/v1", CHAT),
        auth={},
    ),
    "lmstudio": Case(
        {"type": "lmstudio"},
        openai_paths("http://localhost:1234/v1", *FOUR, MESSAGES),
        auth={},
    ),
    "vllm": Case(
        {"type": "vllm"},
        openai_paths("http://localhost:8000/v1", *FOUR, MESSAGES),
        auth={},
    ),
    "simulator": Case(
        {"type": "simulator"},
        {CHAT: "http://127.0.0.1:0/p/chat/completions"},
        auth={},
    ),
}

ROWS = [
    pytest.param(case, dialect, id=f"{name}: {dialect.name}")
    for name, case in CASES.items()
    for dialect in case.urls
]


def leave(case: Case, dialect: DialectSpec, **members: Any) -> Any:
    credential = Credential(SecretStr(case.credential)) if case.credential else None
    return sent(
        case.provider,
        dialect,
        model=case.model,
        credential=credential,
        request_id="018f-request",
        **members,
    )


@each_row(("case", "dialect"), ROWS)
def test_request_as_documented(case: Case, dialect: DialectSpec) -> None:
    out = leave(case, dialect)
    assert url(out) == case.urls[dialect]
    expected = {
        "host": case.urls[dialect].split("/")[2],
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"llm-gateway/{__version__}",
        **({"anthropic-version": "2023-06-01"} if dialect is MESSAGES else {}),
        **case.auth_for.get(dialect, case.auth),
        **case.extra,
    }
    assert headers(out) == expected
    named = None if dialect is GENERATE_CONTENT else case.sent_model
    assert json.loads(out.body).get("model") == named
    assert not out.strip_usage


CHATTING = {name: case for name, case in CASES.items() if CHAT in case.urls}


@each_row("case", CHATTING.values(), ids=CHATTING.keys())
def test_usage_of_a_stream(case: Case) -> None:
    # the client did not ask
    out = leave(case, CHAT, stream=True)
    body = json.loads(out.body)
    assert out.strip_usage == (case.usage == "ask")
    assert body.get("stream_options") == (
        {"include_usage": True} if case.usage == "ask" else None
    )
    # the client did ask
    out = leave(case, CHAT, stream=True, **ASKED)
    body = json.loads(out.body)
    assert not out.strip_usage
    assert ("stream_options" in body) == (case.usage != "reject")


def test_anthropic_messages_take_the_key_in_their_own_header() -> None:
    out = sent(keyed("anthropic"), MESSAGES)
    assert url(out) == "https://api.anthropic.com/v1/messages"
    found = headers(out)
    assert found["x-api-key"] == "KEY"
    assert found["anthropic-version"] == "2023-06-01"
    assert "authorization" not in found


def test_anthropic_chat_takes_it_as_a_bearer() -> None:
    out = sent(keyed("anthropic"), CHAT)
    assert url(out) == "https://api.anthropic.com/v1/chat/completions"
    found = headers(out)
    assert found["authorization"] == "Bearer KEY"
    assert "x-api-key" not in found
    assert "anthropic-version" not in found


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://proxy.example.com", "https://proxy.example.com/v1/messages"),
        ("https://proxy.example.com/", "https://proxy.example.com/v1/messages"),
        ("https://proxy.example.com/v1", "https://proxy.example.com/v1/messages"),
        (
            "https://proxy.example.com/anthropic",
            "https://proxy.example.com/anthropic/messages",
        ),
    ],
)
def test_anthropic_base_without_a_path_gets_v1(base: str, expected: str) -> None:
    assert url(sent(keyed("anthropic", baseURL=base), MESSAGES)) == expected


def test_count_tokens_goes_below_messages() -> None:
    out = sent(keyed("anthropic"), MESSAGES, below="/count_tokens")
    assert url(out) == "https://api.anthropic.com/v1/messages/count_tokens"


def test_azure_quotes_a_deployment_in_the_path() -> None:
    out = sent(
        keyed("azure", resourceName="contoso", apiVersion="2024-10-21", model="a/b c")
    )
    assert out.path == (
        "/openai/deployments/a%2Fb%20c/chat/completions?api-version=2024-10-21"
    )


# -- the table itself


def test_every_type_of_the_config_has_a_row_and_a_case() -> None:
    assert set(TYPES) == PROVIDER_TYPES
    assert set(UNSUPPORTED) == set(UNSUPPORTED_TYPES)
    assert {name.split(",")[0] for name in CASES} | {"anthropic"} == set(TYPES)


@each_row("row", TYPES.values(), ids=TYPES.keys())
def test_rows_are_whole(row: Any) -> None:
    case = next((c for n, c in CASES.items() if n == row.type), None)
    if case is not None:
        assert set(row.paths) == {dialect.name for dialect in case.urls}
    assert row.title
    assert row.source
    assert set(row.paths) <= set(SPECS)
    assert set(row.request_headers) <= set(PER_REQUEST)
    assert all(name == name.lower() for name, _ in row.headers)
    assert row.base_url or row.builtin or row.type in ("openai-compatible", "custom")


GENAI = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "google-vertex": "google",
    "azure": "azure",
    "bedrock": "aws",
    "copilot": "github-copilot",
    "openrouter": "openrouter",
    "groq": "groq",
    "cerebras": "cerebras",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "x-ai",
    "perplexity": "perplexity",
    "togetherai": "together",
    "fireworks": "fireworks",
    "cohere": "cohere",
    "cloudflare": "cloudflare",
    "zai": "zai",
    "moonshot": "moonshotai",
    "minimax": "minimax",
}


def test_ids_in_genai_prices() -> None:
    from genai_prices import data

    assert {row.type: row.genai for row in TYPES.values() if row.genai} == GENAI
    known = {provider.id for provider in data.providers}
    # the last version for Python 3.11 is older than these
    young = {"cloudflare", "github-copilot", "minimax", "zai"}
    assert set(GENAI.values()) - (young if "zai" not in known else set()) <= known


@pytest.mark.parametrize(
    ("type_", "day", "month"),
    [
        ("google", "00:00 America/Los_Angeles", None),
        ("openrouter", "00:00 UTC", None),
        ("cloudflare", "00:00 UTC", None),
        ("copilot", None, "00:00 UTC"),
        ("cohere", None, "00:00 UTC"),
        ("huggingface", None, "00:00 UTC"),
        ("groq", None, None),
        ("openai", None, None),
    ],
)
def test_when_days_and_months_begin(
    type_: str, day: str | None, month: str | None
) -> None:
    def spelled(reset: Any) -> str | None:
        return reset and f"{reset.hour:02}:{reset.minute:02} {reset.zone}"

    assert (spelled(TYPES[type_].day), spelled(TYPES[type_].month)) == (day, month)


def test_only_xai_leaves_reasoning_out() -> None:
    assert [row.type for row in TYPES.values() if row.reasoning_excluded] == ["xai"]


# -- hosts


@pytest.mark.parametrize(
    "host",
    [
        "api.openai.com",
        "API.OpenAI.com.",
        "api.anthropic.com",
        "generativelanguage.googleapis.com",
        "openrouter.ai",
        "api.groq.com",
        "api.githubcopilot.com",
        "api.business.githubcopilot.com",
        "contoso.openai.azure.com",
        "bedrock-runtime.eu-central-1.amazonaws.com",
        "models.github.ai",
        "codestral.mistral.ai",
    ],
)
def test_llm_hosts_are_known(host: str) -> None:
    assert is_known_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "openai.com",
        "chat.openai.com",
        "api.openai.com.evil.example",
        "evil-api.openai.com",
        "xapi.openai.com",
        "openai.azure.com",
        # carry much that is no LLM request
        "github.com",
        "api.github.com",
        "api.cloudflare.com",
        "storage.googleapis.com",
        "us-central1-aiplatform.googleapis.com",
        "s3.amazonaws.com",
        "localhost",
    ],
)
def test_other_hosts_are_not(host: str) -> None:
    assert not is_known_host(host)


def test_hosts_from_the_config() -> None:
    extra = ("llm.example.com", "*.example.org")
    assert is_known_host("LLM.example.com", extra)
    assert is_known_host("a.b.example.org", extra)
    assert not is_known_host("example.org", extra)
    assert not is_known_host("llm.example.com.evil.example", extra)
    assert not is_known_host("llmxexample.com", extra)
    assert is_known_host("api.openai.com", extra)


def test_known_hosts_are_plain() -> None:
    assert all(host == host.lower() and "/" not in host for host in KNOWN_HOSTS)
