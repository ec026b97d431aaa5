"""Members that objects inside of a Messages request have and that are read; of others, the
decision tells. Data."""

from llm_gateway.translation.carried import PartName
from llm_gateway.translation.unread import ByType, members

_CITED = {"citations": PartName.CITATIONS}
_MARK = members("type", "ttl")

_SOURCE = members("type", "media_type", "data", "url", "file_id", "content")
_INNER = ByType(
    {
        "text": members("type", "text", cache_control=_MARK, named=_CITED),
        "image": members("type", source=_SOURCE, cache_control=_MARK),
        "document": members(
            *("type", "title", "context"),
            source=_SOURCE,
            citations=members("enabled"),
            cache_control=_MARK,
        ),
        "search_result": members(
            *("type", "source", "title", "content"), cache_control=_MARK, named=_CITED
        ),
        "tool_reference": members("type", "tool_name", cache_control=_MARK),
    }
)
"""What a result of a tool may hold."""
BLOCKS = ByType(
    {
        **_INNER.types,
        # `caller` says which of Anthropic's own tools has called; directly, it says nothing.
        "tool_use": members(
            *("type", "id", "name", "input", "caller"), cache_control=_MARK
        ),
        "tool_result": members(
            *("type", "tool_use_id", "is_error"), content=_INNER, cache_control=_MARK
        ),
        "thinking": members("type", "thinking", "signature"),
        "redacted_thinking": members("type", "data"),
    }
)
_OWN_TOOL = members(
    *("type", "name", "description", "input_schema", "strict"),
    cache_control=_MARK,
    named={"defer_loading": PartName.DEFERRED_TOOL},
)

MEMBERS = members(
    system=BLOCKS,
    messages=members("role", content=BLOCKS),
    tools=ByType({"custom": _OWN_TOOL, "function": _OWN_TOOL}, otherwise="custom"),
    tool_choice=members("type", "name", "disable_parallel_tool_use"),
    thinking=members("type", "budget_tokens", "display"),
    output_config=members("effort", format=members("type", "schema")),
    output_format=members("type", "schema"),
)
