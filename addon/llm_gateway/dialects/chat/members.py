"""Members that objects inside of a chat request have and that are read; of others, the
decision tells. Data."""

from llm_gateway.dialects.chat.reasoning import NAMES
from llm_gateway.translation.unread import ByType, members

_MARK = members("type", "ttl")
_FUNCTION = members("name", "description", "parameters", "strict", "cache_control")
_CUSTOM = members("name", "description", format=members("type", "grammar"))
_CALLED = members("name", "arguments", "input")
_NAMED = ("type", "name")
_NAME = members("name")
_CHOSEN = members(*_NAMED, function=_NAME, custom=_NAME)

PARTS = ByType(
    {
        "text": members("type", "text", cache_control=_MARK),
        "refusal": members("type", "refusal"),
        "image_url": members(
            "type", image_url=members("url", "detail"), cache_control=_MARK
        ),
        "input_audio": members("type", input_audio=members("data", "format")),
        "file": members(
            "type", file=members("filename", "file_id", "file_data", "format")
        ),
        "thinking": members("type", "thinking", "signature", "closed"),
    }
)
MESSAGE = members(
    *("role", "name", "refusal", "audio", "tool_call_id", "reasoning_details", *NAMES),
    content=PARTS,
    cache_control=_MARK,
    tool_calls=members(
        *("id", "type", "index", "extra_content"), function=_CALLED, custom=_CALLED
    ),
    function_call=_CALLED,
)

MEMBERS = members(
    messages=MESSAGE,
    tools=ByType(
        {
            "function": members(
                *("type", "name", "description", "parameters", "strict"),
                function=_FUNCTION,
                cache_control=_MARK,
            ),
            "custom": members("type", custom=_CUSTOM),
        },
        otherwise="function",
    ),
    functions=_FUNCTION,
    tool_choice=members(
        *_NAMED,
        function=_NAME,
        custom=_NAME,
        allowed_tools=members("mode", tools=_CHOSEN),
    ),
    stream_options=members("include_usage", "include_obfuscation"),
    response_format=members(
        "type", json_schema=members("name", "description", "schema", "strict")
    ),
    reasoning=members("effort", "max_tokens", "enabled", "exclude"),
    thinking=members("type", "budget_tokens"),
)
