"""Wordings of refusals of chat completions: who is served where, values, lengths, thinking.

Read 2026-11-28 in vendors' pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `chat_lessons.py`.
"""

from llm_gateway.adaptation import chat_lessons as lessons
from llm_gateway.adaptation.wording import ELSEWHERE, Wording, words
from llm_gateway.domain import Dialect

_CHAT = frozenset({Dialect("chat")})

ENDPOINTS: tuple[Wording, ...] = (
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
            r"(?:[\s\W]{0,12}$|\W{0,12}\n|\s{0,2}<|\W{0,2}(?:for|with|on) this model)"
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


VALUES: tuple[Wording, ...] = (
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


THINKING: tuple[Wording, ...] = (
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
