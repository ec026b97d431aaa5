"""Wordings of refusals of Messages: Claude's generations, and who else speaks it.

Read 2026-11-28 in Anthropic's pages (thinking, effort, errors, migration guides), vendors'
pages and threads of clients; none was asked live. What a function of a row needs of the body
is in `messages_lessons.py`. The beginnings of sentences are matched: more may follow.
"""

from llm_gateway.adaptation import chat_lessons
from llm_gateway.adaptation import messages_lessons as lessons
from llm_gateway.adaptation.member_wordings import member_wordings
from llm_gateway.adaptation.wording import TEMPLATE, Wording, rows_of
from llm_gateway.domain import Dialect

_MESSAGES = frozenset({Dialect("messages")})
_Q = r"[`'\"]?"
"""A quote, or none."""
_row = rows_of(Dialect("messages"))


_THINKING = (
    _row(
        200,
        rf"{_Q}thinking\.type\.(?P<type>enabled|disabled|adaptive|between_tools){_Q} is not supported",
        lessons.thinking_type,
        "Claude from Opus 4.7 on; platform.claude.com, thinking",
    ),
    _row(
        201,
        r"(?P<type>adaptive|enabled|disabled) thinking is not supported",
        lessons.thinking_type,
        "Claude up to 4.5; platform.claude.com, thinking-troubleshooting",
    ),
    _row(
        211,
        r"thinking(?:\.\w+)?[`'\"]?\W{1,3}.{0,100}?(?:expected|should be|must be|one of)(?: tags| one of)?(?P<known>\W{1,3}(?:adaptive|enabled|disabled)\b[^.\n]{0,100})",
        lessons.thinking_of_types,
        "servers that check the schema, each with the types that it knows",
    ),
    _row(
        202,
        r"thinking\.type\W.{0,20}field required|thinking\W.{0,40}(?:missing|required).{0,20}\btype\b",
        lessons.thinking_untyped,
        "servers that check the schema",
    ),
    _row(
        203,
        rf"expected {_Q}thinking{_Q} or {_Q}redacted_thinking{_Q}, but found",
        lessons.thoughts_pending,
        "Claude, manual thinking; platform.claude.com, extended thinking",
    ),
    _row(
        204,
        rf"effort {_Q}(?P<value>\w+){_Q} is not supported when thinking is disabled",
        lessons.effort_while_off,
        "Claude Opus 5; platform.claude.com, effort",
    ),
    _row(
        205,
        r"cannot be disabled when reasoning_effort is set",
        "effort:thinking_off=out",
        "DeepSeek; deer-flow, cc-switch",
    ),
    _row(
        206,
        r"effort\b.{0,160}?(?:supported values are|must be one of|should be one of|input should be|one of)\W{1,3}(?P<values>[^.\n]{1,200})",
        lessons.efforts,
        "Kimi, vLLM, servers that check the schema",
    ),
    _row(
        207,
        rf"does not support (?:the )?(?:reasoning )?effort (?:level )?{_Q}(?P<value>none|minimal|low|medium|high|xhigh|max)\b|effort{_Q}:? {_Q}(?P<other>none|minimal|low|medium|high|xhigh|max){_Q} is not supported",
        lessons.not_this_effort,
        "Claude; platform.claude.com, effort",
    ),
    _row(
        208,
        r"does not support (?:the )?(?:output_config\.)?effort\b|effort\W{1,3}(?:parameter )?is not supported|output_config\.effort\W.{0,20}extra inputs",
        lessons.no_effort,
        "Claude up to 4.5",
    ),
)

_CHOICE = (
    _row(
        215,
        r"thinking may not be enabled when tool_choice|tool_choice\b.{0,40}incompatible with thinking"
        r"|thinking mode does not support this tool_choice|tool_choice\b.{0,80} in thinking mode|required or object in thinking mode",
        lessons.forced_while_thinking,
        "Claude with manual thinking, Kimi, DeepSeek, Qwen",
    ),
    _row(
        216,
        r"tool_choice: type .{0,60}not supported for this model|does not support this tool_choice"
        r"|tool[ _]choice\W{0,3}(?:must be|only)\b.{0,20}auto",
        lessons.no_forced_tool,
        "Claude 5.5 and Fable 5.1, DeepSeek's reasoner, Z.ai",
    ),
)

_SAMPLING = (
    _row(
        220,
        rf"{_Q}(?:temperature|top_p|top_k){_Q} is deprecated for this model",
        lessons.sampling_deprecated,
        "Claude from Opus 4.7 on; platform.claude.com, migration guides",
    ),
    _row(
        221,
        rf"{_Q}temperature{_Q} and {_Q}top_p{_Q} cannot both be",
        "sampling:top_p=alone",
        "Claude 4.5",
    ),
    _row(
        222,
        rf"{_Q}(?:temperature|top_p|top_k){_Q} (?:may only|must) be .{{0,80}}thinking",
        lessons.sampling_while_thinking,
        "Claude, while it thinks; platform.claude.com, extended thinking",
    ),
    _row(
        223,
        r"invalid (?P<name>temperature|top_p)\b.{0,20}only (?P<value>[\d.]*\d) is allowed",
        chat_lessons.one_value,
        "Kimi",
    ),
    _row(
        224,
        rf"{_Q}(?P<name>temperature|top_p){_Q}(?: only)? (?:must|may only|can only) be (?:set to )?{_Q}(?P<value>[\d.]*\d)\b",
        chat_lessons.one_value,
        "Claude Haiku 5.5",
    ),
)

_HISTORY = (
    _row(
        230,
        r"invalid \W?signature\W? in \W?thinking\W? block\W{1,3}the block is bound to a different conversation",
        lessons.bound_thoughts,
        "Claude, accounts with the prefix check; platform.claude.com, thinking-troubleshooting",
    ),
    _row(
        231,
        r"invalid \W?signature\W? in \W?(?:redacted_)?thinking\W? block|thinking\W? blocks in the latest assistant message cannot be modified"
        r"|invalid .{0,20}redacted_thinking",
        lessons.unreadable_thoughts,
        "Claude, Copilot (invalid_request_body), MiniMax; hermes-agent, rikkahub",
    ),
    _row(
        232,
        r"block_binding: extra inputs are not permitted",
        "beta:thinking-binding-controls-*",
        "Claude, without its beta",
    ),
    _row(
        233,
        r"content\[\]\.thinking\W.{0,60}must be passed back|reasoning_content is missing in assistant tool call|reasoning_content\W.{0,60}must be passed back",
        lessons.thoughts_wanted,
        "DeepSeek, Kimi; claude-code, deepseek-ai/DeepSeek-V3",
    ),
    _row(
        234,
        r"assistant message prefill|conversation must end with a user message|requests ending with a model turn",
        lessons.prefill,
        "Claude from 4.6 on",
    ),
    _row(
        235,
        r"tool_use\W? ids were found without|tool_use_id\W.{0,40}found in \W?tool_result|unexpected \W?tool_use_id|tool result'?s tool id\W.{0,60}not found"
        r"|each \W?tool_result\W? block must have a corresponding|tool_use\W? ids must be unique",
        "tools:paired",
        "Claude, MiniMax (2013)",
    ),
    _row(
        236,
        r"unexpected role \W?system|\brole\W.{0,60}unknown variant \W?(?:system|developer)|role', 'system'.{0,40}|system message must be at the beginning"
        r"|roles must alternate|literal_error.{0,80}\brole\b|invalid chat setting",
        lessons.system_inside,
        "Claude, DeepSeek, vLLM, llama.cpp, MiniMax (2013); claude-code",
        TEMPLATE,
    ),
    _row(
        237,
        r"role \W?system\W? must (?:precede|follow)",
        lessons.system_in_place,
        "Claude; platform.claude.com, mid-conversation-system-messages",
    ),
    _row(
        238,
        r"(?:all messages|text content blocks|messages\W.{0,40}content) must (?:be|have) non-empty",
        "content:empty",
        "Claude, Bedrock",
    ),
    _row(
        239,
        r"\bid: string should match pattern\W+\^?(?P<pattern>\[[\w\\-]{1,40}\](?:[+*]|\{\d{1,3}(?:,\d{0,3})?\})?)",
        lessons.id_pattern,
        "Claude",
    ),
    _row(
        240,
        r"'claudecontentblock\w*' object has no attribute|tool_use\.input\W.{0,20}(?:valid dictionary|object)",
        lessons.call_inputs,
        "Z.ai (500), Claude; zai-coding-plugins",
        TEMPLATE,
    ),
)

_BLOCKS = (
    _row(
        250,
        r"unsupported content type in contentblockparamunion: (?P<tag>\w{1,60})",
        lessons.unread_block,
        "Kimi; cc-switch, Kimi-K2",
    ),
    _row(
        251,
        r"unknown variant \W?(?P<tag>\w{1,60})\W{1,3}expected",
        lessons.unread_tag,
        "DeepSeek; deepseek-ai/DeepSeek-V3",
    ),
    _row(
        252,
        r"input tag \W?(?P<tag>\w{1,60})\W? .{0,40}does not match any of the expected tags",
        lessons.unread_tag,
        "Google Cloud, Claude, FastAPI servers",
    ),
    _row(
        253,
        r"(?:anthropic )?(?P<tag>redacted_thinking|search_result|document|server_tool_use|tool_reference)(?: history| blocks?)? (?:is|are) not supported",
        lessons.unread_block,
        "SGLang, vLLM",
    ),
    _row(
        257,
        r"(?:unsupported|invalid|unknown|unexpected|unrecognized) (?:content )?(?:block )?type:? [`'\"]?(?P<tag>\w{1,60})"
        r"|content (?:block )?(?:of )?type:? [`'\"]?(?P<other>\w{1,60})[`'\"]? (?:is|are) (?:not|un)",
        lessons.unread_block,
        "servers in Go and Python",
    ),
    _row(
        254,
        r"invalid image source type: (?P<kind>\w{1,20})",
        lessons.image_source,
        "Ollama",
    ),
    _row(
        255,
        r"advisor tool result content could not be processed",
        lessons.server_blocks,
        "Claude, results of another provider's advisor",
    ),
    _row(
        256,
        r"cache_control(?:\.ephemeral)?(?:\.(?P<name>\w{1,40}))?[`'\"]?:? (?:extra inputs|unknown field|is not (?:supported|allowed|permitted))"
        r"|(?:extra inputs are not permitted|unknown field|unsupported field):? \S{0,60}cache_control(?:\.ephemeral)?(?:\.(?P<other>\w{1,40}))?",
        lessons.cache_member,
        "Copilot, Bedrock; copilot-api",
    ),
)

_TOOLS = (
    _row(
        260,
        r"does not support tool types?: (?P<types>[\w, ]{1,200})",
        lessons.tool_types,
        "Claude Opus 5.5",
    ),
    _row(
        261,
        r"unknown server-tool shorthand",
        lessons.shorthand,
        "OpenRouter; opencode",
    ),
    _row(
        262,
        r"tools\W.{0,40}input_schema\W.{0,40}(?:field required|missing|required)|input_schema\W.{0,20}field required|function parameters is empty",
        lessons.server_tools,
        "vLLM, Claude, MiniMax (2013)",
    ),
    _row(
        263,
        r"max(?:imum)? (?:number )?of (\d{1,4}) tools|tools\W.{0,60}maximum length (\d{1,4})|at most (\d{1,4}) tools",
        chat_lessons.most_tools,
        "Kimi, Copilot",
    ),
)

_BETAS = (
    _row(
        270,
        r"invalid beta flags?(?::(?P<names>[^\n]{1,300}))?",
        lessons.betas,
        "Bedrock; litellm, claude-code",
    ),
    _row(
        271,
        r"unexpected value\(?s?\)? (?P<names>[^\n]{1,300}) for the \W?anthropic-beta",
        lessons.betas,
        "Google Cloud, Claude; claude-code",
    ),
)

_LIMITS = tuple(
    _row(
        number + 253,
        pattern,
        chat_lessons.most_output,
        source,
        frozenset({400, 413, 422}),
    )
    for number, source, pattern in chat_lessons.LARGEST_OUTPUT
)

WORDINGS: tuple[Wording, ...] = (
    *_THINKING,
    *_CHOICE,
    *_SAMPLING,
    *_HISTORY,
    *_BLOCKS,
    *_TOOLS,
    *_BETAS,
    *_LIMITS,
    *member_wordings(_MESSAGES, lessons.SHAPE, 300),
)
