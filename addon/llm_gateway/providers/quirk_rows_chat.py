"""Quirks of chat completions by type and model, with source. Facts only.

Left to be learned, since sources disagree or name no model: reasoning efforts of Gemini's
OpenAI path, members that it refuses, Kimi's temperature and forced tools, single calls at
NVIDIA, `stream_options` and `reasoning_effort` at Cohere, JSON mode beside tools at Groq.
"""

from llm_gateway.providers.provider_type import CHAT
from llm_gateway.providers.quirk_row import ANY, QuirkRow

_NINE = "id:call=[a-zA-Z0-9]{9} role:assistant=after_tool"
_RENAMED = "rename:max_tokens=max_completion_tokens"
_OPENAIS = "openai,azure"
"""Azure's deployments are called as their models, mostly."""
_OPENAI = (
    "OpenAI's reference and threads: inspect_ai#5242, litellm#34569, models.dev#2351"
)
_GOOGLE = "ai.google.dev: thought-signatures, gemini-3, whats-new-gemini-3.6"

ROWS = (
    # A maker's models, whoever serves them
    QuirkRow(
        ANY,
        CHAT,
        "*mistral*,*mixtral*,magistral*,devstral*,codestral*,pixtral*,voxtral*",
        _NINE,
        "Mistral's errors 3280 and 3230; the templates of its models",
    ),
    # Companies with models of their own
    QuirkRow(
        "mistral",
        CHAT,
        "*",
        f"{_NINE} role:last=prefix message:* call:* member:store "
        "rename:max_completion_tokens=max_tokens rename:seed=random_seed",
        "docs.mistral.ai; picoclaw#748, mastra#12592, vercel/ai#16540",
    ),
    QuirkRow(
        "deepseek",
        CHAT,
        "*",
        "reasoning:wanted=reasoning_content role:developer=system content:text "
        "format:json_schema=json_object",
        "api-docs.deepseek.com, thinking mode, JSON output; opencode#24722, litellm#37470",
    ),
    QuirkRow(
        "deepseek",
        CHAT,
        "*,!*reasoner*",
        "thinking:off=forced_tool thinking:form=type",
        "api-docs.deepseek.com; qwen-code#11834",
    ),
    QuirkRow(
        "deepseek",
        CHAT,
        "*reasoner*",
        "tool_choice:forced=auto",
        "awesome-deepseek-integration#606",
    ),
    QuirkRow(
        "moonshot",
        CHAT,
        "kimi-*",
        "reasoning:wanted=reasoning_content content:text=history content:empty "
        "schema:type=beside_anyOf",
        "platform.moonshot.ai; Kimi-K2#118, opencode#30381, litellm#30835",
    ),
    QuirkRow(
        "zai",
        CHAT,
        "*",
        "role:user=wanted tool_choice:forced=auto tool_choice:none=no_tools tool:strict",
        "docs.z.ai, error 1214; hermes-agent#20154, pi#4178",
    ),
    QuirkRow(
        "minimax,openai-compatible,custom",
        CHAT,
        "minimax-m*",
        "role:system=one tools:parameters tools:paired tools:arguments",
        "MiniMax's error 2013; oh-my-pi#5952, hermes-agent#12668",
    ),
    QuirkRow(
        "minimax",
        CHAT,
        "*",
        f"tool:strict {_RENAMED} reasoning:tag=think",
        "platform.minimax.io, chat completions (2026-10)",
    ),
    QuirkRow(
        "qwen",
        CHAT,
        "*",
        "thinking:off=forced_tool",
        "alibabacloud.com, deep thinking; qwen-code#11834",
    ),
    QuirkRow(
        "google,google-vertex",
        CHAT,
        "gemini-3*,gemini-4*,!*image*",
        "signature:google",
        _GOOGLE,
    ),
    QuirkRow(
        "google,google-vertex",
        CHAT,
        "gemini-2.5*,gemini-3*,gemini-4*",
        "sampling:presence_penalty sampling:frequency_penalty",
        _GOOGLE,
    ),
    QuirkRow(
        "google,google-vertex",
        CHAT,
        "gemini-3.6*,gemini-3.7*,gemini-3.8*,gemini-4*",
        "role:last=user sampling:temperature sampling:top_p sampling:top_k",
        _GOOGLE,
    ),
    QuirkRow(
        "cohere",
        CHAT,
        "*",
        "schema:$schema schema:additionalProperties member:parallel_tool_calls",
        "docs.cohere.com, compatibility API; LibreChat agents#260",
    ),
    # OpenAI, by model
    QuirkRow(
        _OPENAIS,
        CHAT,
        "o1*,o3*,o4-mini*",
        f"{_RENAMED} sampling:temperature=1 member:stop member:parallel_tool_calls "
        "effort:allowed=low,medium,high",
        _OPENAI,
    ),
    QuirkRow(_OPENAIS, CHAT, "gpt-5*,gpt-6*", _RENAMED, _OPENAI),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-5,gpt-5-mini*,gpt-5-nano*,gpt-5-20*",
        "sampling:temperature=1 member:stop effort:allowed=minimal,low,medium,high",
        _OPENAI,
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-5.1*,gpt-5.2*,gpt-5.4*",
        "sampling:*=no_effort",
        _OPENAI,
    ),
    QuirkRow(
        _OPENAIS, CHAT, "gpt-5.1*", "effort:allowed=none,low,medium,high", _OPENAI
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-5.2*,gpt-5.4*,gpt-5.5*,gpt-5.6*,gpt-6-sol*,gpt-6-luna*",
        "effort:allowed=none,low,medium,high,xhigh",
        _OPENAI,
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-5.4*",
        "endpoint:tools_with_effort=responses",
        "opencode#26268, genkit#6303",
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-5.5*,gpt-5.6*,gpt-6-sol*,gpt-6-luna*",
        "sampling:*=with_none endpoint:tools_unless_none=responses",
        "inspect_ai#5254, pipecat#4043",
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "gpt-6-astra*,gpt-6.1-sol*,gpt-6.2-astra*,gpt-6.2-sol*",
        "effort:allowed=low,medium,high,xhigh sampling:* endpoint:tools=responses",
        "models.dev#2296, griptape#1915",
    ),
    QuirkRow(
        _OPENAIS, CHAT, "gpt-5*-chat*", "sampling:* effort:allowed=medium", _OPENAI
    ),
    QuirkRow(
        _OPENAIS,
        CHAT,
        "*-codex*,codex-*,*-pro,*-pro-20*,*deep-research*",
        "endpoint:any=responses",
        "openai/codex#6647 #9035",
    ),
    # Platforms
    QuirkRow(
        "groq",
        CHAT,
        "*",
        "message:* message:name call:* content:text=history member:logprobs "
        "member:top_logprobs member:logit_bias",
        "console.groq.com, OpenAI compatibility; ironclaw#1241, freellmapi#1070",
    ),
    QuirkRow(
        "cerebras",
        CHAT,
        "*",
        "message:* call:* content:text=history member:store member:thinking "
        "tools:one_strict tools:properties",
        "inference-docs.cerebras.ai; code_puppy#368, freellmapi#426",
    ),
    QuirkRow(
        "groq,cerebras",
        CHAT,
        "*gpt-oss*",
        "reasoning:as=reasoning",
        "console.groq.com, reasoning; karthink/gptel#774",
    ),
    QuirkRow(
        "cloudflare",
        CHAT,
        "*",
        "content:text content:null",
        "Workers AI error 5006; free-claude-code#127, GoModel#1068",
    ),
    QuirkRow(
        "copilot",
        CHAT,
        "*codex*,gpt-5.4*,gpt-5.6*",
        "endpoint:any=responses",
        "`supported_endpoints` of its model list; copilot-api#81",
    ),
    QuirkRow("copilot", CHAT, "*", "limit:tools<=128", "vscode-copilot-chat"),
    QuirkRow(
        "fireworks",
        CHAT,
        "*",
        "limit:plain_max_tokens<=4096",
        "docs.fireworks.ai, chat completions",
    ),
    # One's own machine
    QuirkRow(
        "ollama",
        CHAT,
        "*",
        "tool_choice:forced=auto tool_choice:none=no_tools",
        "ollama#17921",
    ),
    QuirkRow(
        "vllm,lmstudio,nvidia",
        CHAT,
        "*deepseek-r1*,*qwq*",
        "reasoning:tag=think",
        "docs.vllm.ai, reasoning outputs: what a server without a parser gives",
    ),
    QuirkRow("lmstudio", CHAT, "*", "tool_choice:forced=string", "poolside pool#9"),
)
