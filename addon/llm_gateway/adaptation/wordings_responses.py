"""Wordings of refusals of Responses: OpenAI's models, and who else speaks it.

Read 2026-11-28 in vendors' pages, their servers' code and threads of clients; none was asked
live. What a function of a row needs of the body is in `responses_lessons.py`.
"""

from functools import partial

from llm_gateway.adaptation import chat_lessons
from llm_gateway.adaptation import responses_lessons as lessons
from llm_gateway.adaptation.member_wordings import member_wordings
from llm_gateway.adaptation.refused_member import left_out
from llm_gateway.adaptation.wording import ELSEWHERE, TEMPLATE, Wording, rows_of
from llm_gateway.domain import Dialect

_RESPONSES = frozenset({Dialect("responses")})
_Q = r"[`'\"]?"
"""A quote, or none."""
_NOT = r"(?:not supported|unsupported|not permitted|not allowed|not available|must be (?:null|empty|false|omitted))"
_OF_NO_TYPE = r"(?<!type\W)(?<!type\W\W)(?<!type\W\W\W)"
"""What follows is a parameter, and not the type of an item."""
_row = rows_of(Dialect("responses"))


_VALUES = (
    _row(
        400,
        r"(?:unsupported|invalid) value\b.{0,200}?supported values are\W{1,3}(?P<values>[^.\n]{1,200})",
        lessons.efforts,
        "OpenAI (param reasoning.effort); openai/codex, inspect_ai",
    ),
    _row(
        401,
        r"(?:reasoning\.)?effort\b.{0,120}?(?:must be one of|should be one of|expected one of|one of)\W{1,3}(?P<values>[^.\n]{1,200})",
        lessons.efforts,
        "DeepSeek, Groq, servers that check the schema",
    ),
    _row(
        402,
        rf"{_OF_NO_TYPE}{_Q}reasoning(?:\.effort|\.summary)?{_Q} is {_NOT}|does not support reasoning",
        lessons.no_reasoning,
        "OpenAI, gpt-4.1 and gpt-4o",
    ),
    _row(
        403,
        rf"{_Q}(?P<name>temperature|top_p){_Q} does not support .{{0,60}}?only the default \((?P<value>[\d.]+)\) value is supported",
        chat_lessons.one_value,
        "OpenAI (unsupported_value)",
    ),
    _row(
        404,
        rf"{_Q}(?P<name>temperature|top_p|top_logprobs|logprobs){_Q} is {_NOT}",
        lessons.sampling,
        "OpenAI, reasoning models (unsupported_parameter)",
    ),
    _row(
        405,
        r"max_output_tokens\b.{0,80}expected a value >= (?P<least>\d{1,6})",
        lessons.least_output,
        "OpenAI (integer_below_min_value); cc-switch",
    ),
    _row(
        406,
        rf"(?<!\w)(?P<name>call_id|id|prompt_cache_key|safety_identifier|user){_Q}\W.{{0,20}}string too long\W.{{0,60}}maximum length (?P<most>\d{{1,4}})",
        lessons.too_long,
        "OpenAI (string_above_max_length); openai/codex",
    ),
    _row(
        407,
        r"max(?:imum)? (?:number )?of (\d{1,4}) tools|tools\W.{0,60}maximum length (\d{1,4})|at most (\d{1,4}) tools",
        lessons.most_tools,
        "Groq, Copilot",
    ),
)

_REASONING = (
    _row(
        415,
        r"of type 'reasoning' was provided without its required following item",
        lessons.reasoning_alone,
        "OpenAI; openai/codex",
    ),
    _row(
        416,
        r"was provided without its required 'reasoning' item",
        lessons.ids_out,
        "OpenAI; openai/codex",
    ),
    _row(
        417,
        r"encrypted content\b.{0,200}could not be verified|invalid_encrypted_content|(?:could not|failed to|unable to) decrypt .{0,40}(?:encrypted_content|reasoning)"
        r"|encrypted_content\W.{0,60}(?:invalid|null|required)",
        lessons.unreadable,
        "OpenAI (organization), xAI; opencode, opencodex",
    ),
    _row(
        418,
        r"encrypted content is not supported",
        "member:include",
        "Azure, gpt-4o (`include`)",
    ),
    _row(
        419,
        r"item with id \W?\w{1,80}\W? not found\b",
        lessons.not_stored,
        "OpenAI (404), nothing is stored; openai/codex",
        ELSEWHERE,
    ),
    _row(
        421,
        r"reasoning_content\W.{0,60}must be passed back|reasoning_content is missing in",
        lessons.thoughts_wanted,
        "Xiaomi MiMo; DeepSeek's and Kimi's models on other hosts",
    ),
    _row(
        420,
        r"'content'\] is not an array",
        "item:reasoning",
        "llama.cpp, encrypted reasoning",
        TEMPLATE,
    ),
)

_HISTORY = (
    _row(
        425,
        r"no tool output found for|no tool call found for|tool_call_ids? did not have response|is missing (?:its )?(?:tool )?output",
        "state:calls=whole",
        "OpenAI, Azure",
    ),
    _row(
        426,
        r"insufficient tool messages following|must be followed by tool messages",
        "tools:batched",
        "DeepSeek, whatever stands between calls and outputs; opencodex",
    ),
    _row(
        427,
        r"expected an id that (?:begins|starts) with|invalid .?input\[\d+\]\.id\b",
        lessons.item_id,
        "OpenAI; openai/codex, opencode",
    ),
    _row(
        428,
        r"item id does not belong to this connection",
        "id:item=out",
        "Copilot (401 or 400); copilot-api",
        frozenset({400, 401, 422}),
    ),
    _row(
        429,
        r"invalid value: 'input_text'\W{1,3}supported values are\W{1,3}'output_text'",
        lessons.parts_of_assistant,
        "OpenAI, turns of the assistant; opencode",
    ),
    _row(
        430,
        r"missing namespace for function_call",
        lessons.namespace_wanted,
        "OpenAI; openai/codex",
    ),
    _row(
        431,
        r"output of tool call should be .?input text",
        "content:output=text",
        "llama.cpp",
        TEMPLATE,
    ),
    _row(
        432,
        r"file inputs are not (?:currently )?supported",
        lessons.no_files,
        "Ollama",
    ),
    _row(
        433,
        r"(?:unknown variant|unexpected role|invalid role|unsupported role|role)\W{1,3}developer\b"
        r"|\brole\b.{0,200}input should be .{0,80}system",
        lessons.developer,
        "servers that know system alone",
        TEMPLATE,
    ),
)

_TOOLS = (
    _row(
        440,
        r"unknown variant \W?(?P<tag>[\w-]{1,60})\W{1,3}expected(?: one of)? (?P<known>[^\n]{1,300})?",
        lessons.unread_variant,
        "xAI (422); codex, opencodex",
    ),
    _row(
        441,
        rf"(?:tool type|hosted tool) {_Q}(?P<tag>[\w-]{{1,60}}?){_Q} (?:is )?{_NOT}|unsupported tool type(?:: {_Q}(?P<other>[\w-]{{1,60}}))?"
        r"|unknown tool type",
        lessons.unread_tool,
        "Xiaomi MiMo, vLLM, Azure, Ollama; codex, vllm",
    ),
    _row(
        442,
        r"'type' of tool must be|\btools[.\[]\d+\]?\.type\b|only supports? function tools|loc\W{1,4}body\W{1,4}tools\b",
        lessons.unread_tool_type,
        "llama.cpp, LM Studio (invalid_string), Groq, vLLM",
        TEMPLATE,
    ),
    _row(
        443,
        r"(?:input )?item type:? [`'\"]?(?P<tag>[\w-]{1,60})[`'\"]?",
        lessons.unread_item,
        "Kimi, Ollama, SGLang; cc-switch, ollama, sglang",
        TEMPLATE,
    ),
    _row(
        444,
        r"cannot determine type of 'item'|untagged enum modelinput|loc\W{1,4}body\W{1,4}input\b",
        lessons.odd_items,
        "llama.cpp, xAI (422), vLLM; opencodex, CLIProxyAPI",
        TEMPLATE,
    ),
    _row(
        445,
        r"invalid responses api request|some codex history items",
        lessons.odd_request,
        "OpenRouter (invalid_prompt); openai/codex",
    ),
    _row(
        446,
        r"invalid schema for function .{0,200}(?:is required to be supplied|additionalproperties)",
        lessons.no_strict,
        "OpenAI, strict is tried (invalid_function_parameters)",
    ),
)

_MEMBERS = (
    _row(
        450,
        rf"{_Q}(?P<name>previous_response_id|conversation|background|prompt){_Q}(?: parameter| field)? (?:is|are) (?:currently |yet )?{_NOT}",
        lessons.needed_member,
        "Mistral, Groq, OpenRouter",
        ELSEWHERE,
    ),
    _row(
        451,
        rf"(?:does not support|unsupported (?:parameter|field):?|unknown (?:parameter|field):?) {_Q}(?P<name>previous_response_id|conversation|background|prompt)\b",
        lessons.needed_member,
        "llama.cpp",
        TEMPLATE | ELSEWHERE,
    ),
    _row(
        452,
        rf"{_Q}store{_Q}\W.{{0,60}}(?:{_NOT}|only .{{0,20}}false|must be (?:set to )?false)|only store=false|does not support store",
        lessons.no_store,
        "Groq, Mistral, OpenRouter",
    ),
    _row(
        453,
        r"(?:argument|parameter|field)s? not supported(?: on this model)?: (?P<names>[^\n:;()]{1,300})",
        partial(left_out, lessons.SHAPE),
        "xAI",
    ),
)

_LIMITS = tuple(
    _row(
        number + 433,
        pattern,
        lessons.most_output,
        source,
        frozenset({400, 413, 422}),
    )
    for number, source, pattern in chat_lessons.LARGEST_OUTPUT
)

_ELSEWHERE = (
    _row(
        470,
        r"does not support the \S*/responses\S* api",
        "endpoint:any=chat",
        "Bedrock",
        ELSEWHERE,
    ),
)

WORDINGS: tuple[Wording, ...] = (
    *_HISTORY,
    *_REASONING,
    *_VALUES,
    *_TOOLS,
    *_MEMBERS,
    *_LIMITS,
    *_ELSEWHERE,
    *member_wordings(_RESPONSES, lessons.SHAPE, 500),
)
