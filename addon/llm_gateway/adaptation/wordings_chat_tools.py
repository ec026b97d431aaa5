"""Wordings of refusals of chat completions: declared tools, their choice, calls and results.

Read 2026-11-28 in vendors' pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `chat_lessons.py`.
"""

from llm_gateway.adaptation import chat_lessons as lessons
from llm_gateway.adaptation.wording import TEMPLATE, Wording, words
from llm_gateway.domain import Dialect

_CHAT = frozenset({Dialect("chat")})

WORDINGS: tuple[Wording, ...] = (
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
