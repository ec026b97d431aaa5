"""Wordings of refusals of chat completions: members, ids, roles, content, thoughts, tools.

Read 2026-11-28 in vendors' pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `chat_lessons.py`.
"""

from functools import partial

from llm_gateway.adaptation import chat_lessons as lessons
from llm_gateway.adaptation.refused_member import extras_at, left_out, listed
from llm_gateway.adaptation.wording import ELSEWHERE, TEMPLATE, Wording, steps, words
from llm_gateway.domain import Dialect

_CHAT = frozenset({Dialect("chat")})
_left_out = partial(left_out, lessons.SHAPE)
_listed = partial(listed, lessons.SHAPE)

_NAME = r"[`'\"]?(?P<name>[\w.\[\]$-]{1,120})[`'\"]?"
_NOT_TAKEN = (
    r"(?:not supported|unsupported|not permitted|not allowed|not recogni[sz]ed|forbidden"
    r"|not a valid (?:field|param|parameter)|not (?:yet )?implemented|unknown|deprecated)"
)
_FIELD = r"(?:field|param|parameter|property|properties|key|argument|member|input)"

_ENDPOINTS = (
    Wording(
        1,
        _CHAT,
        words(
            r"function tools with [\w.]+ (?:is|are) not supported|to use function tools, use \S*/responses"
        ),
        lessons.tools_elsewhere,
        "OpenAI, gpt-5.4 and later; inspect_ai, litellm, opencode",
        ELSEWHERE,
    ),
    Wording(
        2,
        _CHAT,
        words(r"only supported in \S*responses\b"),
        "endpoint:any=responses",
        "OpenAI, codex and pro models (404); codex, models.dev",
        ELSEWHERE,
    ),
    Wording(
        3,
        _CHAT,
        words(r"not a chat model\b.{0,120}did you mean to use \S*?/(completions)"),
        r"endpoint:any=\1",
        "OpenAI (404)",
        ELSEWHERE,
    ),
    Wording(
        4,
        _CHAT,
        words(r"not accessible via the \S*/chat/completions|unsupported_api_for_model"),
        "endpoint:any=responses",
        "Copilot; opencode, copilot-api",
        ELSEWHERE,
    ),
    Wording(
        5,
        _CHAT,
        words(r"the chatcompletion operation does not work with the specified model"),
        "endpoint:any=responses",
        "Azure (OperationNotSupported)",
        ELSEWHERE,
    ),
    Wording(
        6,
        _CHAT,
        words(r"does not support the \S*/chat/completions\S* api"),
        "endpoint:any=responses",
        "Bedrock; litellm",
        ELSEWHERE,
    ),
    Wording(
        7,
        _CHAT,
        words(r"no endpoints found that support tool use"),
        lessons.no_tools,
        "OpenRouter (404)",
        ELSEWHERE,
    ),
    Wording(
        8,
        _CHAT,
        words(
            r"tool choice requires --enable-auto-tool-choice|does not support (?:tools|tool calling|tool use|function calling)"
            r"(?:[\s\W]{0,3}$|\W{0,2}\n|\W{0,2}(?:for|with|on) this model)"
        ),
        lessons.no_tools,
        "vLLM, Ollama",
        ELSEWHERE,
    ),
    Wording(
        515,
        _CHAT,
        words(
            r"response_format\W{0,3}(?:type |of type )?(?:[`'\"]?json_schema[`'\"]? )?(?:type )?"
            r"(?:is |are )?(?:currently |now )?(?:unavailable|not (?:yet |currently )?(?:supported|available))"
        ),
        "format:json_schema=json_object",
        "DeepSeek: This response_format type is unavailable now",
    ),
    Wording(
        9,
        _CHAT,
        words(
            r"json mode cannot be (?:combined|used) with tool|response_format\W.{0,60}(?:cannot|can't|not) be (?:used|combined) with tool"
        ),
        "endpoint:tools_with_json",
        "Groq",
    ),
    Wording(
        10,
        _CHAT,
        words(
            r"max(?:imum)? (?:number )?of (\d{1,4}) tools|tools\W.{0,60}maximum length (\d{1,4})|at most (\d{1,4}) tools"
        ),
        lessons.most_tools,
        "Kimi, Copilot, OpenAI",
    ),
)

_VALUES = (
    Wording(
        20,
        _CHAT,
        words(
            r"[`'\"](?P<name>[\w.]+)[`'\"] does not support .{0,60}?only the default \((?P<value>[\d.]+)\) value is supported"
        ),
        lessons.one_value,
        "OpenAI, reasoning models (unsupported_value)",
    ),
    Wording(
        21,
        _CHAT,
        words(
            r"invalid (?P<name>temperature|top_p|presence_penalty|frequency_penalty|n)\b.{0,20}only (?P<value>[\d.]*\d) is allowed"
        ),
        lessons.one_value,
        "Kimi, thinking models",
    ),
    Wording(
        22,
        _CHAT,
        words(r"[`'\"]?temperature[`'\"]? and [`'\"]?top_p[`'\"]? cannot both be"),
        "sampling:top_p=alone",
        "Claude behind chat endpoints",
    ),
    Wording(
        23,
        _CHAT,
        words(r"penalty is not enabled for this model"),
        lessons.penalties,
        "Gemini's OpenAI path",
    ),
    Wording(
        24,
        _CHAT,
        words(
            r"(?:reasoning_effort|reasoning\.effort|effort)\b.{0,120}?(?:supported values are|must be one of|should be one of|one of)\W{1,3}(?P<values>[^.]{1,200})"
        ),
        lessons.efforts,
        "OpenAI (unsupported_value), Groq, Kimi",
    ),
    Wording(
        38,
        _CHAT,
        words(
            r"unsupported value.{0,120}supported values are:?\W{1,3}(?P<values>[^.]{1,200})"
        ),
        lessons.efforts_by_param,
        "OpenAI (unsupported_value), where only `param` names it",
    ),
    Wording(
        25,
        _CHAT,
        words(
            r"does not support (?:reasoning )?effort (?:level )?[`'\"]?(?P<value>\w+)|[`'\"]?(?:reasoning_)?effort[`'\"]?:? [`'\"]?(?P<other>\w+)[`'\"]? is not supported"
        ),
        lessons.not_this_effort,
        "Claude and gpt-oss behind chat endpoints",
    ),
    Wording(
        26,
        _CHAT,
        words(
            r"(?P<name>max_(?:completion_|output_)?tokens)\b.{0,80}expected a value >= (?P<value>\d{1,6})"
        ),
        lessons.least_output,
        "OpenAI (integer_below_min_value)",
    ),
    *(
        Wording(
            number,
            _CHAT,
            words(pattern),
            lessons.most_output,
            source,
            frozenset({400, 413, 422}),
        )
        for number, source, pattern in lessons.LARGEST_OUTPUT
    ),
    Wording(
        35,
        _CHAT,
        words(
            r"max_tokens > (\d{2,7}) (?:must|need|requires?|should).{0,30}stream|stream\w* .{0,40}max_tokens.{0,20}(?:>|greater than|above|over) (\d{2,7})"
        ),
        lessons.plain_output,
        "Fireworks",
    ),
    Wording(
        36,
        _CHAT,
        words(
            r"[`'\"](?P<name>prompt_cache_key|safety_identifier|user)[`'\"].{0,30}too long\W.{0,60}maximum length (?P<value>\d{1,4})"
        ),
        r"limit:\g<name><=\g<value>",
        "OpenAI (string_above_max_length)",
    ),
    Wording(
        37,
        _CHAT,
        words(
            r"[`'\"]?stop[`'\"]?\W.{0,60}(?:maximum length|at most|no more than|up to) (?P<value>\d{1,2})\b"
        ),
        r"limit:stop<=\g<value>",
        "OpenAI, Gemini's path",
    ),
)

_IDS = (
    Wording(
        40,
        _CHAT,
        words(
            r"tool call id .{0,200}must be (?P<chars>a-z[^.]{0,40}?),? with a length of (?P<length>\d{1,3})"
        ),
        lessons.id_of_length,
        "Mistral (3280), its models on other hosts",
    ),
    Wording(
        44,
        _CHAT,
        words(
            r"tool call ids? (?:should|must) be (?:an )?alphanumeric strings? (?:with|of) (?:a )?length (?:of )?(?P<length>\d{1,2})\b"
        ),
        r"id:call=[a-zA-Z0-9]{\g<length>}",
        "chat templates of Mistral's models (vLLM, llama.cpp, TGI)",
        TEMPLATE,
    ),
    Wording(
        41,
        _CHAT,
        words(
            r"tool_call(?:s\W.{0,12}\bid|_id)\b.{0,80}(?:maximum length|at most|no more than|less than or equal to) (?P<length>\d{1,3})"
        ),
        r"id:call=[a-zA-Z0-9_-]{1,\g<length>}",
        "OpenAI (string_above_max_length)",
    ),
    Wording(
        42,
        _CHAT,
        words(
            r"(?:tool_?(?:call|use)|toolUseId)\b.{0,160}pattern:? [`'\"]?\^?(?P<chars>\[[\w-]{3,20}\])(?P<many>[+*]|\{\d{1,3}(?:,\d{0,3})?\})"
        ),
        r"id:call=\g<chars>\g<many>",
        "Claude, Bedrock behind chat endpoints",
    ),
    Wording(
        43,
        _CHAT,
        words(
            r"tool_call(?:s\W.{0,24}\bid|_id)\b.{0,60}(?:valid string|must be a string|expected a string|expected string|is missing|field required|non-empty)"
        ),
        "id:call=[a-zA-Z0-9_-]{1,64}",
        "FastAPI servers: calls that came without an id go back as null",
    ),
)

_THOUGHTS = (
    Wording(
        50,
        _CHAT,
        words(
            r"[`'\"]?(?P<name>reasoning_content|reasoning_details|reasoning)[`'\"]? in the thinking mode must be passed back"
        ),
        r"reasoning:wanted=\g<name>",
        "DeepSeek; many agents",
    ),
    Wording(
        51,
        _CHAT,
        words(
            r"thinking is enabled but [`'\"]?(?P<name>reasoning_content|reasoning_details|reasoning)[`'\"]? is missing"
        ),
        r"reasoning:wanted=\g<name>",
        "Kimi",
    ),
    Wording(
        52,
        _CHAT,
        words(
            r"(?P<name>reasoning_content|reasoning_details|reasoning)[`'\"]?\W.{0,80}must be (?:passed back|included|provided)|missing (?:required )?(?:field )?[`'\"]?(?P<other>reasoning_content)"
        ),
        lessons.thoughts_wanted,
        "DeepSeek's and Kimi's models on other hosts",
    ),
    Wording(
        53,
        _CHAT,
        words(r"missing a [`'\"]?thought_signature"),
        "signature:google",
        "Gemini 3 and later",
    ),
    Wording(
        54,
        _CHAT,
        words(r"(?:corrupted|invalid) thought[ _]signature"),
        "signature:google=ours",
        "Gemini",
    ),
)

_TOOLS = (
    Wording(
        60,
        _CHAT,
        words(
            r"thinking mode does not support this tool_choice|tool_choice\b.{0,40}incompatible with thinking"
            r"|thinking may not be enabled when tool_choice"
        ),
        lessons.forced_while_thinking("type"),
        "DeepSeek, Kimi, Claude behind chat endpoints",
    ),
    Wording(
        61,
        _CHAT,
        words(r"(?:required or object|tool_choice\b.{0,80}) in thinking mode"),
        lessons.forced_while_thinking("enable_thinking"),
        "Qwen, DashScope",
    ),
    Wording(
        62,
        _CHAT,
        words(
            r"tool[ _]choice\W{0,3}must be [`'\"]?auto|does not support this tool_choice"
            r"|tool_choice\b.{0,80}(?:only|must be) [`'\"]?auto|tool_choice: type .{0,60}not supported for this model"
        ),
        lessons.choice_of_auto,
        "Z.ai, DeepSeek's reasoner, Claude behind chat endpoints",
    ),
    Wording(
        63,
        _CHAT,
        words(
            r"tool_choice\b.{0,80}(?:supported string values|must be a string|expected a string|input should be a valid string)"
        ),
        lessons.choice_as_string,
        "LM Studio",
    ),
    Wording(
        64,
        _CHAT,
        words(
            r"function parameters is empty|parameters\W{0,3}(?:field )?(?:is|are) required.{0,40}(?:function|tool)|tools?\W.{0,60}parameters[`'\"]?\W{1,3}(?:field required|missing|is required)"
        ),
        "tools:parameters",
        "MiniMax (2013)",
    ),
    Wording(
        65,
        _CHAT,
        words(r"mixed values for [`'\"]?strict"),
        "tools:one_strict",
        "Cerebras",
    ),
    Wording(
        66,
        _CHAT,
        words(
            r"only supports (?:single tool-?\s*calls?|(?:one|1|a single) tool[ _-]?call\b)"
        ),
        "tools:single",
        "NVIDIA NIM: templates of Llama 3",
        TEMPLATE,
    ),
    Wording(
        71,
        _CHAT,
        words(
            r"(?:does not support|not support(?:ed)?:?) parallel tool[ _-]?calls|parallel (?:tool|function)[ _-]?call(?:s|ing) (?:is|are) not supported"
        ),
        lessons.no_parallel_calls,
        "models that call one tool at a time (templates; as a setting elsewhere)",
        TEMPLATE,
    ),
    Wording(
        67,
        _CHAT,
        words(
            r"object fields require at least one of:? [`'\"]?properties|object schema missing properties"
        ),
        "tools:properties",
        "Cerebras, OpenAI",
    ),
    Wording(
        68,
        _CHAT,
        words(
            r"type\W{1,3}should be defined in anyof|anyof\W.{0,60}instead of the parent schema"
        ),
        "schema:type=beside_anyOf",
        "Kimi",
    ),
    Wording(
        69,
        _CHAT,
        words(
            r"invalid function arguments json|arguments\b.{0,60}(?:must be|not|invalid|is not) (?:a )?valid json|failed to parse tool call arguments"
        ),
        "tools:arguments",
        "MiniMax (2013), llama.cpp",
        TEMPLATE,
    ),
    Wording(
        70,
        _CHAT,
        words(
            r"tool result'?s tool id\W.{0,60}not found|not the same number of function calls and responses"
            r"|did not have response messages|must be a response to a prece?eding message with"
            r"|function response parts is equal to the number of function call parts"
        ),
        lessons.unpaired,
        "MiniMax (2013), Mistral (3230), OpenAI, Gemini",
    ),
)

_ROLES = (
    Wording(
        80,
        _CHAT,
        words(
            r"role[`'\"]? does not support [`'\"]?(?:developer|system)|(?:unknown variant|unexpected role|invalid role|unsupported role|role)\W{1,3}developer\b|[`'\"]developer[`'\"] is not (?:one of|supported|a valid)"
            r"|\brole\b.{0,200}input should be .{0,80}system"
        ),
        lessons.developer,
        "DeepSeek, Mistral, FastAPI servers",
        TEMPLATE,
    ),
    Wording(
        81,
        _CHAT,
        words(r"unexpected role [`'\"]?user[`'\"]? after role [`'\"]?tool"),
        "role:assistant=after_tool",
        "Mistral (3230)",
        TEMPLATE,
    ),
    Wording(
        82,
        _CHAT,
        words(
            r"system message must be (?:at|in|the) |unexpected role [`'\"]?system|system messages? (?:is|are) only (?:allowed|supported) at|system message should be the first"
        ),
        steps("role:system=first", "role:system=one", "role:system=user"),
        "vLLM, llama.cpp (templates), Mistral",
        TEMPLATE,
    ),
    Wording(
        83,
        _CHAT,
        words(
            r"(?:only|at most) one system message|more than one system message|multiple system messages|invalid chat setting"
        ),
        "role:system=one",
        "MiniMax (2013)",
        TEMPLATE,
    ),
    Wording(
        84,
        _CHAT,
        words(
            r"system role (?:is )?not supported|only user and assistant roles are supported|only user, assistant and tool roles"
        ),
        "role:system=user",
        "templates of Gemma and of older Mistral models",
        TEMPLATE,
    ),
    Wording(
        85,
        _CHAT,
        words(
            r"roles must alternate|conversation must alternate between|function call turn comes immediately after a user turn"
        ),
        steps("role:same=merged", "role:system=user"),
        "vLLM, llama.cpp (templates), Gemini",
        TEMPLATE,
    ),
    Wording(
        86,
        _CHAT,
        words(
            r"does not support assistant message prefill|requests ending with a model turn are not supported"
            r"|expected last role user or tool|last message must have role [`'\"]?user|must end with a user message|prefill is (?:incompatible|not supported)"
        ),
        lessons.prefill,
        "Claude, Gemini 3.6, Mistral (3230), llama.cpp",
        TEMPLATE,
    ),
    Wording(
        87,
        _CHAT,
        words(
            r"no user query found|at least one user message|messages parameter is illegal|messages must contain (?:a|at least one) user"
        ),
        lessons.user_wanted,
        "Z.ai (1214), templates of Qwen",
        TEMPLATE,
    ),
)

_CONTENT = (
    Wording(
        100,
        _CHAT,
        words(
            r"[`'\"](?:array|null|undefined)[`'\"] not in [`'\"]string|required properties at [`'\"]/messages/\d+[`'\"] are"
        ),
        lessons.content_of_schema,
        "Cloudflare (5006)",
    ),
    Wording(
        101,
        _CHAT,
        words(r"invalid type: (?P<found>sequence|null|unit value), expected a string"),
        lessons.content_as_string,
        "DeepSeek and other Rust servers",
    ),
    Wording(
        102,
        _CHAT,
        words(
            r"\bcontent\b.{0,120}(?:must be a string|value must be a string|valid string|expected a string|should be a string|expected string, received (?:array|null)|cannot be null|can't be null|must not be null|none is not an allowed value)"
            r"|input should be a valid string, field: [`'\"]?messages\W\d+\W{1,2}content\b"
        ),
        lessons.content_as_string,
        "Groq, FastAPI servers, OpenAI",
        TEMPLATE,
    ),
    Wording(
        103,
        _CHAT,
        words(
            r"must have non-empty content|must not be empty|must have either content or tool_calls|content (?:field )?(?:is|cannot be|can't be) empty|must contain non-whitespace text"
        ),
        lessons.empty_turns,
        "Kimi, Mistral (3240), Claude behind chat endpoints",
    ),
    Wording(
        104,
        _CHAT,
        words(
            r"unknown variant [`'\"]?image_url|(?:does|do) not support (?:image|vision)(?! ?\w{0,6} (?:of|in|with|from|larger|over)\b)|image input is not supported|no endpoints found that support image input"
        ),
        lessons.no_images,
        "DeepSeek, OpenRouter (404)",
        ELSEWHERE,
    ),
    Wording(
        105,
        _CHAT,
        words(
            r"(?:cannot|can't|could not|can only) concatenate|unsupported operand type|must be real string, not"
        ),
        lessons.content_as_string,
        "templates that join texts (vLLM, llama.cpp, LM Studio)",
        TEMPLATE,
    ),
)

_THINKING = (
    Wording(
        110,
        _CHAT,
        words(r"enable_thinking\W.{0,40}must be (?:set to )?false for non-?streaming"),
        "thinking:plain=off",
        "Qwen, DashScope",
    ),
    Wording(
        111,
        _CHAT,
        words(r"thinking\b.{0,40}cannot be disabled when reasoning_effort is set"),
        "member:reasoning_effort",
        "DeepSeek",
    ),
)

_MEMBERS = (
    Wording(
        120,
        _CHAT,
        words(
            r"(?:[`'\"](?P<at>[\w.\[\]-]{1,120})[`'\"]\s*:\s*)?property [`'\"](?P<name>[^`'\"]{1,120})[`'\"] (?:is )?"
            + _NOT_TAKEN
        ),
        _left_out,
        "Groq, Cerebras (wrong_api_format)",
    ),
    Wording(
        121,
        _CHAT,
        words(r"\"extra_forbidden\".{0,20}?\"loc\":\s*\[(?P<name>[^\]]{1,200})\]"),
        _listed,
        "Mistral (422)",
    ),
    Wording(
        122,
        _CHAT,
        words(r"(?P<name>[\w.\[\]$-]{1,200}):\s+extra inputs are not permitted"),
        _left_out,
        "FastAPI servers, Claude",
    ),
    Wording(
        123,
        _CHAT,
        words(r"extra inputs are not permitted, field: " + _NAME),
        _left_out,
        "Fireworks",
    ),
    Wording(
        124,
        _CHAT,
        words(
            r"unknown name \\?[`'\"](?P<name>[\w$.-]{1,120})\\?[`'\"](?: at [`'\"](?P<at>[^`'\"]{0,200})[`'\"])?"
        ),
        _left_out,
        "Gemini's OpenAI path",
    ),
    Wording(
        125,
        _CHAT,
        words(r"unsupported parameter\(s\):\s*(?P<names>[^\n:;()]{1,300})"),
        _left_out,
        "NVIDIA NIM",
    ),
    Wording(
        126,
        _CHAT,
        words(
            r"unrecognized request arguments? supplied:\s*(?P<names>[^\n:;()]{1,200})"
        ),
        _left_out,
        "OpenAI",
    ),
    Wording(
        127,
        _CHAT,
        words(
            r"unrecognized key(?:s|\(s\))?(?: in object)?:\s*(?P<names>[^\n:;()]{1,200})"
        ),
        _left_out,
        "servers that check with zod",
    ),
    Wording(
        133,
        _CHAT,
        words(
            r"additional properties are not allowed \((?P<names>[^()\n]{1,300}?) (?:was|were) unexpected\)"
        ),
        _left_out,
        "servers that check a JSON schema in Python",
    ),
    Wording(
        137,
        _CHAT,
        words(r"(?P<at>[\w./\[\]-]{1,120})[`'\"]? must not have additional properties"),
        partial(extras_at, lessons.SHAPE),
        "servers that check a JSON schema in JavaScript",
    ),
    Wording(
        134,
        _CHAT,
        words(r"extra inputs are not permitted: " + _NAME),
        _left_out,
        "several",
    ),
    Wording(
        135,
        _CHAT,
        words(
            r"(?:argument|parameter|field)s? not supported(?: (?:on|by|for|with) this model)?: (?P<names>[^\n:;()]{1,300})"
        ),
        _left_out,
        "xAI",
    ),
    Wording(
        136,
        _CHAT,
        words(rf"(?<![\w.\[\]-])(?P<name>[a-z]+(?:_[a-z]+)+) (?:is|are) {_NOT_TAKEN}"),
        _left_out,
        "several, without quotes",
    ),
    Wording(
        128,
        _CHAT,
        words(
            rf"(?:unknown|unrecogni[sz]ed|unsupported|unexpected|invalid|extra|additional|disallowed)(?: (?:request|keyword|body|input))? {_FIELD}s?\b\W{{0,4}}{_NAME}"
        ),
        _left_out,
        "OpenAI, Rust and Python servers",
    ),
    Wording(
        129,
        _CHAT,
        words(rf"{_FIELD} {_NAME} (?:is|are|was) {_NOT_TAKEN}"),
        _left_out,
        "several",
    ),
    Wording(
        130,
        _CHAT,
        words(
            rf"[`'\"](?P<name>[\w.\[\]$-]{{1,120}})[`'\"](?: (?:parameter|field|option))? (?:is|are|was) {_NOT_TAKEN}"
        ),
        _left_out,
        "Claude behind chat endpoints, several",
    ),
    Wording(
        131,
        _CHAT,
        words(rf"does not support (?:the )?(?:{_FIELD}s? )?{_NAME}"),
        _left_out,
        "several",
    ),
    Wording(
        132,
        _CHAT,
        words(
            r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed|forbidden|not compatible|additional propert"
        ),
        lessons.named_somewhere,
        "whoever refuses what the gateway itself puts in, in words of its own",
    ),
)

WORDINGS: tuple[Wording, ...] = tuple(
    row._replace(must_change=True)
    for row in (
        *_ENDPOINTS,
        *_THOUGHTS,
        *_VALUES,
        *_IDS,
        *_TOOLS,
        *_ROLES,
        *_CONTENT,
        *_THINKING,
        *_MEMBERS,
    )
)
