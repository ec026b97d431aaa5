"""Parts and members that only their own dialect knows: what they are, as parts of the tables.

Data: types of blocks and items, and names of top-level members, of every dialect. Anything
unknown among the parts may be what the question is about, and is needed; an unknown member
is a setting, and is dropped with its name in the decision.
"""

from collections.abc import Mapping

from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.conversation import Conversation, Foreign

PARTS: Mapping[str, PartName] = {
    # Messages
    "server_tool_use": PartName.SERVER_CALL,
    "mcp_tool_use": PartName.SERVER_CALL,
    "mcp_tool_result": PartName.SERVER_CALL,
    "tool_reference": PartName.REFERENCE,
    "search_result": PartName.REFERENCE,
    "container_upload": PartName.STATE,
    "compaction": PartName.COMPACTION,
    "fallback": PartName.SERVER_CALL,
    # Responses
    "web_search_call": PartName.SERVER_CALL,
    "file_search_call": PartName.SERVER_CALL,
    "code_interpreter_call": PartName.SERVER_CALL,
    "image_generation_call": PartName.SERVER_CALL,
    "mcp_call": PartName.SERVER_CALL,
    "mcp_list_tools": PartName.SERVER_CALL,
    "tool_search_call": PartName.SERVER_CALL,
    "tool_search_output": PartName.SERVER_CALL,
    "item_reference": PartName.STATE,
    "compaction_summary": PartName.COMPACTION,
    "compaction_trigger": PartName.COMPACTION,
    # generateContent
    "executableCode": PartName.SERVER_CALL,
    "codeExecutionResult": PartName.SERVER_CALL,
    "toolCall": PartName.SERVER_CALL,
    "toolResponse": PartName.SERVER_CALL,
}
MEMBERS: Mapping[str, PartName] = {
    # Messages
    "container": PartName.STATE,
    "cache_control": PartName.CACHE_MARKS,
    # Responses
    "previous_response_id": PartName.STATE,
    "conversation": PartName.STATE,
    "background": PartName.STATE,
    "prompt": PartName.STATE,
    "prompt_cache_key": PartName.CACHE_KEY,
    "safety_identifier": PartName.USER,
    # chat
    "logit_bias": PartName.LOGIT_BIAS,
    "logprobs": PartName.LOGPROBS,
    "top_logprobs": PartName.LOGPROBS,
    "audio": PartName.OTHER_OUTPUT,
    "web_search_options": PartName.SERVER_TOOL,
    "user": PartName.USER,
    "metadata": PartName.METADATA,
    # generateContent
    "cachedContent": PartName.STATE,
    "labels": PartName.METADATA,
    "responseLogprobs": PartName.LOGPROBS,
    "responseModalities": PartName.OTHER_OUTPUT,
    "responseMimeType": PartName.OTHER_OUTPUT,
    "speechConfig": PartName.OTHER_OUTPUT,
    "imageConfig": PartName.OTHER_OUTPUT,
}


def part_of(foreign: Foreign) -> PartName:
    """What a foreign part is."""
    found = PARTS.get(foreign.type)
    if found is None and foreign.type.endswith(("_tool_result", "_call_output")):
        return PartName.SERVER_CALL
    return found or PartName.UNKNOWN_PART


def reference_text(foreign: Foreign) -> str:
    """A reference or a search result, as text."""
    value = foreign.value
    if foreign.type == "tool_reference":
        return f"Tool: {value.get('tool_name')}"
    content = value.get("content")
    texts = [
        text
        for block in (content if isinstance(content, list) else [])
        if isinstance(block, dict) and isinstance(text := block.get("text"), str)
    ]
    head = [
        said for name in ("title", "source") if isinstance(said := value.get(name), str)
    ]
    return "\n".join([*head, *texts])


def note_members(conversation: Conversation, notes: Notes) -> None:
    """Members that the neutral form has no place for."""
    for name, value in conversation.extras.items():
        if not value:  # asks for nothing: `"logit_bias": {}`
            continue
        part = MEMBERS.get(name)
        if part is None:
            notes.use(PartName.UNKNOWN_MEMBER, name)
        else:
            notes.use(part, name if part in _NAMED else "")
    for name, part in conversation.unread:
        notes.use(part, name if part is PartName.UNKNOWN_MEMBER else "")


_NAMED = (PartName.STATE, PartName.OTHER_OUTPUT)
"""Shown by the member's own name."""
