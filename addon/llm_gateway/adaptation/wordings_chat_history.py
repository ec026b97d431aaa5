"""Wordings of refusals of chat completions: turns, their roles, content, thoughts and call ids.

Read 2026-11-28 in vendors' pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `chat_lessons.py`.
"""

from llm_gateway.adaptation import chat_lessons as lessons
from llm_gateway.adaptation.wording import ELSEWHERE, TEMPLATE, Wording, steps, words
from llm_gateway.domain import Dialect

_CHAT = frozenset({Dialect("chat")})

IDS: tuple[Wording, ...] = (
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


THOUGHTS: tuple[Wording, ...] = (
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


ROLES: tuple[Wording, ...] = (
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
            r"no user query found|at least one user message|messages (?:parameter is illegal|参数非法)|messages must contain (?:a|at least one) user"
        ),
        lessons.user_wanted,
        "Z.ai (1214), templates of Qwen",
        TEMPLATE,
    ),
)


CONTENT: tuple[Wording, ...] = (
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
        106,
        _CHAT,
        words(
            r"unmarshal (?:array|null|object)\b.{0,80}\bcontent of type string|\bcontent[`'\"\]:. ]{1,4}(?:str type expected|must be (?:of type )?string)"
            r"|java\.lang\.string[`'\"]? from (?:array|object)\b.{0,600}\bcontent\b|to system\.string\b.{0,60}\bcontent\b"
        ),
        lessons.content_as_string,
        "Go, Java and .NET servers, older FastAPI ones",
        TEMPLATE,
    ),
    Wording(
        107,
        _CHAT,
        words(
            r"missing (?:required )?(?:field|property|parameter|key)s?\W{1,3}(?:messages\W\d+\W{1,2})?content\b"
            r"|\bcontent[`'\"\]:.]{0,3} (?:\w+ ){0,2}(?:is|are) (?:a )?(?:required|missing)|\bcontent[`'\"\]:.]{0,3} (?:field required|missing)"
        ),
        lessons.content_wanted,
        "DeepSeek and other Rust servers; OpenAI: 'content' is a required property",
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
