"""Quirks of Messages: Claude's models wherever they are served, and other vendors' Messages.

Only what is certain stands here; the rest is learned from the first refusal. A provider that
nothing is known of gets the client's bytes until it refuses: a refusal of an extra member,
block or tool then teaches its whole kind.
"""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.providers.provider_type import MESSAGES
from llm_gateway.providers.quirk_table import QuirkTable, TableRow

_AS_OF = "2026-11-28"
_CLAUDE = (
    "platform.claude.com: thinking, effort, mid-conversation system messages, define tools, "
    "migration guides (2026-10)"
)

_GENUINE = (
    "reasoning:unsigned=out",
    "id:call=[a-zA-Z0-9_-]+",
)
"""Claude reads its own signed blocks alone, and ids of letters, digits, _ and -."""
_MANUAL = (
    "thinking:enabled_off=forced_tool",
    "thinking:pending_lost=off",
    "sampling:thinking=limited",
)
"""Models that think manually, with a budget."""
_ADAPTIVE = (
    "thinking:enabled=adaptive",
    "thinking:display=summarized",
    "effort:allowed=low,medium,high,xhigh,max",
    "role:last=user",
)
"""Models that take no budget, show no thoughts unasked, and take no prefill."""
_NO_SAMPLING = ("sampling:temperature", "sampling:top_p", "sampling:top_k")
_ALWAYS = "thinking:disabled=adaptive"
_NO_FORCE = "tool_choice:forced=auto"
_REST = "effort:thinking_off=low,medium,high"


def _claude(names: tuple[str, ...], *quirks: str) -> TableRow:
    """Names with a number as `4?5`: some hosts write 4.5, and their own name before it."""
    models = tuple(f"*claude-{name}*" for name in names)
    return TableRow(
        Quirks.parse(*_GENUINE, *quirks), models=models, as_of=_AS_OF, source=_CLAUDE
    )


CLAUDE = (
    _claude(
        ("haiku-4?5", "sonnet-4?5"),
        *_MANUAL,
        "thinking:adaptive=enabled",
        "effort:out",
        "sampling:top_p=alone",
        "role:last_thinking=user",
        "role:system=first",
    ),
    _claude(
        ("opus-4?5",),
        *_MANUAL,
        "thinking:adaptive=enabled",
        "effort:allowed=low,medium,high",
        "sampling:top_p=alone",
        "role:last_thinking=user",
        "role:system=first",
    ),
    _claude(
        ("opus-4?6", "sonnet-4?6"),
        *_MANUAL,
        "effort:allowed=low,medium,high,max",
        "role:last=user",
    ),
    _claude(("opus-4?7", "opus-4?8"), *_ADAPTIVE, *_NO_SAMPLING),
    _claude(("opus-5?5",), *_ADAPTIVE, *_NO_SAMPLING, _ALWAYS, _NO_FORCE),
    _claude(
        ("sonnet-5?5",),
        *_ADAPTIVE,
        *_NO_SAMPLING,
        "thinking:disabled=between_tools",
        _REST,
        _NO_FORCE,
    ),
    _claude(
        ("haiku-5?5",),
        *_ADAPTIVE,
        "sampling:temperature=1",
        "sampling:top_p=0.99",
        "sampling:top_k",
        _REST,
    ),
    _claude(("sonnet-5",), *_ADAPTIVE, *_NO_SAMPLING, "role:system=first"),
    _claude(("opus-5",), *_ADAPTIVE, *_NO_SAMPLING, _REST),
    _claude(
        ("fable-5?1", "mythos-5?1", "fable-5?2", "mythos-5?2"),
        *_ADAPTIVE,
        *_NO_SAMPLING,
        _ALWAYS,
        _NO_FORCE,
    ),
    _claude(("fable-5", "mythos-5"), *_ADAPTIVE, *_NO_SAMPLING, _ALWAYS),
)

_SERVER_TOOLS = tuple(
    f"tool_type:{name}=out"
    for name in (
        *("code_execution_*", "tool_search_tool_*", "mcp_toolset", "web_fetch_*"),
        *("memory_*", "bash_*", "text_editor_*", "computer_*", "advisor_*"),
    )
)
_NO_SEARCH = ("tool_type:server=out",)
_FOREIGN = (
    "member:*=metadata,top_k,output_config",
    "beta:*",
    "tool:*",
    "cache_control:scope",
    "cache_control:ttl",
    "block:*=text,image,document,tool_use,tool_result,thinking,redacted_thinking",
    "role:system=user",
    "effort:thinking_off=out",
    "reasoning:as=plain",
)
"""What nobody but Anthropic reads: out, or as text; and no beta, with its members."""
_WANTED = "reasoning:wanted=thinking"
_DOCS = "vendors' pages of Anthropic's format and threads of Claude Code"


def _vendor(
    types: tuple[str, ...],
    hosts: tuple[str, ...],
    *quirks: str,
    models: tuple[str, ...] = ("*",),
    source: str = _DOCS,
) -> TableRow:
    return TableRow(
        Quirks.parse(*_FOREIGN, *quirks),
        types,
        hosts,
        models,
        own_names=True,
        as_of=_AS_OF,
        source=source,
    )


_KIMI = (("moonshot",), ("api.moonshot.*", "api.kimi.*"))

VENDORS = (
    _vendor(
        ("deepseek",),
        ("api.deepseek.com",),
        *_SERVER_TOOLS,
        _WANTED,
        "thinking:default=on",
        source="api-docs.deepseek.com, anthropic_api; claude-code, deepseek-ai/DeepSeek-V3",
    ),
    _vendor(
        *_KIMI,
        *_NO_SEARCH,
        _WANTED,
        "limit:tools<=128",
        "effort:allowed=low,high,max",
        models=("kimi-k3*",),
        source="Kimi-K2, kimi-code, cc-switch",
    ),
    _vendor(
        *_KIMI,
        *_NO_SEARCH,
        _WANTED,
        "limit:tools<=128",
        source="Kimi-K2, kimi-code, cc-switch",
    ),
    _vendor(
        ("minimax",),
        ("api.minimax.io", "api.minimaxi.com", "api.minimax.chat"),
        *_NO_SEARCH,
        _WANTED,
        "tools:parameters",
        source="MiniMax-M2.5, hermes-agent",
    ),
    _vendor(
        ("zai",),
        ("api.z.ai", "open.bigmodel.cn"),
        *_NO_SEARCH,
        "call:input=object",
        source="zai-coding-plugins",
    ),
    _vendor(
        ("qwen",),
        ("dashscope*.aliyuncs.com", "coding*.dashscope.aliyuncs.com"),
        *_NO_SEARCH,
        "thinking:adaptive=enabled",
        "thinking:untyped=enabled",
        source="alibabacloud.com, anthropic-api-messages; routatic",
    ),
    _vendor(
        ("ollama",),
        ("ollama.com",),
        *_SERVER_TOOLS,
        "source:url=unfit",
        "tool_choice:none=no_tools",
        source="ollama, its server's code (2026-08)",
    ),
    _vendor(
        ("vllm", "lmstudio"),
        (),
        *_NO_SEARCH,
        source="vllm, its server's code (2026-08)",
    ),
    TableRow(
        Quirks.parse("tool_type:tool_search_tool_*=out", "tool:defer_loading"),
        ("openrouter",),
        ("openrouter.ai",),
        as_of=_AS_OF,
        source="openrouter.ai, Claude Code; opencode",
    ),
    TableRow(
        Quirks.parse("tool:eager_input_streaming", "cache_control:scope"),
        ("copilot",),
        ("api.*.githubcopilot.com", "api.githubcopilot.com"),
        as_of=_AS_OF,
        source="copilot-api",
    ),
)

TABLE = QuirkTable(MESSAGES, VENDORS, CLAUDE)
