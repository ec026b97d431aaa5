"""Members that objects inside of a Responses request have and that are read; of others, the
decision tells. Data."""

from llm_gateway.translation.carried import PartName
from llm_gateway.translation.unread import ByType, members

_TEXT = members("type", "text", "logprobs", named={"annotations": PartName.CITATIONS})
CONTENT = ByType(
    {
        **dict.fromkeys(
            ("input_text", "output_text", "text", "summary_text", "reasoning_text"),
            _TEXT,
        ),
        "refusal": members("type", "refusal"),
        "input_image": members("type", "image_url", "file_id", "detail"),
        "image_url": members("type", "image_url", "file_id", "detail"),
        "input_file": members(
            *("type", "filename", "file_id", "file_url", "file_data", "detail")
        ),
        "input_audio": members(
            "type", "data", "format", input_audio=members("data", "format")
        ),
    }
)
_ITEM = ("type", "id", "status")
_CALL = (*_ITEM, "call_id", "name", "namespace", "caller")
_RESULT = members(*_ITEM, "call_id", "name", "caller", output=CONTENT)

_FUNCTION = ("type", "name", "description", "parameters", "strict")
_DEFERRED = {"defer_loading": PartName.DEFERRED_TOOL}
_OWN = {
    "function": members(*_FUNCTION, function=members(*_FUNCTION), named=_DEFERRED),
    "custom": members(
        *("type", "name", "description"),
        format=members("type", "syntax", "definition"),
        custom=members("name", "description", "format"),
        named=_DEFERRED,
    ),
    "tool_search": members("type", "execution", "description", "parameters"),
}
TOOLS = ByType(
    {
        **_OWN,
        "namespace": members(
            *("type", "name"),
            tools=ByType(_OWN),
            named={"description": PartName.NAMESPACE_TEXT},
        ),
    }
)
_DECLARES = members(*_ITEM, "role", "call_id", "execution", tools=TOOLS)

ITEMS = ByType(
    {
        # `phase` is told of as a setting.
        "message": members(*_ITEM, "role", "phase", content=CONTENT),
        "agent_message": members(*_ITEM, "role", "phase", "author", content=CONTENT),
        "reasoning": members(
            *_ITEM, "encrypted_content", summary=CONTENT, content=CONTENT
        ),
        "function_call": members(*_CALL, "arguments"),
        "custom_tool_call": members(*_CALL, "input"),
        "tool_search_call": members(*_CALL, "arguments", "execution"),
        "function_call_output": _RESULT,
        "custom_tool_call_output": _RESULT,
        "additional_tools": _DECLARES,
        "tool_search_output": _DECLARES,
        "configuration_update": members(*_ITEM, "reasoning", "text"),
    },
    otherwise="message",
)

_NAMED = ("type", "name", "namespace", "server_label")
_NAME = members("name")
_CHOSEN = members(*_NAMED, function=_NAME, custom=_NAME)

MEMBERS = members(
    input=ITEMS,
    tools=TOOLS,
    tool_choice=members(
        *(*_NAMED, "mode"),
        function=_NAME,
        custom=_NAME,
        tools=_CHOSEN,
        allowed_tools=members("mode", tools=_CHOSEN),
    ),
    stream_options=members("include_usage", "include_obfuscation"),
    text=members(
        "verbosity",  # told of as a setting
        format=members(
            *("type", "name", "description", "schema", "strict"),
            json_schema=members("name", "description", "schema", "strict"),
        ),
    ),
)
