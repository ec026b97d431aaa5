"""Names of provider types, and the types that are refused with a reason.

Stdlib only; that `providers.registry` has a row for each is tested.
"""

PROVIDER_TYPES = frozenset(
    {
        "anthropic",
        "azure",
        "bedrock",
        "cerebras",
        "cloudflare",
        "cohere",
        "copilot",
        "custom",
        "deepseek",
        "fireworks",
        "google",
        "google-vertex",
        "groq",
        "huggingface",
        "lmstudio",
        "minimax",
        "mistral",
        "moonshot",
        "nvidia",
        "ollama",
        "openai",
        "openai-compatible",
        "openrouter",
        "perplexity",
        "qwen",
        "sambanova",
        "simulator",
        "togetherai",
        "vllm",
        "volcengine",
        "xai",
        "zai",
    }
)
"""Every value of `type`; `custom` is another word for `openai-compatible`."""

LOCAL_TYPES = frozenset({"custom", "lmstudio", "ollama", "openai-compatible", "vllm"})
"""Types that often run in the same house: plain http is fine there."""

UNSUPPORTED_TYPES = {
    "claude-code": 'write "type": "anthropic" with an API key instead',
    "gemini-cli": 'write "type": "google" with an API key instead',
}
"""Types that rest on private credentials of another product, and what to write."""
