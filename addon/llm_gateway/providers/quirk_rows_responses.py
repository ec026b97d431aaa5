"""Quirks of Responses: OpenAI's models wherever they are served, and other vendors' Responses.

Only what is certain stands here; the rest is learned from the first refusal. A provider that
nothing is known of, with a model that is not OpenAI's, gets tools in the one form that all
read, functions: nothing is lost by it, since calls come back as what they are, and many drop
in silence what they do not know.
"""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.providers.provider_type import RESPONSES
from llm_gateway.providers.quirk_table import QuirkTable, TableRow

_AS_OF = "2026-11-28"
_OPENAI = "platform.openai.com, models; models.dev, inspect_ai, litellm, openai/codex"

_ITEMS_OF_OPENAI = (
    "limit:max_output_tokens>=16",
    "id:call=.{1,64}",
    "id:prompt_cache_key=.{1,64}",
    "id:safety_identifier=.{1,64}",
    "id:item=prefix",
    "reasoning:unsigned=out",
)
"""What holds for all of OpenAI's models."""
_WHILE_NOT_THINKING = (
    "sampling:temperature=no_effort",
    "sampling:top_p=no_effort",
    "sampling:top_logprobs=no_effort",
)
_NO_TEMPERATURE = ("sampling:temperature", "sampling:top_p")


def _openai(names: tuple[str, ...], *quirks: str) -> TableRow:
    return TableRow(
        Quirks.parse(*_ITEMS_OF_OPENAI, *quirks),
        models=names,
        as_of=_AS_OF,
        source=_OPENAI,
    )


FORMS = (
    "tool_type:custom=function",
    "tool_type:namespace=flat",
    "tool_type:additional_tools=lifted",
    "tool_type:tool_search=out",
    "item:compaction*=unfit",
)
"""Functions alone, and no past that only its issuer can read."""

MODELS = (
    # Open weights, served by everybody.
    TableRow(Quirks.parse(*FORMS), models=("gpt-oss*",), as_of=_AS_OF, source=_OPENAI),
    _openai(("gpt-4.1*", "gpt-4o*"), "member:reasoning"),
    _openai(("o3*", "o4-mini*"), "effort:allowed=low,medium,high", *_NO_TEMPERATURE),
    _openai(("gpt-5-pro*",), "effort:allowed=high", *_NO_TEMPERATURE),
    _openai(("gpt-5*-chat*",), "effort:allowed=medium", *_NO_TEMPERATURE),
    _openai(("gpt-5.1-codex*",), "effort:allowed=low,medium,high"),
    _openai(("gpt-5.3-codex*",), "effort:allowed=none,low,medium,high,xhigh"),
    _openai(
        ("gpt-5.1*", "gpt-5.2*", "gpt-5.4*"),
        "effort:allowed=none,low,medium,high,xhigh",
        "effort:default=none",
        *_WHILE_NOT_THINKING,
    ),
    _openai(
        ("gpt-5.5*",),
        "effort:allowed=none,low,medium,high,xhigh",
        "effort:default=medium",
        *_WHILE_NOT_THINKING,
    ),
    _openai(
        ("gpt-5.6*", "gpt-6-sol*", "gpt-6-luna*"),
        "effort:allowed=none,low,medium,high,xhigh,max",
        "effort:default=medium",
        *_WHILE_NOT_THINKING,
    ),
    _openai(
        ("gpt-6-astra*", "gpt-6.1-sol*"),
        "effort:allowed=low,medium,high,xhigh,max",
        *_NO_TEMPERATURE,
        "sampling:top_logprobs",
    ),
    _openai(("gpt-6.2-*",), "role:instructions=developer"),
    _openai(
        ("gpt-5", "gpt-5-2*", "gpt-5-mini*", "gpt-5-nano*"),
        "effort:allowed=minimal,low,medium,high",
        *_NO_TEMPERATURE,
    ),
    _openai(("gpt-*", "o1*", "o3*", "o4*", "codex-*", "chatgpt-*")),
)

_FUNCTIONS = (*FORMS, "tool_type:*=function")
_STATELESS = ("member:store=false", "member:previous_response_id=unfit")


def _vendor(
    types: tuple[str, ...],
    hosts: tuple[str, ...],
    *quirks: str,
    source: str,
    own_names: bool = True,
) -> TableRow:
    return TableRow(
        Quirks.parse(*quirks),
        types,
        hosts,
        own_names=own_names,
        as_of=_AS_OF,
        source=source,
    )


VENDORS = (
    _vendor(
        ("openai",),
        ("api.openai.com",),
        *_ITEMS_OF_OPENAI,
        source=_OPENAI,
        own_names=False,
    ),
    _vendor(
        ("azure",),
        ("*.openai.azure.com", "*.services.ai.azure.com"),
        *_ITEMS_OF_OPENAI,
        source="learn.microsoft.com; openai/codex",
        own_names=False,
    ),
    _vendor(
        ("xai",),
        ("api.x.ai",),
        *FORMS,
        "content:null",
        "reasoning:unsigned=out",
        "member:safety_identifier",
        "member:prompt_cache_retention",
        "tool:external_web_access",
        "tool:search_context_size",
        source="opencodex, openai/codex, CLIProxyAPI",
    ),
    _vendor(
        ("deepseek",),
        ("api.deepseek.com",),
        *FORMS,
        "tools:batched",
        "reasoning:as=plain",
        "reasoning:unseen=out",
        source="api-docs.deepseek.com, responses_api; opencodex",
    ),
    _vendor(
        ("moonshot",),
        ("api.moonshot.*", "api.kimi.*"),
        *FORMS,
        source="kimi-code, opencodex",
    ),
    _vendor(
        ("zai",),
        ("api.z.ai", "open.bigmodel.cn"),
        *FORMS,
        source="docs.z.ai, coding plan",
    ),
    _vendor(("qwen",), ("dashscope*.aliyuncs.com",), *FORMS, source="alibabacloud.com"),
    _vendor(
        ("minimax",),
        ("api.minimax.io", "api.minimaxi.com", "api.minimax.chat"),
        *FORMS,
        source="MiniMax (2026-11)",
    ),
    _vendor(
        ("volcengine",),
        ("ark.*.volces.com", "ark.*.bytepluses.com"),
        *FORMS,
        source="volcengine.com, Ark, Responses",
    ),
    _vendor(
        (),
        ("*.xiaomimimo.com",),
        *_FUNCTIONS,
        "reasoning:wanted=reasoning",
        source="Xiaomi MiMo's refusals; cc-switch",
    ),
    _vendor(
        ("mistral",),
        ("api.mistral.ai",),
        "tool_type:custom=function",
        "tool_type:additional_tools=lifted",
        "tool_type:tool_search=out",
        "item:compaction*=unfit",
        *_STATELESS,
        "member:conversation=unfit",
        "member:prompt=unfit",
        "member:background=unfit",
        source="docs.mistral.ai, responses (preview)",
    ),
    _vendor(
        ("groq",),
        ("api.groq.com",),
        *_FUNCTIONS,
        *_STATELESS,
        "limit:tools<=128",
        source="console.groq.com, API reference",
    ),
    _vendor(
        ("openrouter",),
        ("openrouter.ai",),
        *FORMS,
        *_STATELESS,
        "content:null",
        source="openrouter.ai, responses (beta)",
        own_names=False,
    ),
    _vendor(
        ("copilot",),
        ("api.*.githubcopilot.com", "api.githubcopilot.com"),
        "id:item=out",
        "reasoning:unsigned=out",
        source="copilot-api",
        own_names=False,
    ),
    _vendor(
        ("bedrock",),
        ("bedrock-runtime.*.amazonaws.com", "bedrock-mantle.*.api.aws"),
        "tool_type:additional_tools=lifted",
        source="docs.aws.amazon.com; litellm",
        own_names=False,
    ),
    _vendor(
        ("ollama",),
        ("ollama.com",),
        *_FUNCTIONS,
        "item:*=message,function_call,function_call_output,reasoning",
        "block:input_file=unfit",
        "reasoning:as=plain",
        "reasoning:unseen=out",
        source="ollama, its server's code (2026-08)",
    ),
    _vendor(
        ("vllm", "lmstudio", "huggingface", "fireworks", "cerebras"),
        (),
        *FORMS,
        source="vllm, LM Studio's refusals",
    ),
)

TABLE = QuirkTable(RESPONSES, VENDORS, MODELS, Quirks.parse(*FORMS))
